#include "cloud/lambda/service.h"

#include "base/random.h"
#include "cloud/access.h"
#include "cloud/lambda/configuration.h"
#include "cloud/lambda/mapping.h"
#include "cloud/services.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS "/2015-03-31/functions"
#define EVENT_CONFIG "/2019-09-25/functions/{}/event-invoke-config"
#define PROVISIONED "/2019-09-30/functions/{}/provisioned-concurrency"
#define MAPPINGS "/2015-03-31/event-source-mappings"
#define MAPPING_MEMBERS                                                                            \
    "Enabled BatchSize MaximumBatchingWindowInSeconds FunctionResponseTypes ScalingConfig "        \
    "FilterCriteria"
#define LAYERS "/2018-10-31/layers"
#define RUNTIME_MANAGEMENT "/2021-07-20/functions/{}/runtime-management-config"
#define FUNCTION_URL "/2021-10-31/functions/{}/url"
#define EVENT_CONFIG_MEMBERS "MaximumRetryAttempts MaximumEventAgeInSeconds DestinationConfig"
#define SETTINGS                                                                                   \
    "Role Runtime Handler Description Timeout MemorySize VpcConfig DeadLetterConfig Environment "  \
    "KMSKeyArn TracingConfig Layers FileSystemConfigs ImageConfig EphemeralStorage SnapStart "     \
    "LoggingConfig"
