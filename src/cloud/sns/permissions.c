#include "cloud/sns/sns.h"
#include "cloud/statements.h"

#include <stdlib.h>

/* AddPermission and RemovePermission: statements of the topic's policy. */

static json_t *load_policy(const struct sns_call *call)
{
    return statements_load(sns_text(json_object_get(call->topic, "attributes"), "Policy"), NULL);
}

static int store_policy(struct sns_call *call, json_t *policy)
{
    char *text = json_dumps(policy, JSON_COMPACT);
    json_decref(policy);
    int result = text ? sns_set_attribute(call, "Policy", text) : -1;
    free(text);
    return result;
}

static int add_statement(struct sns_call *call, const char *label)
{
    const struct statement statement = {label, "SNS", json_object_get(call->body, "AWSAccountId"),
                                        json_object_get(call->body, "ActionName"),
                                        sns_text(call->topic, "arn")};
    json_t *policy = load_policy(call);
    if (statements_add(policy, &statement) == 0)
        return store_policy(call, policy);
    json_decref(policy);
    return sns_invalid(call, "Statement already exists");
}

int sns_add_permission(struct sns_call *call)
{
    const char *label = sns_text(call->body, "Label");
    size_t i;
    json_t *action;
    if (!label || !*label || !json_array_size(json_object_get(call->body, "AWSAccountId")) ||
        !json_array_size(json_object_get(call->body, "ActionName")))
        return sns_invalid(call, "Label, AWSAccountId and ActionName are needed");
    json_array_foreach(json_object_get(call->body, "ActionName"), i, action)
    {
        if (!json_is_string(action) || !sns_is_action(json_string_value(action)))
            return sns_invalid(call, "Policy statement action out of service scope!");
    }
    if (sns_begin_change(call) < 0)
        return -1;
    return sns_end_change(call, add_statement(call, label));
}

/* One that is not there is no failure, as in AWS. */
static int remove_statement(struct sns_call *call, const char *label)
{
    json_t *policy = load_policy(call);
    (void)statements_remove(policy, label);
    return store_policy(call, policy);
}

int sns_remove_permission(struct sns_call *call)
{
    const char *label = sns_text(call->body, "Label");
    if (!label)
        return sns_invalid(call, "Label");
    if (sns_begin_change(call) < 0)
        return -1;
    return sns_end_change(call, remove_statement(call, label));
}
