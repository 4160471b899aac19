#include "function/notice.h"

#include "aws/sns.h"
#include "aws/sqs.h"
#include "aws/uri.h"
#include "base/arena.h"
#include "base/buf.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { KEY_ARENA_BYTES = 16 * 1024 };

static int copy(char *out, size_t out_bytes, const char *text, const char *what, struct err *err)
{
    size_t size = text ? strlen(text) : 0;
    if (size == 0 || size >= out_bytes)
        return err_set(err, ERR_INVALID, "the notification's %s is %s", what,
                       size ? "too long" : "missing");
    memcpy(out, text, size + 1);
    return 0;
}

/* Keys come encoded as in a query. */
static int take_key(struct notice *notice, const json_t *object, struct err *err)
{
    const char *encoded = json_string_value(json_object_get(object, "key"));
    struct arena arena;
    size_t size = 0;
    arena_init(&arena, KEY_ARENA_BYTES);
    char *key = encoded ? uri_decode(&arena, encoded, strlen(encoded), 1, &size) : NULL;
    int done = key && strlen(key) != size
                   ? err_set(err, ERR_INVALID, "the notification's key holds a 0")
                   : copy(notice->key, sizeof notice->key, key, "key", err);
    arena_finish(&arena);
    return done;
}

static int take(struct notice *notice, const json_t *record, struct err *err)
{
    const json_t *s3 = json_object_get(record, "s3"), *object = json_object_get(s3, "object");
    const json_t *bucket = json_object_get(json_object_get(s3, "bucket"), "name");
    const json_t *sequencer = json_object_get(object, "sequencer");
    *notice = (struct notice){0};
    if (sequencer && copy(notice->sequencer, sizeof notice->sequencer, json_string_value(sequencer),
                          "sequencer", err) < 0)
        return -1;
    if (copy(notice->bucket, sizeof notice->bucket, json_string_value(bucket), "bucket", err) < 0)
        return -1;
    return take_key(notice, object, err);
}

static int brings_something(const json_t *record)
{
    const char *name = json_string_value(json_object_get(record, "eventName"));
    return name && strncmp(name, "ObjectCreated:", 14) == 0;
}

static int read_records(struct notice *notices, const json_t *records, struct err *err)
{
    size_t i;
    int count = 0;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        if (!brings_something(record))
            continue;
        if (count == NOTICE_MAX)
            return err_set(err, ERR_TOO_BIG, "the notification has more than %d records",
                           NOTICE_MAX);
        if (take(&notices[count++], record, err) < 0)
            return -1;
    }
    return count;
}

int notices_read(struct notice notices[NOTICE_MAX], const char *text, size_t size, struct err *err)
{
    json_t *root = json_loadb(text, size, 0, NULL);
    const json_t *records = json_object_get(root, "Records");
    const char *source =
        json_string_value(json_object_get(json_array_get(records, 0), "eventSource"));
    int count = source && strcmp(source, "aws:s3") == 0 ? read_records(notices, records, err) : 0;
    json_decref(root);
    return count;
}

void notice_group(const char *key, char group[NOTICE_GROUP_BYTES])
{
    const char *slash = strrchr(key, '/');
    size_t size = slash && slash > key ? (size_t)(slash - key) : 0, length = 0;
    for (size_t i = 0; i < size && length < NOTICE_GROUP_BYTES - 1; i++)
        group[length++] = (char)(isalnum((unsigned char)key[i]) ? key[i] : '-');
    if (length == 0)
        length = (size_t)snprintf(group, NOTICE_GROUP_BYTES, "frames");
    group[length] = 0;
}

int notice_answer(struct aws_client *client, const char *topic_arn, const struct notice *notice,
                  unsigned part, const char *answer, struct err *err)
{
    char group[NOTICE_GROUP_BYTES], id[65];
    struct buf what;
    buf_init(&what, 4096);
    buf_printf(&what, "%s/%s/%s/%u", notice->bucket, notice->key, notice->sequencer, part);
    sqs_sha256(what.data, what.size, id);
    buf_finish(&what);
    notice_group(notice->key, group);
    const struct sns_message message = {topic_arn, answer, group, id};
    return aws_sns_publish(client, &message, err);
}
