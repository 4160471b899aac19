#include "cloud/access.h"
#include "cloud/lambda/code.h"
#include "cloud/lambda/configuration.h"
#include "cloud/lambda/download.h"
#include "cloud/lambda/image.h"
#include "cloud/lambda/service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIST_MAX_ITEMS = 50 };

/* CreateFunction */

static json_t *new_record(struct lambda *lambda, const char *name, const json_t *request,
                          struct err *err)
{
    char arn[FUNCTION_ARN_BYTES];
    lambda_function_arn(lambda, name, "", arn);
    json_t *configuration = configuration_create(name, arn);
    if (!configuration || configuration_apply(configuration, request, err) < 0) {
        json_decref(configuration);
        return NULL;
    }
    json_t *tags = json_object_get(request, "Tags");
    return json_pack("{s:o, s:O*}", "Configuration", configuration, "Tags", tags);
}

/* With "Publish" the answer is the version. Takes `function`; NULL: the error is answered. */
static struct function *publish_if_asked(struct lambda *lambda, struct exchange *x,
                                         const json_t *request, struct function *function)
{
    if (!function || !json_is_true(json_object_get(request, "Publish")))
        return function;
    json_t *record = json_deep_copy(function->record);
    struct function *version = lambda_publish(lambda, x, record, NULL);
    function_release(function);
    if (!version) {
        json_decref(record);
        return NULL;
    }
    struct function *latest = lambda_store_record(lambda, x, record, NULL);
    if (!latest) {
        function_release(version);
        return NULL;
    }
    function_release(latest);
    return version;
}

static void answer_function(struct exchange *x, int status, struct function *function)
{
    if (function)
        rest_reply(x, status, json_deep_copy(function->configuration));
    function_release(function);
}

struct creation {
    const char *name;
    const json_t *request;
    json_t *record;
    struct code *code;
};

static void store_new(struct lambda *lambda, struct exchange *x, const struct creation *new)
{
    registry_begin_change(lambda->registry);
    struct function *before = registry_find(lambda->registry, new->name);
    struct function *function = NULL;
    if (before) {
        exchange_fail(x, "ResourceConflictException", "Function already exist: %s", new->name);
        registry_drop(lambda->registry, new->code);
        json_decref(new->record);
    } else {
        configuration_touch(json_object_get(new->record, "Configuration"));
        function = lambda_store_record(lambda, x, new->record, new->code);
        function = publish_if_asked(lambda, x, new->request, function);
    }
    registry_end_change(lambda->registry);
    function_release(before);
    answer_function(x, 201, function);
}

/* A dead letter queue has to be there. */
static int check_dead_letter(struct lambda *lambda, struct exchange *x, const json_t *request)
{
    struct err err = {0};
    const char *arn = json_string_value(
        json_object_get(json_object_get(request, "DeadLetterConfig"), "TargetArn"));
    if (!arn || !*arn || lambda_check_destination(lambda, arn, 0, &err) == 0)
        return 0;
    lambda_fail_err(x, &err);
    return -1;
}

/* Lambda measures them as JSON. */
static int check_environment(struct exchange *x, const json_t *request)
{
    const json_t *variables = json_object_get(json_object_get(request, "Environment"), "Variables");
    size_t size = json_is_object(variables) ? json_dumpb(variables, NULL, 0, JSON_COMPACT) : 0;
    if (size <= FUNCTION_MAX_ENVIRONMENT_BYTES)
        return 0;
    char *text = json_dumps(variables, JSON_COMPACT);
    const char *words =
        arena_printf(&x->arena,
                     "Lambda was unable to configure your environment variables because the "
                     "environment variables you have provided exceeded the 4KB limit. String "
                     "measured: %s",
                     text ? text : "");
    exchange_fail_status(x, 400, "InvalidParameterValueException", words ? words : "");
    free(text);
    return -1;
}

static const char *passed_to(void *self, const char *key)
{
    (void)self;
    return strcasecmp(key, "iam:PassedToService") == 0 ? "lambda.amazonaws.com" : NULL;
}

