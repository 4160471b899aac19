#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <string.h>

/* The policies of users, groups and roles: inline ones and attached ones. */

static int attach(struct iam_call *call)
{
    const char *arn = iam_find(call) == 0 ? iam_need_policy_arn(call, "PolicyArn") : NULL;
    json_t *attached = json_object_get(call->entity, "attached");
    json_t *document = arn ? iam_policy_document(call->state, arn) : NULL;
    if (!arn)
        return -1;
    if (!document)
        return iam_refuse(call, "NoSuchEntity", "Policy %s does not exist or is not attachable.",
                          arn);
    json_decref(document);
    if (iam_index_of(attached, arn) < json_array_size(attached))
        return 0;
    if (json_array_size(attached) >= IAM_MAX_ATTACHED)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for PoliciesPer%s: %d",
                          call->kind->element, IAM_MAX_ATTACHED);
    return json_array_append_new(attached, json_string(arn));
}

static int detach(struct iam_call *call)
{
    const char *arn = iam_find(call) == 0 ? iam_need_policy_arn(call, "PolicyArn") : NULL;
    json_t *attached = json_object_get(call->entity, "attached");
    if (!arn)
        return -1;
    size_t at = iam_index_of(attached, arn);
    if (at == json_array_size(attached))
        return iam_refuse(call, "NoSuchEntity", "Policy %s was not found.", arn);
    return json_array_remove(attached, at);
}

static void put_attached(struct iam_call *call, const char *arn, const json_t *policy)
{
    (void)policy;
    form_put(&call->body, "PolicyName", strrchr(arn, '/') + 1);
    form_put(&call->body, "PolicyArn", arn);
}

static int list_attached(struct iam_call *call)
{
    size_t i;
    json_t *arn, *attached = json_object();
    int result = iam_find(call);
    json_array_foreach(json_object_get(call->entity, "attached"), i, arn)
    {
        const char *text = json_string_value(arn);
        const char *path = strchr(text, '/'); /* "arn:aws:iam::ACCOUNT:policy/PATH/NAME" */
        json_object_set_new(attached, text, json_pack("{s:s}", "Path", path));
    }
    if (result == 0)
        result = iam_list(call, "AttachedPolicies", attached, put_attached);
    json_decref(attached);
    return result;
}

static int put_policy(struct iam_call *call)
{
    const char *name =
        iam_find(call) == 0 ? iam_need_name(call, "PolicyName", IAM_MAX_POLICY_NAME) : NULL;
    const char *document = name ? iam_need_document(call) : NULL;
    json_t *policies = json_object_get(call->entity, "inline");
    if (!document)
        return -1;
    if (json_object_size(policies) >= IAM_MAX_INLINE && !json_object_get(policies, name))
        return iam_refuse(call, "LimitExceeded", "The %s has %d inline policies already",
                          call->kind->word, IAM_MAX_INLINE);
    return json_object_set_new(policies, name, json_string(document));
}

static const char *find_inline(struct iam_call *call)
{
    const char *name =
        iam_find(call) == 0 ? iam_need(call, "PolicyName", IAM_MAX_POLICY_NAME) : NULL;
    const char *document =
        name ? json_string_value(json_object_get(json_object_get(call->entity, "inline"), name))
             : NULL;
    if (name && !document)
        iam_refuse(call, "NoSuchEntity", "The %s policy with name %s cannot be found.",
                   call->kind->word, name);
    return document;
}

static int get_policy(struct iam_call *call)
{
    const char *document = find_inline(call);
    if (!document)
        return -1;
    form_put(&call->body, call->kind->parameter, iam_text(call->entity, "Name"));
    form_put(&call->body, "PolicyName", iam_get(call, "PolicyName"));
    form_put_encoded(&call->body, "PolicyDocument", document);
    return 0;
}

static int delete_policy(struct iam_call *call)
{
    if (!find_inline(call))
        return -1;
    return json_object_del(json_object_get(call->entity, "inline"), iam_get(call, "PolicyName"));
}

static void put_name(struct iam_call *call, const char *name, const json_t *policy)
{
    (void)policy;
    buf_puts(&call->body, name); /* of letters that XML takes as they are */
}

static int list_policies(struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    return iam_list(call, "PolicyNames", json_object_get(call->entity, "inline"), put_name);
}

#define POLICIES_OF(kind, Kind, name)                                                              \
    {"Attach" Kind "Policy", kind, 1, " " name " PolicyArn ", attach},                             \
        {"Detach" Kind "Policy", kind, 1, " " name " PolicyArn ", detach},                         \
        {"ListAttached" Kind "Policies", kind, 0, " " name " PathPrefix Marker MaxItems ",         \
         list_attached},                                                                           \
        {"Put" Kind "Policy", kind, 1, " " name " PolicyName PolicyDocument ", put_policy},        \
        {"Get" Kind "Policy", kind, 0, " " name " PolicyName ", get_policy},                       \
        {"Delete" Kind "Policy", kind, 1, " " name " PolicyName ", delete_policy},                 \
    {                                                                                              \
        "List" Kind "Policies", kind, 0, " " name " Marker MaxItems ", list_policies               \
    }

const struct iam_operation iam_policy_operations[] = {
    POLICIES_OF(&iam_user, "User", "UserName"),
    POLICIES_OF(&iam_group, "Group", "GroupName"),
    POLICIES_OF(&iam_role, "Role", "RoleName"),
    {0},
};
