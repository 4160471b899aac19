#include "cloud/statements.h"

#include <string.h>

json_t *statements_load(const char *text, const char *id)
{
    json_t *policy = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_is_object(policy)) {
        json_decref(policy);
        policy = json_pack("{s:s}", "Version", "2008-10-17");
        if (id)
            json_object_set_new(policy, "Id", json_string(id));
    }
    json_t *statements = json_object_get(policy, "Statement");
    if (json_is_object(statements))
        json_object_set_new(policy, "Statement", json_pack("[O]", statements));
    else if (!json_is_array(statements))
        json_object_set_new(policy, "Statement", json_array());
    return policy;
}

/* As many as there are: none. */
static size_t find(const json_t *statements, const char *label)
{
    size_t at = 0;
    for (; at < json_array_size(statements); at++) {
        const char *sid = json_string_value(json_object_get(json_array_get(statements, at), "Sid"));
        if (sid && strcmp(sid, label) == 0)
            break;
    }
    return at;
}

/* Each between the two texts; one as itself, several as a list. */
static json_t *wrapped(const json_t *list, const char *before, const char *behind)
{
    size_t i;
    json_t *text, *out = json_array();
    json_array_foreach(list, i, text)
    {
        const char *value = json_string_value(text);
        json_array_append_new(out, json_sprintf("%s:%s%s", before, value ? value : "", behind));
    }
    if (json_array_size(out) != 1)
        return out;
    json_t *only = json_incref(json_array_get(out, 0));
    json_decref(out);
    return only;
}

int statements_add(json_t *policy, const struct statement *statement)
{
    json_t *all = json_object_get(policy, "Statement");
    if (find(all, statement->label) < json_array_size(all))
        return -1;
    json_t *principals = wrapped(statement->accounts, "arn:aws:iam:", ":root");
    return json_array_append_new(all, json_pack("{s:s, s:s, s:{s:o}, s:o, s:s}", "Sid",
                                                statement->label, "Effect", "Allow", "Principal",
                                                "AWS", principals, "Action",
                                                wrapped(statement->actions, statement->service, ""),
                                                "Resource", statement->resource));
}

int statements_remove(json_t *policy, const char *label)
{
    json_t *all = json_object_get(policy, "Statement");
    return json_array_remove(all, find(all, label));
}
