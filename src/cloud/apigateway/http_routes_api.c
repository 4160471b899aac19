#include "cloud/apigateway/http_routes.h"
#include "cloud/apigateway/http_service.h"

#include <stdint.h>
#include <string.h>

/* Routes and integrations of HTTP APIs. */

enum { MIN_TIMEOUT_MS = 50, MAX_TIMEOUT_MS = 30000, MAX_CHILDREN = 300 };

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* Routes */

static int check_authorization(struct work *work, const json_t *route)
{
    const char *type = text(route, "authorizationType");
    if (strcmp(type, "NONE") != 0 && strcmp(type, "AWS_IAM") != 0)
        work_fail(work, "BadRequestException",
                  "authorizationType %.32s is not supported: ken cloud has NONE and AWS_IAM", type);
    else if (json_is_true(json_object_get(route, "apiKeyRequired")) ||
             json_object_get(route, "authorizerId") ||
             json_array_size(json_object_get(route, "authorizationScopes")))
        work_fail(work, "BadRequestException",
                  "apiKeyRequired, authorizerId and authorizationScopes are not supported for HTTP "
                  "APIs here");
    return work->has_failed ? -1 : 0;
}

static int check_route(struct work *work, const json_t *route)
{
    const char *id, *key = text(route, "routeKey"), *target = text(route, "target");
    json_t *other;
    static const char prefix[] = "integrations/";
    if (!http_route_key_is_valid(key)) {
        work_fail(
            work, "BadRequestException",
            "The provided route key is not formatted properly for HTTP protocol. Format should "
            "be \"<HTTP METHOD> /<RESOURCE PATH>\" or \"$default\"");
        return -1;
    }
    json_object_foreach(json_object_get(work->api, "routes"), id, other)
    {
        if (other != route && strcmp(text(other, "routeKey"), key) == 0) {
            work_fail(work, "ConflictException",
                      "Route with key %.512s already exists for this API", key);
            return -1;
        }
    }
    if (*target && (strncmp(target, prefix, sizeof prefix - 1) != 0 ||
                    !json_object_get(json_object_get(work->api, "integrations"),
                                     target + sizeof prefix - 1))) {
        work_fail(work, "BadRequestException", "Invalid target: %.128s is no integration", target);
        return -1;
    }
    return check_authorization(work, route);
}

static const char *const route_members[] = {
    "routeKey",     "target",        "authorizationType", "authorizationScopes",
    "authorizerId", "operationName", "apiKeyRequired",    NULL};

json_t *http_add_route(struct work *work, const json_t *request)
{
    char id[WORK_ID_BYTES];
    json_t *routes = json_object_get(work->api, "routes");
    if (json_object_size(routes) >= MAX_CHILDREN) {
        work_fail(work, "TooManyRequestsException", "Maximum number of routes is %d", MAX_CHILDREN);
        return NULL;
    }
    work_make_id(id);
    json_t *route = json_pack("{s:s, s:s, s:b}", "routeId", id, "authorizationType", "NONE",
                              "apiKeyRequired", 0);
    http_take(route, request, route_members);
    json_object_set_new(routes, id, route);
    return check_route(work, route) < 0 ? NULL : route;
}

void http_create_route(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    json_t *route = http_open(work) == 0 ? http_add_route(work, work->request) : NULL;
    if (!route)
        return;
    work->status = 201;
    work->reply = json_incref(route);
    http_changed(work);
}

void http_get_route(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(http_find(work, "routes", "Route"));
}

void http_list_routes(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    if (http_open(work) == 0)
        work->reply = http_list(work, json_object_get(work->api, "routes"));
}

void http_update_route(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    json_t *route = http_find(work, "routes", "Route");
    if (!route)
        return;
    http_take(route, work->request, route_members);
    if (check_route(work, route) < 0)
        return;
    work->reply = json_incref(route);
    http_changed(work);
}

void http_delete_route(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!http_find(work, "routes", "Route"))
        return;
    json_object_del(json_object_get(work->api, "routes"), call->parameters[1]);
    work->status = 204;
    http_changed(work);
}

/* Integrations */

static int is_function(const char *uri)
{
    size_t size;
    return gateway_function(uri, &size) || (strncmp(uri, "arn:aws:lambda:", 15) == 0 &&
                                            strstr(uri, ":function:") && !strchr(uri, '$'));
}

