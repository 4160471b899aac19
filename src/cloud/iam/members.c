#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <string.h>

/* Who is in what: users in groups, roles in instance profiles. */

static int has_member(const json_t *group, const char *user)
{
    const json_t *members = json_object_get(group, "members");
    return iam_index_of(members, user) < json_array_size(members);
}

static int holds_role(const json_t *profile, const char *role)
{
    return strcmp(iam_text(profile, "role"), role) == 0;
}

/* Those of `all` for which the test holds of the name; their values are borrowed. */
static json_t *select_from(const json_t *all, const char *name,
                           int (*test)(const json_t *one, const char *name))
{
    json_t *selected = json_object(), *one;
    const char *key;
    json_object_foreach((json_t *)all, key, one)
    {
        if (test(one, name))
            json_object_set(selected, key, one);
    }
    return selected;
}

static size_t count_in(const json_t *all, const char *name,
                       int (*test)(const json_t *one, const char *name))
{
    json_t *selected = select_from(all, name, test);
    size_t count = json_object_size(selected);
    json_decref(selected);
    return count;
}

size_t iam_count_groups(const json_t *state, const char *user)
{
    return count_in(json_object_get(state, "groups"), user, has_member);
}

size_t iam_count_profiles(const json_t *state, const char *role)
{
    return count_in(json_object_get(state, "profiles"), role, holds_role);
}

/* -- groups -- */

/* The user is looked for first, as on AWS. Its place among the group's members; -1: answered. */
static json_t *find_members(struct iam_call *call, const char **user, size_t *at)
{
    const char *name = iam_need(call, "UserName", IAM_MAX_NAME);
    const json_t *found = name ? iam_find_named(call, &iam_user, name) : NULL;
    if (!found || iam_find(call) < 0)
        return NULL;
    *user = iam_text(found, "Name");
    json_t *members = json_object_get(call->entity, "members");
    *at = iam_index_of(members, *user);
    return members;
}

static int add_user(struct iam_call *call)
{
    const char *user;
    size_t at;
    json_t *members = find_members(call, &user, &at);
    if (!members)
        return -1;
    if (at < json_array_size(members))
        return 0;
    if (iam_count_groups(call->state, user) >= IAM_MAX_GROUPS)
        return iam_refuse(call, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: %d",
                          IAM_MAX_GROUPS);
    return json_array_append_new(members, json_string(user));
}

/* One that is no member is none afterwards either. */
static int remove_user(struct iam_call *call)
{
    const char *user;
    size_t at;
    json_t *members = find_members(call, &user, &at);
    if (members && at < json_array_size(members))
        json_array_remove(members, at);
    return members ? 0 : -1;
}

static void put_user(struct iam_call *call, const char *name, const json_t *user)
{
    (void)name;
    iam_put_entity(call, &iam_user, user);
}

static int get_group(struct iam_call *call)
{
    size_t i;
    json_t *member, *users = json_object();
    int result = iam_find(call);
    if (result == 0) {
        buf_puts(&call->body, "<Group>");
        iam_put_entity(call, &iam_group, call->entity);
        buf_puts(&call->body, "</Group>");
        json_array_foreach(json_object_get(call->entity, "members"), i, member)
        {
            const char *name = json_string_value(member);
            json_object_set(users, name, json_object_get(iam_members(call, "users"), name));
        }
        result = iam_list(call, "Users", users, put_user);
    }
    json_decref(users);
    return result;
}

static void put_group(struct iam_call *call, const char *name, const json_t *group)
{
    (void)name;
    iam_put_entity(call, &iam_group, group);
}

static int list_groups(struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    json_t *groups =
        select_from(iam_members(call, "groups"), iam_text(call->entity, "Name"), has_member);
    int result = iam_list(call, "Groups", groups, put_group);
    json_decref(groups);
    return result;
}

/* -- instance profiles -- */

static const char *find_role_and_profile(struct iam_call *call)
{
    const char *role = iam_need(call, "RoleName", IAM_MAX_NAME);
    const json_t *found =
        role && iam_find(call) == 0 ? iam_find_named(call, &iam_role, role) : NULL;
    return found ? iam_text(found, "Name") : NULL;
}

static int add_role(struct iam_call *call)
{
    const char *role = find_role_and_profile(call);
    if (!role)
        return -1;
    if (*iam_text(call->entity, "role"))
        return iam_refuse(call, "LimitExceeded",
                          "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
    return json_object_set_new(call->entity, "role", json_string(role));
}

static int remove_role(struct iam_call *call)
{
    const char *role = find_role_and_profile(call);
    if (!role)
        return -1;
    if (!holds_role(call->entity, role))
        return iam_refuse(call, "NoSuchEntity", "Role %s in Instance Profile %s cannot be found.",
                          role, iam_text(call->entity, "Name"));
    return json_object_del(call->entity, "role");
}

static void put_profile(struct iam_call *call, const char *name, const json_t *profile)
{
    (void)name;
    iam_put_entity(call, &iam_profile, profile);
}

static int list_profiles(struct iam_call *call)
{
    if (iam_find(call) < 0)
        return -1;
    json_t *profiles =
        select_from(iam_members(call, "profiles"), iam_text(call->entity, "Name"), holds_role);
    int result = iam_list(call, "InstanceProfiles", profiles, put_profile);
    json_decref(profiles);
    return result;
}

const struct iam_operation iam_member_operations[] = {
    {"AddUserToGroup", &iam_group, 1, " GroupName UserName ", add_user},
    {"RemoveUserFromGroup", &iam_group, 1, " GroupName UserName ", remove_user},
    {"GetGroup", &iam_group, 0, " GroupName Marker MaxItems ", get_group},
    {"ListGroupsForUser", &iam_user, 0, " UserName Marker MaxItems ", list_groups},
    {"AddRoleToInstanceProfile", &iam_profile, 1, " InstanceProfileName RoleName ", add_role},
    {"RemoveRoleFromInstanceProfile", &iam_profile, 1, " InstanceProfileName RoleName ",
     remove_role},
    {"ListInstanceProfilesForRole", &iam_role, 0, " RoleName Marker MaxItems ", list_profiles},
    {0},
};
