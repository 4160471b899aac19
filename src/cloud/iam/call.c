#include "base/clock.h"
#include "base/random.h"
#include "cloud/errors.h"
#include "cloud/form.h"
#include "cloud/iam/iam.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct iam_kind iam_user = {"users", "User",       "UserName", "user",
                                  "AIDA",  IAM_MAX_NAME, 2048,       5000};
const struct iam_kind iam_group = {"groups",           "Group", "GroupName", "group", "AGPA",
                                   IAM_MAX_GROUP_NAME, 5120,    300};
const struct iam_kind iam_role = {"roles", "Role",       "RoleName", "role",
                                  "AROA",  IAM_MAX_NAME, 10240,      1000};
const struct iam_kind iam_profile = {"profiles",
                                     "InstanceProfile",
                                     "InstanceProfileName",
                                     "instance-profile",
                                     "AIPA",
                                     IAM_MAX_GROUP_NAME,
                                     0,
                                     1000};

static int status_of(const char *code)
{
    static const char *const conflicts[] = {"EntityAlreadyExists", "DeleteConflict",
                                            "LimitExceeded"};
    if (strcmp(code, "NoSuchEntity") == 0)
        return 404;
    if (strcmp(code, "AccessDenied") == 0)
        return 403;
    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++)
        if (strcmp(code, conflicts[i]) == 0)
            return 409;
    return 400;
}

int iam_refuse(struct iam_call *call, const char *code, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    exchange_fail_status(call->x, status_of(code), code, message);
    return -1;
}

const char *iam_get(struct iam_call *call, const char *name)
{
    return form_get(call->x, name);
}

/* "PolicyArn" is 'policyArn' in AWS's messages about it. */
static const char *first_lower(struct iam_call *call, const char *name)
{
    const char *text =
        arena_printf(&call->x->arena, "%c%s", tolower((unsigned char)*name), name + 1);
    return text ? text : name;
}

int iam_refuse_value(struct iam_call *call, const char *name, const char *value,
                     const char *constraint, ...)
{
    char must[512], shown[520] = "";
    va_list args;
    va_start(args, constraint);
    vsnprintf(must, sizeof must, constraint, args);
    va_end(args);
    if (strcmp(call->x->service->name, "iam") != 0)
        snprintf(shown, sizeof shown, " %s%.512s%s", value ? "'" : "", value ? value : "null",
                 value ? "'" : "");
    return iam_refuse(call, "ValidationError",
                      "1 validation error detected: Value%s at '%s' failed to satisfy constraint: "
                      "Member must %s",
                      shown, first_lower(call, name), must);
}

long iam_get_number(struct iam_call *call, const char *name, long least, long most, long absent)
{
    const char *text = iam_get(call, name);
    char *end = NULL;
    long value = text ? strtol(text, &end, 10) : absent;
    if (value >= least && value <= most && !(end && *end))
        return value;
    int is_low = value < least;
    return iam_refuse_value(call, name, text ? text : "", "have value %s than or equal to %ld",
                            is_low ? "greater" : "less", is_low ? least : most);
}

const char *iam_need_there(struct iam_call *call, const char *name)
{
    const char *value = iam_get(call, name);
    if (!value)
        iam_refuse_value(call, name, NULL, "not be null");
    return value;
}

const char *iam_need(struct iam_call *call, const char *name, size_t most)
{
    const char *value = iam_need_there(call, name);
    if (!value || (*value && strlen(value) <= most))
        return value;
    iam_refuse_value(call, name, value, "have length %s than or equal to %zu",
                     *value ? "less" : "greater", *value ? most : 1);
    return NULL;
}

int iam_is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "+=,.@_-";
    return !text[strspn(text, allowed)];
}

const char *iam_need_name(struct iam_call *call, const char *name, size_t most)
{
    const char *value = iam_need(call, name, most);
    if (!value || iam_is_name(value))
        return value;
    iam_refuse(call, "ValidationError",
               "The specified value for %s is invalid. It must contain only alphanumeric "
               "characters and/or the following: +=,.@_-",
               first_lower(call, name));
    return NULL;
}

