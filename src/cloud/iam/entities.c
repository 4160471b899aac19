#include "cloud/form.h"
#include "cloud/iam/iam.h"
#include "cloud/identity.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Users, groups, roles and instance profiles: made, shown, renamed, removed. */

static void put_roles_of(struct iam_call *call, const json_t *profile)
{
    const char *role = iam_text(profile, "role");
    buf_puts(&call->body, *role ? "<Roles><member>" : "<Roles></Roles>");
    if (!*role)
        return;
    iam_put_entity(call, &iam_role, json_object_get(iam_members(call, "roles"), role));
    buf_puts(&call->body, "</member></Roles>");
}

void iam_put_entity(struct iam_call *call, const struct iam_kind *kind, const json_t *entity)
{
    struct buf *body = &call->body;
    form_put(body, "Path", iam_text(entity, "Path"));
    form_put(body, kind->parameter, iam_text(entity, "Name"));
    buf_printf(body, "<%sId>%s</%sId>", kind->element, iam_text(entity, "Id"), kind->element);
    form_put(body, "Arn", iam_text(entity, "Arn"));
    form_put(body, "CreateDate", iam_text(entity, "CreateDate"));
    if (kind == &iam_role)
        form_put_encoded(body, "AssumeRolePolicyDocument",
                         iam_text(entity, "AssumeRolePolicyDocument"));
    if (kind == &iam_profile)
        put_roles_of(call, entity);
}

/* What GetRole and ListRoles show besides. */
static void put_more(struct iam_call *call, const json_t *entity)
{
    if (call->kind != &iam_role)
        return;
    iam_put(call, entity, "Description");
    buf_printf(&call->body, "<MaxSessionDuration>%lld</MaxSessionDuration>",
               (long long)json_integer_value(json_object_get(entity, "MaxSessionDuration")));
}

/* Which parts an answer has beside the entity's own, as on AWS: lists have no tags, and an entity
 * just made says less of itself. */
static void put_element(struct iam_call *call, int is_asked_for)
{
    buf_printf(&call->body, "<%s>", call->kind->element);
    iam_put_entity(call, call->kind, call->entity);
    if (is_asked_for)
        put_more(call, call->entity);
    if (is_asked_for && call->kind == &iam_role)
        buf_puts(&call->body, "<RoleLastUsed></RoleLastUsed>");
    iam_put_boundary(call, call->entity);
    iam_put_tags(call, json_object_get(call->entity, "tags"), is_asked_for);
    buf_printf(&call->body, "</%s>", call->kind->element);
}

/* -- making -- */

static json_t *make_entity(struct iam_call *call, const char *path, const char *name)
{
    const char *account = call->iam->cloud->account_id;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:{}, s:[], s:{}}", "Path", path, "Name", name,
                     "Id", iam_new_id(call->kind->id_prefix), "Arn",
                     json_sprintf("arn:aws:iam::%s:%s%s%s", account, call->kind->word, path, name),
                     "CreateDate", iam_now(), "tags", "attached", "inline");
}

/* MaxSessionDuration, `absent` when it is not there; -1: answered. */
static long session_seconds(struct iam_call *call, long absent)
{
    return iam_get_number(call, "MaxSessionDuration", IAM_DEFAULT_SESSION_S, IAM_MAX_SESSION_S,
                          absent);
}

/* -1: a Description is there and too long, and answered. */
static int check_description(struct iam_call *call)
{
    const char *text = iam_get(call, "Description");
    return text && *text && !iam_need(call, "Description", IAM_MAX_DESCRIPTION) ? -1 : 0;
}

static int complete_role(struct iam_call *call)
{
    const char *document = iam_need_trust(call, "AssumeRolePolicyDocument");
    const char *description = iam_get(call, "Description");
    long seconds = document && check_description(call) == 0
                       ? session_seconds(call, IAM_DEFAULT_SESSION_S)
                       : -1;
    if (seconds < 0)
        return -1;
    json_object_set_new(call->entity, "AssumeRolePolicyDocument", json_string(document));
    json_object_set_new(call->entity, "MaxSessionDuration", json_integer(seconds));
    if (json_object_set_new(call->entity, "Description",
                            json_string(description ? description : "")) < 0)
        return iam_refuse(call, "ValidationError", "The description is not UTF-8");
    return 0;
}

static int complete(struct iam_call *call)
{
    if (iam_read_tags(call, json_object_get(call->entity, "tags")) < 0 ||
        iam_read_boundary(call) < 0)
        return -1;
    if (call->kind == &iam_user)
        return json_object_set_new(call->entity, "keys", json_array());
    if (call->kind == &iam_group)
        return json_object_set_new(call->entity, "members", json_array());
    return call->kind == &iam_role ? complete_role(call) : 0;
}

