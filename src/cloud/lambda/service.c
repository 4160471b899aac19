#include "cloud/lambda/service.h"

#include "cloud/lambda/configuration.h"
#include "cloud/services.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void refuse_versions(void *self, struct rest_call *call)
{
    (void)self;
    exchange_fail(call->x, "InvalidParameterValueException",
                  "Versions and aliases are not supported yet: use $LATEST");
}

static void refuse_urls(void *self, struct rest_call *call)
{
    (void)self;
    exchange_fail(call->x, "ResourceNotFoundException", "%s",
                  "The resource you requested does not exist.");
}

#define FUNCTIONS "/2015-03-31/functions"
static const struct rest_operation operations[] = {
    {"Invoke", "POST", FUNCTIONS "/{}/invocations", lambda_invoke_function},
    {"CreateFunction", "POST", FUNCTIONS, lambda_create_function},
    {"ListFunctions", "GET", FUNCTIONS, lambda_list_functions},
    {"GetFunction", "GET", FUNCTIONS "/{}", lambda_get_function},
    {"DeleteFunction", "DELETE", FUNCTIONS "/{}", lambda_delete_function},
    {"GetFunctionConfiguration", "GET", FUNCTIONS "/{}/configuration", lambda_get_configuration},
    {"UpdateFunctionConfiguration", "PUT", FUNCTIONS "/{}/configuration",
     lambda_update_configuration},
    {"UpdateFunctionCode", "PUT", FUNCTIONS "/{}/code", lambda_update_code},
    {"ListVersionsByFunction", "GET", FUNCTIONS "/{}/versions", lambda_list_versions},
    {"PublishVersion", "POST", FUNCTIONS "/{}/versions", refuse_versions},
    {"CreateAlias", "POST", FUNCTIONS "/{}/aliases", refuse_versions},
    {"ListAliases", "GET", FUNCTIONS "/{}/aliases", refuse_versions},
    {"AddPermission", "POST", FUNCTIONS "/{}/policy", lambda_add_permission},
    {"GetPolicy", "GET", FUNCTIONS "/{}/policy", lambda_get_policy},
    {"RemovePermission", "DELETE", FUNCTIONS "/{}/policy/{}", lambda_remove_permission},
    {"PutFunctionConcurrency", "PUT", "/2017-10-31/functions/{}/concurrency",
     lambda_put_concurrency},
    {"GetFunctionConcurrency", "GET", "/2019-09-30/functions/{}/concurrency",
     lambda_get_concurrency},
    {"DeleteFunctionConcurrency", "DELETE", "/2017-10-31/functions/{}/concurrency",
     lambda_delete_concurrency},
    {"TagResource", "POST", "/2017-03-31/tags/{*}", lambda_tag},
    {"UntagResource", "DELETE", "/2017-03-31/tags/{*}", lambda_untag},
    {"ListTags", "GET", "/2017-03-31/tags/{*}", lambda_list_tags},
    {"GetFunctionUrlConfig", "GET", "/2021-10-31/functions/{}/url", refuse_urls},
    {0},
};

void lambda_fail_err(struct exchange *x, const struct err *err)
{
    if (err->code == ERR_TOO_BIG)
        exchange_fail(x, "InvalidParameterValueException", "%s", err->message);
    else if (err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED)
        exchange_fail(x, "InvalidParameterValueException", "%s", err->message);
    else
        exchange_fail_err(x, err);
}

void lambda_fail_not_found(struct lambda *lambda, struct exchange *x, const char *name)
{
    exchange_fail_status(x, 404, "ResourceNotFoundException",
                         arena_printf(&x->arena,
                                      "Function not found: arn:aws:lambda:%s:%s:function:%s",
                                      lambda->cloud->region, lambda->cloud->account_id, name));
}

int lambda_read_name(struct rest_call *call, const char *text, char name[FUNCTION_NAME_BYTES])
{
    struct err err = {0};
    const char *qualifier = exchange_query(call->x, "Qualifier");
    int result = function_read_name(text, name, &err);
    if (result == 0 && qualifier && strcmp(qualifier, "$LATEST") != 0)
        result = err_set(&err, ERR_UNSUPPORTED,
                         "Versions and aliases are not supported yet: use $LATEST");
    if (result < 0)
        lambda_fail_err(call->x, &err);
    return result;
}

struct function *lambda_find(struct lambda *lambda, struct rest_call *call)
{
    char name[FUNCTION_NAME_BYTES];
    if (lambda_read_name(call, call->parameters[0], name) < 0)
        return NULL;
    struct function *function = registry_find(lambda->registry, name);
    if (!function)
        lambda_fail_not_found(lambda, call->x, name);
    return function;
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
    configuration_touch(json_object_get(record, "Configuration"));
    struct function *function = registry_store(lambda->registry, record, code, &err);
    if (function)
        manager_update(lambda->manager, function);
    else
        lambda_fail_err(x, &err);
    return function;
}

static void handle(void *self, struct exchange *x)
{
    rest_dispatch(operations, self, x);
}

/* An invocation waits for nobody here: it is handed to the manager. */
static int is_quick(void *self, const struct exchange *x)
{
    enum { QUICK_BODY_BYTES = 64 * 1024 };
    (void)self;
    const struct rest_operation *operation = rest_find(operations, x, NULL);
    return operation == operations && x->body.data && x->body.size <= QUICK_BODY_BYTES;
}

static int start(void *self, struct err *err)
{
    struct lambda *lambda = self;
    char folder[PATH_MAX];
    const struct cloud *cloud = lambda->cloud;
    if (cloud_path(cloud, "lambda/tmp", folder, sizeof folder, err) < 0)
        return -1;
    lambda->manager = manager_create(&(struct manager_options){.folder = folder,
                                                               .data_folder = cloud->data_folder,
                                                               .isolation = cloud->isolation,
                                                               .region = cloud->region,
                                                               .account_id = cloud->account_id,
                                                               .endpoint = cloud->endpoint,
                                                               .identities = cloud->identities,
                                                               .metrics = cloud->metrics,
                                                               .logs = cloud->logs},
                                     err);
    if (!lambda->manager)
        return -1;
    lambda->cloud->isolation_text = manager_isolation(lambda->manager);
    return 0;
}

static void stop(void *self)
{
    struct lambda *lambda = self;
    if (lambda->manager)
        manager_drain(lambda->manager);
}

static void destroy(void *self)
{
    struct lambda *lambda = self;
    manager_destroy(lambda->manager);
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
    return 0;
}

int lambda_service_create(struct cloud *cloud, struct err *err)
{
    char folder[PATH_MAX];
    struct lambda *lambda = calloc(1, sizeof *lambda);
    if (!lambda)
        return err_set(err, ERR_NO_MEMORY, "start lambda: no memory");
    lambda->cloud = cloud;
    if (cloud_path(cloud, "lambda", folder, sizeof folder, err) == 0)
        lambda->registry = registry_open(folder, err);
    if (!lambda->registry) {
        free(lambda);
        return -1;
    }
    return add_service(cloud, lambda, err);
}
