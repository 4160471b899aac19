#include "cloud/s3/lifecycle.h"
#include "cloud/s3/meta_rows.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The thread that ends objects, old versions, delete markers and uploads by their bucket's rules: a
 * walk over each bucket with a lifecycle, every hour (or half a shortened day). */

enum { PAGE = 500, USUAL_PAUSE_MS = 3600 * 1000, SHORTEST_PAUSE_MS = 100, ARENA_BYTES = 32 << 20 };

struct expiry {
    struct s3 *s3;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    int closing; /* atomic */
};

/* One bucket's walk. Its request is nobody's: it carries the time and the memory of a page. */
struct walk {
    struct exchange x;
    struct s3_request r;
    char bucket[64];
    const char *text; /* the lifecycle, malloc */
    struct tree *config;
    int64_t now_ms;
    /* the row before, of which the next one may be the older version */
    char key[S3_MAX_KEY_BYTES + 1];
    int64_t sequence, newer_ms, newer_count;
    struct meta_delete *deletes;
    size_t delete_count;
};

struct row {
    const char *key, *version, *tags;
    int64_t sequence, modified_ms, size;
    int is_marker, is_current, is_latest;
};

/* -- one row -- */

static int is_due(int64_t end_ms, int64_t now_ms)
{
    return end_ms >= 0 && end_ms <= now_ms;
}

static int ends_old(const struct walk *w, const struct tree *rule)
{
    const struct tree *old = tree_get(rule, "NoncurrentVersionExpiration");
    const char *keep = tree_text(old, "NewerNoncurrentVersions");
    int64_t end = lifecycle_days_end_ms(w->r.s3, tree_text(old, "NoncurrentDays"), w->newer_ms);
    return is_due(end, w->now_ms) && (!keep || w->newer_count >= s3_number(keep, INT32_MAX));
}

/* A delete marker with nothing behind it has no use left. */
static int ends_marker(const struct walk *w, const struct tree *rule, const struct row *row)
{
    const struct tree *end = tree_get(rule, "Expiration");
    const char *marker = tree_text(end, "ExpiredObjectDeleteMarker");
    if (marker)
        return *marker == 't' || *marker == 'T';
    return is_due(lifecycle_current_end_ms(w->r.s3, rule, row->modified_ms), w->now_ms);
}

static int ends(const struct walk *w, const struct row *row, int is_alone)
{
    const struct lifecycle_object object = {row->key, row->tags, row->size, row->modified_ms};
    for (const struct tree *rule = tree_get(w->config, "Rule"); rule; rule = tree_same(rule)) {
        if (!lifecycle_fits(rule, &object))
            continue;
        if (!row->is_latest ? ends_old(w, rule)
            : row->is_marker
                ? is_alone && ends_marker(w, rule, row)
                : is_due(lifecycle_current_end_ms(w->r.s3, rule, row->modified_ms), w->now_ms))
            return 1;
    }
    return 0;
}

static int note_delete(struct walk *w, const struct row *row, struct err *err)
{
    struct meta_delete *d = &w->deletes[w->delete_count];
    *d = (struct meta_delete){.key = arena_strdup(&w->x.arena, row->key),
                              .event_suffix = "lifecycle"};
    if (row->is_current)
        d->only_sequence = row->sequence;
    else
        d->version = arena_strdup(&w->x.arena, row->version);
    if (!d->key || (!row->is_current && !d->version))
        return err_set(err, ERR_NO_MEMORY, "expire objects: out of memory");
    w->delete_count++;
    return 0;
}

/* -- one page -- */

static const char page_sql[] =
    "SELECT key, sequence, version, modified_ms, size, tags, 0, 1 FROM objects"
    " WHERE bucket=?1 AND key>=?2 AND (key>?2 OR sequence<?3) UNION ALL"
    " SELECT key, sequence, version, modified_ms, size, tags, marker, 0 FROM history"
    " WHERE bucket=?1 AND key>=?2 AND (key>?2 OR sequence<?3)"
    " ORDER BY 1, 2 DESC LIMIT ?4";

static void read_row(const struct walk *w, sqlite3_stmt *s, struct row *row)
{
    *row = (struct row){.key = (const char *)sqlite3_column_text(s, 0),
                        .sequence = sqlite3_column_int64(s, 1),
                        .version = (const char *)sqlite3_column_text(s, 2),
                        .modified_ms = sqlite3_column_int64(s, 3),
                        .size = sqlite3_column_int64(s, 4),
                        .tags = (const char *)sqlite3_column_text(s, 5),
                        .is_marker = sqlite3_column_int(s, 6),
                        .is_current = sqlite3_column_int(s, 7)};
    row->is_latest = strcmp(row->key, w->key) != 0;
}

