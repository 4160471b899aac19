#include "cloud/apigateway/service.h"

#include "base/clock.h"
#include "base/random.h"
#include "cloud/access.h"
#include "cloud/apigateway/execute.h"
#include "cloud/apigateway/http_service.h"
#include "cloud/services.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_DEFAULT = 25, LIST_MAX = 500 };

/* The answers that the gateway gives by itself are AWS's defaults. */
static void refuse_gateway_response(void *self, struct rest_call *call)
{
    work_fail(self, "BadRequestException", "%s is not supported", call->operation->name);
}

static void list_gateway_responses(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = json_pack("{s:[]}", "item");
}

#define API "/restapis/{}"
#define RESOURCE API "/resources/{}"
#define METHOD RESOURCE "/methods/{}"
static const struct rest_operation operations[] = {
    {"CreateRestApi", "POST", "/restapis", apigateway_create_api,
     "name description version cloneFrom binaryMediaTypes minimumCompressionSize "
     "apiKeySource endpointConfiguration policy tags disableExecuteApiEndpoint"},
    {"GetRestApis", "GET", "/restapis", apigateway_list_apis, NULL},
    {"GetRestApi", "GET", API, apigateway_get_api, NULL},
    {"DeleteRestApi", "DELETE", API, apigateway_delete_api, NULL},
    {"UpdateRestApi", "PATCH", API, apigateway_update_api, "patchOperations"},
    {"GetResources", "GET", API "/resources", apigateway_list_resources, NULL},
    {"GetResource", "GET", RESOURCE, apigateway_get_resource, NULL},
    {"CreateResource", "POST", RESOURCE, apigateway_create_resource, "pathPart"},
    {"DeleteResource", "DELETE", RESOURCE, apigateway_delete_resource, NULL},
    {"CreateRequestValidator", "POST", API "/requestvalidators", apigateway_create_validator,
     "name validateRequestBody validateRequestParameters"},
    {"GetRequestValidators", "GET", API "/requestvalidators", apigateway_list_validators, NULL},
    {"GetRequestValidator", "GET", API "/requestvalidators/{}", apigateway_get_validator, NULL},
    {"UpdateRequestValidator", "PATCH", API "/requestvalidators/{}", apigateway_update_validator,
     "patchOperations"},
    {"DeleteRequestValidator", "DELETE", API "/requestvalidators/{}", apigateway_delete_validator,
     NULL},
    {"PutMethod", "PUT", METHOD, apigateway_put_method,
     "authorizationType apiKeyRequired operationName requestParameters requestModels "
     "requestValidatorId authorizerId authorizationScopes"},
    {"GetMethod", "GET", METHOD, apigateway_get_method, NULL},
    {"DeleteMethod", "DELETE", METHOD, apigateway_delete_method, NULL},
    {"UpdateMethod", "PATCH", METHOD, apigateway_update_method, "patchOperations"},
    {"PutIntegration", "PUT", METHOD "/integration", apigateway_put_integration,
     "type httpMethod integrationHttpMethod uri connectionType connectionId "
     "credentials requestParameters requestTemplates passthroughBehavior "
     "cacheNamespace cacheKeyParameters contentHandling timeoutInMillis tlsConfig"},
    {"GetIntegration", "GET", METHOD "/integration", apigateway_get_integration, NULL},
    {"DeleteIntegration", "DELETE", METHOD "/integration", apigateway_delete_integration, NULL},
    {"PutMethodResponse", "PUT", METHOD "/responses/{}", apigateway_put_method_response,
     "responseParameters responseModels"},
    {"GetMethodResponse", "GET", METHOD "/responses/{}", apigateway_get_method_response, NULL},
    {"DeleteMethodResponse", "DELETE", METHOD "/responses/{}", apigateway_delete_method_response,
     NULL},
    {"PutIntegrationResponse", "PUT", METHOD "/integration/responses/{}",
     apigateway_put_integration_response,
     "selectionPattern responseParameters responseTemplates contentHandling"},
    {"GetIntegrationResponse", "GET", METHOD "/integration/responses/{}",
     apigateway_get_integration_response, NULL},
    {"DeleteIntegrationResponse", "DELETE", METHOD "/integration/responses/{}",
     apigateway_delete_integration_response, NULL},
    {"CreateDeployment", "POST", API "/deployments", apigateway_create_deployment,
     "stageName stageDescription description variables"},
    {"GetDeployments", "GET", API "/deployments", apigateway_list_deployments, NULL},
    {"GetDeployment", "GET", API "/deployments/{}", apigateway_get_deployment, NULL},
    {"DeleteDeployment", "DELETE", API "/deployments/{}", apigateway_delete_deployment, NULL},
    {"CreateStage", "POST", API "/stages", apigateway_create_stage,
     "stageName deploymentId description variables tags cacheClusterEnabled tracingEnabled"},
    {"GetStages", "GET", API "/stages", apigateway_list_stages, NULL},
    {"GetStage", "GET", API "/stages/{}", apigateway_get_stage, NULL},
    {"DeleteStage", "DELETE", API "/stages/{}", apigateway_delete_stage, NULL},
    {"UpdateStage", "PATCH", API "/stages/{}", apigateway_update_stage, "patchOperations"},
    {"CreateApiKey", "POST", "/apikeys", apigateway_create_key,
     "name description enabled generateDistinctId value stageKeys customerId tags"},
    {"GetApiKeys", "GET", "/apikeys", apigateway_list_keys, NULL},
    {"GetApiKey", "GET", "/apikeys/{}", apigateway_get_key, NULL},
    {"DeleteApiKey", "DELETE", "/apikeys/{}", apigateway_delete_key, NULL},
    {"UpdateApiKey", "PATCH", "/apikeys/{}", apigateway_update_key, "patchOperations"},
    {"CreateUsagePlan", "POST", "/usageplans", apigateway_create_plan,
     "name description apiStages throttle quota tags"},
    {"GetUsagePlans", "GET", "/usageplans", apigateway_list_plans, NULL},
    {"GetUsagePlan", "GET", "/usageplans/{}", apigateway_get_plan, NULL},
    {"DeleteUsagePlan", "DELETE", "/usageplans/{}", apigateway_delete_plan, NULL},
    {"UpdateUsagePlan", "PATCH", "/usageplans/{}", apigateway_update_plan, "patchOperations"},
    {"CreateUsagePlanKey", "POST", "/usageplans/{}/keys", apigateway_create_plan_key,
     "keyId keyType"},
    {"GetUsagePlanKeys", "GET", "/usageplans/{}/keys", apigateway_list_plan_keys, NULL},
    {"GetUsagePlanKey", "GET", "/usageplans/{}/keys/{}", apigateway_get_plan_key, NULL},
    {"DeleteUsagePlanKey", "DELETE", "/usageplans/{}/keys/{}", apigateway_delete_plan_key, NULL},
    {"PutGatewayResponse", "PUT", API "/gatewayresponses/{}", refuse_gateway_response, NULL},
    {"GetGatewayResponses", "GET", API "/gatewayresponses", list_gateway_responses, NULL},
    {"GetAccount", "GET", "/account", apigateway_get_account, NULL},
    {"UpdateAccount", "PATCH", "/account", apigateway_update_account, "patchOperations"},
    {"UpdateResource", "PATCH", RESOURCE, apigateway_update_resource, "patchOperations"},
    {"UpdateIntegration", "PATCH", METHOD "/integration", apigateway_update_integration,
     "patchOperations"},
    {"UpdateMethodResponse", "PATCH", METHOD "/responses/{}", apigateway_update_method_response,
     "patchOperations"},
    {"UpdateIntegrationResponse", "PATCH", METHOD "/integration/responses/{}",
     apigateway_update_integration_response, "patchOperations"},
    {"UpdateDeployment", "PATCH", API "/deployments/{}", apigateway_update_deployment,
     "patchOperations"},
    {"TagResource", "PUT", "/tags/{*}", apigateway_tag, "tags"},
    {"UntagResource", "DELETE", "/tags/{*}", apigateway_untag, NULL},
    {"GetTags", "GET", "/tags/{*}", apigateway_get_tags, NULL},
    {"GetModels", "GET", API "/models", apigateway_list_models, NULL},
    {"GetModel", "GET", API "/models/{}", apigateway_get_model, NULL},
    {"GetAuthorizers", "GET", API "/authorizers", apigateway_list_nothing_of_api, NULL},
    {"GetAuthorizer", "GET", API "/authorizers/{}", apigateway_no_authorizer, NULL},
    {"GetDocumentationParts", "GET", API "/documentation/parts", apigateway_list_nothing_of_api,
     NULL},
    {"GetDocumentationVersions", "GET", API "/documentation/versions",
     apigateway_list_nothing_of_api, NULL},
    {"GetDomainNames", "GET", "/domainnames", apigateway_list_nothing, NULL},
    {"GetDomainName", "GET", "/domainnames/{}", apigateway_no_domain, NULL},
    {"GetBasePathMappings", "GET", "/domainnames/{}/basepathmappings", apigateway_no_domain, NULL},
    {"GetBasePathMapping", "GET", "/domainnames/{}/basepathmappings/{}", apigateway_no_domain,
     NULL},
    {"GetVpcLinks", "GET", "/vpclinks", apigateway_list_nothing, NULL},
    {"GetClientCertificates", "GET", "/clientcertificates", apigateway_list_nothing, NULL},
    {0},
};