const char *iam_need_policy_arn(struct iam_call *call, const char *name)
{
    enum { LEAST_ARN = 20 };
    const char *arn = iam_need(call, name, IAM_MAX_ARN);
    if (!arn || (strncmp(arn, "arn:", 4) == 0 && strstr(arn, ":policy/")))
        return arn;
    if (strlen(arn) < LEAST_ARN)
        iam_refuse_value(call, name, arn, "have length greater than or equal to %d", LEAST_ARN);
    else
        iam_refuse(call, strcmp(name, "PolicyArn") == 0 ? "ValidationError" : "InvalidInput",
                   "ARN %s is not valid.", arn);
    return NULL;
}

const char *iam_path_parameter(struct iam_call *call)
{
    const char *path = iam_get(call, "Path");
    if (!path)
        return "/";
    size_t size = strlen(path);
    for (size_t i = 0; i < size; i++)
        if (path[i] <= ' ' || path[i] > '~')
            size = 0;
    if (size && size <= IAM_MAX_PATH && path[0] == '/' && path[size - 1] == '/')
        return path;
    iam_refuse(call, "ValidationError",
               "The specified value for path is invalid. It must begin and end with / and contain "
               "only alphanumeric characters and/or / characters.");
    return NULL;
}

static int is_session_action(const char *action)
{
    static const char *const others[] = {"sts:TagSession", "sts:SetSourceIdentity",
                                         "sts:SetContext"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcasecmp(action, others[i]) == 0)
            return 1;
    return strncasecmp(action, "sts:AssumeRole", 14) == 0;
}

/* Does a trust policy speak of nothing but assuming the role? */
static int is_about_sessions(const json_t *document)
{
    const json_t *statements = json_object_get(document, "Statement");
    size_t count = json_is_array(statements) ? json_array_size(statements) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *one = json_is_array(statements) ? json_array_get(statements, i) : statements;
        const json_t *actions = json_object_get(one, "Action");
        if (json_is_string(actions) && !is_session_action(json_string_value(actions)))
            return 0;
        for (size_t k = 0; k < json_array_size(actions); k++)
            if (!is_session_action(json_string_value(json_array_get(actions, k))))
                return 0;
    }
    return 1;
}

const char *iam_need_trust(struct iam_call *call, const char *name)
{
    struct err err = {0};
    const char *text = iam_need(call, name, IAM_MAX_DOCUMENT);
    if (text && policy_size(text) > IAM_MAX_TRUST_BYTES) {
        iam_refuse(call, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: %d",
                   IAM_MAX_TRUST_BYTES);
        return NULL;
    }
    json_t *document = text ? policy_parse(text, POLICY_OF_TRUST, &err) : NULL;
    int is_trust = document && is_about_sessions(document);
    if (document && !is_trust)
        err_set(&err, ERR_INVALID, "AssumeRole policy may only specify STS AssumeRole actions.");
    if (text && !is_trust)
        iam_refuse(call, "MalformedPolicyDocument", "%s", err.message);
    json_decref(document);
    return is_trust ? text : NULL;
}

/* Does the entity have room for this one besides its others? */
static int check_inline_size(struct iam_call *call, const char *text)
{
    const char *name, *own = iam_get(call, "PolicyName");
    size_t size = policy_size(text);
    json_t *one;
    json_object_foreach(json_object_get(call->entity, "inline"), name, one)
    {
        if (strcmp(name, own) != 0)
            size += policy_size(json_string_value(one));
    }
    if (size <= call->kind->max_inline)
        return 0;
    return iam_refuse(call, "LimitExceeded", "Maximum policy size of %zu bytes exceeded for %s %s",
                      call->kind->max_inline, call->kind->word, iam_text(call->entity, "Name"));
}

const char *iam_need_document(struct iam_call *call)
{
    struct err err = {0};
    const char *text = iam_need(call, "PolicyDocument", IAM_MAX_DOCUMENT);
    if (!text)
        return NULL;
    if (!call->kind && policy_size(text) > IAM_MAX_MANAGED_BYTES)
        iam_refuse(call, "LimitExceeded", "Cannot exceed quota for PolicySize: %d",
                   IAM_MAX_MANAGED_BYTES);
    else if (call->kind && check_inline_size(call, text) < 0)
        return NULL;
    else if (policy_check_identity(text, !call->kind, &err) < 0)
        iam_refuse(call, "MalformedPolicyDocument", "%s", err.message);
    else
        return text;
    return NULL;
}

json_t *iam_members(const struct iam_call *call, const char *member)
{
    return json_object_get(call->state, member);
}

