#include "edge/records.h"

#include "aws/client.h"
#include "aws/dynamodb.h"
#include "base/clock.h"
#include "edge/uplink.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct record {
    char *name;
    char *plain; /* JSON; NULL: the table has none */
    uint64_t fetched_ns;
};

struct records {
    struct records_source source;
    uint64_t lifetime_ns, silent_until_ns;
    struct record *all;
    size_t count;
    struct aws_client *client; /* NULL with a source of the caller's */
    char table[256];
};

static int fetch_item(void *context, const char *name, struct buf *plain, struct err *err)
{
    struct records *records = context;
    aws_client_set_deadline(records->client, clock_monotonic_ns() + RECORDS_FETCH_MS * 1000000ull);
    return aws_dynamodb_get_item(records->client, records->table, "name", name, plain, err);
}

struct records *records_create(const struct records_source *source, double lifetime_s,
                               struct err *err)
{
    struct records *records = calloc(1, sizeof *records);
    if (!records) {
        err_set(err, ERR_NO_MEMORY, "keep records: out of memory");
        return NULL;
    }
    records->source = *source;
    records->lifetime_ns = (uint64_t)(lifetime_s * 1e9);
    return records;
}

struct records *records_open(const struct deployment *deployment, double lifetime_s,
                             struct err *err)
{
    struct aws_config config;
    struct records_source source = {.fetch = fetch_item};
    struct records *records = records_create(&source, lifetime_s, err);
    if (!records)
        return NULL;
    records->source.context = records;
    memcpy(records->table, deployment->table, sizeof records->table);
    if (uplink_config(&config, deployment, err) == 0)
        records->client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    if (records->client)
        return records;
    records_close(records);
    return NULL;
}

static void forget(struct record *record)
{
    free(record->name);
    free(record->plain);
}

void records_close(struct records *records)
{
    if (!records)
        return;
    for (size_t i = 0; i < records->count; i++)
        forget(&records->all[i]);
    free(records->all);
    aws_client_destroy(records->client);
    free(records);
}

static struct record *find(const struct records *records, const char *name)
{
    for (size_t i = 0; i < records->count; i++)
        if (strcmp(records->all[i].name, name) == 0)
            return &records->all[i];
    return NULL;
}

/* A place for a new record: one more, or that of the oldest. */
static struct record *make_room(struct records *records)
{
    if (records->count < RECORDS_MAX) {
        struct record *all = realloc(records->all, (records->count + 1) * sizeof *all);
        if (!all)
            return NULL;
        records->all = all;
        return &all[records->count++];
    }
    struct record *oldest = records->all;
    for (size_t i = 1; i < records->count; i++)
        if (records->all[i].fetched_ns < oldest->fetched_ns)
            oldest = &records->all[i];
    forget(oldest);
    return oldest;
}

/* Keep what was fetched; `plain` NULL: there is none. */
static int keep(struct records *records, const char *name, const char *plain, struct err *err)
{
    char *own_name = strdup(name), *own_plain = plain ? strdup(plain) : NULL;
    struct record *record = find(records, name);
    if (own_name && (own_plain || !plain) && record)
        forget(record);
    else if (own_name && (own_plain || !plain))
        record = make_room(records);
    else
        record = NULL;
    if (!record) {
        free(own_name);
        free(own_plain);
        return err_set(err, ERR_NO_MEMORY, "keep record: out of memory");
    }
    *record = (struct record){own_name, own_plain, clock_monotonic_ns()};
    return 0;
}

/* Ask for it now. 0: it is kept, -1: nothing could be learnt. */
static int refresh(struct records *records, const char *name)
{
    struct err err = {0};
    struct buf plain;
    if (clock_monotonic_ns() < records->silent_until_ns)
        return -1;
    buf_init(&plain, RECORDS_MAX_BYTES);
    int found = records->source.fetch(records->source.context, name, &plain, &err);
    int done = found < 0 ? -1 : keep(records, name, found ? plain.data : NULL, &err);
    if (found < 0)
        records->silent_until_ns = clock_monotonic_ns() + RECORDS_PAUSE_MS * 1000000ull;
    buf_finish(&plain);
    return done;
}

static int name_alone(const char *name, struct buf *plain, struct err *err)
{
    json_t *object = json_pack("{s:s}", "name", name);
    char *text = object ? json_dumps(object, 0) : NULL;
    json_decref(object);
    if (text)
        buf_puts(plain, text);
    free(text);
    return text && !plain->failed ? 1 : err_set(err, ERR_NO_MEMORY, "make record: out of memory");
}

int records_get(struct records *records, const char *name, struct buf *plain, struct err *err)
{
    const struct record *record = find(records, name);
    if (!record || clock_monotonic_ns() - record->fetched_ns > records->lifetime_ns) {
        if (refresh(records, name) < 0 && !record)
            return name_alone(name, plain, err);
        record = find(records, name);
    }
    if (!record || !record->plain)
        return 0;
    return buf_puts(plain, record->plain) < 0
               ? err_set(err, ERR_TOO_BIG, "read record: it is too large")
               : 1;
}