/* Who gives a function a role must be allowed to hand that role on, or the function would do what
 * they may not. */
static int authorize_role(struct exchange *x, const json_t *request)
{
    const char *role = json_string_value(json_object_get(request, "Role"));
    return role ? exchange_authorize_with(x, &(struct access_question){.action = "iam:PassRole",
                                                                       .resource = role,
                                                                       .value = passed_to})
                : 0;
}

static int authorize_create(struct lambda *lambda, struct exchange *x, const char *name)
{
    char arn[FUNCTION_ARN_BYTES];
    lambda_function_arn(lambda, name, "", arn);
    return exchange_authorize(x, "lambda:CreateFunction", arn);
}

static void create_from(struct lambda *lambda, struct rest_call *call, const json_t *request)
{
    struct err err = {0};
    char name[FUNCTION_NAME_BYTES];
    if (configuration_check_create(request, &err) < 0) {
        lambda_fail_err(call->x, &err);
        return;
    }
    const char *given = json_string_value(json_object_get(request, "FunctionName"));
    if (lambda_read_name(lambda, call, given ? given : "", name) < 0 ||
        authorize_create(lambda, call->x, name) < 0 || authorize_role(call->x, request) < 0 ||
        lambda_check_tags(call->x, json_object_get(request, "Tags")) < 0 ||
        check_environment(call->x, request) < 0 || check_dead_letter(lambda, call->x, request) < 0)
        return;
    json_t *record = new_record(lambda, name, request, &err);
    if (!record) {
        lambda_fail_err(call->x, &err);
        return;
    }
    struct code *code = code_take(lambda, call->x, json_object_get(request, "Code"), record);
    if (code)
        store_new(
            lambda, call->x,
            &(struct creation){.name = name, .request = request, .record = record, .code = code});
    else
        json_decref(record);
}

void lambda_create_function(void *self, struct rest_call *call)
{
    json_t *request = rest_call_body(call, "InvalidParameterValueException");
    if (request)
        create_from(self, call, request);
    json_decref(request);
}

/* UpdateFunctionCode, UpdateFunctionConfiguration */

int lambda_revision_matches(struct exchange *x, const json_t *present, const json_t *request)
{
    const json_t *wanted = json_object_get(request, "RevisionId");
    if (!json_is_string(wanted) || json_string_length(wanted) == 0 ||
        json_equal(wanted, json_object_get(present, "RevisionId")))
        return 1;
    exchange_fail_status(x, 412, "PreconditionFailedException",
                         "The Revision Id provided does not match the latest Revision Id. Call the "
                         "GetFunction/GetAlias API to retrieve the latest Revision Id");
    return 0;
}

static int matches(struct exchange *x, const json_t *record, const json_t *request)
{
    return lambda_revision_matches(x, json_object_get(record, "Configuration"), request);
}

static struct function *store_update(struct lambda *lambda, struct exchange *x, json_t *record,
                                     struct code *code)
{
    configuration_touch(json_object_get(record, "Configuration"));
    return lambda_store_record(lambda, x, record, code);
}

static void update_code(struct lambda *lambda, struct exchange *x, const char *name,
                        const json_t *request)
{
    json_t *record = lambda_open_record(lambda, x, name);
    struct err err = {0};
    if (!record || !matches(x, record, request)) {
        json_decref(record);
        return;
    }
    if (configuration_apply_architectures(json_object_get(record, "Configuration"), request, &err) <
        0) {
        lambda_fail_err(x, &err);
        json_decref(record);
        return;
    }
    struct code *code = code_take(lambda, x, request, record);
    if (code && json_is_true(json_object_get(request, "DryRun"))) {
        registry_drop(lambda->registry, code);
        rest_reply(x, 200, json_deep_copy(json_object_get(record, "Configuration")));
    } else if (code) {
        struct function *function = store_update(lambda, x, json_incref(record), code);
        answer_function(x, 200, publish_if_asked(lambda, x, request, function));
    }
    json_decref(record);
}

