#include "cloud/sqs/sqs.h"

#include <string.h>

/* A message as its receiver gets it. */

/* "All", ".*", "Name", "Prefix.*", "Prefix*" */
static int wants(const json_t *names, const char *name)
{
    size_t i;
    json_t *element;
    json_array_foreach(names, i, element)
    {
        const char *text = json_string_value(element);
        size_t size = text ? strlen(text) : 0;
        if (!text)
            continue;
        if (strcmp(text, "All") == 0 || strcmp(text, name) == 0)
            return 1;
        if (!size || text[size - 1] != '*')
            continue;
        size -= size > 1 && text[size - 2] == '.' ? 2 : 1;
        if (strncmp(text, name, size) == 0)
            return 1;
    }
    return 0;
}

/* Names that no attribute can have do not count as asked for. */
static int asks(const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (text && (!strcmp(text, ".*") ||
                     (*text != '.' && strncmp(text, "AWS.", 4) && strncmp(text, "Amazon.", 7))))
            return 1;
    }
    return 0;
}

static void put_attributes(json_t *message, const json_t *names, const char *text)
{
    const char *name;
    json_t *value, *all = text ? json_loads(text, 0, NULL) : NULL, *some = json_object();
    char digest[SQS_MD5_BYTES];
    json_object_foreach(all, name, value)
    {
        if (wants(names, name))
            json_object_set(some, name, value);
    }
    if (json_object_size(some) && sqs_attributes_md5(some, digest) == 0)
        json_object_set_new(message, "MD5OfMessageAttributes", json_string(digest));
    if (all && asks(names))
        json_object_set(message, "MessageAttributes", some);
    json_decref(some);
    json_decref(all);
}

static int wants_system(const struct reception *r, const char *name)
{
    return wants(json_object_get(r->body, "AttributeNames"), name) ||
           wants(json_object_get(r->body, "MessageSystemAttributeNames"), name);
}

static void put_system(const struct reception *r, json_t *system, const char *name,
                       const char *value)
{
    if (value && wants_system(r, name))
        json_object_set_new(system, name, json_string(value));
}

static void put_trace(const struct reception *r, json_t *system, const char *text)
{
    json_t *trace = text ? json_loads(text, 0, NULL) : NULL;
    put_system(r, system, "AWSTraceHeader",
               sqs_text(json_object_get(trace, "AWSTraceHeader"), "StringValue"));
    json_decref(trace);
}

enum {
    AT_UUID,
    AT_SENDER,
    AT_GROUP,
    AT_DEDUP,
    AT_SOURCE,
    AT_ATTRIBUTES,
    AT_TRACE,
    AT_BODY,
    AT_SENT,
    AT_FIRST,
    AT_RECEIVES
};
#define MESSAGE_COLUMNS                                                                            \
    "uuid, sender, grp, dedup, source, attributes, trace, body, sent_ms, first_ms, receives"

static const char *text_at(sqlite3_stmt *row, int column)
{
    return (const char *)sqlite3_column_text(row, column);
}

static json_t *system_attributes(const struct reception *r, sqlite3_stmt *row, int64_t id)
{
    json_t *system = json_object();
    char number[24];
    put_system(r, system, "SenderId", text_at(row, AT_SENDER));
    put_system(r, system, "SentTimestamp", text_at(row, AT_SENT));
    put_system(r, system, "ApproximateReceiveCount", text_at(row, AT_RECEIVES));
    put_system(r, system, "ApproximateFirstReceiveTimestamp", text_at(row, AT_FIRST));
    put_system(r, system, "MessageGroupId", text_at(row, AT_GROUP));
    put_system(r, system, "DeadLetterQueueSourceArn", text_at(row, AT_SOURCE));
    put_trace(r, system, text_at(row, AT_TRACE));
    if (r->settings.is_fifo) {
        fifo_sequence_number(id, number);
        put_system(r, system, "MessageDeduplicationId", text_at(row, AT_DEDUP));
        put_system(r, system, "SequenceNumber", number);
    }
    return system;
}

static json_t *message_json(const struct reception *r, sqlite3_stmt *row, int64_t id, int64_t nonce)
{
    char handle[SQS_HANDLE_BYTES], digest[SQS_MD5_BYTES];
    const char *body = text_at(row, AT_BODY);
    size_t size = (size_t)sqlite3_column_bytes(row, AT_BODY);
    struct receipt receipt = {r->queue->id, id, nonce};
    receipt_write(&receipt, handle);
    sqs_md5(body, size, digest);
    json_t *message = json_pack("{s:s, s:s, s:s, s:s%}", "MessageId", text_at(row, AT_UUID),
                                "ReceiptHandle", handle, "MD5OfBody", digest, "Body", body, size);
    json_t *system = system_attributes(r, row, id);
    if (json_object_size(system))
        json_object_set(message, "Attributes", system);
    json_decref(system);
    put_attributes(message, json_object_get(r->body, "MessageAttributeNames"),
                   text_at(row, AT_ATTRIBUTES));
    return message;
}

int reception_read(struct connection *connection, struct reception *r, int64_t id, int64_t nonce,
                   struct err *err)
{
    sqlite3_stmt *row =
        connection_prepare(connection, "SELECT " MESSAGE_COLUMNS " FROM messages WHERE id=?", err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, id);
    int found = sqlite3_step(row) == SQLITE_ROW;
    json_t *message = found ? message_json(r, row, id, nonce) : NULL;
    connection_reset(row);
    if (!found)
        return connection_fail(connection, "read a message", err);
    return message && json_array_append_new(r->messages, message) == 0
               ? 0
               : err_set(err, ERR_NO_MEMORY, "read a message: out of memory");
}
