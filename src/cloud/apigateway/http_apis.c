#include "cloud/apigateway/cors.h"
#include "cloud/apigateway/http_service.h"
#include "cloud/query.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_NAME_BYTES = 128, MAX_TAGS = 50 };
#define ROUTE_SELECTION "$request.method $request.path"
#define KEY_SELECTION "$request.header.x-api-key"

static const char *const hidden[] = {"id", NULL};
static const char *const members[] = {"name",    "description",       "disableExecuteApiEndpoint",
                                      "version", "corsConfiguration", NULL};

static json_t *show(const json_t *document)
{
    return work_without(json_object_get(document, "api"), hidden);
}

static json_t *endpoint(const struct work *work, const char *id)
{
    const struct cloud *cloud = work->gateway->cloud;
    char name[128], url[REST_URL_BYTES];
    snprintf(name, sizeof name, "%s.execute-api.%.32s.localhost", id, cloud->region);
    rest_host_url(cloud->endpoint, name, url);
    return json_string(url);
}

static int check(struct work *work)
{
    struct err err = {0};
    const char *name = work_text(work, "name"), *protocol = work_text(work, "protocolType");
    const char *selection = work_text(work, "routeSelectionExpression");
    const char *keys = work_text(work, "apiKeySelectionExpression");
    const char *addresses = work_text(work, "ipAddressType");
    const json_t *cors = json_object_get(work->request, "corsConfiguration");
    if (protocol && strcmp(protocol, "HTTP") != 0)
        work_fail(work, "BadRequestException",
                  "protocolType %.32s is not supported: ken cloud has HTTP", protocol);
    else if (name && (!*name || strlen(name) > MAX_NAME_BYTES))
        work_fail(work, "BadRequestException", "Invalid API name specified");
    else if ((selection && strcmp(selection, ROUTE_SELECTION) != 0) ||
             (keys && strcmp(keys, KEY_SELECTION) != 0))
        work_fail(work, "BadRequestException",
                  "HTTP APIs select routes by \"" ROUTE_SELECTION "\" and keys by \"" KEY_SELECTION
                  "\"");
    else if (work_text(work, "credentialsArn") || (addresses && strcmp(addresses, "ipv4") != 0))
        work_fail(work, "BadRequestException",
                  "credentialsArn and other addresses than ipv4 are not supported");
    else if (cors && !json_is_null(cors) && http_cors_check(cors, &err) < 0)
        work_fail_err(work, &err);
    return work->has_failed ? -1 : 0;
}

/* Quick create: one function behind $default, on the stage $default. */
static int add_target(struct work *work, const char *target)
{
    const char *key = work_text(work, "routeKey");
    json_t *integration_request =
        json_pack("{s:s, s:s, s:s}", "integrationType",
                  strncmp(target, "http", 4) == 0 ? "HTTP_PROXY" : "AWS_PROXY", "integrationUri",
                  target, "payloadFormatVersion", "2.0");
    json_t *integration = http_add_integration(work, integration_request);
    json_decref(integration_request);
    if (!integration)
        return -1;
    json_object_set_new(integration, "apiGatewayManaged", json_true());
    json_t *route_request =
        json_pack("{s:s, s:o}", "routeKey", key ? key : "$default", "target",
                  json_sprintf("integrations/%s",
                               json_string_value(json_object_get(integration, "integrationId"))));
    json_t *route = http_add_route(work, route_request);
    json_decref(route_request);
    if (!route)
        return -1;
    json_object_set_new(route, "apiGatewayManaged", json_true());
    json_t *stage_request = json_pack("{s:s, s:b}", "stageName", "$default", "autoDeploy", 1);
    json_t *stage = http_add_stage(work, stage_request);
    json_decref(stage_request);
    if (!stage)
        return -1;
    json_object_set_new(stage, "apiGatewayManaged", json_true());
    return 0;
}

