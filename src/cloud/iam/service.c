#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "cloud/cloud.h"
#include "cloud/errors.h"
#include "cloud/form.h"
#include "cloud/services.h"

#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What tools ask of IAM and STS around a deploy: roles with their policies are kept and shown, and
 * who signs may ask who it is. Policies are not enforced: whoever holds a key of this cloud may do
 * everything.
 *
 * DIR/iam/roles.json: {NAME: {"Path", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument",
 * "Description", "MaxSessionDuration", "attached": [ARN..], "inline": {NAME: document}}} */
struct iam {
    struct cloud *cloud;
    char path[PATH_MAX];
    pthread_mutex_t lock;
    json_t *roles;
};

enum {
    IAM_MAX_ROLES = 1000,
    IAM_MAX_POLICIES = 20, /* attached to a role, and as many inline */
    IAM_MAX_DOCUMENT_BYTES = 10240,
    IAM_MAX_FILE_BYTES = 16 * 1024 * 1024,
    IAM_MAX_REPLY_BYTES = 16 * 1024 * 1024,
};
#define IAM_NAMESPACE "https://iam.amazonaws.com/doc/2010-05-08/"
#define STS_NAMESPACE "https://sts.amazonaws.com/doc/2011-06-15/"

/* One call: an operation answers errors by itself and then returns -1. */
struct iam_call {
    struct iam *iam;
    struct exchange *x;
    json_t *roles; /* a copy, for operations that change it */
    json_t *role;  /* the one of RoleName, in the copy */
    struct buf body;
};

static int status_of(const char *code)
{
    if (strcmp(code, "NoSuchEntity") == 0)
        return 404;
    return strcmp(code, "EntityAlreadyExists") == 0 || strcmp(code, "DeleteConflict") == 0 ? 409
                                                                                           : 400;
}

static int refuse(struct iam_call *call, const char *code, const char *message)
{
    exchange_fail_status(call->x, status_of(code), code, message);
    return -1;
}

/* A parameter that must be there. NULL: the error is answered. */
static const char *need(struct iam_call *call, const char *name, size_t most)
{
    const char *value = form_get(call->x, name);
    if (value && *value && strlen(value) <= most)
        return value;
    refuse(call, "ValidationError",
           arena_printf(&call->x->arena, "%s is needed, at most %zu characters", name, most));
    return NULL;
}

static int is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "+=,.@_-";
    return !text[strspn(text, allowed)];
}

static const char *text_of(const json_t *role, const char *name)
{
    const char *text = json_string_value(json_object_get(role, name));
    return text ? text : "";
}

static int find_role(struct iam_call *call)
{
    const char *name = need(call, "RoleName", 64);
    call->role = name ? json_object_get(call->roles, name) : NULL;
    if (name && !call->role)
        refuse(call, "NoSuchEntity",
               arena_printf(&call->x->arena, "The role with name %s cannot be found.", name));
    return call->role ? 0 : -1;
}

static const char *need_document(struct iam_call *call, const char *name)
{
    const char *text = need(call, name, IAM_MAX_DOCUMENT_BYTES);
    json_t *document = text ? json_loads(text, 0, NULL) : NULL;
    int is_object = json_is_object(document);
    json_decref(document);
    if (text && !is_object)
        refuse(call, "MalformedPolicyDocument", "The policy is not a JSON object");
    return is_object ? text : NULL;
}

