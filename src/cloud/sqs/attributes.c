#include "cloud/sqs/sqs.h"

#include <stdlib.h>
#include <string.h>

/* A queue's attributes: their texts are checked, kept and shown as given; settings are what they
 * mean. */

struct change {
    struct sqs_call *call;
    json_t *all;
    int is_new, is_fifo;
};

typedef int check_attribute(struct change *change, const char *name, const char *value);

static int wrong(struct change *change, const char *name)
{
    return sqs_fail(change->call, "InvalidAttributeValue", "Invalid value for the parameter %s.",
                    name);
}

static int unknown(struct change *change, const char *name)
{
    return sqs_fail(change->call, "InvalidAttributeName", "Unknown Attribute %s.", name);
}

/* -- numbers -- */

static const struct number {
    const char *name;
    int least, most;
    const char *otherwise; /* the default */
} numbers[] = {
    {"VisibilityTimeout", 0, SQS_MAX_VISIBILITY_S, "30"},
    {"MaximumMessageSize", 1024, SQS_MAX_MESSAGE_BYTES, "1048576"},
    {"MessageRetentionPeriod", 60, 1209600, "345600"},
    {"DelaySeconds", 0, SQS_MAX_DELAY_S, "0"},
    {"ReceiveMessageWaitTimeSeconds", 0, SQS_MAX_WAIT_S, "0"},
    {"KmsDataKeyReusePeriodSeconds", 60, 86400, NULL},
};

static int number_of(const json_t *attributes, const char *name)
{
    const char *text = sqs_text(attributes, name);
    return text ? (int)strtol(text, NULL, 10) : 0;
}

static int check_number(struct change *change, const char *name, const char *value)
{
    char *end;
    long number = strtol(value, &end, 10);
    size_t i = 0;
    while (strcmp(numbers[i].name, name) != 0)
        i++;
    if (!*value || strlen(value) > 10 || *end || *value == ' ' || *value == '+' ||
        number < numbers[i].least || number > numbers[i].most)
        return wrong(change, name);
    return 0;
}

/* -- truths -- */

