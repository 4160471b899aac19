#include "cloud/sqs/sqs.h"

#include <string.h>

/* GetQueueAttributes. */

static void put_count(json_t *all, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    json_object_set_new(all, name, json_string(text));
}

static json_t *all_attributes(struct sqs_call *call)
{
    struct message_counts counts;
    char arn[SQS_ARN_BYTES];
    if (messages_count(call->sqs, call->queue, call->now_ms, &counts, &call->err) < 0)
        return NULL;
    json_t *present = queue_hold(call, &call->queue->attributes), *all = json_copy(present);
    json_decref(present);
    queue_arn(call->sqs, call->queue, arn);
    json_object_set_new(all, "QueueArn", json_string(arn));
    put_count(all, "ApproximateNumberOfMessages", counts.visible);
    put_count(all, "ApproximateNumberOfMessagesNotVisible", counts.in_flight);
    put_count(all, "ApproximateNumberOfMessagesDelayed", counts.delayed);
    put_count(all, "CreatedTimestamp", call->queue->created_s);
    put_count(all, "LastModifiedTimestamp", call->queue->modified_s);
    return all;
}

static int is_attribute(const char *name)
{
    static const char known[] =
        " All Policy VisibilityTimeout MaximumMessageSize MessageRetentionPeriod "
        "ApproximateNumberOfMessages ApproximateNumberOfMessagesNotVisible CreatedTimestamp "
        "LastModifiedTimestamp QueueArn ApproximateNumberOfMessagesDelayed DelaySeconds "
        "ReceiveMessageWaitTimeSeconds RedrivePolicy FifoQueue ContentBasedDeduplication "
        "KmsMasterKeyId KmsDataKeyReusePeriodSeconds DeduplicationScope FifoThroughputLimit "
        "RedriveAllowPolicy SqsManagedSseEnabled ";
    char word[64];
    if (!*name || strchr(name, ' '))
        return 0;
    return snprintf(word, sizeof word, " %s ", name) < (int)sizeof word && strstr(known, word);
}

static int select_attributes(struct sqs_call *call, const json_t *names, const json_t *all,
                             json_t *out)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (!text || !is_attribute(text))
            return sqs_fail(call, "InvalidAttributeName", "Unknown Attribute %s.",
                            text ? text : "");
        json_t *value = json_object_get(all, text);
        if (strcmp(text, "All") == 0)
            json_object_update(out, (json_t *)all);
        else if (value)
            json_object_set(out, text, value);
    }
    return 0;
}

int sqs_get_attributes(struct sqs_call *call)
{
    const json_t *names = json_object_get(call->body, "AttributeNames");
    if (!json_array_size(names))
        return 0;
    json_t *all = all_attributes(call), *out = json_object();
    int result = all ? select_attributes(call, names, all, out) : -1;
    if (result == 0)
        json_object_set(call->answer, "Attributes", out);
    json_decref(out);
    json_decref(all);
    return result;
}
