#include "base/random.h"
#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SendMessage and SendMessageBatch. A message is checked as a whole before anything is stored; of a
 * batch the wrong ones are told and the others stored together. */

/* One message of a request: what goes into the table, and what the answer tells. */
struct outgoing {
    const json_t *from;
    const char *id; /* in its batch */
    struct message message;
    char *attributes, *trace; /* JSON text, from malloc() */
    char content_id[65];
    char uuid[37];
    const char *code; /* why it is refused */
    struct err err;
};

static int refuse(struct outgoing *out, const char *code, const char *text)
{
    out->code = code;
    return err_set(&out->err, ERR_INVALID, "%s", text);
}

static int missing(struct outgoing *out, const char *name)
{
    out->code = SQS_MISSING;
    return err_set(&out->err, ERR_INVALID, "The request must contain the parameter %s.", name);
}

static int read_body(struct outgoing *out)
{
    const json_t *body = json_object_get(out->from, "MessageBody");
    out->message.body = json_string_value(body);
    out->message.body_bytes = json_string_length(body);
    if (!out->message.body || !out->message.body_bytes)
        return missing(out, "MessageBody");
    if (!sqs_text_is_valid(out->message.body, out->message.body_bytes))
        return refuse(out, "InvalidMessageContents",
                      "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | "
                      "#x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.");
    return 0;
}

static int read_delay(struct sqs_call *call, struct outgoing *out)
{
    int64_t delay_s = call->settings.delay_s;
    int given = wire_integer(out->from, "DelaySeconds", &delay_s);
    out->code = SQS_INVALID;
    if (given < 0 || delay_s < 0 || delay_s > SQS_MAX_DELAY_S)
        return err_set(
            &out->err, ERR_INVALID,
            "Value %lld for parameter DelaySeconds is invalid. Reason: DelaySeconds must "
            "be >= 0 and <= 900.",
            (long long)delay_s);
    if (given && call->settings.is_fifo && delay_s != 0)
        return err_set(&out->err, ERR_INVALID,
                       "Value %lld for parameter DelaySeconds is invalid. Reason: The request "
                       "include parameter that is not valid for this queue type.",
                       (long long)delay_s);
    out->message.delay_ms = 1000 * (call->settings.is_fifo ? call->settings.delay_s : delay_s);
    return 0;
}

static int read_attributes(struct outgoing *out)
{
    const json_t *attributes = json_object_get(out->from, "MessageAttributes"),
                 *system = json_object_get(out->from, "MessageSystemAttributes");
    const char *name;
    json_t *value;
    out->code = SQS_INVALID;
    if (sqs_attributes_check(attributes, SQS_MAX_ATTRIBUTES, &out->err) < 0)
        return -1;
    json_object_foreach((json_t *)system, name, value)
    {
        const char *type = sqs_text(value, "DataType");
        if (strcmp(name, "AWSTraceHeader") != 0)
            return err_set(&out->err, ERR_INVALID,
                           "Message system attribute name '%.100s' is invalid.", name);
        if (!type || strcmp(type, "String") != 0)
            return refuse(out, SQS_INVALID,
                          "The message system attribute 'AWSTraceHeader' has an invalid message "
                          "attribute type, the set of supported type prefixes is String.");
    }
    if (sqs_attributes_check(system, 1, &out->err) < 0)
        return -1;
    if (json_object_size(attributes))
        out->message.attributes = out->attributes = json_dumps(attributes, JSON_COMPACT);
    if (json_object_size(system))
        out->message.trace = out->trace = json_dumps(system, JSON_COMPACT);
    return 0;
}

char *sqs_trace_json(const char *header)
{
    json_t *trace =
        json_pack("{s:{s:s, s:s}}", "AWSTraceHeader", "StringValue", header, "DataType", "String");
    char *text = trace ? json_dumps(trace, JSON_COMPACT) : NULL;
    json_decref(trace);
    return text;
}