static int is_truth(const char *value)
{
    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static int check_truth(struct change *change, const char *name, const char *value)
{
    return is_truth(value) ? 0 : wrong(change, name);
}

static int check_fifo(struct change *change, const char *name, const char *value)
{
    if (!is_truth(value))
        return wrong(change, name);
    if (change->is_new)
        return strcmp(value, "true") == 0 ? 0 : unknown(change, name);
    if (!change->is_fifo)
        return unknown(change, name);
    if (strcmp(value, "true") == 0)
        return 0;
    return sqs_fail(
        change->call, "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not "
        "supported.");
}

static int check_of_fifo(struct change *change, const char *name, const char *value)
{
    return change->is_fifo ? check_truth(change, name, value) : unknown(change, name);
}

static int one_of(struct change *change, const char *name, const char *value,
                  const char *const choices[2])
{
    if (!change->is_fifo)
        return sqs_fail(change->call, "InvalidAttributeValue",
                        "You can specify the %s only when FifoQueue is set to true.", name);
    return strcmp(value, choices[0]) == 0 || strcmp(value, choices[1]) == 0 ? 0
                                                                            : wrong(change, name);
}

static int check_scope(struct change *change, const char *name, const char *value)
{
    static const char *const choices[2] = {"queue", "messageGroup"};
    return one_of(change, name, value, choices);
}

static int check_limit(struct change *change, const char *name, const char *value)
{
    static const char *const choices[2] = {"perQueue", "perMessageGroupId"};
    return one_of(change, name, value, choices);
}

/* -- texts in JSON -- */

static int check_policy(struct change *change, const char *name, const char *value)
{
    json_t *policy = json_loads(value, 0, NULL);
    int is_object = json_is_object(policy) && json_object_get(policy, "Statement");
    json_decref(policy);
    return is_object ? 0 : wrong(change, name);
}

static int wrong_redrive(struct change *change, const char *value, const char *reason)
{
    return sqs_fail(change->call, SQS_INVALID,
                    "Value %.300s for parameter RedrivePolicy is invalid. Reason: %s", value,
                    reason);
}

/* May the queue that is made or changed have `dead` for its dead letters, by dead's
 * RedriveAllowPolicy? */
static int is_allowed_source(const struct change *change, struct queue *dead)
{
    const struct sqs_call *call = change->call;
    const char *name = call->queue ? call->queue->name : sqs_text(call->body, "QueueName");
    struct sqs_call of_dead = {.sqs = call->sqs};
    json_t *attributes = queue_hold(&of_dead, &dead->attributes), *source;
    const char *text = sqs_text(attributes, "RedriveAllowPolicy");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    const char *permission = sqs_text(policy, "redrivePermission");
    int allowed = !permission || strcmp(permission, "allowAll") == 0;
    size_t i;
    json_array_foreach(json_object_get(policy, "sourceQueueArns"), i, source)
    {
        const char *arn = json_string_value(source), *end = arn ? strrchr(arn, ':') : NULL;
        allowed = allowed || (end && name && strcmp(end + 1, name) == 0);
    }
    json_decref(policy);
    json_decref(attributes);
    return allowed;
}

static int check_dead_letter(struct change *change, const char *value, const char *arn)
{
    struct sqs *sqs = change->call->sqs;
    if (strncmp(arn, "arn:aws:sqs:", 12) != 0 || strlen(arn) >= SQS_ARN_BYTES)
        return wrong_redrive(change, value, "Invalid value for deadLetterTargetArn.");
    struct queue *queue = queue_find_arn(sqs, arn);
    if (!queue)
        return wrong_redrive(change, value, "Dead letter target does not exist.");
    int same_kind = queue_settings(sqs, queue).is_fifo == change->is_fifo;
    int allowed = is_allowed_source(change, queue);
    queue_drop(sqs, queue);
    if (!same_kind)
        return wrong_redrive(change, value,
                             "Dead-letter queue must be same type of queue as the source.");
    return allowed ? 0
                   : wrong_redrive(change, value,
                                   "The dead-letter queue's RedriveAllowPolicy does not allow "
                                   "this source queue.");
}

static int check_redrive(struct change *change, const char *name, const char *value)
{
    int64_t most = 0;
    (void)name;
    json_t *policy = json_loads(value, 0, NULL);
    const char *arn = sqs_text(policy, "deadLetterTargetArn");
    int given = wire_integer(policy, "maxReceiveCount", &most), result;
    if (!json_is_object(policy))
        result = wrong_redrive(change, value, "Redrive policy is not a valid JSON map.");
    else if (!arn || !given)
        result = wrong_redrive(change, value,
                               !arn ? "Redrive policy does not contain mandatory attribute: "
                                      "deadLetterTargetArn."
                                    : "Redrive policy does not contain mandatory attribute: "
                                      "maxReceiveCount.");
    else if (given < 0 || most < 1 || most > 1000)
        result = wrong_redrive(change, value,
                               "Invalid value for maxReceiveCount: must be between 1 and 1000.");
    else if (json_object_size(policy) > 2)
        result = wrong_redrive(change, value,
                               "Only following attributes are supported: [deadLetterTargetArn, "
                               "maxReceiveCount].");
    else
        result = check_dead_letter(change, value, arn);
    json_decref(policy);
    return result;
}

/* A count that came as a text is kept as the number that it is. */
static void settle_redrive(struct change *change, const json_t *given)
{
    const char *text = sqs_text(given, "RedrivePolicy");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    int64_t most = 0;
    if (json_is_string(json_object_get(policy, "maxReceiveCount")) &&
        wire_integer(policy, "maxReceiveCount", &most) == 1) {
        json_object_set_new(policy, "maxReceiveCount", json_integer(most));
        char *settled = json_dumps(policy, JSON_COMPACT);
        if (settled)
            json_object_set_new(change->all, "RedrivePolicy", json_string(settled));
        free(settled);
    }
    json_decref(policy);
}

static int check_redrive_allow(struct change *change, const char *name, const char *value)
{
    json_t *policy = json_loads(value, 0, NULL);
    const char *permission = sqs_text(policy, "redrivePermission");
    const json_t *sources = json_object_get(policy, "sourceQueueArns");
    int is_general =
        permission && (strcmp(permission, "allowAll") == 0 || strcmp(permission, "denyAll") == 0);
    int right = is_general ? !sources
                           : permission && strcmp(permission, "byQueue") == 0 &&
                                 json_array_size(sources) && json_array_size(sources) <= 10;
    json_decref(policy);
    return right ? 0 : wrong(change, name);
}

static int check_key(struct change *change, const char *name, const char *value)
{
    if (strlen(value) > 2048)
        return wrong(change, name);
    return 0;
}

static int check_managed(struct change *change, const char *name, const char *value)
{
    const char *key = sqs_text(change->all, "KmsMasterKeyId");
    if (!is_truth(value))
        return wrong(change, name);
    return strcmp(value, "true") == 0 && key && *key
               ? sqs_fail(change->call, "InvalidAttributeName",
                          "You can use one type of server-side encryption (SSE) at one time. You "
                          "can either enable KMS SSE or SQS SSE.")
               : 0;
}

static const struct attribute {
    const char *name;
    check_attribute *check;
    int may_be_empty; /* which takes it away */
} attributes[] = {
    {"VisibilityTimeout", check_number, 0},
    {"MaximumMessageSize", check_number, 0},
    {"MessageRetentionPeriod", check_number, 0},
    {"DelaySeconds", check_number, 0},
    {"ReceiveMessageWaitTimeSeconds", check_number, 0},
    {"KmsDataKeyReusePeriodSeconds", check_number, 0},
    {"FifoQueue", check_fifo, 0},
    {"ContentBasedDeduplication", check_of_fifo, 0},
    {"DeduplicationScope", check_scope, 0},
    {"FifoThroughputLimit", check_limit, 0},
    {"Policy", check_policy, 1},
    {"RedrivePolicy", check_redrive, 1},
    {"RedriveAllowPolicy", check_redrive_allow, 1},
    {"KmsMasterKeyId", check_key, 1},
    {"SqsManagedSseEnabled", check_managed, 0},
};

static const struct attribute *find(const char *name)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    return NULL;
}