static void put_role(struct iam_call *call, const json_t *role)
{
    static const char *const fields[] = {"Path", "RoleName",   "RoleId",
                                         "Arn",  "CreateDate", "Description"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (*text_of(role, fields[i]))
            form_put(&call->body, fields[i], text_of(role, fields[i]));
    form_put_encoded(&call->body, "AssumeRolePolicyDocument",
                     text_of(role, "AssumeRolePolicyDocument"));
    buf_puts(&call->body, "<MaxSessionDuration>3600</MaxSessionDuration>");
}

static void put_role_element(struct iam_call *call, const json_t *role)
{
    buf_puts(&call->body, "<Role>");
    put_role(call, role);
    buf_puts(&call->body, "</Role>");
}

/* Operations: 0: the body has the result. */

static json_t *make_role(struct iam_call *call, const char *name, const char *document)
{
    char id[18], time[CLOCK_TEXT_BYTES];
    const char *path = form_get(call->x, "Path"), *description = form_get(call->x, "Description");
    random_text(id, 17, RANDOM_UPPER);
    clock_text(clock_unix_ms() / 1000 * 1000, time);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:[], s:{}}", "Path", path ? path : "/",
                     "RoleName", name, "RoleId", json_sprintf("AROA%s", id), "Arn",
                     json_sprintf("arn:aws:iam::%s:role%s%s", call->iam->cloud->account_id,
                                  path ? path : "/", name),
                     "CreateDate", json_sprintf("%.19sZ", time), "AssumeRolePolicyDocument",
                     document, "Description", description ? description : "", "attached", "inline");
}

static int create_role(struct iam_call *call)
{
    const char *name = need(call, "RoleName", 64);
    const char *document = name ? need_document(call, "AssumeRolePolicyDocument") : NULL;
    const char *path = form_get(call->x, "Path");
    if (!document)
        return -1;
    if (!is_name(name) || (path && (*path != '/' || path[strlen(path) - 1] != '/')))
        return refuse(call, "ValidationError", "RoleName or Path has a character that it may not");
    if (json_object_get(call->roles, name))
        return refuse(call, "EntityAlreadyExists",
                      arena_printf(&call->x->arena, "Role with name %s already exists.", name));
    if (json_object_size(call->roles) >= IAM_MAX_ROLES)
        return refuse(call, "LimitExceeded", "There are too many roles");
    json_t *role = make_role(call, name, document);
    if (!role)
        return refuse(call, "ValidationError", "The text is not UTF-8");
    json_object_set_new(call->roles, name, role);
    put_role_element(call, role);
    return 0;
}

static int get_role(struct iam_call *call)
{
    if (find_role(call) < 0)
        return -1;
    put_role_element(call, call->role);
    return 0;
}

static int list_roles(struct iam_call *call)
{
    const char *name;
    json_t *role;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated><Roles>");
    json_object_foreach(call->roles, name, role)
    {
        buf_puts(&call->body, "<member>");
        put_role(call, role);
        buf_puts(&call->body, "</member>");
    }
    buf_puts(&call->body, "</Roles>");
    return 0;
}

static int delete_role(struct iam_call *call)
{
    if (find_role(call) < 0)
        return -1;
    if (json_array_size(json_object_get(call->role, "attached")) ||
        json_object_size(json_object_get(call->role, "inline")))
        return refuse(call, "DeleteConflict",
                      "Cannot delete entity, must detach all policies first.");
    return json_object_del(call->roles, form_get(call->x, "RoleName"));
}

static size_t find_attached(const json_t *attached, const char *arn)
{
    size_t at = 0;
    while (at < json_array_size(attached) &&
           strcmp(json_string_value(json_array_get(attached, at)), arn) != 0)
        at++;
    return at;
}

static int attach_policy(struct iam_call *call)
{
    const char *arn = find_role(call) == 0 ? need(call, "PolicyArn", 2048) : NULL;
    json_t *attached = json_object_get(call->role, "attached");
    if (!arn)
        return -1;
    if (find_attached(attached, arn) < json_array_size(attached))
        return 0;
    if (json_array_size(attached) >= IAM_MAX_POLICIES)
        return refuse(call, "LimitExceeded", "Too many policies are attached to the role");
    if (json_array_append_new(attached, json_string(arn)) < 0)
        return refuse(call, "ValidationError", "PolicyArn must be UTF-8");
    return 0;
}

static int detach_policy(struct iam_call *call)
{
    const char *arn = find_role(call) == 0 ? need(call, "PolicyArn", 2048) : NULL;
    json_t *attached = json_object_get(call->role, "attached");
    if (!arn)
        return -1;
    size_t at = find_attached(attached, arn);
    if (at == json_array_size(attached))
        return refuse(call, "NoSuchEntity", "The policy is not attached to the role");
    return json_array_remove(attached, at);
}

