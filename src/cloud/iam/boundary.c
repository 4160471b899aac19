#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <string.h>

/* Permissions boundaries: the managed policy past which a user's or a role's own policies allow
 * nothing, entity["boundary"]. */

void iam_put_boundary(struct iam_call *call, const json_t *entity)
{
    const char *arn = iam_text(entity, "boundary");
    if (!*arn)
        return;
    buf_puts(&call->body, "<PermissionsBoundary><PermissionsBoundaryType>Policy"
                          "</PermissionsBoundaryType>");
    form_put(&call->body, "PermissionsBoundaryArn", arn);
    buf_puts(&call->body, "</PermissionsBoundary>");
}

int iam_read_boundary(struct iam_call *call)
{
    if (!iam_get(call, "PermissionsBoundary"))
        return 0;
    const char *arn = iam_need_policy_arn(call, "PermissionsBoundary");
    json_t *document = arn ? iam_policy_document(call->state, arn) : NULL;
    if (arn && !document)
        return iam_refuse(call, "NoSuchEntity",
                          "Scope ARN: %s does not exist or is not attachable.", arn);
    json_decref(document);
    return arn ? json_object_set_new(call->entity, "boundary", json_string(arn)) : -1;
}

size_t iam_count_boundaries(const json_t *state, const char *arn)
{
    static const char *const members[] = {"users", "roles"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *name;
        json_t *entity;
        json_object_foreach(json_object_get(state, members[i]), name, entity)
        {
            count += strcmp(iam_text(entity, "boundary"), arn) == 0;
        }
    }
    return count;
}

static int put(struct iam_call *call)
{
    return iam_find(call) == 0 && iam_need(call, "PermissionsBoundary", IAM_MAX_ARN)
               ? iam_read_boundary(call)
               : -1;
}

static int delete (struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    json_object_del(call->entity, "boundary");
    return 0;
}

const struct iam_operation iam_boundary_operations[] = {
    {"PutUserPermissionsBoundary", &iam_user, 1, " UserName PermissionsBoundary ", put},
    {"PutRolePermissionsBoundary", &iam_role, 1, " RoleName PermissionsBoundary ", put},
    {"DeleteUserPermissionsBoundary", &iam_user, 1, " UserName ", delete},
    {"DeleteRolePermissionsBoundary", &iam_role, 1, " RoleName ", delete},
    {0},
};