/* What operations are given */

void work_fail(struct work *work, const char *code, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    work->has_failed = 1;
    exchange_fail(work->x, code, "%s", text);
}

void work_fail_err(struct work *work, const struct err *err)
{
    if (err->code == ERR_INVALID || err->code == ERR_UNSUPPORTED)
        work_fail(work, "BadRequestException", "%s", err->message);
    else if (err->code == ERR_TOO_BIG)
        work_fail(work, "LimitExceededException", "%s", err->message);
    else {
        work->has_failed = 1;
        exchange_fail_err(work->x, err);
    }
}

int work_open(struct work *work, int is_http)
{
    const char *id = work->call->parameters[0];
    json_t *api = store_api(work->gateway->store, id);
    if (!api || gateway_is_http(api) != is_http) {
        work_fail(work, "NotFoundException", "Invalid API identifier specified %s:%.64s",
                  work->gateway->cloud->account_id, id);
        return -1;
    }
    work->api = json_deep_copy(api);
    if (!work->api)
        work_fail(work, "ServiceException", "out of memory");
    return work->api ? 0 : -1;
}

int work_open_api(struct work *work)
{
    return work_open(work, 0);
}

int work_open_plans(struct work *work)
{
    work->plans = json_deep_copy(store_plans(work->gateway->store));
    if (!work->plans)
        work_fail(work, "ServiceException", "out of memory");
    return work->plans ? 0 : -1;
}

