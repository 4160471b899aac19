#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/sns/filter.h"
#include "cloud/sns/sns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Publish and PublishBatch, and the way of a message to those who subscribed. */

/* -- to one subscriber -- */

struct fan_out {
    struct sns *sns;
    struct notification *n;
    const json_t *structure; /* texts by protocol; NULL: the same for all */
    json_t *data[2];         /* what filters see: attributes, body; made when needed */
};

/* In the message that this protocol gets. */
static struct notification for_protocol(const struct fan_out *f, const char *protocol)
{
    struct notification n = *f->n;
    const char *own = sns_text(f->structure, protocol);
    if (f->structure)
        n.message = own ? own : sns_text(f->structure, "default");
    return n;
}

static int passes(struct fan_out *f, const json_t *attributes)
{
    const char *text = sns_text(attributes, "FilterPolicy");
    const char *scope = sns_text(attributes, "FilterPolicyScope");
    int in_body = scope && !strcmp(scope, "MessageBody");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    if (!policy)
        return 1;
    if (!f->data[0])
        f->data[0] = filter_attributes(f->n->attributes);
    if (in_body && !f->data[1])
        f->data[1] = filter_nested(json_loads(f->n->message, 0, NULL));
    if (in_body)
        policy = filter_nested(policy);
    int result =
        (!in_body || json_is_object(f->data[1])) && filter_policy_matches(policy, f->data[in_body]);
    json_decref(policy);
    return result;
}

static int is_raw(const json_t *subscription)
{
    const char *raw = sns_text(json_object_get(subscription, "attributes"), "RawMessageDelivery");
    return raw && !strcmp(raw, "true");
}

/* The message as a queue gets it, raw with its attributes or in an envelope. */
static int deliver_to_queue(struct sns *sns, const char *queue_arn, const json_t *subscription,
                            const struct notification *n, struct err *err)
{
    int raw = is_raw(subscription);
    json_t *envelope =
        raw ? NULL : envelope_notification(sns, n, sns_text(subscription, "SubscriptionArn"));
    char *text = envelope ? json_dumps(envelope, JSON_INDENT(2)) : NULL;
    char *attributes =
        raw && json_object_size(n->attributes) ? json_dumps(n->attributes, JSON_COMPACT) : NULL;
    const char *body = raw ? n->message : text ? text : "";
    struct delivery delivery = {.target_arn = queue_arn,
                                .source_arn = n->topic_arn,
                                .body = body,
                                .body_bytes = strlen(body),
                                .group_id = n->group_id,
                                .deduplication_id = n->deduplication_id,
                                .attributes = attributes,
                                .trace = n->trace};
    int result = cloud_deliver(sns->cloud, &delivery, err);
    free(attributes);
    free(text);
    json_decref(envelope);
    return result;
}

static int deliver_body(struct sns *sns, const char *queue_arn, const json_t *subscription,
                        const char *body, struct err *err)
{
    struct delivery delivery = {.target_arn = queue_arn,
                                .source_arn = sns_text(subscription, "SubscriptionArn"),
                                .body = body,
                                .body_bytes = strlen(body)};
    return cloud_deliver(sns->cloud, &delivery, err);
}

void sns_bury(struct sns *sns, const json_t *subscription, const struct notification *n,
              const char *body)
{
    struct err err = {0};
    const char *text = sns_text(json_object_get(subscription, "attributes"), "RedrivePolicy");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    const char *arn = sns_text(policy, "deadLetterTargetArn");
    int result = !arn   ? 0
                 : body ? deliver_body(sns, arn, subscription, body, &err)
                        : deliver_to_queue(sns, arn, subscription, n, &err);
    if (result < 0)
        log_line(LOG_WARN, "sns: dead letter: %s", err.message);
    json_decref(policy);
}

/* A subscriber that is not there or takes nothing is its owner's affair, and the message a dead
 * letter; what this cloud could not store must not be acknowledged. */
static int not_taken(struct fan_out *f, const json_t *subscription, const struct notification *n,
                     const struct err *err)
{
    if (err->code == ERR_NO_SPACE || err->code == ERR_IO || err->code == ERR_NO_MEMORY ||
        err->code == ERR_CORRUPT)
        return -1;
    log_line(LOG_WARN, "sns: %s", err->message);
    sns_count(f->sns, n->topic_arn, "NumberOfNotificationsFailed", 1);
    sns_bury(f->sns, subscription, n, NULL);
    return 0;
}

