#include "cloud/sns/delivery_policy.h"
#include "cloud/sns/filter.h"
#include "cloud/sns/sns.h"

#include <stdlib.h>
#include <string.h>

/* The attributes of subscriptions. */

/* A change under way: `attributes` are the subscription's, `before` of messages where it is. */
struct settings {
    struct sns_call *call;
    json_t *attributes;
    const char *before, *protocol, *endpoint, *topic_arn;
};

static int wrong_policy(struct settings *s, const char *text)
{
    if (!strncmp(text, "Filter policy scope", 19))
        return sns_invalid(s->call, "%s", text);
    return sns_invalid(s->call, "%sFilterPolicy: %s", s->before, text);
}

static int set_filter(struct settings *s, const char *value)
{
    struct err err = {0};
    const char *scope = sns_text(s->attributes, "FilterPolicyScope");
    json_t *policy = json_loads(value, 0, NULL);
    int result = strlen(value) > FILTER_MAX_BYTES
                     ? err_set(&err, ERR_INVALID, "Filter policy is too large")
                     : filter_policy_check(policy, scope && !strcmp(scope, "MessageBody"), &err);
    int is_empty = json_object_size(policy) == 0;
    json_decref(policy);
    if (result < 0)
        return wrong_policy(s, err.message);
    if (is_empty)
        return json_object_del(s->attributes, "FilterPolicy"), 0;
    if (!scope)
        json_object_set_new(s->attributes, "FilterPolicyScope", json_string("MessageAttributes"));
    return json_object_set_new(s->attributes, "FilterPolicy", json_string(value));
}

static int set_scope(struct settings *s, const char *value)
{
    if (strcmp(value, "MessageBody") != 0 && strcmp(value, "MessageAttributes") != 0)
        return sns_invalid(s->call,
                           "%sFilterPolicyScope: Invalid value [%.100s]. Please use either "
                           "MessageBody or MessageAttributes",
                           s->before, value);
    return json_object_set_new(s->attributes, "FilterPolicyScope", json_string(value));
}

static int set_raw(struct settings *s, const char *value)
{
    int is_true = !strcasecmp(value, "true");
    if (!is_true && strcasecmp(value, "false") != 0)
        return sns_invalid(s->call,
                           "%sRawMessageDelivery: Invalid value [%.100s]. Must be true or false.",
                           s->before, value);
    if (is_true && !strcmp(s->protocol, "lambda"))
        return sns_invalid(s->call,
                           "%sRawMessageDelivery: Delivery protocol [lambda] does not support raw "
                           "message delivery.",
                           s->before);
    return json_object_set_new(s->attributes, "RawMessageDelivery",
                               json_string(is_true ? "true" : "false"));
}

static int is_fifo(const char *arn)
{
    size_t size = arn ? strlen(arn) : 0;
    return size > 5 && strcmp(arn + size - 5, ".fifo") == 0;
}

static int set_redrive(struct settings *s, const char *value)
{
    struct err err;
    json_t *policy = json_loads(value, 0, NULL);
    const char *arn = sns_text(policy, "deadLetterTargetArn");
    int is_object = json_is_object(policy), is_arn = arn && !strncmp(arn, "arn:aws:sqs:", 12);
    int is_there = is_arn && cloud_check_target(s->call->sns->cloud, arn, &err) == 0;
    int differs = is_arn && !is_fifo(arn) && is_fifo(s->topic_arn) && is_fifo(s->endpoint);
    json_decref(policy);
    if (!*value)
        return json_object_del(s->attributes, "RedrivePolicy"), 0;
    if (differs)
        return sns_invalid(s->call,
                           "%sRedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription "
                           "to a FIFO Topic.",
                           s->before);
    if (!is_there)
        return sns_invalid(s->call, "%sRedrivePolicy: %s", s->before,
                           !is_object ? "failed to parse JSON."
                           : !is_arn  ? "deadLetterTargetArn is an invalid arn"
                                      : "deadLetterTargetArn names no queue of this cloud");
    return json_object_set_new(s->attributes, "RedrivePolicy", json_string(value));
}

static int set_delivery(struct settings *s, const char *value)
{
    if (!*value)
        return json_object_del(s->attributes, "DeliveryPolicy"), 0;
    char *text = delivery_policy_of_subscription(value);
    if (!text)
        return sns_invalid(s->call, "%sDeliveryPolicy: failed to parse JSON.", s->before);
    json_object_set_new(s->attributes, "DeliveryPolicy", json_string(text));
    free(text);
    return 0;
}