static int check_integration(struct work *work, const json_t *integration)
{
    const char *type = text(integration, "integrationType");
    const char *format = text(integration, "payloadFormatVersion");
    const char *method = text(integration, "integrationMethod");
    const char *connection = text(integration, "connectionType");
    const json_t *timeout = json_object_get(integration, "timeoutInMillis");
    json_int_t ms = json_integer_value(timeout);
    if (strcmp(type, "AWS_PROXY") != 0)
        work_fail(work, "BadRequestException",
                  "integrationType %.32s is not supported: ken cloud has AWS_PROXY to a function",
                  type);
    else if (!is_function(text(integration, "integrationUri")))
        work_fail(work, "BadRequestException",
                  "Invalid integration URI specified: it is the ARN of a function");
    else if (strcmp(format, "1.0") != 0 && strcmp(format, "2.0") != 0)
        work_fail(work, "BadRequestException",
                  "PayloadFormatVersion is a required parameter for "
                  "integration: 1.0 or 2.0");
    else if (strcmp(method, "POST") != 0)
        work_fail(work, "BadRequestException", "integrationMethod of a function is POST");
    else if (strcmp(connection, "INTERNET") != 0)
        work_fail(work, "BadRequestException", "connectionType %.32s is not supported", connection);
    else if (json_object_get(integration, "credentialsArn"))
        work_fail(work, "BadRequestException", "credentialsArn is not supported");
    else if (!json_is_integer(timeout) || ms < MIN_TIMEOUT_MS || ms > MAX_TIMEOUT_MS)
        work_fail(work, "BadRequestException", "Timeout should be between %d ms and %d ms",
                  MIN_TIMEOUT_MS, MAX_TIMEOUT_MS);
    return work->has_failed ? -1 : 0;
}

static const char *const integration_members[] = {
    "integrationType",      "integrationUri",  "integrationMethod",
    "payloadFormatVersion", "timeoutInMillis", "description",
    "connectionType",       "credentialsArn",  NULL};

json_t *http_add_integration(struct work *work, const json_t *request)
{
    char id[WORK_ID_BYTES];
    json_t *integrations = json_object_get(work->api, "integrations");
    if (json_object_size(integrations) >= MAX_CHILDREN) {
        work_fail(work, "TooManyRequestsException", "Maximum number of integrations is %d",
                  MAX_CHILDREN);
        return NULL;
    }
    work_make_id(id);
    json_t *integration =
        json_pack("{s:s, s:s, s:s, s:i}", "integrationId", id, "connectionType", "INTERNET",
                  "integrationMethod", "POST", "timeoutInMillis", MAX_TIMEOUT_MS);
    http_take(integration, request, integration_members);
    json_object_set_new(integrations, id, integration);
    return check_integration(work, integration) < 0 ? NULL : integration;
}

void http_create_integration(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    json_t *integration = http_open(work) == 0 ? http_add_integration(work, work->request) : NULL;
    if (!integration)
        return;
    work->status = 201;
    work->reply = json_incref(integration);
    http_changed(work);
}

void http_get_integration(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(http_find(work, "integrations", "Integration"));
}

void http_list_integrations(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    if (http_open(work) == 0)
        work->reply = http_list(work, json_object_get(work->api, "integrations"));
}

void http_update_integration(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    json_t *integration = http_find(work, "integrations", "Integration");
    if (!integration)
        return;
    http_take(integration, work->request, integration_members);
    if (check_integration(work, integration) < 0)
        return;
    work->reply = json_incref(integration);
    http_changed(work);
}

void http_delete_integration(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *route;
    if (!http_find(work, "integrations", "Integration"))
        return;
    json_object_foreach(json_object_get(work->api, "routes"), id, route)
    {
        const char *slash = strchr(text(route, "target"), '/');
        if (slash && strcmp(slash + 1, call->parameters[1]) == 0) {
            work_fail(work, "ConflictException", "Cannot delete Integration: route %.64s uses it",
                      id);
            return;
        }
    }
    json_object_del(json_object_get(work->api, "integrations"), call->parameters[1]);
    work->status = 204;
    http_changed(work);
}

/* Authorizers */

void http_refuse_authorizer(void *self, struct rest_call *call)
{
    (void)call;
    work_fail(self, "BadRequestException",
              "Authorizers (JWT, REQUEST) are not supported: ken cloud has NONE and AWS_IAM");
}

void http_list_authorizers(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    if (http_open(work) == 0)
        work->reply = json_pack("{s:[]}", "items");
}