/* A traced request's own header goes along where the message has none. */
static void read_trace(const struct sqs_call *call, struct outgoing *out)
{
    const char *trace = exchange_header(call->x, "X-Amzn-Trace-Id");
    if (!out->trace && trace)
        out->message.trace = out->trace = sqs_trace_json(trace);
}

/* Groups and deduplication ids: printable ASCII without a space. */
static int check_id(struct outgoing *out, const char *name, const char *text)
{
    size_t size = strlen(text);
    out->code = SQS_INVALID;
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            size = 0;
    if (size >= 1 && size < SQS_TEXT_BYTES)
        return 0;
    return err_set(&out->err, ERR_INVALID,
                   "Value %.128s for parameter %s is invalid. Reason: %s can only include "
                   "alphanumeric and punctuation characters. 1 to 128 in length.",
                   text, name, name);
}

static int read_fifo(struct sqs_call *call, struct outgoing *out)
{
    struct message *message = &out->message;
    message->group = sqs_text(out->from, "MessageGroupId");
    message->deduplication_id = sqs_text(out->from, "MessageDeduplicationId");
    if (!call->settings.is_fifo && message->deduplication_id)
        return refuse(out, SQS_INVALID,
                      "The request include parameter that is not valid for this queue type");
    if (call->settings.is_fifo && !message->group)
        return missing(out, "MessageGroupId");
    if (message->group && check_id(out, "MessageGroupId", message->group) < 0)
        return -1;
    if (message->deduplication_id)
        return check_id(out, "MessageDeduplicationId", message->deduplication_id);
    if (!call->settings.is_fifo)
        return 0;
    if (!call->settings.by_content)
        return refuse(out, SQS_INVALID,
                      "The queue should either have ContentBasedDeduplication enabled or "
                      "MessageDeduplicationId provided explicitly");
    sqs_sha256(message->body, message->body_bytes, out->content_id);
    message->deduplication_id = out->content_id;
    return 0;
}

static size_t size_of(const struct outgoing *out)
{
    return out->message.body_bytes +
           sqs_attributes_bytes(json_object_get(out->from, "MessageAttributes"));
}

static int read_message(struct sqs_call *call, struct outgoing *out)
{
    if (read_body(out) < 0 || read_delay(call, out) < 0 || read_attributes(out) < 0 ||
        read_fifo(call, out) < 0)
        return -1;
    if (size_of(out) > (size_t)call->settings.max_bytes) {
        out->code = SQS_INVALID;
        return err_set(&out->err, ERR_INVALID,
                       "One or more parameters are invalid. Reason: Message must be shorter than "
                       "%d bytes.",
                       call->settings.max_bytes);
    }
    out->code = NULL;
    read_trace(call, out);
    random_uuid(out->uuid);
    out->message.uuid = out->uuid;
    out->message.sender = call->x->identity.access_key_id;
    return 0;
}

static void put_md5(json_t *answer, const char *member, const json_t *attributes)
{
    char digest[SQS_MD5_BYTES];
    if (json_object_size(attributes) && sqs_attributes_md5(attributes, digest) == 0)
        json_object_set_new(answer, member, json_string(digest));
}

static void put_sent(struct sqs_call *call, json_t *answer, const struct outgoing *out)
{
    char text[SQS_MD5_BYTES];
    sqs_md5(out->message.body, out->message.body_bytes, text);
    json_object_set_new(answer, "MD5OfMessageBody", json_string(text));
    put_md5(answer, "MD5OfMessageAttributes", json_object_get(out->from, "MessageAttributes"));
    put_md5(answer, "MD5OfMessageSystemAttributes",
            json_object_get(out->from, "MessageSystemAttributes"));
    json_object_set_new(answer, "MessageId", json_string(out->uuid));
    if (call->settings.is_fifo) {
        fifo_sequence_number(out->message.id, text);
        json_object_set_new(answer, "SequenceNumber", json_string(text));
    }
}