static int list_attached(struct iam_call *call)
{
    size_t i;
    json_t *arn;
    if (find_role(call) < 0)
        return -1;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated><AttachedPolicies>");
    json_array_foreach(json_object_get(call->role, "attached"), i, arn)
    {
        const char *text = json_string_value(arn), *slash = strrchr(text, '/');
        buf_puts(&call->body, "<member>");
        form_put(&call->body, "PolicyName", slash ? slash + 1 : text);
        form_put(&call->body, "PolicyArn", text);
        buf_puts(&call->body, "</member>");
    }
    buf_puts(&call->body, "</AttachedPolicies>");
    return 0;
}

static int put_policy(struct iam_call *call)
{
    const char *name = find_role(call) == 0 ? need(call, "PolicyName", 128) : NULL;
    const char *document = name ? need_document(call, "PolicyDocument") : NULL;
    json_t *policies = json_object_get(call->role, "inline");
    if (!document)
        return -1;
    if (!is_name(name))
        return refuse(call, "ValidationError", "PolicyName has a character that it may not");
    if (json_object_size(policies) >= IAM_MAX_POLICIES && !json_object_get(policies, name))
        return refuse(call, "LimitExceeded", "The role has too many inline policies");
    return json_object_set_new(policies, name, json_string(document));
}

static const json_t *find_policy(struct iam_call *call)
{
    const char *name = find_role(call) == 0 ? need(call, "PolicyName", 128) : NULL;
    const json_t *policy =
        name ? json_object_get(json_object_get(call->role, "inline"), name) : NULL;
    if (name && !policy)
        refuse(
            call, "NoSuchEntity",
            arena_printf(&call->x->arena, "The role policy with name %s cannot be found.", name));
    return policy;
}

static int get_policy(struct iam_call *call)
{
    const json_t *policy = find_policy(call);
    if (!policy)
        return -1;
    form_put(&call->body, "RoleName", text_of(call->role, "RoleName"));
    form_put(&call->body, "PolicyName", form_get(call->x, "PolicyName"));
    form_put_encoded(&call->body, "PolicyDocument", json_string_value(policy));
    return 0;
}

static int delete_policy(struct iam_call *call)
{
    if (!find_policy(call))
        return -1;
    return json_object_del(json_object_get(call->role, "inline"), form_get(call->x, "PolicyName"));
}

static int list_policies(struct iam_call *call)
{
    const char *name;
    json_t *policy;
    if (find_role(call) < 0)
        return -1;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated><PolicyNames>");
    json_object_foreach(json_object_get(call->role, "inline"), name, policy)
    {
        form_put(&call->body, "member", name);
    }
    buf_puts(&call->body, "</PolicyNames>");
    return 0;
}

static int list_profiles(struct iam_call *call)
{
    if (find_role(call) < 0)
        return -1;
    buf_puts(&call->body, "<IsTruncated>false</IsTruncated><InstanceProfiles></InstanceProfiles>");
    return 0;
}

static const struct operation {
    const char *action;
    int changes;
    int (*run)(struct iam_call *call);
} operations[] = {
    {"CreateRole", 1, create_role},
    {"GetRole", 0, get_role},
    {"ListRoles", 0, list_roles},
    {"DeleteRole", 1, delete_role},
    {"AttachRolePolicy", 1, attach_policy},
    {"DetachRolePolicy", 1, detach_policy},
    {"ListAttachedRolePolicies", 0, list_attached},
    {"PutRolePolicy", 1, put_policy},
    {"GetRolePolicy", 0, get_policy},
    {"DeleteRolePolicy", 1, delete_policy},
    {"ListRolePolicies", 0, list_policies},
    {"ListInstanceProfilesForRole", 0, list_profiles},
};

static const struct operation *find_operation(const char *action)
{
    for (size_t i = 0; action && i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].action, action) == 0)
            return &operations[i];
    return NULL;
}

