#include "cloud/sns/delivery_policy.h"

#include <stdlib.h>
#include <string.h>

#define CONTENT_TYPE "text/plain; charset=UTF-8"

static json_t *default_retries(void)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:s}", "minDelayTarget", 20, "maxDelayTarget",
                     20, "numRetries", 3, "numMaxDelayRetries", 0, "numNoDelayRetries", 0,
                     "numMinDelayRetries", 0, "backoffFunction", "linear");
}

static json_t *read_object(const char *text)
{
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static char *write_text(json_t *policy)
{
    char *text = policy ? json_dumps(policy, JSON_COMPACT) : NULL;
    json_decref(policy);
    return text;
}

/* The member where it is something; else NULL. */
static json_t *member(const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);
    return json_is_null(value) ? NULL : value;
}

char *delivery_policy_of_topic(const char *given)
{
    static const char *const kept[] = {"defaultHealthyRetryPolicy", "defaultSicklyRetryPolicy",
                                       "defaultThrottlePolicy", "defaultRequestPolicy"};
    json_t *policy = read_object(given);
    const json_t *http = json_object_get(policy, "http");
    const json_t *disabled = member(http, "disableSubscriptionOverrides");
    json_t *out = policy ? json_object() : NULL;
    json_object_set_new(out, "disableSubscriptionOverrides", json_boolean(json_is_true(disabled)));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (member(http, kept[i]))
            json_object_set(out, kept[i], member(http, kept[i]));
    json_decref(policy);
    return out ? write_text(json_pack("{s:o}", "http", out)) : NULL;
}

char *delivery_policy_of_subscription(const char *given)
{
    static const char *const members[] = {"healthyRetryPolicy", "sicklyRetryPolicy",
                                          "throttlePolicy", "requestPolicy"};
    json_t *policy = read_object(given), *out = policy ? json_object() : NULL;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *value = member(policy, members[i]);
        json_object_set_new(out, members[i], value ? json_incref(value) : json_null());
    }
    json_object_set_new(out, "guaranteed",
                        json_boolean(json_is_true(json_object_get(policy, "guaranteed"))));
    json_decref(policy);
    return write_text(out);
}

/* The default retries under what is given of them. */
static json_t *retries(const json_t *given)
{
    json_t *all = default_retries();
    json_object_update(all, (json_t *)given);
    return all;
}

json_t *delivery_policy_effective(const char *topic)
{
    json_t *policy = read_object(topic);
    const json_t *http = json_object_get(policy, "http");
    json_t *throttle = member(http, "defaultThrottlePolicy");
    json_t *request = member(http, "defaultRequestPolicy");
    json_t *out = json_pack(
        "{s:o, s:b, s:o}", "defaultHealthyRetryPolicy",
        retries(member(http, "defaultHealthyRetryPolicy")), "disableSubscriptionOverrides",
        json_is_true(json_object_get(http, "disableSubscriptionOverrides")), "defaultRequestPolicy",
        request ? json_incref(request) : json_pack("{s:s}", "headerContentType", CONTENT_TYPE));
    if (throttle)
        json_object_set(out, "defaultThrottlePolicy", throttle);
    json_decref(policy);
    return json_pack("{s:o}", "http", out);
}

json_t *delivery_policy_effective_for(const char *subscription, const char *topic)
{
    json_t *above = delivery_policy_effective(topic), *own = read_object(subscription);
    const json_t *http = json_object_get(above, "http");
    if (json_is_true(json_object_get(http, "disableSubscriptionOverrides"))) {
        json_decref(own);
        own = NULL;
    }
    const json_t *healthy = member(own, "healthyRetryPolicy");
    json_t *sickly = member(own, "sicklyRetryPolicy"), *throttle = member(own, "throttlePolicy"),
           *request = member(own, "requestPolicy");
    if (!throttle)
        throttle = member(http, "defaultThrottlePolicy");
    if (!request)
        request = json_object_get(http, "defaultRequestPolicy");
    json_t *out =
        json_pack("{s:o, s:O?, s:O?, s:O?, s:b}", "healthyRetryPolicy",
                  retries(healthy ? healthy : json_object_get(http, "defaultHealthyRetryPolicy")),
                  "sicklyRetryPolicy", sickly, "throttlePolicy", throttle, "requestPolicy", request,
                  "guaranteed", 0);
    json_decref(own);
    json_decref(above);
    return out;
}

char *delivery_policy_content_type(const char *subscription, const char *topic)
{
    json_t *policy = delivery_policy_effective_for(subscription, topic);
    const json_t *request = json_object_get(policy, "requestPolicy");
    const char *type = json_string_value(json_object_get(request, "headerContentType"));
    char *out = strdup(type && *type && !strpbrk(type, "\r\n") ? type : CONTENT_TYPE);
    json_decref(policy);
    return out;
}