/* Stores those that are right, together. */
static int store(struct sqs_call *call, struct outgoing *all, size_t count)
{
    struct message messages[SQS_MAX_BATCH];
    char uuids[SQS_MAX_BATCH][37];
    struct insertion insertion = {.sqs = call->sqs,
                                  .queue = call->queue,
                                  .settings = call->settings,
                                  .messages = messages,
                                  .now_ms = call->now_ms,
                                  .uuids = uuids};
    for (size_t i = 0; i < count; i++)
        if (!all[i].code) {
            memcpy(uuids[insertion.count], all[i].uuid, sizeof uuids[0]);
            messages[insertion.count++] = all[i].message;
        }
    if (insertion.count &&
        database_write(call->sqs->database, messages_insert, &insertion, &call->err) < 0)
        return call->err.code == ERR_NOT_FOUND ? sqs_fail_no_queue(call) : -1;
    sqs_count_sent(&insertion);
    for (size_t i = 0, at = 0; i < count; i++)
        if (!all[i].code) {
            all[i].message.id = messages[at].id;
            memcpy(all[i].uuid, uuids[at++], sizeof uuids[0]);
        }
    return 0;
}

static void forget(struct outgoing *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(all[i].attributes);
        free(all[i].trace);
    }
}

int sqs_send(struct sqs_call *call)
{
    struct outgoing out = {.from = call->body};
    int result = read_message(call, &out);
    if (result < 0)
        sqs_fail(call, out.code, "%s", out.err.message);
    else
        result = store(call, &out, 1);
    if (result == 0)
        put_sent(call, call->answer, &out);
    forget(&out, 1);
    return result;
}

static int check_sum(struct sqs_call *call, const struct outgoing *all, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += json_string_length(json_object_get(all[i].from, "MessageBody")) +
               sqs_attributes_bytes(json_object_get(all[i].from, "MessageAttributes"));
    return sum <= SQS_MAX_MESSAGE_BYTES
               ? 0
               : sqs_fail(call, "AWS.SimpleQueueService.BatchRequestTooLong",
                          "Batch requests cannot be longer than %d bytes. You have sent %zu bytes.",
                          SQS_MAX_MESSAGE_BYTES, sum);
}

static void answer_batch(struct sqs_call *call, const struct outgoing *all, size_t count)
{
    json_t *sent = json_array(), *failed = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_pack("{s:s}", "Id", all[i].id);
        if (all[i].code)
            sqs_put_failure(failed, all[i].id, all[i].code, all[i].err.message);
        else {
            put_sent(call, entry, &all[i]);
            json_array_append(sent, entry);
        }
        json_decref(entry);
    }
    sqs_put_batch(call, sent, failed);
}

/* What FIFO queues need of every message is refused for the batch as a whole, and by this code. */
static int check_fifo_batch(struct sqs_call *call, const json_t *entries)
{
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry)
    {
        if (call->settings.is_fifo && !sqs_text(entry, "MessageGroupId"))
            return sqs_fail(call, SQS_INVALID,
                            "The request must contain the parameter MessageGroupId.");
        if (call->settings.is_fifo && !call->settings.by_content &&
            !sqs_text(entry, "MessageDeduplicationId"))
            return sqs_fail(call, SQS_INVALID,
                            "The queue should either have ContentBasedDeduplication enabled or "
                            "MessageDeduplicationId provided explicitly");
    }
    return 0;
}

int sqs_send_batch(struct sqs_call *call)
{
    struct outgoing all[SQS_MAX_BATCH] = {0};
    const json_t *entries = json_object_get(call->body, "Entries");
    size_t count = json_array_size(entries);
    if (sqs_check_batch(call, entries, "Id " SQS_MESSAGE_PARAMETERS) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        all[i].from = json_array_get(entries, i);
        all[i].id = sqs_text(all[i].from, "Id");
    }
    if (check_fifo_batch(call, entries) < 0 || check_sum(call, all, count) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (read_message(call, &all[i]) < 0 && !all[i].code)
            all[i].code = SQS_INVALID;
    int result = store(call, all, count);
    if (result == 0)
        answer_batch(call, all, count);
    forget(all, count);
    return result;
}