/* The changed roles become the present ones, first on the disk. */
static int store(struct iam_call *call)
{
    struct err err = {0};
    struct iam *iam = call->iam;
    char *text = json_dumps(call->roles, JSON_INDENT(1));
    int result = text ? file_write(iam->path, text, strlen(text), 0600, &err)
                      : err_set(&err, ERR_NO_MEMORY, "keep roles: no memory");
    free(text);
    if (result < 0) {
        exchange_fail_err(call->x, &err);
        return -1;
    }
    json_decref(iam->roles);
    iam->roles = json_incref(call->roles);
    return 0;
}

static void handle_iam(void *self, struct exchange *x)
{
    struct iam *iam = self;
    struct iam_call call = {.iam = iam, .x = x};
    const char *action = form_get(x, "Action");
    const struct operation *operation = find_operation(action);
    if (!operation) {
        exchange_fail_status(x, 400, "InvalidAction", "ken cloud has no such IAM operation");
        return;
    }
    form_begin(&call.body, action, IAM_NAMESPACE, IAM_MAX_REPLY_BYTES);
    pthread_mutex_lock(&iam->lock);
    call.roles = json_deep_copy(iam->roles);
    int result = operation->run(&call);
    if (result == 0 && operation->changes)
        result = store(&call);
    pthread_mutex_unlock(&iam->lock);
    json_decref(call.roles);
    if (result == 0)
        form_respond(x, &call.body, action);
    else
        buf_finish(&call.body);
}

static void handle_sts(void *self, struct exchange *x)
{
    struct buf body;
    const char *action = form_get(x, "Action");
    (void)self;
    if (!action || strcmp(action, "GetCallerIdentity") != 0) {
        exchange_fail_status(x, 400, "InvalidAction", "ken cloud has no such STS operation");
        return;
    }
    form_begin(&body, action, STS_NAMESPACE, IAM_MAX_REPLY_BYTES);
    form_put(&body, "UserId", x->identity.access_key_id);
    form_put(&body, "Account", x->identity.account_id);
    form_put(&body, "Arn", x->identity.arn);
    form_respond(x, &body, action);
}

static void destroy(void *self)
{
    struct iam *iam = self;
    json_decref(iam->roles);
    pthread_mutex_destroy(&iam->lock);
    free(iam);
}

static json_t *load_roles(const char *path, struct err *err)
{
    struct buf text;
    if (access(path, F_OK) < 0)
        return json_object();
    buf_init(&text, IAM_MAX_FILE_BYTES);
    json_t *roles = NULL;
    if (file_read(path, &text, err) == 0) {
        roles = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
        if (!json_is_object(roles)) {
            json_decref(roles);
            roles = NULL;
            err_set(err, ERR_CORRUPT, "read %s: not the roles of a cloud", path);
        }
    }
    buf_finish(&text);
    return roles;
}

static int add_services(struct cloud *cloud, struct iam *iam, struct err *err)
{
    const struct service service = {.name = "iam",
                                    .error_form = ERROR_FORM_QUERY,
                                    .handle = handle_iam,
                                    .destroy = destroy,
                                    .self = iam};
    const struct service tokens = {
        .name = "sts", .error_form = ERROR_FORM_QUERY, .handle = handle_sts, .self = iam};
    if (cloud_add(cloud, &service, err) < 0) {
        destroy(iam);
        return -1;
    }
    return cloud_add(cloud, &tokens, err);
}

int iam_service_create(struct cloud *cloud, struct err *err)
{
    char folder[PATH_MAX];
    struct iam *iam = calloc(1, sizeof *iam);
    if (!iam)
        return err_set(err, ERR_NO_MEMORY, "start IAM: no memory");
    iam->cloud = cloud;
    pthread_mutex_init(&iam->lock, NULL);
    if (cloud_path(cloud, "iam", folder, sizeof folder, err) == 0 &&
        cloud_path(cloud, "iam/roles.json", iam->path, sizeof iam->path, err) == 0 &&
        file_make_folders(folder, 0700, err) == 0)
        iam->roles = load_roles(iam->path, err);
    if (iam->roles)
        return add_services(cloud, iam, err);
    destroy(iam);
    return -1;
}
