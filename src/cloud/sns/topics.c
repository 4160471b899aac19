#include "cloud/sns/delivery_policy.h"
#include "cloud/sns/sns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Topics: make, delete, list, attributes, tags, permissions. */

/* -- names and attributes -- */

static int name_is_valid(const char *name, int is_fifo)
{
    size_t size = strlen(name), plain = size;
    if (is_fifo) {
        if (size < 6 || strcmp(name + size - 5, ".fifo") != 0)
            return 0;
        plain -= 5;
    }
    for (size_t i = 0; i < plain; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return 0;
    return plain >= 1 && size <= SNS_MAX_TOPIC_NAME;
}

static int is_truth(const char *value)
{
    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static int is_json(const char *value)
{
    json_t *json = json_loads(value, 0, NULL);
    int result = json_is_object(json);
    json_decref(json);
    return result;
}

static int is_policy(const char *value)
{
    json_t *json = json_loads(value, 0, NULL);
    int result = json_is_object(json) && json_object_get(json, "Statement");
    json_decref(json);
    return result;
}

static int is_any(const char *value)
{
    return strlen(value) <= 2048;
}

static int is_display_name(const char *value)
{
    return strlen(value) <= 100;
}

static int is_version(const char *value)
{
    return strcmp(value, "1") == 0 || strcmp(value, "2") == 0;
}

static int is_tracing(const char *value)
{
    return strcmp(value, "PassThrough") == 0 || strcmp(value, "Active") == 0;
}

static int is_scope(const char *value)
{
    return strcmp(value, "Topic") == 0 || strcmp(value, "MessageGroup") == 0;
}

static const struct attribute {
    const char *name;
    int (*is_valid)(const char *value);
    int of_fifo, of_creation;
} attributes[] = {
    {"DisplayName", is_display_name, 0, 0},  {"Policy", is_policy, 0, 0},
    {"DeliveryPolicy", is_json, 0, 0},       {"KmsMasterKeyId", is_any, 0, 0},
    {"SignatureVersion", is_version, 0, 0},  {"TracingConfig", is_tracing, 0, 0},
    {"FifoTopic", is_truth, 0, 1},           {"ContentBasedDeduplication", is_truth, 1, 0},
    {"FifoThroughputScope", is_scope, 1, 0},
};

static int check_attribute(struct sns_call *call, const char *name, const char *value, int is_new,
                           int is_fifo)
{
    size_t i = 0, count = sizeof attributes / sizeof *attributes;
    while (i < count && strcmp(attributes[i].name, name) != 0)
        i++;
    if (i == count || (attributes[i].of_fifo && !is_fifo) || (attributes[i].of_creation && !is_new))
        return sns_invalid(call, "%s", is_new ? "Attributes" : "AttributeName");
    if (!value || (*value && !attributes[i].is_valid(value)))
        return is_new ? sns_invalid(call, "Attributes Reason: Invalid value for %s", name)
                      : sns_invalid(call, "%s", name);
    return 0;
}

static json_t *default_policy(const char *arn, const char *account)
{
    json_t *policy = json_pack(
        "{s:s, s:s, s:[{s:s, s:s, s:{s:s}, s:[s,s,s,s,s,s,s,s], s:s, s:{s:{s:s}}}]}", "Version",
        "2008-10-17", "Id", "__default_policy_ID", "Statement", "Sid", "__default_statement_ID",
        "Effect", "Allow", "Principal", "AWS", "*", "Action", "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission", "SNS:DeleteTopic",
        "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish", "Resource", arn,
        "Condition", "StringEquals", "AWS:SourceOwner", account);
    char *text = json_dumps(policy, JSON_COMPACT);
    json_t *out = json_string(text ? text : "{}");
    free(text);
    json_decref(policy);
    return out;
}

/* Puts an attribute into `all` as it is kept and shown. */
static void keep_attribute(json_t *all, const char *name, const char *value)
{
    char *policy = strcmp(name, "DeliveryPolicy") == 0 ? delivery_policy_of_topic(value) : NULL;
    if (strcmp(name, "FifoTopic") != 0 || strcmp(value, "true") == 0)
        json_object_set_new(all, name, json_string(policy ? policy : value));
    free(policy);
}

/* -- create -- */

static json_t *read_tags(struct sns_call *call)
{
    size_t i;
    json_t *pair, *tags = json_object();
    json_array_foreach(json_object_get(call->body, "Tags"), i, pair)
    {
        const char *key = sns_text(pair, "Key"), *value = sns_text(pair, "Value");
        int failed = !key || !*key || !value || strlen(key) > 128 * 4 || strlen(value) > 256 * 4;
        if (failed)
            sns_invalid(call, "Tags");
        else if (json_object_get(tags, key))
            failed = sns_invalid(call, "Duplicated keys are not allowed.");
        if (failed) {
            json_decref(tags);
            return NULL;
        }
        json_object_set_new(tags, key, json_string(value));
    }
    return tags;
}

static int check_new(struct sns_call *call, const char *name, const json_t *given, int *is_fifo)
{
    const char *key, *fifo = sns_text(given, "FifoTopic");
    json_t *value;
    *is_fifo = fifo && strcmp(fifo, "true") == 0;
    if (!name || !name_is_valid(name, *is_fifo))
        return *is_fifo
                   ? sns_invalid(call, "Fifo Topic names must end with .fifo and must be made "
                                       "up of only uppercase and lowercase ASCII letters, "
                                       "numbers, underscores, and hyphens, and must be between "
                                       "1 and 256 characters long.")
                   : sns_invalid(call, "Topic Name");
    if (json_object_get(call->body, "DataProtectionPolicy"))
        return sns_invalid(call, "DataProtectionPolicy: ken cloud has no data protection");
    json_object_foreach((json_t *)given, key, value)
    {
        if (check_attribute(call, key, json_string_value(value), 1, *is_fifo) < 0)
            return -1;
    }
    return 0;
}

static int check_same(struct sns_call *call, const json_t *present, const json_t *given,
                      const json_t *tags)
{
    const char *key;
    json_t *value, *kept = json_object();
    int same = 1;
    json_object_foreach((json_t *)given, key, value)
    {
        keep_attribute(kept, key, json_string_value(value));
        same &= json_equal(json_object_get(json_object_get(present, "attributes"), key),
                           json_object_get(kept, key)) ||
                !json_object_get(kept, key);
    }
    json_decref(kept);
    if (!same)
        return sns_invalid(call,
                           "Attributes Reason: Topic already exists with different attributes");
    return json_object_size(tags) == 0 || json_equal(json_object_get(present, "tags"), tags)
               ? 0
               : sns_invalid(call, "Tags Reason: Topic already exists with different tags");
}

static json_t *new_topic(struct sns_call *call, const char *arn, const json_t *given, json_t *tags,
                         int is_fifo)
{
    json_t *all = json_object();
    json_object_set_new(all, "DisplayName", json_string(""));
    json_object_set_new(all, "Policy", default_policy(arn, call->sns->cloud->account_id));
    if (is_fifo)
        json_object_set_new(all, "ContentBasedDeduplication", json_string("false"));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)given, key, value)
    {
        keep_attribute(all, key, json_string_value(value));
    }
    return json_pack("{s:s, s:o, s:O}", "arn", arn, "attributes", all, "tags", tags);
}

