#include "base/file_sum.h"
#include "cloud/access.h"
#include "cloud/errors.h"
#include "cloud/form.h"
#include "cloud/iam/iam.h"
#include "cloud/services.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* IAM and STS as services: the state on the disk, one call from form to answer. */

#define IAM_NAMESPACE "https://iam.amazonaws.com/doc/2010-05-08/"

static const struct iam_operation *const tables[] = {
    iam_entity_operations, iam_policy_operations,   iam_managed_operations,
    iam_key_operations,    iam_tag_operations,      iam_boundary_operations,
    iam_member_operations, iam_simulate_operations, iam_account_operations};

static const struct iam_operation *find_operation(const struct iam_operation *table,
                                                  const char *action)
{
    for (; table->action; table++)
        if (strcmp(table->action, action) == 0)
            return table;
    return NULL;
}

/* The first parameter that the operation does not know; NULL: none. */
static const char *find_unknown(struct iam_call *call, const char *known)
{
    struct form_cursor cursor = {0};
    const char *name;
    while ((name = form_next(call->x, &cursor))) {
        char word[128];
        size_t size = strcspn(name, ".");
        if ((size_t)snprintf(word, sizeof word, " %.*s ", (int)size, name) >= sizeof word)
            return name;
        if (!strstr(known, word) && strcmp(word, " Action ") != 0 &&
            strcmp(word, " Version ") != 0 && strncmp(word, " X-Amz-", 7) != 0)
            return name;
    }
    return NULL;
}

const struct iam_operation *iam_begin(struct iam_call *call, const struct iam_operation *table,
                                      const char *name_space)
{
    const char *action = iam_get(call, "Action");
    const struct iam_operation *operation = action ? find_operation(table, action) : NULL;
    if (!operation) {
        const char *version = strrchr(name_space, 'c') + 2; /* ".../doc/2010-05-08/" */
        iam_refuse(call, "InvalidAction", "Could not find operation %.64s for version %.10s",
                   action ? action : "(none)", version);
        return NULL;
    }
    const char *unknown = find_unknown(call, operation->parameters);
    if (unknown) {
        iam_refuse(call, "ValidationError", "The parameter %.64s of %s is not supported", unknown,
                   action);
        return NULL;
    }
    call->kind = operation->kind;
    form_begin(&call->body, action, name_space, IAM_MAX_REPLY_BYTES);
    return operation;
}

void iam_end(struct iam_call *call, int result)
{
    if (result == 0)
        form_respond(call->x, &call->body, iam_get(call, "Action"));
    else
        buf_finish(&call->body);
}

/* -- the state -- */

static json_t *new_state(void)
{
    return json_pack("{s:{}, s:{}, s:{}, s:{}, s:{}}", "users", "groups", "roles", "profiles",
                     "policies");
}

/* The changed state becomes the present one, first on the disk. */
static int store(struct iam_call *call)
{
    struct err err = {0};
    struct iam *iam = call->iam;
    char *text = json_dumps(call->state, JSON_INDENT(1));
    int result = text ? file_write_summed(iam->path, text, strlen(text), 0600, &err)
                      : err_set(&err, ERR_NO_MEMORY, "keep users and roles: no memory");
    free(text);
    if (result == 0) {
        json_decref(iam->state);
        iam->state = json_incref(call->state);
        json_object_clear(iam->compiled);
        if (call->kind == &iam_user)
            result = iam_publish_keys(iam, &err);
    }
    if (result < 0)
        exchange_fail_err(call->x, &err);
    return result;
}

static int is_state(const json_t *state)
{
    static const char *const members[] = {"users", "groups", "roles", "policies"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!json_is_object(json_object_get(state, members[i])))
            return 0;
    return 1;
}

static json_t *load(const char *path, struct err *err)
{
    struct buf text;
    if (access(path, F_OK) < 0)
        return new_state();
    buf_init(&text, IAM_MAX_FILE_BYTES);
    json_t *state = NULL;
    if (file_read_summed(path, &text, err) == 0) {
        state = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
        if (state && !json_object_get(state, "profiles")) /* an older file */
            json_object_set_new(state, "profiles", json_object());
        if (!is_state(state)) {
            json_decref(state);
            state = NULL;
            err_set(err, ERR_CORRUPT, "read %s: not the users and roles of a cloud", path);
        }
    }
    buf_finish(&text);
    return state;
}

/* -- the services -- */

/* "ListUsers" of users */
static int is_list(const struct iam_kind *kind, const char *action)
{
    size_t size = strlen(kind->element);
    return strncmp(action, "List", 4) == 0 && strncmp(action + 4, kind->element, size) == 0 &&
           strcmp(action + 4 + size, "s") == 0;
}

