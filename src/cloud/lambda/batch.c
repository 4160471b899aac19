#include "cloud/lambda/batch.h"

#include <stdint.h>
#include <string.h>

static json_t *member(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return value ? json_incref(value) : NULL;
}

/* {"DataType", "StringValue" | "BinaryValue"} with the names in lower case. */
static json_t *make_attributes(const json_t *attributes)
{
    const char *name;
    json_t *attribute, *made = json_object();
    json_object_foreach((json_t *)(uintptr_t)attributes, name, attribute)
    {
        json_object_set_new(made, name,
                            json_pack("{s:o*, s:o*, s:[], s:[], s:o*}", "stringValue",
                                      member(attribute, "StringValue"), "binaryValue",
                                      member(attribute, "BinaryValue"), "stringListValues",
                                      "binaryListValues", "dataType",
                                      member(attribute, "DataType")));
    }
    return made;
}

json_t *batch_record(const json_t *message, const char *queue_arn, const char *region)
{
    json_t *sum = member(message, "MD5OfMessageAttributes"); /* null without attributes */
    return json_pack(
        "{s:o*, s:o*, s:o*, s:o*, s:o, s:o*, s:o, s:s, s:s, s:s}", "messageId",
        member(message, "MessageId"), "receiptHandle", member(message, "ReceiptHandle"), "body",
        member(message, "Body"), "attributes", member(message, "Attributes"), "messageAttributes",
        make_attributes(json_object_get(message, "MessageAttributes")), "md5OfBody",
        member(message, "MD5OfBody"), "md5OfMessageAttributes", sum ? sum : json_null(),
        "eventSource", "aws:sqs", "eventSourceARN", queue_arn, "awsRegion", region);
}

char *batch_create_event(const json_t *messages, const char *queue_arn, const char *region)
{
    size_t i;
    json_t *message, *records = json_array();
    json_array_foreach(messages, i, message)
    {
        json_array_append_new(records, batch_record(message, queue_arn, region));
    }
    json_t *event = json_pack("{s:o}", "Records", records);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    json_decref(event);
    return text;
}

static int was_sent(const json_t *messages, const char *id)
{
    size_t i;
    json_t *message;
    json_array_foreach(messages, i, message)
    {
        if (strcmp(json_string_value(json_object_get(message, "MessageId")), id) == 0)
            return 1;
    }
    return 0;
}

json_t *batch_read_failures(const char *answer, size_t size, const json_t *messages)
{
    size_t i;
    json_t *item, *failed = json_object();
    json_t *value = size ? json_loadb(answer, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *list = json_object_get(value, "batchItemFailures");
    int is_wrong = (size && !value) || (list && !json_is_array(list) && !json_is_null(list));
    json_array_foreach(list, i, item)
    {
        const char *id = json_string_value(json_object_get(item, "itemIdentifier"));
        if (!id || !was_sent(messages, id))
            is_wrong = 1;
        else
            json_object_set_new(failed, id, json_true());
    }
    json_decref(value);
    if (!is_wrong)
        return failed;
    json_decref(failed);
    return NULL;
}