void work_make_id(char id[WORK_ID_BYTES])
{
    random_text(id, WORK_ID_BYTES - 1, RANDOM_LOWER);
}

json_t *work_now(void)
{
    return json_integer((json_int_t)(clock_unix_ms() / 1000));
}

const char *work_text(const struct work *work, const char *name)
{
    return json_string_value(json_object_get(work->request, name));
}

json_t *work_without(const json_t *value, const char *const *hidden)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)value);
    for (; hidden && *hidden; hidden++)
        json_object_del(copy, *hidden);
    return copy;
}

json_t *work_page(struct work *work, const json_t *values, const char *const *hidden,
                  const struct page_words *words)
{
    const char *name;
    json_t *value, *items = json_array(), *reply = json_pack("{s:o}", words->items, items);
    size_t most = (size_t)rest_query_integer(work->x, words->most, 1, words->limit, words->usual);
    size_t from = (size_t)rest_query_integer(work->x, words->from, 0, 1000000, 0), at = 0;
    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        if (at++ >= from && json_array_size(items) < most)
            json_array_append_new(items, work_without(value, hidden));
    }
    if (from + json_array_size(items) < at)
        json_object_set_new(reply, words->from, json_sprintf("%zu", from + json_array_size(items)));
    return reply;
}

json_t *work_list(struct work *work, const json_t *values, const char *const *hidden)
{
    static const struct page_words words = {"item", "limit", "position", LIST_MAX, LIST_DEFAULT};
    return work_page(work, values, hidden, &words);
}