/* The newest marker counts as alone when no other row of the key is there. */
static int is_alone(struct connection *c, const struct walk *w, const struct row *row,
                    struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        c, "SELECT 1 FROM history WHERE bucket=? AND key=? AND sequence<? LIMIT 1", err);
    if (!s)
        return -1;
    meta_bind_key(s, w->bucket, row->key);
    sqlite3_bind_int64(s, 3, row->sequence);
    int step = sqlite3_step(s);
    int alone = step == SQLITE_DONE;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        alone = connection_fail(c, "expire objects", err);
    connection_reset(s);
    return alone;
}

static int take_row(struct walk *w, struct connection *c, sqlite3_stmt *s, struct err *err)
{
    struct row row;
    read_row(w, s, &row);
    int alone = row.is_latest && row.is_marker ? is_alone(c, w, &row, err) : 0;
    if (alone < 0 || (ends(w, &row, alone) && note_delete(w, &row, err) < 0))
        return -1;
    w->newer_count = row.is_latest ? 0 : w->newer_count + 1;
    w->newer_ms = row.modified_ms;
    w->sequence = row.sequence;
    snprintf(w->key, sizeof w->key, "%s", row.key);
    return 0;
}

/* How many rows there were; -1: failed. */
static int take_page(struct walk *w, struct err *err)
{
    struct connection *c = database_read_begin(w->r.s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c, page_sql, err) : NULL;
    int rows = s ? 0 : -1, step = SQLITE_DONE;
    if (s) {
        meta_bind_text(s, 1, w->bucket);
        sqlite3_bind_text(s, 2, w->key, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(s, 3, *w->key ? w->sequence : INT64_MAX);
        sqlite3_bind_int(s, 4, PAGE);
        while (rows >= 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
            rows = take_row(w, c, s, err) < 0 ? -1 : rows + 1;
        if (rows >= 0 && step != SQLITE_DONE)
            rows = connection_fail(c, "expire objects", err);
        connection_reset(s);
    }
    database_read_end(w->r.s3->database, c);
    return rows;
}

static int start_page(struct walk *w, struct err *err)
{
    arena_finish(&w->x.arena);
    arena_init(&w->x.arena, ARENA_BYTES);
    w->delete_count = 0;
    w->deletes = arena_new(&w->x.arena, struct meta_delete, PAGE);
    w->config = tree_read(&w->x.arena, w->text, strlen(w->text), err);
    return w->deletes && w->config ? 0 : -1;
}

static int expire_objects(struct walk *w, const struct expiry *expiry, struct err *err)
{
    enum meta_outcome outcome;
    int rows = PAGE;
    while (rows == PAGE && !__atomic_load_n(&expiry->closing, __ATOMIC_ACQUIRE)) {
        if (start_page(w, err) < 0 || (rows = take_page(w, err)) < 0)
            return -1;
        if (!w->delete_count)
            continue;
        if (meta_delete_objects(&w->r, w->deletes, w->delete_count, &outcome, err) < 0)
            return -1;
        log_line(LOG_INFO, "s3: the lifecycle of %s ended %zu objects", w->bucket, w->delete_count);
    }
    return 0;
}

/* -- uploads -- */

static int upload_ends(const struct walk *w, const struct meta_upload *upload)
{
    const struct lifecycle_object object = {upload->key, "", 0, upload->created_ms};
    for (const struct tree *rule = tree_get(w->config, "Rule"); rule; rule = tree_same(rule)) {
        int64_t end = lifecycle_upload_end_ms(w->r.s3, rule, upload->created_ms);
        if (is_due(end, w->now_ms) && lifecycle_fits(rule, &object))
            return 1;
    }
    return 0;
}

static int abort_uploads(struct walk *w, struct err *err)
{
    struct meta_upload *uploads;
    struct meta_upload_page page = {.key_marker = "", .id_marker = "", .prefix = ""};
    enum meta_outcome outcome;
    if (start_page(w, err) < 0)
        return -1;
    int64_t count = meta_uploads(&w->r, &page, &uploads, S3_MAX_LIST, err);
    for (int64_t i = 0; i < count; i++) {
        if (!upload_ends(w, &uploads[i]))
            continue;
        w->r.key = uploads[i].key;
        if (meta_abort_upload(&w->r, uploads[i].id, &outcome, err) < 0)
            return -1;
        log_line(LOG_INFO, "s3: the lifecycle of %s aborted an upload", w->bucket);
    }
    return count < 0 ? -1 : 0;
}

/* -- buckets -- */

static void expire_bucket(struct expiry *expiry, const char *bucket, const char *text)
{
    struct err err = {0};
    struct walk *w = calloc(1, sizeof *w);
    if (!w)
        return;
    w->text = text;
    w->now_ms = clock_unix_ms();
    w->x = (struct exchange){.method = "",
                             .path = "",
                             .query = "",
                             .region = expiry->s3->cloud->region,
                             .source_ip = "s3.amazonaws.com",
                             .received_unix_ms = w->now_ms};
    random_uuid(w->x.request_id);
    arena_init(&w->x.arena, ARENA_BYTES);
    snprintf(w->bucket, sizeof w->bucket, "%s", bucket);
    w->r = (struct s3_request){.s3 = expiry->s3, .x = &w->x, .bucket = w->bucket};
    if (expire_objects(w, expiry, &err) < 0 || abort_uploads(w, &err) < 0)
        log_line(LOG_ERROR, "s3: the lifecycle of %s: %s", bucket, err.message);
    arena_finish(&w->x.arena);
    free(w);
}

/* The next bucket behind `bucket` that has a lifecycle: 1, 0 or -1. `text` is malloc. */
static int next_bucket(struct s3 *s3, char bucket[64], char **text, struct err *err)
{
    struct connection *c = database_read_begin(s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c,
                                             "SELECT bucket, value FROM configs WHERE bucket>? AND"
                                             " name='lifecycle' ORDER BY bucket LIMIT 1",
                                             err)
                        : NULL;
    int found = -1;
    if (s) {
        sqlite3_bind_text(s, 1, bucket, -1, SQLITE_TRANSIENT);
        int step = sqlite3_step(s);
        found = step == SQLITE_ROW;
        if (found) {
            snprintf(bucket, 64, "%s", (const char *)sqlite3_column_text(s, 0));
            *text = strdup((const char *)sqlite3_column_text(s, 1));
            found = *text ? 1 : err_set(err, ERR_NO_MEMORY, "expire objects: out of memory");
        }
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            found = connection_fail(c, "expire objects", err);
        connection_reset(s);
    }
    database_read_end(s3->database, c);
    return found;
}

static void expire_all(struct expiry *expiry)
{
    struct err err = {0};
    char bucket[64] = "", *text = NULL;
    int found = 1;
    if (!__atomic_load_n(&expiry->s3->lifecycles, __ATOMIC_ACQUIRE))
        return;
    while (found > 0 && !__atomic_load_n(&expiry->closing, __ATOMIC_ACQUIRE)) {
        found = next_bucket(expiry->s3, bucket, &text, &err);
        if (found > 0) {
            expire_bucket(expiry, bucket, text);
            free(text);
        }
    }
    if (found < 0)
        log_line(LOG_ERROR, "s3: %s", err.message);
}

/* -- the thread -- */

static int64_t pause_ms(const struct s3 *s3)
{
    int64_t half = s3->day_ms / 2;
    return half > USUAL_PAUSE_MS      ? USUAL_PAUSE_MS
           : half < SHORTEST_PAUSE_MS ? SHORTEST_PAUSE_MS
                                      : half;
}

static void *expiry_main(void *argument)
{
    struct expiry *expiry = argument;
    pthread_mutex_lock(&expiry->lock);
    while (!expiry->closing) {
        int64_t until_ms = clock_unix_ms() + pause_ms(expiry->s3);
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        pthread_cond_timedwait(&expiry->wake, &expiry->lock, &until);
        if (expiry->closing)
            break;
        pthread_mutex_unlock(&expiry->lock);
        expire_all(expiry);
        pthread_mutex_lock(&expiry->lock);
    }
    pthread_mutex_unlock(&expiry->lock);
    return NULL;
}

struct expiry *expiry_create(struct s3 *s3, struct err *err)
{
    struct expiry *expiry = calloc(1, sizeof *expiry);
    if (!expiry) {
        err_set(err, ERR_NO_MEMORY, "start the lifecycle thread: out of memory");
        return NULL;
    }
    expiry->s3 = s3;
    pthread_mutex_init(&expiry->lock, NULL);
    pthread_cond_init(&expiry->wake, NULL);
    if (pthread_create(&expiry->thread, NULL, expiry_main, expiry)) {
        err_set(err, ERR_NO_MEMORY, "start the lifecycle thread: no thread");
        free(expiry);
        return NULL;
    }
    return expiry;
}

void expiry_destroy(struct expiry *expiry)
{
    if (!expiry)
        return;
    pthread_mutex_lock(&expiry->lock);
    __atomic_store_n(&expiry->closing, 1, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&expiry->wake);
    pthread_mutex_unlock(&expiry->lock);
    pthread_join(expiry->thread, NULL);
    pthread_cond_destroy(&expiry->wake);
    pthread_mutex_destroy(&expiry->lock);
    free(expiry);
}
