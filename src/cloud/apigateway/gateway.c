#include "cloud/apigateway/gateway.h"

#include "cloud/apigateway/http_routes.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

int gateway_is_http(const json_t *document)
{
    return strcmp(text(document, "kind"), "HTTP") == 0;
}

static int add_stage(struct gateway *gateway, json_t *api, json_t *stage)
{
    const char *deployment_id = text(stage, "deploymentId");
    const json_t *deployment = json_object_get(json_object_get(api, "deployments"), deployment_id);
    if (!deployment)
        return 0;
    int is_http = gateway_is_http(api);
    struct path_tree *tree =
        is_http ? NULL : path_tree_create(json_object_get(deployment, "resources"));
    struct http_routes *routes =
        is_http ? http_routes_create(json_object_get(deployment, "routes")) : NULL;
    if (!tree && !routes)
        return -1;
    gateway->stages[gateway->stage_count++] =
        (struct gateway_stage){.routes = routes,
                               .integrations = json_object_get(deployment, "integrations"),
                               .api_id = text(json_object_get(api, "api"), "id"),
                               .name = text(stage, "stageName"),
                               .deployment_id = deployment_id,
                               .api = json_incref(api),
                               .stage = stage,
                               .validators = json_object_get(deployment, "validators"),
                               .tree = tree};
    return 0;
}

static size_t count_stages(const json_t *apis)
{
    size_t count = 0;
    const char *id;
    json_t *api;
    json_object_foreach((json_t *)(uintptr_t)apis, id, api)
    {
        count += json_object_size(json_object_get(api, "stages"));
    }
    return count;
}

struct gateway *gateway_create(const json_t *apis, json_t *plans)
{
    const char *id, *name;
    json_t *api, *stage;
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return NULL;
    atomic_init(&gateway->references, 1);
    gateway->plans = json_incref(plans);
    gateway->stages = calloc(count_stages(apis) + 1, sizeof *gateway->stages);
    int failed = !gateway->stages;
    json_object_foreach((json_t *)(uintptr_t)apis, id, api)
    {
        json_object_foreach(json_object_get(api, "stages"), name, stage)
        {
            failed = failed || add_stage(gateway, api, stage) < 0;
        }
    }
    if (!failed)
        return gateway;
    gateway_release(gateway);
    return NULL;
}

struct gateway *gateway_hold(struct gateway *gateway)
{
    atomic_fetch_add(&gateway->references, 1);
    return gateway;
}

void gateway_release(struct gateway *gateway)
{
    if (!gateway || atomic_fetch_sub(&gateway->references, 1) != 1)
        return;
    for (size_t i = 0; i < gateway->stage_count; i++) {
        path_tree_destroy(gateway->stages[i].tree);
        http_routes_destroy(gateway->stages[i].routes);
        json_decref(gateway->stages[i].api);
    }
    json_decref(gateway->plans);
    free(gateway->stages);
    free(gateway);
}

const struct gateway_stage *gateway_find(const struct gateway *gateway, const char *api_id,
                                         const char *stage)
{
    for (size_t i = 0; i < gateway->stage_count; i++)
        if (strcmp(gateway->stages[i].api_id, api_id) == 0 &&
            strcmp(gateway->stages[i].name, stage) == 0)
            return &gateway->stages[i];
    return NULL;
}

const json_t *gateway_method(const json_t *resource, const char *http_method)
{
    const json_t *methods = json_object_get(resource, "resourceMethods");
    const json_t *method = json_object_get(methods, http_method);
    return method ? method : json_object_get(methods, "ANY");
}

/* API keys */

static const json_t *find_key(const json_t *keys, const char *value)
{
    const char *id;
    json_t *key;
    const json_t *found = NULL;
    size_t size = strlen(value);
    json_object_foreach((json_t *)(uintptr_t)keys, id, key)
    {
        const json_t *own = json_object_get(key, "value");
        if (json_string_length(own) == size &&
            CRYPTO_memcmp(json_string_value(own), value, size) == 0 &&
            json_is_true(json_object_get(key, "enabled")))
            found = key;
    }
    return found;
}

static int plan_has_stage(const json_t *plan, const struct gateway_stage *stage)
{
    size_t i;
    json_t *own;
    json_array_foreach(json_object_get(plan, "apiStages"), i, own)
    {
        if (strcmp(text(own, "apiId"), stage->api_id) == 0 &&
            strcmp(text(own, "stage"), stage->name) == 0)
            return 1;
    }
    return 0;
}

struct gateway_pass gateway_check_key(const struct gateway *gateway,
                                      const struct gateway_stage *stage, const char *value)
{
    const char *id;
    json_t *plan;
    const json_t *key = find_key(json_object_get(gateway->plans, "keys"), value);
    json_object_foreach(json_object_get(gateway->plans, "plans"), id, plan)
    {
        if (!key || !plan_has_stage(plan, stage) ||
            !json_object_get(json_object_get(plan, "keys"), text(key, "id")))
            continue;
        const json_t *throttle = json_object_get(plan, "throttle");
        return (struct gateway_pass){
            .key = key,
            .plan = plan,
            .rate = json_number_value(json_object_get(throttle, "rateLimit")),
            .burst = json_number_value(json_object_get(throttle, "burstLimit"))};
    }
    return (struct gateway_pass){0};
}

const char *gateway_function(const char *uri, size_t *size)
{
    static const char mark[] = ":lambda:path/2015-03-31/functions/", end[] = "/invocations";
    const char *start = strstr(uri, mark);
    if (strncmp(uri, "arn:aws", 7) != 0 || !strstr(uri, ":apigateway:") || !start)
        return NULL;
    start += sizeof mark - 1;
    const char *stop = strstr(start, end);
    if (!stop || stop == start || stop[sizeof end - 1] ||
        memchr(start, '$', (size_t)(stop - start)))
        return NULL;
    *size = (size_t)(stop - start);
    return start;
}