static int refuse_name(struct iam_call *call, const char *name)
{
    if (call->kind == &iam_profile)
        return iam_refuse(call, "EntityAlreadyExists", "Instance Profile %s already exists.", name);
    return iam_refuse(call, "EntityAlreadyExists", "%s with name %s already exists.",
                      call->kind->element, name);
}

static int create(struct iam_call *call)
{
    json_t *all = iam_members(call, call->kind->member);
    const char *name = iam_need_name(call, call->kind->parameter, call->kind->max_name);
    const char *path = name ? iam_path_parameter(call) : NULL;
    if (!path)
        return -1;
    if (iam_look_up(all, name))
        return refuse_name(call, name);
    if (json_object_size(all) >= call->kind->quota)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for %ssPerAccount: %zu",
                          call->kind->element, call->kind->quota);
    call->entity = make_entity(call, path, name);
    json_object_set_new(all, name, call->entity);
    if (!call->entity || complete(call) < 0)
        return -1;
    put_element(call, 0);
    return 0;
}

/* -- showing -- */

static int get_root(struct iam_call *call)
{
    const struct identity *who = &call->x->identity;
    buf_puts(&call->body, "<User>");
    form_put(&call->body, "Path", "/");
    form_put(&call->body, "UserId", who->account_id);
    form_put(&call->body, "Arn", who->arn);
    buf_puts(&call->body, "</User>");
    return 0;
}

static int get(struct iam_call *call)
{
    int is_caller = call->kind == &iam_user && !iam_get(call, "UserName");
    if (is_caller && call->x->identity.is_administrator)
        return get_root(call);
    if ((is_caller ? iam_find_caller(call) : iam_find(call)) < 0)
        return -1;
    put_element(call, 1);
    return 0;
}

static void put_listed(struct iam_call *call, const char *name, const json_t *entity)
{
    (void)name;
    iam_put_entity(call, call->kind, entity);
    put_more(call, entity);
}

static int list(struct iam_call *call)
{
    char element[32];
    snprintf(element, sizeof element, "%ss", call->kind->element);
    return iam_list(call, element, iam_members(call, call->kind->member), put_listed);
}

/* -- removing, renaming -- */

/* Whoever is called so next is somebody else. */
static void end_sessions(struct iam_call *call)
{
    struct identities *identities = call->iam->cloud->identities;
    const char *name = iam_text(call->entity, "Name"), *id;
    json_t *session;
    if (call->kind == &iam_role) {
        const char *arn = arena_printf(&call->x->arena, "arn:aws:sts::%s:assumed-role/%s",
                                       call->iam->cloud->account_id, name);
        if (arn)
            identity_end_sessions(identities, arn);
    }
    if (call->kind != &iam_user)
        return;
    identity_end_sessions(identities, iam_text(call->entity, "Arn"));
    json_object_foreach(call->iam->sessions, id, session)
    {
        if (strcmp(iam_text(session, "user"), name) == 0)
            identity_revoke(identities, id);
    }
}

static int delete (struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    const json_t *e = call->entity;
    const char *name = iam_text(e, "Name");
    if (json_array_size(json_object_get(e, "attached")))
        return iam_refuse(call, "DeleteConflict",
                          "Cannot delete entity, must detach all policies first.");
    if (json_object_size(json_object_get(e, "inline")))
        return iam_refuse(call, "DeleteConflict",
                          "Cannot delete entity, must delete policies first.");
    if (json_array_size(json_object_get(e, "keys")))
        return iam_refuse(call, "DeleteConflict",
                          "Cannot delete entity, must delete access keys first.");
    if (json_array_size(json_object_get(e, "members")) ||
        (call->kind == &iam_user && iam_count_groups(call->state, name)))
        return iam_refuse(call, "DeleteConflict",
                          "Cannot delete entity, must remove users from group first.");
    if (*iam_text(e, "role") || (call->kind == &iam_role && iam_count_profiles(call->state, name)))
        return iam_refuse(call, "DeleteConflict",
                          "Cannot delete entity, must remove roles from instance profile first.");
    end_sessions(call);
    return json_object_del(iam_members(call, call->kind->member), name);
}