/* What delivering came to. */
static int settle(struct fan_out *f, const json_t *subscription, const struct notification *n,
                  int result, const struct err *err)
{
    if (result < 0)
        return not_taken(f, subscription, n, err);
    sns_count(f->sns, n->topic_arn, "NumberOfNotificationsDelivered", 1);
    return 0;
}

static int to_queue(struct fan_out *f, const json_t *subscription, const struct notification *n,
                    struct err *err)
{
    const char *arn = sns_text(subscription, "Endpoint");
    int result = deliver_to_queue(f->sns, arn, subscription, n, err);
    return settle(f, subscription, n, result, err);
}

static int to_function(struct fan_out *f, const json_t *subscription, const struct notification *n,
                       struct err *err)
{
    json_t *event = envelope_lambda(f->sns, n, sns_text(subscription, "SubscriptionArn"));
    char *body = json_dumps(event, JSON_COMPACT);
    struct delivery delivery = {.target_arn = sns_text(subscription, "Endpoint"),
                                .source_arn = n->topic_arn,
                                .body = body,
                                .body_bytes = body ? strlen(body) : 0};
    int result = body ? cloud_deliver(f->sns->cloud, &delivery, err)
                      : err_set(err, ERR_NO_MEMORY, "deliver a message: out of memory");
    result = settle(f, subscription, n, result, err);
    free(body);
    json_decref(event);
    return result;
}

static int to_address(struct fan_out *f, const json_t *subscription, const struct notification *n,
                      struct err *err)
{
    int raw = is_raw(subscription);
    const char *arn = sns_text(subscription, "SubscriptionArn");
    json_t *envelope = raw ? NULL : envelope_notification(f->sns, n, arn);
    char *text = envelope ? json_dumps(envelope, JSON_INDENT(2)) : NULL;
    struct post post = {.subscription_arn = arn,
                        .topic_arn = n->topic_arn,
                        .url = sns_text(subscription, "Endpoint"),
                        .body = raw ? n->message : text,
                        .type = "Notification",
                        .message_id = n->message_id,
                        .is_raw = raw};
    int result = post.body ? sns_outbox_put(f->sns, &post, err) : -1;
    free(text);
    json_decref(envelope);
    return result;
}

static int to_subscriber(struct fan_out *f, const json_t *subscription, struct err *err)
{
    const char *protocol = sns_text(subscription, "Protocol");
    if (!json_is_true(json_object_get(subscription, "confirmed")))
        return 0;
    if (!passes(f, json_object_get(subscription, "attributes"))) {
        sns_count(f->sns, f->n->topic_arn, "NumberOfNotificationsFilteredOut", 1);
        return 0;
    }
    struct notification n = for_protocol(f, protocol);
    if (!strncmp(protocol, "http", 4))
        return to_address(f, subscription, &n, err);
    return !strcmp(protocol, "sqs") ? to_queue(f, subscription, &n, err)
                                    : to_function(f, subscription, &n, err);
}

int sns_fan_out(struct sns *sns, const char *name, struct notification *n, const json_t *structure,
                struct err *err)
{
    struct fan_out f = {sns, n, structure, {NULL, NULL}};
    json_t *all = sns_subscriptions(sns, name), *subscription;
    size_t i;
    int result = 0;
    clock_text(clock_unix_ms(), n->timestamp);
    json_array_foreach(all, i, subscription)
    {
        if (result == 0)
            result = to_subscriber(&f, subscription, err);
    }
    json_decref(f.data[0]);
    json_decref(f.data[1]);
    json_decref(all);
    return result;
}

/* -- a message of a request -- */

static int check_subject(struct sns_call *call, const char *subject)
{
    size_t size = subject ? strlen(subject) : 0;
    if (!subject)
        return 0;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)subject[i] < ' ' || subject[i] == 127)
            return sns_invalid(call, "Subject");
    return size >= 1 && size <= SNS_MAX_SUBJECT ? 0 : sns_invalid(call, "Subject");
}

static int check_message(struct sns_call *call, const json_t *from)
{
    const char *message = sns_text(from, "Message");
    const json_t *attributes = json_object_get(from, "MessageAttributes");
    if (!message || !*message)
        return sns_invalid(call, "Empty message");
    if (strlen(message) + sqs_attributes_bytes(attributes) > SNS_MAX_MESSAGE_BYTES)
        return sns_invalid(call, "Message too long");
    return check_subject(call, sns_text(from, "Subject"));
}