void http_create_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    const char *target = work_text(work, "target");
    (void)call;
    if (!work_text(work, "name") || !work_text(work, "protocolType")) {
        work_fail(work, "BadRequestException", "name and protocolType are needed");
        return;
    }
    if (check(work) < 0)
        return;
    work_make_id(id);
    json_t *tags = json_object_get(work->request, "tags");
    json_t *api = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "id", id, "apiId",
                            id, "apiEndpoint", endpoint(work, id), "protocolType", "HTTP",
                            "routeSelectionExpression", ROUTE_SELECTION,
                            "apiKeySelectionExpression", KEY_SELECTION, "ipAddressType", "ipv4",
                            "disableExecuteApiEndpoint", 0, "createdDate", http_now(), "tags",
                            json_is_object(tags) ? json_incref(tags) : json_object());
    http_take(api, work->request, members);
    work->api = json_pack("{s:s, s:o, s:{}, s:{}, s:{}, s:{}}", "kind", "HTTP", "api", api,
                          "routes", "integrations", "deployments", "stages");
    if (target && add_target(work, target) < 0)
        return;
    http_changed(work);
    work->status = 201;
    work->reply = show(work->api);
}

void http_get_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (http_open(work) == 0)
        work->reply = show(work->api);
}

void http_list_apis(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *document, *apis = json_object();
    (void)call;
    json_object_foreach((json_t *)(uintptr_t)store_apis(work->gateway->store), id, document)
    {
        if (gateway_is_http(document))
            json_object_set(apis, id, json_object_get(document, "api"));
    }
    work->reply = http_list(work, apis);
    json_decref(apis);
}

/* The target of a quick created API, and its route key. */
static int update_managed(struct work *work)
{
    const char *id, *target = work_text(work, "target"), *key = work_text(work, "routeKey");
    json_t *child;
    int found = 0;
    json_object_foreach(json_object_get(work->api, "integrations"), id, child)
    {
        if (target && json_is_true(json_object_get(child, "apiGatewayManaged"))) {
            json_object_set_new(child, "integrationUri", json_string(target));
            found = 1;
        }
    }
    json_object_foreach(json_object_get(work->api, "routes"), id, child)
    {
        if (key && json_is_true(json_object_get(child, "apiGatewayManaged"))) {
            json_object_set_new(child, "routeKey", json_string(key));
            found = 1;
        }
    }
    if (found || (!target && !key))
        return 0;
    work_fail(work, "BadRequestException",
              "target and routeKey are updated of an API that was made with a target");
    return -1;
}

void http_update_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (http_open(work) < 0 || check(work) < 0 || update_managed(work) < 0)
        return;
    http_take(json_object_get(work->api, "api"), work->request, members);
    http_changed(work);
    work->reply = show(work->api);
}

void http_delete_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (http_open(work) < 0)
        return;
    work->deletes_api = 1;
    work->status = 204;
}

void http_delete_cors(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (http_open(work) < 0)
        return;
    json_object_del(json_object_get(work->api, "api"), "corsConfiguration");
    work->changes_api = 1;
    work->status = 204;
}

/* Tags: "arn:aws:apigateway:REGION::/apis/ID". */
static json_t *open_tags(struct work *work)
{
    const char *arn = work->call->parameters[0], *found = strstr(arn, "/apis/");
    if (!found || strchr(found + 6, '/')) {
        work_fail(work, "NotFoundException", "Invalid resource ARN: ken cloud tags /apis/ID");
        return NULL;
    }
    work->call->parameters[0] = found + 6;
    return http_open(work) == 0 ? json_object_get(json_object_get(work->api, "api"), "tags") : NULL;
}

void http_tag(void *self, struct rest_call *call)
{
    struct work *work = self;
    json_t *given = json_object_get(work->request, "tags"), *tags = open_tags(work), *value;
    const char *name;
    (void)call;
    if (!tags)
        return;
    json_object_foreach(given, name, value)
    {
        if (!json_is_string(value))
            given = NULL;
    }
    if (!json_is_object(given) || json_object_update(tags, given) < 0 ||
        json_object_size(tags) > MAX_TAGS) {
        work_fail(work, "BadRequestException", "tags is an object of at most %d texts", MAX_TAGS);
        return;
    }
    work->changes_api = 1;
    work->status = 201;
    work->reply = json_object();
}

void http_untag(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct query_pair pair;
    json_t *tags = open_tags(work);
    (void)call;
    if (!tags)
        return;
    for (const char *at = work->x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(work->x, pair.name, pair.name_size, 1);
        const char *key = exchange_decode(work->x, pair.value, pair.value_size, 1);
        if (name && key && strcmp(name, "tagKeys") == 0)
            json_object_del(tags, key);
    }
    work->changes_api = 1;
    work->status = 204;
}

void http_get_tags(void *self, struct rest_call *call)
{
    struct work *work = self;
    const json_t *tags = open_tags(work);
    (void)call;
    if (tags)
        work->reply = json_pack("{s:O}", "tags", tags);
}