/* NewUserName, NewPath; members of groups follow. */
static int rename_entity(struct iam_call *call)
{
    char parameter[32];
    snprintf(parameter, sizeof parameter, "New%sName", call->kind->element);
    if (iam_find(call) < 0)
        return -1;
    const char *old = arena_strdup(&call->x->arena, iam_text(call->entity, "Name"));
    const char *path = iam_get(call, "NewPath"), *name = old;
    json_t *all = iam_members(call, call->kind->member);
    if (iam_get(call, parameter) && !(name = iam_need_name(call, parameter, call->kind->max_name)))
        return -1;
    if (path && (*path != '/' || path[strlen(path) - 1] != '/'))
        return iam_refuse(call, "ValidationError", "NewPath must begin and end with /");
    if (strcasecmp(name, old) != 0 && iam_look_up(all, name))
        return refuse_name(call, name);
    json_t *entity = json_incref(call->entity);
    end_sessions(call);
    json_object_del(all, old);
    json_object_set_new(all, name, entity);
    json_object_set_new(entity, "Name", json_string(name));
    if (path)
        json_object_set_new(entity, "Path", json_string(path));
    json_object_set_new(entity, "Arn",
                        json_sprintf("arn:aws:iam::%s:%s%s%s", call->iam->cloud->account_id,
                                     call->kind->word, iam_text(entity, "Path"), name));
    const char *group_name;
    json_t *group;
    if (call->kind == &iam_user)
        json_object_foreach(iam_members(call, "groups"), group_name, group)
        {
            json_t *members = json_object_get(group, "members");
            json_array_set_new(members, iam_index_of(members, old), json_string(name));
        }
    return 0;
}

static int update_role(struct iam_call *call)
{
    if (iam_find(call) < 0 || check_description(call) < 0)
        return -1;
    const char *description = iam_get(call, "Description");
    const json_t *had = json_object_get(call->entity, "MaxSessionDuration");
    long seconds = session_seconds(call, (long)json_integer_value(had));
    if (seconds < 0)
        return -1;
    json_object_set_new(call->entity, "MaxSessionDuration", json_integer(seconds));
    if (description &&
        json_object_set_new(call->entity, "Description", json_string(description)) < 0)
        return iam_refuse(call, "ValidationError", "The description is not UTF-8");
    return 0;
}

static int update_description(struct iam_call *call)
{
    if (iam_find(call) < 0 || !iam_need_there(call, "Description") || update_role(call) < 0)
        return -1;
    buf_puts(&call->body, "<Role>");
    iam_put_entity(call, &iam_role, call->entity);
    iam_put(call, call->entity, "Description");
    iam_put_boundary(call, call->entity);
    buf_puts(&call->body, "</Role>");
    return 0;
}

static int update_trust(struct iam_call *call)
{
    const char *document = iam_find(call) == 0 ? iam_need_trust(call, "PolicyDocument") : NULL;
    if (!document)
        return -1;
    return json_object_set_new(call->entity, "AssumeRolePolicyDocument", json_string(document));
}

const struct iam_operation iam_entity_operations[] = {
    {"CreateUser", &iam_user, 1, " UserName Path PermissionsBoundary Tags ", create},
    {"GetUser", &iam_user, 0, " UserName ", get},
    {"ListUsers", &iam_user, 0, " PathPrefix Marker MaxItems ", list},
    {"UpdateUser", &iam_user, 1, " UserName NewUserName NewPath ", rename_entity},
    {"DeleteUser", &iam_user, 1, " UserName ", delete},
    {"CreateGroup", &iam_group, 1, " GroupName Path ", create},
    {"ListGroups", &iam_group, 0, " PathPrefix Marker MaxItems ", list},
    {"UpdateGroup", &iam_group, 1, " GroupName NewGroupName NewPath ", rename_entity},
    {"DeleteGroup", &iam_group, 1, " GroupName ", delete},
    {"CreateRole", &iam_role, 1,
     " RoleName Path AssumeRolePolicyDocument Description MaxSessionDuration PermissionsBoundary "
     "Tags ",
     create},
    {"GetRole", &iam_role, 0, " RoleName ", get},
    {"ListRoles", &iam_role, 0, " PathPrefix Marker MaxItems ", list},
    {"UpdateRole", &iam_role, 1, " RoleName Description MaxSessionDuration ", update_role},
    {"UpdateRoleDescription", &iam_role, 1, " RoleName Description ", update_description},
    {"UpdateAssumeRolePolicy", &iam_role, 1, " RoleName PolicyDocument ", update_trust},
    {"DeleteRole", &iam_role, 1, " RoleName ", delete},
    {"CreateInstanceProfile", &iam_profile, 1, " InstanceProfileName Path Tags ", create},
    {"GetInstanceProfile", &iam_profile, 0, " InstanceProfileName ", get},
    {"ListInstanceProfiles", &iam_profile, 0, " PathPrefix Marker MaxItems ", list},
    {"DeleteInstanceProfile", &iam_profile, 1, " InstanceProfileName ", delete},
    {0},
};