/* The texts by protocol of a message with MessageStructure; `*out` NULL: it has none. */
static int read_structure(struct sns_call *call, const json_t *from, json_t **out)
{
    const char *structure = sns_text(from, "MessageStructure");
    *out = NULL;
    if (!structure)
        return 0;
    if (strcmp(structure, "json") != 0)
        return sns_invalid(call, "MessageStructure");
    const char *message = sns_text(from, "Message");
    *out = message ? json_loads(message, 0, NULL) : NULL;
    if (!json_is_object(*out))
        return sns_invalid(call, "Message Structure - JSON message body failed to parse");
    return sns_text(*out, "default")
               ? 0
               : sns_invalid(call, "Message Structure - No default entry in JSON message body");
}

static int is_true_attribute(const json_t *topic, const char *name)
{
    const char *text = sns_text(json_object_get(topic, "attributes"), name);
    return text && !strcmp(text, "true");
}

static int id_is_valid(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return 0;
    return size >= 1 && size <= 128;
}

static int check_place(struct sns_call *call, const struct notification *n)
{
    const json_t *topic = call->topic;
    if (!is_true_attribute(topic, "FifoTopic")) {
        if (n->deduplication_id)
            return sns_invalid(call, "MessageDeduplicationId Reason: The request includes "
                                     "MessageDeduplicationId parameter that is not valid for this "
                                     "topic type");
        return 0;
    }
    if (!n->group_id)
        return sns_invalid(call, "The MessageGroupId parameter is required for FIFO topics");
    if (!n->deduplication_id && !is_true_attribute(topic, "ContentBasedDeduplication"))
        return sns_invalid(call, "The topic should either have ContentBasedDeduplication enabled "
                                 "or MessageDeduplicationId provided explicitly");
    if (!id_is_valid(n->group_id) || (n->deduplication_id && !id_is_valid(n->deduplication_id)))
        return sns_invalid(call, "MessageGroupId and MessageDeduplicationId have 1 to 128 "
                                 "characters and punctuation marks");
    return 0;
}

/* To the subscribers; of a FIFO topic in its order, and only once. */
static int send_out(struct sns_call *call, struct notification *n, const json_t *structure)
{
    const char *scope = sns_text(json_object_get(call->topic, "attributes"), "FifoThroughputScope");
    char content_id[65];
    if (!is_true_attribute(call->topic, "FifoTopic"))
        return sns_fan_out(call->sns, call->name, n, structure, &call->err);
    if (!n->deduplication_id) {
        sqs_sha256(n->message, strlen(n->message), content_id);
        n->deduplication_id = content_id;
    }
    struct fifo_place place = {.topic = call->name,
                               .group = n->group_id,
                               .deduplication_id = n->deduplication_id,
                               .by_group = scope && !strcmp(scope, "MessageGroup"),
                               .now_ms = clock_unix_ms()};
    memcpy(place.message_id, n->message_id, sizeof place.message_id);
    int result = sns_fifo_begin(call->sns, &place, &call->err);
    memcpy(n->message_id, place.message_id, sizeof n->message_id);
    memcpy(n->sequence, place.sequence, sizeof n->sequence);
    if (result != 0)
        return result < 0 ? -1 : 0;
    result = sns_fan_out(call->sns, call->name, n, structure, &call->err);
    struct err failure = {0};
    if (sns_fifo_end(call->sns, &place, result == 0, &failure) < 0)
        log_line(LOG_ERROR, "sns: %s", failure.message);
    return result;
}

static int signature_version(const json_t *topic)
{
    const char *text = sns_text(json_object_get(topic, "attributes"), "SignatureVersion");
    return text && !strcmp(text, "2") ? 2 : 1;
}

struct outgoing {
    struct notification n;
    json_t *structure; /* texts by protocol; NULL: none */
};

/* Reads one message and checks what would refuse a whole batch; `entry` of a batch, from 1, or 0.
 * json_decref() out->structure. */
static int prepare(struct sns_call *call, const json_t *from, size_t entry, struct outgoing *out)
{
    *out = (struct outgoing){.n = {.topic_arn = sns_text(call->topic, "arn"),
                                   .message = sns_text(from, "Message"),
                                   .subject = sns_text(from, "Subject"),
                                   .attributes = json_object_get(from, "MessageAttributes"),
                                   .group_id = sns_text(from, "MessageGroupId"),
                                   .deduplication_id = sns_text(from, "MessageDeduplicationId"),
                                   .trace = exchange_header(call->x, "X-Amzn-Trace-Id"),
                                   .endpoint = call->sns->cloud->endpoint,
                                   .signature_version = signature_version(call->topic)}};
    random_uuid(out->n.message_id);
    return sns_check_attributes(call, out->n.attributes, entry) < 0 ||
                   read_structure(call, from, &out->structure) < 0 || check_place(call, &out->n) < 0
               ? -1
               : 0;
}