int sns_create_topic(struct sns_call *call)
{
    struct sns *sns = call->sns;
    const char *name = sns_text(call->body, "Name");
    const json_t *given = json_object_get(call->body, "Attributes");
    int is_fifo;
    if (check_new(call, name, given, &is_fifo) < 0)
        return -1;
    json_t *tags = read_tags(call);
    char *arn = arena_printf(&call->x->arena, "arn:aws:sns:%s:%s:%s", sns->cloud->region,
                             sns->cloud->account_id, name);
    if (!tags || !arn)
        return -1;
    pthread_mutex_lock(&sns->changes);
    json_t *present = sns_topic(sns, name);
    int result =
        present ? check_same(call, present, given, tags)
        : json_object_size(sns->topics) >= SNS_MAX_TOPICS
            ? sns_fail(call, "TopicLimitExceeded", "There are too many topics.")
            : sns_put_topic(sns, name, new_topic(call, arn, given, tags, is_fifo), &call->err);
    pthread_mutex_unlock(&sns->changes);
    json_decref(present);
    json_decref(tags);
    return result < 0 ? -1 : json_object_set_new(call->answer, "TopicArn", json_string(arn));
}

int sns_delete_topic(struct sns_call *call)
{
    const char *arn = sns_text(call->body, "TopicArn");
    const char *name = arn ? sns_topic_name(call->sns, arn) : NULL;
    if (!name)
        return sns_invalid(call, "TopicArn");
    pthread_mutex_lock(&call->sns->changes);
    int result = sns_put_topic(call->sns, name, NULL, &call->err);
    pthread_mutex_unlock(&call->sns->changes);
    return result;
}

static int compare_arns(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

int sns_list_topics(struct sns_call *call)
{
    struct sns *sns = call->sns;
    const char *name;
    json_t *topic, *all = json_array();
    size_t count = 0;
    pthread_mutex_lock(&sns->lock);
    json_t **arns = calloc(json_object_size(sns->topics) + 1, sizeof *arns);
    json_object_foreach(sns->topics, name, topic)
    {
        if (arns)
            arns[count++] = json_incref(json_object_get(topic, "arn"));
    }
    pthread_mutex_unlock(&sns->lock);
    if (arns)
        qsort(arns, count, sizeof *arns, compare_arns);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, json_pack("{s:o}", "TopicArn", arns[i]));
    free(arns);
    return sns_page(call, all, "Topics");
}

/* -- attributes -- */