/* Running one */

static void store_changes(struct work *work)
{
    struct err err = {0};
    struct store *store = work->gateway->store;
    int result = 0;
    if (work->deletes_api)
        result = store_delete_api(store, work->call->parameters[0], &err);
    else if (work->changes_api)
        result = store_put_api(store, json_incref(work->api), &err);
    if (result == 0 && work->changes_plans)
        result = store_put_plans(store, json_incref(work->plans), &err);
    if (result < 0)
        work_fail_err(work, &err);
}

static void finish(struct work *work)
{
    int status = work->status ? work->status : 200;
    if (work->has_failed)
        return;
    if (!work->reply) {
        exchange_respond(work->x, status, NULL, NULL, 0);
        return;
    }
    rest_reply(work->x, status, work->reply);
    work->reply = NULL;
}

/* "apigateway:GET" on the path itself, as AWS has it. */
static int authorize(const struct apigateway *gateway, struct exchange *x)
{
    const char *action = arena_printf(&x->arena, "apigateway:%s", x->method);
    const char *arn =
        arena_printf(&x->arena, "arn:aws:apigateway:%s::%s", gateway->cloud->region, x->path);
    if (action && arn)
        return exchange_authorize(x, action, arn);
    exchange_fail(x, "BadRequestException", "the path is too long");
    return -1;
}

static void handle(void *self, struct exchange *x)
{
    struct rest_call call = {.x = x};
    struct work work = {.gateway = self, .x = x, .call = &call};
    const struct rest_operation *operation = rest_find(operations, x, &call);
    if (!operation)
        operation = rest_find(http_operations, x, &call);
    if (!operation) {
        exchange_fail(x, "NotFoundException", "ken cloud has no operation %s %.200s", x->method,
                      x->path);
        return;
    }
    if (authorize(work.gateway, x) < 0)
        return;
    work.request = rest_call_body(&call, "BadRequestException");
    if (!work.request)
        return;
    store_lock(work.gateway->store);
    operation->handle(&work, &call);
    if (!work.has_failed)
        store_changes(&work);
    store_unlock(work.gateway->store);
    finish(&work);
    json_decref(work.request);
    json_decref(work.api);
    json_decref(work.plans);
    json_decref(work.reply);
}

static void destroy(void *self)
{
    struct apigateway *gateway = self;
    execution_destroy(gateway->execution);
    store_close(gateway->store);
    free(gateway);
}

static int add_services(struct cloud *cloud, struct apigateway *gateway, struct err *err)
{
    const struct service management = {.name = "apigateway",
                                       .error_form = ERROR_FORM_REST_JSON,
                                       .handle = handle,
                                       .destroy = destroy,
                                       .self = gateway};
    const struct service requests = {.name = "execute-api",
                                     .error_form = ERROR_FORM_REST_JSON,
                                     .anonymous = 1,
                                     .max_body_bytes = EXECUTE_MAX_BODY_BYTES,
                                     .handle = execution_handle,
                                     .quick = execution_is_quick,
                                     .self = gateway->execution};
    struct service urls = requests;
    urls.name = "lambda-url";
    urls.handle = execution_handle_url;
    if (cloud_add(cloud, &management, err) < 0) {
        destroy(gateway);
        return -1;
    }
    return cloud_add(cloud, &requests, err) < 0 ? -1 : cloud_add(cloud, &urls, err);
}

int apigateway_service_create(struct cloud *cloud, struct err *err)
{
    char folder[PATH_MAX];
    struct apigateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return err_set(err, ERR_NO_MEMORY, "start API Gateway: no memory");
    gateway->cloud = cloud;
    if (cloud_path(cloud, "apigateway", folder, sizeof folder, err) == 0)
        gateway->store = store_open(folder, err);
    if (gateway->store)
        gateway->execution = execution_create(cloud, gateway->store, err);
    if (!gateway->execution) {
        store_close(gateway->store);
        free(gateway);
        return -1;
    }
    return add_services(cloud, gateway, err);
}