static int apply_one(struct change *change, const char *name, const json_t *value)
{
    const struct attribute *attribute = find(name);
    const char *text = json_string_value(value);
    if (!attribute)
        return unknown(change, name);
    if (!text)
        return wrong(change, name);
    if (!*text && attribute->may_be_empty) {
        json_object_del(change->all, name);
        return 0;
    }
    if (attribute->check(change, name, text) < 0)
        return -1;
    return json_object_set_new(change->all, name, json_string(text));
}

/* A queue has one kind of encryption. */
static void settle_encryption(struct change *change, const json_t *given)
{
    if (sqs_text(given, "KmsMasterKeyId") && *sqs_text(given, "KmsMasterKeyId")) {
        json_object_set_new(change->all, "SqsManagedSseEnabled", json_string("false"));
        if (!sqs_text(change->all, "KmsDataKeyReusePeriodSeconds"))
            json_object_set_new(change->all, "KmsDataKeyReusePeriodSeconds", json_string("300"));
    }
}

static json_t *defaults(int is_fifo)
{
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].otherwise)
            json_object_set_new(all, numbers[i].name, json_string(numbers[i].otherwise));
    json_object_set_new(all, "SqsManagedSseEnabled", json_string("true"));
    if (is_fifo) {
        json_object_set_new(all, "ContentBasedDeduplication", json_string("false"));
        json_object_set_new(all, "DeduplicationScope", json_string("queue"));
        json_object_set_new(all, "FifoThroughputLimit", json_string("perQueue"));
    }
    return all;
}

static int check_together(struct change *change)
{
    const char *limit = sqs_text(change->all, "FifoThroughputLimit");
    const char *scope = sqs_text(change->all, "DeduplicationScope");
    if (limit && scope && strcmp(limit, "perMessageGroupId") == 0 && strcmp(scope, "queue") == 0)
        return sqs_fail(change->call, "InvalidAttributeValue",
                        "Invalid value for the parameter FifoThroughputLimit. Reason: "
                        "DeduplicationScope must be messageGroup.");
    return 0;
}

json_t *attributes_apply(struct sqs_call *call, const json_t *present, const json_t *given,
                         struct queue_settings *settings)
{
    const char *name, *fifo = sqs_text(present ? present : given, "FifoQueue");
    json_t *value;
    struct change change = {call, NULL, !present, fifo && strcmp(fifo, "true") == 0};
    int result = 0;
    change.all = present ? json_copy((json_t *)present) : defaults(change.is_fifo);
    json_object_foreach((json_t *)given, name, value)
    {
        if (result == 0)
            result = apply_one(&change, name, value);
    }
    settle_encryption(&change, given);
    settle_redrive(&change, given);
    if (result < 0 || check_together(&change) < 0) {
        json_decref(change.all);
        return NULL;
    }
    attributes_settings(change.all, settings);
    return change.all;
}

static int is_set(const json_t *all, const char *name, const char *value)
{
    const char *text = sqs_text(all, name);
    return text && strcmp(text, value) == 0;
}

static void read_redrive(const json_t *all, struct queue_settings *settings)
{
    const char *text = sqs_text(all, "RedrivePolicy");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    const char *arn = sqs_text(policy, "deadLetterTargetArn");
    int64_t most = 0;
    if (arn && strlen(arn) < sizeof settings->dead_letter &&
        wire_integer(policy, "maxReceiveCount", &most) == 1) {
        memcpy(settings->dead_letter, arn, strlen(arn) + 1);
        settings->max_receives = (int)most;
    }
    json_decref(policy);
}

void attributes_settings(const json_t *all, struct queue_settings *settings)
{
    *settings = (struct queue_settings){
        .visibility_s = number_of(all, "VisibilityTimeout"),
        .delay_s = number_of(all, "DelaySeconds"),
        .wait_s = number_of(all, "ReceiveMessageWaitTimeSeconds"),
        .retention_s = number_of(all, "MessageRetentionPeriod"),
        .max_bytes = number_of(all, "MaximumMessageSize"),
        .is_fifo = is_set(all, "FifoQueue", "true"),
        .by_content = is_set(all, "ContentBasedDeduplication", "true"),
        .group_deduplication = is_set(all, "DeduplicationScope", "messageGroup"),
    };
    read_redrive(all, settings);
}