json_t *iam_look_up(const json_t *all, const char *name)
{
    const char *key;
    json_t *one = json_object_get(all, name);
    if (one)
        return one;
    json_object_foreach((json_t *)all, key, one)
    {
        if (strcasecmp(key, name) == 0)
            return one;
    }
    return NULL;
}

json_t *iam_find_named(struct iam_call *call, const struct iam_kind *kind, const char *name)
{
    json_t *entity = iam_look_up(iam_members(call, kind->member), name);
    if (!entity && kind == &iam_profile)
        iam_refuse(call, "NoSuchEntity", "Instance Profile %s cannot be found.", name);
    else if (!entity)
        iam_refuse(call, "NoSuchEntity", "The %s with name %s cannot be found.", kind->word, name);
    return entity;
}

int iam_find_caller(struct iam_call *call)
{
    const char *arn = call->x->identity.arn, *slash = arn ? strrchr(arn, '/') : NULL;
    if (slash && strstr(arn, ":user/"))
        call->entity = iam_find_named(call, &iam_user, slash + 1);
    else
        iam_refuse(call, "ValidationError",
                   "Must specify userName when calling with non-User credentials");
    return call->entity ? 0 : -1;
}

int iam_find_user(struct iam_call *call)
{
    return iam_get(call, "UserName") ? iam_find(call) : iam_find_caller(call);
}

int iam_find(struct iam_call *call)
{
    const char *name = iam_need(call, call->kind->parameter, call->kind->max_name);
    call->entity = name ? iam_find_named(call, call->kind, name) : NULL;
    return call->entity ? 0 : -1;
}

const char *iam_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

json_t *iam_now(void)
{
    char time[CLOCK_TEXT_BYTES];
    clock_text(clock_unix_ms() / 1000 * 1000, time);
    return json_sprintf("%.19sZ", time);
}

json_t *iam_new_id(const char *prefix)
{
    char id[18];
    random_text(id, 17, RANDOM_UPPER);
    return json_sprintf("%s%s", prefix, id);
}

size_t iam_index_of(const json_t *list, const char *text)
{
    size_t at = 0;
    while (at < json_array_size(list) &&
           strcmp(json_string_value(json_array_get(list, at)), text) != 0)
        at++;
    return at;
}

void iam_put(struct iam_call *call, const json_t *object, const char *name)
{
    if (*iam_text(object, name))
        form_put(&call->body, name, iam_text(object, name));
}

/* -- lists -- */

/* Without regard to case, but for names that differ in nothing else. */
static int compare_names(const char *a, const char *b)
{
    int order = strcasecmp(a, b);
    return order ? order : strcmp(a, b);
}

static int order_names(const void *a, const void *b)
{
    return compare_names(*(const char *const *)a, *(const char *const *)b);
}

static size_t collect(struct iam_call *call, const json_t *all, const char **names)
{
    const char *prefix = iam_get(call, "PathPrefix"), *marker = iam_get(call, "Marker"), *name;
    json_t *one;
    size_t count = 0;
    json_object_foreach((json_t *)all, name, one)
    {
        if ((!prefix || strncmp(iam_text(one, "Path"), prefix, strlen(prefix)) == 0) &&
            (!marker || compare_names(name, marker) > 0))
            names[count++] = name;
    }
    qsort(names, count, sizeof *names, order_names);
    return count;
}

int iam_list(struct iam_call *call, const char *element, const json_t *all, iam_put_one *put)
{
    const char **names = arena_new(&call->x->arena, const char *, json_object_size(all) + 1);
    long most = iam_get_number(call, "MaxItems", 1, 1000, 100);
    if (most < 0)
        return -1;
    if (!names)
        return iam_refuse(call, "ServiceFailure", "There is no memory for the list");
    size_t count = collect(call, all, names), shown = count < (size_t)most ? count : (size_t)most;
    buf_printf(&call->body, "<IsTruncated>%s</IsTruncated>", shown < count ? "true" : "false");
    if (shown < count)
        form_put(&call->body, "Marker", names[shown - 1]);
    buf_printf(&call->body, "<%s>", element);
    for (size_t i = 0; i < shown; i++) {
        buf_puts(&call->body, "<member>");
        put(call, names[i], json_object_get(all, names[i]));
        buf_puts(&call->body, "</member>");
    }
    buf_printf(&call->body, "</%s>", element);
    return 0;
}