/* Publishes it; the answer's members go into `answer`. */
static int put_out(struct sns_call *call, struct outgoing *out, json_t *answer)
{
    if (send_out(call, &out->n, out->structure) < 0)
        return -1;
    sns_count(call->sns, out->n.topic_arn, "NumberOfMessagesPublished", 1);
    sns_count(call->sns, out->n.topic_arn, "PublishSize",
              (double)(strlen(out->n.message) + sqs_attributes_bytes(out->n.attributes)));
    json_object_set_new(answer, "MessageId", json_string(out->n.message_id));
    if (*out->n.sequence)
        json_object_set_new(answer, "SequenceNumber", json_string(out->n.sequence));
    return 0;
}

int sns_publish(struct sns_call *call)
{
    struct outgoing out = {0};
    int result = check_message(call, call->body);
    if (result == 0)
        result = prepare(call, call->body, 0, &out);
    if (result == 0)
        result = put_out(call, &out, call->answer);
    json_decref(out.structure);
    return result;
}

/* -- batches -- */

static int batch_id_is_valid(const char *id)
{
    size_t size = strlen(id);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)id[i]) && id[i] != '-' && id[i] != '_')
            return 0;
    return size >= 1 && size <= 80;
}

static int check_batch(struct sns_call *call, const json_t *entries)
{
    size_t count = json_array_size(entries), sum = 0;
    if (!count)
        return sns_fail(call, "EmptyBatchRequest",
                        "The batch request doesn't contain any entries.");
    if (count > SQS_MAX_BATCH)
        return sns_fail(call, "TooManyEntriesInBatchRequest",
                        "The batch request contains more entries than permissible.");
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *id = sns_text(entry, "Id");
        if (!id || !batch_id_is_valid(id))
            return sns_fail(call, "InvalidBatchEntryId",
                            "The Id of a batch entry in a batch request doesn't abide by the "
                            "specification.");
        for (size_t before = 0; before < i; before++)
            if (!strcmp(sns_text(json_array_get(entries, before), "Id"), id))
                return sns_fail(call, "BatchEntryIdsNotDistinct",
                                "Two or more batch entries in the request have the same Id.");
        sum += json_string_length(json_object_get(entry, "Message")) +
               sqs_attributes_bytes(json_object_get(entry, "MessageAttributes"));
    }
    return sum <= SNS_MAX_MESSAGE_BYTES
               ? 0
               : sns_fail(call, "BatchRequestTooLong",
                          "The length of all the messages put together is more than the limit.");
}

static json_t *failure(const struct sns_call *call, const char *id)
{
    return json_pack("{s:s, s:s, s:s, s:b}", "Id", id, "Code",
                     call->code ? call->code : "InternalError", "Message", call->err.message,
                     "SenderFault", call->code != NULL);
}

/* A message that is empty, or could not be put out, is told by its id. */
static void put_out_all(struct sns_call *call, const json_t *entries, struct outgoing *all)
{
    json_t *done = json_array(), *failed = json_array();
    json_object_set_new(call->answer, "Successful", done);
    json_object_set_new(call->answer, "Failed", failed);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        const char *id = sns_text(entry, "Id");
        json_t *one = json_pack("{s:s}", "Id", id);
        call->code = NULL;
        if (check_message(call, entry) == 0 && put_out(call, &all[i], one) == 0)
            json_array_append(done, one);
        else
            json_array_append_new(failed, failure(call, id));
        json_decref(one);
    }
}

int sns_publish_batch(struct sns_call *call)
{
    const json_t *entries = json_object_get(call->body, "PublishBatchRequestEntries");
    struct outgoing all[SQS_MAX_BATCH] = {0};
    if (check_batch(call, entries) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < json_array_size(entries) && result == 0; i++)
        result = prepare(call, json_array_get(entries, i), i + 1, &all[i]);
    if (result == 0)
        put_out_all(call, entries, all);
    for (size_t i = 0; i < SQS_MAX_BATCH; i++)
        json_decref(all[i].structure);
    return result;
}