static const struct setting {
    const char *name;
    int (*set)(struct settings *s, const char *value);
} setting_table[] = {
    {"FilterPolicyScope", set_scope}, /* before the policy, which it is about */
    {"FilterPolicy", set_filter},     {"RawMessageDelivery", set_raw},
    {"RedrivePolicy", set_redrive},   {"DeliveryPolicy", set_delivery},
};
enum { SETTINGS = sizeof setting_table / sizeof *setting_table };

static const struct setting *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(setting_table[i].name, name) == 0)
            return &setting_table[i];
    return NULL;
}

json_t *sns_read_settings(struct sns_call *call, const char *protocol)
{
    const json_t *given = json_object_get(call->body, "Attributes");
    const char *name;
    json_t *value;
    struct settings s = {call,
                         json_object(),
                         "Attributes Reason: ",
                         protocol,
                         sns_text(call->body, "Endpoint"),
                         sns_text(call->topic, "arn")};
    int result = 0;
    json_object_foreach((json_t *)given, name, value)
    {
        if (result == 0 && !find_setting(name))
            result = sns_invalid(call, "Attributes");
    }
    for (size_t i = 0; i < SETTINGS && result == 0; i++) {
        const char *text = sns_text(given, setting_table[i].name);
        if (text)
            result = setting_table[i].set(&s, text);
    }
    if (result == 0)
        return s.attributes;
    json_decref(s.attributes);
    return NULL;
}

/* A subscription with a delivery policy shows what holds beside it. */
static void put_effective(struct sns_call *call, const json_t *subscription, json_t *all)
{
    const char *own = sns_text(all, "DeliveryPolicy");
    const char *name = sns_topic_name(call->sns, sns_text(subscription, "TopicArn"));
    json_t *topic = own && name ? sns_topic(call->sns, name) : NULL;
    const char *above = sns_text(json_object_get(topic, "attributes"), "DeliveryPolicy");
    json_t *policy = own ? delivery_policy_effective_for(own, above) : NULL;
    char *text = policy ? json_dumps(policy, JSON_COMPACT) : NULL;
    if (text)
        json_object_set_new(all, "EffectiveDeliveryPolicy", json_string(text));
    free(text);
    json_decref(policy);
    json_decref(topic);
}

int sns_get_subscription_attributes(struct sns_call *call)
{
    static const char *const members[] = {"SubscriptionArn", "Owner", "Protocol", "Endpoint",
                                          "TopicArn"};
    json_t *subscription = sns_need_subscription(call);
    if (!subscription)
        return -1;
    json_t *all = json_copy(json_object_get(subscription, "attributes"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_object_set(all, members[i], json_object_get(subscription, members[i]));
    int confirmed = json_is_true(json_object_get(subscription, "confirmed"));
    int authenticated = json_is_true(json_object_get(subscription, "authenticated"));
    json_object_set(all, "SubscriptionPrincipal", json_object_get(subscription, "Principal"));
    json_object_set_new(all, "PendingConfirmation", json_string(confirmed ? "false" : "true"));
    json_object_set_new(all, "ConfirmationWasAuthenticated",
                        json_string(authenticated ? "true" : "false"));
    if (!json_object_get(all, "RawMessageDelivery"))
        json_object_set_new(all, "RawMessageDelivery", json_string("false"));
    if (!json_object_get(all, "FilterPolicy"))
        json_object_del(all, "FilterPolicyScope");
    put_effective(call, subscription, all);
    json_decref(subscription);
    return json_object_set_new(call->answer, "Attributes", all);
}

static int set_one(struct sns_call *call, const json_t *subscription)
{
    const char *name = sns_text(call->body, "AttributeName");
    const char *value = sns_text(call->body, "AttributeValue");
    const struct setting *setting = name ? find_setting(name) : NULL;
    if (!setting)
        return sns_invalid(call, "AttributeName");
    struct settings s = {call,
                         json_copy(json_object_get(subscription, "attributes")),
                         "",
                         sns_text(subscription, "Protocol"),
                         sns_text(subscription, "Endpoint"),
                         sns_text(subscription, "TopicArn")};
    if (setting->set(&s, value ? value : "") < 0) {
        json_decref(s.attributes);
        return -1;
    }
    json_t *changed = json_copy((json_t *)subscription);
    json_object_set_new(changed, "attributes", s.attributes);
    return sns_put_subscription(call->sns, sns_text(subscription, "SubscriptionArn"), changed,
                                &call->err);
}

int sns_set_subscription_attributes(struct sns_call *call)
{
    pthread_mutex_lock(&call->sns->changes);
    json_t *subscription = sns_need_subscription(call);
    int result = subscription ? set_one(call, subscription) : -1;
    pthread_mutex_unlock(&call->sns->changes);
    json_decref(subscription);
    return result;
}