static void update_configuration(struct lambda *lambda, struct exchange *x, const char *name,
                                 const json_t *request)
{
    struct err err = {0};
    json_t *record = lambda_open_record(lambda, x, name);
    if (!record)
        return;
    if (!matches(x, record, request) || authorize_role(x, request) < 0 ||
        check_environment(x, request) < 0 || check_dead_letter(lambda, x, request) < 0)
        json_decref(record);
    else if (configuration_apply(json_object_get(record, "Configuration"), request, &err) < 0) {
        json_decref(record);
        lambda_fail_err(x, &err);
    } else {
        answer_function(x, 200, store_update(lambda, x, record, NULL));
    }
}

static void update(struct lambda *lambda, struct rest_call *call,
                   void (*change)(struct lambda *lambda, struct exchange *x, const char *name,
                                  const json_t *request))
{
    char name[FUNCTION_NAME_BYTES];
    if (lambda_read_name(lambda, call, call->parameters[0], name) < 0)
        return;
    json_t *request = rest_call_body(call, "InvalidParameterValueException");
    if (!request)
        return;
    registry_begin_change(lambda->registry);
    change(lambda, call->x, name, request);
    registry_end_change(lambda->registry);
    json_decref(request);
}

void lambda_update_code(void *self, struct rest_call *call)
{
    update(self, call, update_code);
}

void lambda_update_configuration(void *self, struct rest_call *call)
{
    update(self, call, update_configuration);
}

/* Reading and deleting */

/* The configuration as it was asked for: the ARN has the qualifier. */
static json_t *show_configuration(const struct lambda_target *target)
{
    json_t *copy = json_deep_copy(target->function->configuration);
    if (*target->qualifier)
        json_object_set_new(copy, "FunctionArn", json_string(target->arn));
    return copy;
}

void lambda_get_function(void *self, struct rest_call *call)
{
    struct lambda_target target;
    if (lambda_open(self, call, &target) < 0)
        return;
    const struct function *latest = target.latest;
    json_t *code = target.function->image
                       ? image_show(target.function)
                       : json_pack("{s:s, s:o*}", "RepositoryType", "S3", "Location",
                                   lambda_code_link(self, call->x, target.function));
    json_t *reply = json_pack("{s:o, s:o, s:O*}", "Configuration", show_configuration(&target),
                              "Code", code, "Tags", json_object_get(latest->record, "Tags"));
    if (latest->reserved >= 0)
        json_object_set_new(
            reply, "Concurrency",
            json_pack("{s:I}", "ReservedConcurrentExecutions", (json_int_t)latest->reserved));
    rest_reply(call->x, 200, reply);
    lambda_release(&target);
}

void lambda_get_configuration(void *self, struct rest_call *call)
{
    struct lambda_target target;
    if (lambda_open(self, call, &target) < 0)
        return;
    rest_reply(call->x, 200, show_configuration(&target));
    lambda_release(&target);
}

json_t *lambda_list_item(const struct lambda *lambda, const struct function *function,
                         int is_qualified)
{
    static const char *const others[] = {"State", "LastUpdateStatus", "RuntimeVersionConfig"};
    char arn[FUNCTION_ARN_BYTES];
    json_t *copy = json_deep_copy(function->configuration);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(copy, others[i]);
    lambda_function_arn(lambda, function->name, is_qualified ? function->version : "", arn);
    json_object_set_new(copy, "FunctionArn", json_string(arn));
    return copy;
}

/* $LATEST of each, or with ?FunctionVersion=ALL all versions. */
void lambda_list_functions(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    size_t count;
    const char *which = exchange_query(call->x, "FunctionVersion");
    int all = which != NULL;
    if (all && strcmp(which, "ALL") != 0) {
        exchange_fail(call->x, "ValidationException",
                      "1 validation error detected: Value '%.64s' at 'functionVersion' failed to "
                      "satisfy constraint: Member must satisfy enum value set: [ALL]",
                      which);
        return;
    }
    struct function **list = registry_list(lambda->registry, &count);
    json_t *functions = json_array();
    for (size_t i = 0; i < count; i++) {
        if (all || function_is_latest(list[i]))
            json_array_append_new(functions, lambda_list_item(lambda, list[i], all));
        function_release(list[i]);
    }
    free(list);
    lambda_reply_page(call->x, "Functions", functions, LIST_MAX_ITEMS);
}