/* What is asked for, as policies name it. */
static const char *resource_of(struct iam_call *call)
{
    static const struct iam_kind *const kinds[] = {&iam_profile, &iam_role, &iam_group, &iam_user};
    const char *account = call->iam->cloud->account_id, *prefix = iam_get(call, "PathPrefix");
    const char *action = iam_get(call, "Action");
    if (call->kind && is_list(call->kind, action))
        return arena_printf(&call->x->arena, "arn:aws:iam::%s:%s%s", account, call->kind->word,
                            prefix ? prefix : "/");
    if (iam_get(call, "PolicyArn") && !call->kind)
        return iam_get(call, "PolicyArn");
    if (iam_get(call, "PolicySourceArn"))
        return iam_get(call, "PolicySourceArn");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const char *name = iam_get(call, kinds[i]->parameter);
        const json_t *entity =
            name ? iam_look_up(json_object_get(call->iam->state, kinds[i]->member), name) : NULL;
        if (entity)
            return arena_strdup(&call->x->arena, iam_text(entity, "Arn"));
        if (name)
            return arena_printf(&call->x->arena, "arn:aws:iam::%s:%s/%s", account, kinds[i]->word,
                                name);
    }
    return call->kind == &iam_user && call->x->identity.arn ? call->x->identity.arn : "*";
}

static const char *passed_to(void *self, const char *key)
{
    (void)self;
    return strcasecmp(key, "iam:PassedToService") == 0 ? "ec2.amazonaws.com" : NULL;
}

/* Whoever puts a role into an instance profile hands it on. */
static int authorize_pass(struct iam_call *call)
{
    pthread_mutex_lock(&call->iam->lock);
    const char *role = iam_get(call, "RoleName");
    const json_t *roles = json_object_get(call->iam->state, "roles");
    const char *arn =
        arena_strdup(&call->x->arena, iam_text(iam_look_up(roles, role ? role : ""), "Arn"));
    pthread_mutex_unlock(&call->iam->lock);
    const struct access_question question = {
        .action = "iam:PassRole", .resource = arn && *arn ? arn : "*", .value = passed_to};
    return exchange_authorize_with(call->x, &question);
}

static int authorize(struct iam_call *call)
{
    const char *action = arena_printf(&call->x->arena, "iam:%s", iam_get(call, "Action"));
    pthread_mutex_lock(&call->iam->lock);
    const char *resource = resource_of(call);
    pthread_mutex_unlock(&call->iam->lock);
    const struct identity *who = &call->x->identity;
    if (who->arn && strstr(who->arn, ":federated-user/"))
        return iam_refuse(call, "AccessDenied",
                          "Cannot call IAM operations with federated user credentials");
    /* GetSessionToken's, without MFA:
     * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html */
    if (who->issued_unix_ms && !strstr(who->arn, ":assumed-role/"))
        return iam_refuse(call, "InvalidClientTokenId",
                          "The security token included in the request is invalid");
    return action && resource ? exchange_authorize(call->x, action, resource) : -1;
}

static void handle_iam(void *self, struct exchange *x)
{
    struct iam *iam = self;
    struct iam_call call = {.iam = iam, .x = x};
    const struct iam_operation *operation = NULL;
    const char *action = iam_get(&call, "Action");
    size_t at = 0;
    while (action && at + 1 < sizeof tables / sizeof *tables && !find_operation(tables[at], action))
        at++;
    operation = iam_begin(&call, tables[at], IAM_NAMESPACE);
    if (!operation)
        return;
    int result = authorize(&call);
    if (result == 0 && strcmp(action, "AddRoleToInstanceProfile") == 0)
        result = authorize_pass(&call);
    if (result == 0) {
        pthread_mutex_lock(&iam->lock);
        call.state = operation->changes ? json_deep_copy(iam->state) : json_incref(iam->state);
        result = operation->run(&call);
        if (result == 0 && operation->changes)
            result = store(&call);
        json_decref(call.state);
        pthread_mutex_unlock(&iam->lock);
    }
    iam_end(&call, result);
}

static void destroy(void *self)
{
    struct iam *iam = self;
    json_decref(iam->state);
    json_decref(iam->compiled);
    json_decref(iam->sessions);
    json_decref(iam->uses);
    pthread_mutex_destroy(&iam->lock);
    free(iam);
}

static int add_services(struct cloud *cloud, struct iam *iam, struct err *err)
{
    const struct service service = {.name = "iam",
                                    .error_form = ERROR_FORM_QUERY,
                                    .handle = handle_iam,
                                    .destroy = destroy,
                                    .self = iam};
    const struct service tokens = {
        .name = "sts", .error_form = ERROR_FORM_QUERY, .handle = iam_handle_sts, .self = iam};
    if (cloud_add(cloud, &service, err) < 0) {
        destroy(iam);
        return -1;
    }
    cloud->judge = (struct access_judge){iam_judge, iam};
    return cloud_add(cloud, &tokens, err);
}

int iam_service_create(struct cloud *cloud, struct err *err)
{
    char folder[PATH_MAX];
    struct iam *iam = calloc(1, sizeof *iam);
    if (!iam)
        return err_set(err, ERR_NO_MEMORY, "start IAM: no memory");
    iam->cloud = cloud;
    iam->compiled = json_object();
    iam->sessions = json_object();
    iam->uses = json_object();
    pthread_mutex_init(&iam->lock, NULL);
    if (cloud_path(cloud, "iam", folder, sizeof folder, err) == 0 &&
        cloud_path(cloud, "iam/iam.json", iam->path, sizeof iam->path, err) == 0 &&
        file_make_folders(folder, 0700, err) == 0)
        iam->state = load(iam->path, err);
    if (iam->state && iam_publish_keys(iam, err) == 0)
        return add_services(cloud, iam, err);
    destroy(iam);
    return -1;
}