static void put_counts(struct sns_call *call, json_t *all)
{
    json_t *subscriptions = sns_subscriptions(call->sns, call->name), *subscription;
    size_t i;
    int confirmed = 0, pending = 0;
    json_array_foreach(subscriptions, i, subscription)
    {
        if (json_is_true(json_object_get(subscription, "confirmed")))
            confirmed++;
        else
            pending++;
    }
    json_object_set_new(all, "SubscriptionsConfirmed", json_sprintf("%d", confirmed));
    json_object_set_new(all, "SubscriptionsPending", json_sprintf("%d", pending));
    json_object_set_new(all, "SubscriptionsDeleted", json_string("0"));
    json_decref(subscriptions);
}

int sns_get_topic_attributes(struct sns_call *call)
{
    json_t *all = json_copy(json_object_get(call->topic, "attributes"));
    json_object_set(all, "TopicArn", json_object_get(call->topic, "arn"));
    json_object_set_new(all, "Owner", json_string(call->sns->cloud->account_id));
    json_t *policy = delivery_policy_effective(sns_text(all, "DeliveryPolicy"));
    char *text = json_dumps(policy, JSON_COMPACT);
    json_object_set_new(all, "EffectiveDeliveryPolicy", json_string(text ? text : "{}"));
    free(text);
    json_decref(policy);
    put_counts(call, all);
    return json_object_set_new(call->answer, "Attributes", all);
}

/* Puts a copy of the topic with `member` replaced; takes `value`. */
static int replace_member(struct sns_call *call, const char *member, json_t *value)
{
    json_t *topic = json_copy(call->topic);
    json_object_set_new(topic, member, value);
    return sns_put_topic(call->sns, call->name, topic, &call->err);
}

int sns_begin_change(struct sns_call *call)
{
    pthread_mutex_lock(&call->sns->changes);
    json_t *now = sns_topic(call->sns, call->name);
    if (!now) {
        pthread_mutex_unlock(&call->sns->changes);
        return sns_fail(call, "NotFound", "Topic does not exist");
    }
    json_decref(call->topic);
    call->topic = now;
    return 0;
}

int sns_end_change(struct sns_call *call, int result)
{
    pthread_mutex_unlock(&call->sns->changes);
    return result;
}

static int is_fifo(const json_t *topic)
{
    const char *fifo = sns_text(json_object_get(topic, "attributes"), "FifoTopic");
    return fifo && strcmp(fifo, "true") == 0;
}

int sns_set_attribute(struct sns_call *call, const char *name, const char *value)
{
    json_t *all = json_copy(json_object_get(call->topic, "attributes"));
    if (*value || strcmp(name, "DisplayName") == 0)
        keep_attribute(all, name, value);
    else
        json_object_del(all, name);
    if (!*value && strcmp(name, "Policy") == 0)
        json_object_set_new(
            all, "Policy",
            default_policy(sns_text(call->topic, "arn"), call->sns->cloud->account_id));
    return replace_member(call, "attributes", all);
}

int sns_set_topic_attributes(struct sns_call *call)
{
    const char *name = sns_text(call->body, "AttributeName");
    const char *value = sns_text(call->body, "AttributeValue");
    if (!name)
        return sns_invalid(call, "AttributeName");
    if (!value)
        value = "";
    if (check_attribute(call, name, value, 0, is_fifo(call->topic)) < 0)
        return -1;
    if (sns_begin_change(call) < 0)
        return -1;
    return sns_end_change(call, sns_set_attribute(call, name, value));
}

/* -- tags -- */

int sns_tag(struct sns_call *call)
{
    json_t *given = read_tags(call);
    if (!given)
        return -1;
    if (sns_begin_change(call) < 0) {
        json_decref(given);
        return -1;
    }
    json_t *tags = json_copy(json_object_get(call->topic, "tags"));
    json_object_update(tags, given);
    json_decref(given);
    if (json_object_size(tags) > SNS_MAX_TAGS) {
        json_decref(tags);
        return sns_end_change(call,
                              sns_fail(call, "TagLimitExceeded",
                                       "Could not complete request: tag quota of per resource "
                                       "exceeded"));
    }
    return sns_end_change(call, replace_member(call, "tags", tags));
}

int sns_untag(struct sns_call *call)
{
    size_t i;
    json_t *key;
    if (sns_begin_change(call) < 0)
        return -1;
    json_t *tags = json_copy(json_object_get(call->topic, "tags"));
    json_array_foreach(json_object_get(call->body, "TagKeys"), i, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    return sns_end_change(call, replace_member(call, "tags", tags));
}

int sns_list_tags(struct sns_call *call)
{
    const char *key;
    json_t *value, *list = json_array();
    json_object_foreach(json_object_get(call->topic, "tags"), key, value)
    {
        json_array_append_new(list, json_pack("{s:s, s:O}", "Key", key, "Value", value));
    }
    return json_object_set_new(call->answer, "Tags", list);
}