static int remove_one(struct lambda *lambda, struct exchange *x, const char *key)
{
    struct err err = {0};
    struct function *removed = registry_remove(lambda->registry, key, &err);
    if (removed)
        manager_retire(lambda->manager, removed);
    else
        lambda_fail_err(x, &err);
    function_release(removed);
    return removed ? 0 : -1;
}

static int has_alias_to(const json_t *record, const char *version)
{
    const char *name;
    json_t *alias;
    json_object_foreach(json_object_get(record, "Aliases"), name, alias)
    {
        const char *own = json_string_value(json_object_get(alias, "FunctionVersion"));
        const json_t *weights =
            json_object_get(json_object_get(alias, "RoutingConfig"), "AdditionalVersionWeights");
        if ((own && strcmp(own, version) == 0) || json_object_get(weights, version))
            return 1;
    }
    return 0;
}

static int remove_version(struct lambda *lambda, struct exchange *x,
                          const struct lambda_target *target)
{
    if (function_is_latest(target->function) || !function_qualifier_is_version(target->qualifier)) {
        exchange_fail(x, "InvalidParameterValueException",
                      strcmp(target->qualifier, "$LATEST") == 0
                          ? "$LATEST version cannot be deleted without deleting the function."
                          : "A version is deleted by its number, an alias by DeleteAlias.");
        return -1;
    }
    if (has_alias_to(target->latest->record, target->function->version)) {
        exchange_fail(x, "ResourceConflictException",
                      "Version %s of the function cannot be deleted: an alias points at it",
                      target->function->version);
        return -1;
    }
    if (remove_one(lambda, x, target->function->key) < 0)
        return -1;
    json_t *record = json_deep_copy(target->latest->record);
    if (!lambda_forget_qualifier(record, target->qualifier)) {
        json_decref(record);
        return 0;
    }
    struct function *latest = lambda_store_record(lambda, x, record, NULL);
    function_release(latest);
    return latest ? 0 : -1;
}

/* The versions first: what a crash leaves is a function, not versions without one. */
static int remove_all(struct lambda *lambda, struct exchange *x, const char *name)
{
    size_t count;
    int result = 0;
    struct function **list = registry_list(lambda->registry, &count);
    for (size_t i = 0; i < count; i++) {
        if (result == 0 && strcmp(list[i]->name, name) == 0 && !function_is_latest(list[i]))
            result = remove_one(lambda, x, list[i]->key);
        function_release(list[i]);
    }
    free(list);
    return result == 0 ? remove_one(lambda, x, name) : -1;
}

/* A version that is not there is deleted already. */
static int is_deleted_version(struct lambda *lambda, struct rest_call *call)
{
    struct err err;
    const char *version = exchange_query(call->x, "Qualifier");
    struct function_reference reference;
    if (!version || !function_qualifier_is_version(version) ||
        function_read_reference(call->parameters[0], &reference, &err) < 0 || *reference.qualifier)
        return 0;
    struct function *latest = registry_find(lambda->registry, reference.name);
    struct function *function = registry_find_version(lambda->registry, reference.name, version);
    int result = latest && !function;
    function_release(latest);
    function_release(function);
    return result;
}

void lambda_delete_function(void *self, struct rest_call *call)
{
    struct lambda *lambda = self;
    struct lambda_target target;
    registry_begin_change(lambda->registry);
    if (is_deleted_version(lambda, call)) {
        exchange_respond(call->x, 204, NULL, NULL, 0);
    } else if (lambda_open(lambda, call, &target) == 0) {
        int result = *target.qualifier ? remove_version(lambda, call->x, &target)
                                       : remove_all(lambda, call->x, target.latest->name);
        if (result == 0)
            exchange_respond(call->x, 204, NULL, NULL, 0);
        lambda_release(&target);
    }
    registry_end_change(lambda->registry);
}