static const struct rest_operation operations[] = {
    {"Invoke", "POST", FUNCTIONS "/{}/invocations", lambda_invoke_function, NULL},
    {"InvokeAsync", "POST", "/2014-11-13/functions/{}/invoke-async", lambda_invoke_async, NULL},
    {"CreateFunction", "POST", FUNCTIONS, lambda_create_function,
     "FunctionName Code Publish PackageType Tags Architectures " SETTINGS},
    {"ListFunctions", "GET", FUNCTIONS, lambda_list_functions, NULL},
    {"GetFunction", "GET", FUNCTIONS "/{}", lambda_get_function, NULL},
    {"DeleteFunction", "DELETE", FUNCTIONS "/{}", lambda_delete_function, NULL},
    {"GetFunctionConfiguration", "GET", FUNCTIONS "/{}/configuration", lambda_get_configuration,
     NULL},
    {"UpdateFunctionConfiguration", "PUT", FUNCTIONS "/{}/configuration",
     lambda_update_configuration, "RevisionId " SETTINGS},
    {"UpdateFunctionCode", "PUT", FUNCTIONS "/{}/code", lambda_update_code,
     "ZipFile S3Bucket S3Key S3ObjectVersion ImageUri Publish DryRun RevisionId Architectures"},
    {"ListVersionsByFunction", "GET", FUNCTIONS "/{}/versions", lambda_list_versions, NULL},
    {"PublishVersion", "POST", FUNCTIONS "/{}/versions", lambda_publish_version,
     "CodeSha256 Description RevisionId"},
    {"CreateAlias", "POST", FUNCTIONS "/{}/aliases", lambda_create_alias,
     "Name FunctionVersion Description RoutingConfig"},
    {"ListAliases", "GET", FUNCTIONS "/{}/aliases", lambda_list_aliases, NULL},
    {"GetAlias", "GET", FUNCTIONS "/{}/aliases/{}", lambda_get_alias, NULL},
    {"UpdateAlias", "PUT", FUNCTIONS "/{}/aliases/{}", lambda_update_alias,
     "FunctionVersion Description RoutingConfig RevisionId"},
    {"DeleteAlias", "DELETE", FUNCTIONS "/{}/aliases/{}", lambda_delete_alias, NULL},
    {"AddPermission", "POST", FUNCTIONS "/{}/policy", lambda_add_permission,
     "StatementId Action Principal SourceArn SourceAccount EventSourceToken RevisionId "
     "PrincipalOrgID FunctionUrlAuthType InvokedViaFunctionUrl"},
    {"GetPolicy", "GET", FUNCTIONS "/{}/policy", lambda_get_policy, NULL},
    {"RemovePermission", "DELETE", FUNCTIONS "/{}/policy/{}", lambda_remove_permission, NULL},
    {"PutFunctionEventInvokeConfig", "PUT", EVENT_CONFIG, lambda_put_event_config,
     EVENT_CONFIG_MEMBERS},
    {"UpdateFunctionEventInvokeConfig", "POST", EVENT_CONFIG, lambda_update_event_config,
     EVENT_CONFIG_MEMBERS},
    {"GetFunctionEventInvokeConfig", "GET", EVENT_CONFIG, lambda_get_event_config, NULL},
    {"DeleteFunctionEventInvokeConfig", "DELETE", EVENT_CONFIG, lambda_delete_event_config, NULL},
    {"ListFunctionEventInvokeConfigs", "GET", EVENT_CONFIG "/list", lambda_list_event_configs,
     NULL},
    {"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{}/concurrency",
     lambda_put_concurrency, "ReservedConcurrentExecutions"},
    {"GetFunctionConcurrency", "GET", "/2019-09-30/functions/{}/concurrency",
     lambda_get_concurrency, NULL},
    {"DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{}/concurrency",
     lambda_delete_concurrency, NULL},
    {"PutProvisionedConcurrencyConfig", "PUT", PROVISIONED, lambda_put_provisioned,
     "ProvisionedConcurrentExecutions"},
    {"GetProvisionedConcurrencyConfig", "GET", PROVISIONED, lambda_get_provisioned, NULL},
    {"DeleteProvisionedConcurrencyConfig", "DELETE", PROVISIONED, lambda_delete_provisioned, NULL},
    {"CreateFunctionUrlConfig", "POST", FUNCTION_URL, lambda_create_url,
     "AuthType Cors InvokeMode"},
    {"GetFunctionUrlConfig", "GET", FUNCTION_URL, lambda_get_url, NULL},
    {"UpdateFunctionUrlConfig", "PUT", FUNCTION_URL, lambda_update_url, "AuthType Cors InvokeMode"},
    {"DeleteFunctionUrlConfig", "DELETE", FUNCTION_URL, lambda_delete_url, NULL},
    {"ListFunctionUrlConfigs", "GET", FUNCTION_URL "s", lambda_list_urls, NULL},
    {"CreateEventSourceMapping", "POST", MAPPINGS, lambda_create_mapping,
     "EventSourceArn FunctionName Tags " MAPPING_MEMBERS},
    {"ListEventSourceMappings", "GET", MAPPINGS, lambda_list_mappings, NULL},
    {"GetEventSourceMapping", "GET", MAPPINGS "/{}", lambda_get_mapping, NULL},
    {"UpdateEventSourceMapping", "PUT", MAPPINGS "/{}", lambda_update_mapping,
     "FunctionName " MAPPING_MEMBERS},
    {"DeleteEventSourceMapping", "DELETE", MAPPINGS "/{}", lambda_delete_mapping, NULL},
    {"TagResource", "POST", "/2017-03-31/tags/{*}", lambda_tag, "Tags"},
    {"UntagResource", "DELETE", "/2017-03-31/tags/{*}", lambda_untag, NULL},
    {"ListTags", "GET", "/2017-03-31/tags/{*}", lambda_list_tags, NULL},
    {"GetAccountSettings", "GET", "/2016-08-19/account-settings", lambda_account_settings, NULL},
    {"GetFunctionCodeSigningConfig", "GET", "/2020-06-30/functions/{}/code-signing-config",
     lambda_get_code_signing, NULL},
    {"ListCodeSigningConfigs", "GET", "/2020-04-22/code-signing-configs", lambda_list_code_signing,
     NULL},
    {"ListLayers", "GET", LAYERS, lambda_list_layers, NULL},
    {"ListLayerVersions", "GET", LAYERS "/{}/versions", lambda_list_layer_versions, NULL},
    {"GetLayerVersion", "GET", LAYERS "/{}/versions/{}", lambda_get_layer_version, NULL},
    {"GetRuntimeManagementConfig", "GET", RUNTIME_MANAGEMENT, lambda_get_runtime_management, NULL},
    {"PutRuntimeManagementConfig", "PUT", RUNTIME_MANAGEMENT, lambda_put_runtime_management,
     "UpdateRuntimeOn"},
    {"GetFunctionRecursionConfig", "GET", "/2024-08-31/functions/{}/recursion-config",
     lambda_get_recursion, NULL},
    {0},
};

