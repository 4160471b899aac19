#include "cloud/sns/sns.h"

#include <stdlib.h>
#include <string.h>

/* AddPermission and RemovePermission: statements of the topic's policy. */

static json_t *load_policy(const struct sns_call *call)
{
    const char *text = sns_text(json_object_get(call->topic, "attributes"), "Policy");
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    return policy ? policy : json_pack("{s:s, s:[]}", "Version", "2008-10-17", "Statement");
}

static size_t find_statement(const json_t *statements, const char *label)
{
    size_t at = 0;
    for (; at < json_array_size(statements); at++) {
        const char *sid = sns_text(json_array_get(statements, at), "Sid");
        if (sid && strcmp(sid, label) == 0)
            break;
    }
    return at;
}

/* One as itself, several as a list; each between the two texts. */
static json_t *wrapped(const json_t *list, const char *before, const char *behind)
{
    size_t i;
    json_t *text, *out = json_array();
    json_array_foreach(list, i, text)
    {
        const char *value = json_string_value(text);
        json_array_append_new(out, json_sprintf("%s%s%s", before, value ? value : "", behind));
    }
    if (json_array_size(out) != 1)
        return out;
    json_t *only = json_incref(json_array_get(out, 0));
    json_decref(out);
    return only;
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
    const json_t *accounts = json_object_get(call->body, "AWSAccountId"),
                 *actions = json_object_get(call->body, "ActionName");
    json_t *policy = load_policy(call), *statements = json_object_get(policy, "Statement");
    if (find_statement(statements, label) < json_array_size(statements)) {
        json_decref(policy);
        return sns_invalid(call, "Statement already exists");
    }
    json_array_append_new(statements, json_pack("{s:s, s:s, s:{s:o}, s:o, s:O}", "Sid", label,
                                                "Effect", "Allow", "Principal", "AWS",
                                                wrapped(accounts, "arn:aws:iam::", ":root"),
                                                "Action", wrapped(actions, "SNS:", ""), "Resource",
                                                json_object_get(call->topic, "arn")));
    return store_policy(call, policy);
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

static int remove_statement(struct sns_call *call, const char *label)
{
    json_t *policy = load_policy(call), *statements = json_object_get(policy, "Statement");
    size_t at = find_statement(statements, label);
    if (at < json_array_size(statements))
        json_array_remove(statements, at);
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