/* What AWS's model of the operation forbids has a code of its own. */
static int is_validation(const struct err *err)
{
    static const char words[] = "1 validation error detected: ";
    return err->code == ERR_INVALID && strncmp(err->message, words, sizeof words - 1) == 0;
}

void lambda_fail_err(struct exchange *x, const struct err *err)
{
    if (is_validation(err))
        exchange_fail(x, "ValidationException", "%s", err->message);
    else if (err->code == ERR_TOO_BIG || err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED)
        exchange_fail(x, "InvalidParameterValueException", "%s", err->message);
    else if (err->code == ERR_NOT_FOUND)
        lambda_fail_resource(x, err->message);
    else if (err->code == ERR_BUSY)
        exchange_fail(x, "TooManyRequestsException", "Rate Exceeded.");
    else
        exchange_fail_err(x, err);
}

void lambda_fail_resource(struct exchange *x, const char *message)
{
    exchange_fail_status(x, 404, "ResourceNotFoundException", message ? message : "Not found");
}

void lambda_fail_not_found(struct lambda *lambda, struct exchange *x, const char *name)
{
    char arn[FUNCTION_ARN_BYTES];
    lambda_function_arn(lambda, name, "", arn);
    lambda_fail_resource(x, arena_printf(&x->arena, "Function not found: %s", arn));
}

/* Returns -1 when an error was answered. */
static int check_max_items(struct exchange *x, long most)
{
    const char *text = exchange_query(x, "MaxItems");
    long given = text ? strtol(text, NULL, 10) : 1;
    if (given >= 1 && given <= most)
        return 0;
    exchange_fail(x, "ValidationException",
                  "1 validation error detected: Value '%.20s' at 'maxItems' failed to satisfy "
                  "constraint: Member must have value %s than or equal to %ld",
                  text, given < 1 ? "greater" : "less", given < 1 ? 1 : most);
    return -1;
}

void lambda_reply_page(struct exchange *x, const char *field, json_t *items, size_t most)
{
    enum { MAX_ITEMS = 10000 };
    size_t i;
    if (check_max_items(x, MAX_ITEMS) < 0) {
        json_decref(items);
        return;
    }
    json_t *item, *page = json_array();
    size_t from = (size_t)rest_query_integer(x, "Marker", 0, LONG_MAX, 0);
    size_t count = (size_t)rest_query_integer(x, "MaxItems", 1, MAX_ITEMS, (long)most);
    json_array_foreach(items, i, item)
    {
        if (i >= from && i - from < count)
            json_array_append(page, item);
    }
    json_t *reply = json_pack("{s:o}", field, page);
    if (from + json_array_size(page) < json_array_size(items))
        json_object_set_new(reply, "NextMarker", json_sprintf("%zu", from + json_array_size(page)));
    json_decref(items);
    rest_reply(x, 200, reply);
}

void lambda_get_part(struct lambda *lambda, struct rest_call *call,
                     const struct lambda_parts *parts)
{
    struct lambda_target target;
    if (lambda_open(lambda, call, &target) < 0)
        return;
    const char *qualifier = *target.qualifier ? target.qualifier : "$LATEST";
    const json_t *part = lambda_part(target.latest->record, parts->field, qualifier);
    if (part)
        rest_reply(call->x, 200, parts->show(lambda, target.latest->name, qualifier, part));
    else
        parts->absent(lambda, call->x, target.latest->name, qualifier);
    lambda_release(&target);
}

void lambda_list_parts(struct lambda *lambda, struct rest_call *call,
                       const struct lambda_parts *parts)
{
    enum { MOST = 50 };
    const char *qualifier;
    json_t *part, *items;
    struct function *function = lambda_find(lambda, call);
    if (!function)
        return;
    items = json_array();
    json_object_foreach(json_object_get(function->record, parts->field), qualifier, part)
    {
        json_array_append_new(items, parts->show(lambda, function->name, qualifier, part));
    }
    function_release(function);
    lambda_reply_page(call->x, parts->answer, items, MOST);
}

json_t *lambda_open_record(struct lambda *lambda, struct exchange *x, const char *name)
{
    struct function *function = registry_find(lambda->registry, name);
    if (!function) {
        lambda_fail_not_found(lambda, x, name);
        return NULL;
    }
    json_t *record = json_deep_copy(function->record);
    function_release(function);
    if (!record)
        exchange_fail_status(x, 500, "ServiceException", "out of memory");
    return record;
}

struct function *lambda_store_record(struct lambda *lambda, struct exchange *x, json_t *record,
                                     struct code *code)
{
    struct err err = {0};
    configuration_revise(json_object_get(record, "Configuration"));
    struct function *function = registry_store(lambda->registry, record, code, &err);
    if (function)
        manager_update(lambda->manager, function);
    else
        lambda_fail_err(x, &err);
    return function;
}

/* The policy of the function, version or alias as text, malloc()ed; NULL: it has none. */
static char *policy_of(struct lambda *lambda, const struct function_reference *reference)
{
    struct function *latest = registry_find(lambda->registry, reference->name);
    const json_t *policy =
        latest ? lambda_part(latest->record, "Policies", reference->qualifier) : NULL;
    char *text = policy ? json_dumps(policy, JSON_COMPACT) : NULL;
    function_release(latest);
    return text;
}

static int authorize_function(struct lambda *lambda, struct rest_call *call, const char *action)
{
    char arn[FUNCTION_ARN_BYTES];
    struct err err;
    struct function_reference reference;
    const char *qualifier = exchange_query(call->x, "Qualifier");
    if (function_read_reference(call->parameters[0], &reference, &err) < 0)
        return exchange_authorize(call->x, action, "*"); /* the operation refuses the name */
    if (lambda_is_foreign(&reference, lambda->cloud->account_id)) {
        exchange_fail(call->x, "AccessDeniedException",
                      "User: %s is not authorized to perform: %s on resource: %.200s because no "
                      "resource-based policy allows the %s action",
                      call->x->identity.arn ? call->x->identity.arn : "anonymous", action,
                      call->parameters[0], action);
        return -1;
    }
    if (qualifier && function_qualifier_is_valid(qualifier))
        snprintf(reference.qualifier, sizeof reference.qualifier, "%s", qualifier);
    lambda_function_arn(lambda, reference.name, reference.qualifier, arn);
    char *policy = call->x->identity.is_administrator ? NULL : policy_of(lambda, &reference);
    int result = exchange_authorize_with(
        call->x,
        &(struct access_question){.action = action, .resource = arn, .resource_policy = policy});
    free(policy);
    return result;
}

/* Each operation on the function or tags' resource that it names; CreateFunction asks by itself,
 * for the name is in its body. */
static int authorize(struct lambda *lambda, struct rest_call *call)
{
    const char *name = call->operation->name;
    if (strcmp(name, "CreateFunction") == 0)
        return 0;
    const char *action = arena_printf(&call->x->arena, "lambda:%s",
                                      strcmp(name, "Invoke") == 0 ? "InvokeFunction" : name);
    if (!action) {
        exchange_fail(call->x, "ServiceException", "out of memory");
        return -1;
    }
    if (strstr(call->operation->path, "/functions/{}"))
        return authorize_function(lambda, call, action);
    const char *arn = "*", *first = call->parameters[0];
    if (strstr(call->operation->path, "/tags/"))
        arn = first;
    else if (first && strstr(call->operation->path, MAPPINGS))
        arn = arena_printf(&call->x->arena, "arn:aws:lambda:%s:%s:event-source-mapping:%.64s",
                           lambda->cloud->region, lambda->cloud->account_id, first);
    return exchange_authorize(call->x, action, arn ? arn : "*");
}

static void handle(void *self, struct exchange *x)
{
    struct rest_call call = {.x = x};
    const struct rest_operation *operation = rest_find(operations, x, &call);
    if (!operation)
        exchange_fail_status(
            x, 404, "UnknownOperationException",
            arena_printf(&x->arena, "ken cloud has no operation %s %.200s", x->method, x->path));
    else if (authorize(self, &call) == 0)
        operation->handle(self, &call);
}

/* An invocation that is waited for waits for nobody here: it is handed to the manager. An
 * asynchronous one waits for the disk. */
static int is_quick(void *self, const struct exchange *x)
{
    enum { QUICK_BODY_BYTES = 64 * 1024 };
    (void)self;
    const char *type = exchange_header(x, "X-Amz-Invocation-Type");
    const struct rest_operation *operation = rest_find(operations, x, NULL);
    return operation == operations && x->body.data && x->body.size <= QUICK_BODY_BYTES &&
           !(type && strcmp(type, "Event") == 0);
}

/* Tests shorten what AWS waits for: a minute, two minutes. */
static void set_retry_times(struct lambda *lambda)
{
    const char *text = getenv("KEN_LAMBDA_RETRY_MS");
    long ms = text ? strtol(text, NULL, 10) : 0;
    lambda->retry_ms[0] = ms > 0 ? ms : LAMBDA_FIRST_RETRY_MS;
    lambda->retry_ms[1] = ms > 0 ? ms : LAMBDA_SECOND_RETRY_MS;
}

static int start_manager(struct lambda *lambda, struct err *err)
{
    char folder[PATH_MAX];
    const struct cloud *cloud = lambda->cloud;
    if (cloud_path(cloud, "lambda/tmp", folder, sizeof folder, err) < 0)
        return -1;
    lambda->manager = manager_create(&(struct manager_options){.folder = folder,
                                                               .data_folder = cloud->data_folder,
                                                               .isolation = cloud->isolation,
                                                               .region = cloud->region,
                                                               .account_id = cloud->account_id,
                                                               .endpoint = cloud->inner_endpoint,
                                                               .identities = cloud->identities,
                                                               .metrics = cloud->metrics,
                                                               .logs = cloud->logs},
                                     err);
    return lambda->manager ? 0 : -1;
}

static const char *isolation_text(const struct cloud *cloud)
{
    return manager_isolation(cloud->lambda->manager);
}

static int start(void *self, struct err *err)
{
    struct lambda *lambda = self;
    set_retry_times(lambda);
    if (start_manager(lambda, err) < 0 || events_start(lambda->events, err) < 0 ||
        mappings_start(lambda->mappings, err) < 0)
        return -1;
    lambda->cloud->isolation_text = isolation_text;
    lambda_provision_all(lambda);
    return 0;
}

static void stop(void *self)
{
    struct lambda *lambda = self;
    atomic_store(&lambda->is_stopping, 1);
    events_stop(lambda->events);
    if (lambda->manager)
        manager_drain(lambda->manager);
    mappings_stop(lambda->mappings);
}

static void destroy(void *self)
{
    struct lambda *lambda = self;
    manager_destroy(lambda->manager);
    events_close(lambda->events);
    mappings_close(lambda->mappings);
    registry_close(lambda->registry);
    free(lambda);
}

static int add_service(struct cloud *cloud, struct lambda *lambda, struct err *err)
{
    const struct service service = {.name = "lambda",
                                    .error_form = ERROR_FORM_REST_JSON,
                                    .max_body_bytes = LAMBDA_MAX_BODY_BYTES,
                                    .handle = handle,
                                    .quick = is_quick,
                                    .start = start,
                                    .stop = stop,
                                    .destroy = destroy,
                                    .self = lambda};
    if (cloud_add(cloud, &service, err) < 0) {
        destroy(lambda);
        return -1;
    }
    cloud->lambda = lambda;
    return lambda_events_register(lambda, err);
}

static int open_mappings(struct lambda *lambda, struct err *err)
{
    char path[PATH_MAX];
    if (cloud_path(lambda->cloud, "lambda/mappings.json", path, sizeof path, err) == 0)
        lambda->mappings = mappings_open(path, lambda, err);
    return lambda->mappings ? 0 : -1;
}

int lambda_service_create(struct cloud *cloud, struct err *err)
{
    char folder[PATH_MAX];
    struct lambda *lambda = calloc(1, sizeof *lambda);
    if (!lambda)
        return err_set(err, ERR_NO_MEMORY, "start lambda: no memory");
    lambda->cloud = cloud;
    random_bytes(lambda->link_key, sizeof lambda->link_key);
    if (cloud_path(cloud, "lambda", folder, sizeof folder, err) == 0)
        lambda->registry = registry_open(folder, err);
    if (!lambda->registry || lambda_events_open(lambda, err) < 0 ||
        open_mappings(lambda, err) < 0) {
        events_close(lambda->events);
        registry_close(lambda->registry);
        free(lambda);
        return -1;
    }
    return add_service(cloud, lambda, err);
}
