#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <string.h>

enum { MAX_NAME_BYTES = 1024 };

/* APIs */

static json_t *root_resource(const char *id)
{
    return json_pack("{s:{s:s, s:s}}", id, "id", id, "path", "/");
}

static json_t *make_api(const struct work *work, const char *id, const char *root_id)
{
    json_t *request = work->request;
    json_t *types = json_object_get(request, "binaryMediaTypes");
    json_t *api = json_pack(
        "{s:s, s:O, s:O*, s:O*, s:o, s:s, s:{s:[s], s:s}, s:b, s:s, s:o, s:O*, s:O*}", "id", id,
        "name", json_object_get(request, "name"), "description",
        json_object_get(request, "description"), "version", json_object_get(request, "version"),
        "createdDate", work_now(), "apiKeySource", "HEADER", "endpointConfiguration", "types",
        "EDGE", "ipAddressType", "ipv4", "disableExecuteApiEndpoint", 0, "rootResourceId", root_id,
        "binaryMediaTypes", json_is_array(types) ? json_incref(types) : json_array(), "policy",
        json_object_get(request, "policy"), "minimumCompressionSize",
        json_object_get(request, "minimumCompressionSize"));
    json_t *endpoint = json_object_get(request, "endpointConfiguration");
    json_object_update(json_object_get(api, "endpointConfiguration"), endpoint);
    return api;
}

static int media_types_are_texts(const json_t *types)
{
    size_t i;
    json_t *type;
    json_array_foreach(types, i, type)
    {
        if (!json_is_string(type))
            return 0;
    }
    return 1;
}

static int check_compression(struct work *work, const json_t *api)
{
    enum { MOST = 10485760 };
    const json_t *size = json_object_get(api, "minimumCompressionSize");
    json_int_t bytes = json_integer_value(size);
    if (!size || (json_is_integer(size) && bytes >= 0 && bytes <= MOST))
        return 0;
    work_fail(work, "BadRequestException",
              "Invalid minimum compression size, must be between 0 and %d", MOST);
    return -1;
}

/* As AWS shows one: without a list that is empty. */
static json_t *show_api(json_t *api)
{
    static const char *const types[] = {"binaryMediaTypes", NULL};
    return work_without(api, json_array_size(json_object_get(api, types[0])) ? NULL : types);
}

/* They all answer at the same place; private ones would need a network of their own. */
static int check_endpoint(struct work *work, const json_t *api)
{
    size_t i;
    json_t *type;
    const json_t *types = json_object_get(json_object_get(api, "endpointConfiguration"), "types");
    json_array_foreach(types, i, type)
    {
        const char *text = json_string_value(type);
        if (text && (strcmp(text, "EDGE") == 0 || strcmp(text, "REGIONAL") == 0))
            continue;
        work_fail(work, "BadRequestException",
                  "Endpoint type %.32s is not supported: ken cloud has EDGE and REGIONAL",
                  text ? text : "(none)");
        return -1;
    }
    return 0;
}

void apigateway_create_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES], root_id[WORK_ID_BYTES];
    const char *name = work_text(work, "name"), *source = work_text(work, "apiKeySource");
    (void)call;
    if (exchange_query(work->x, "mode")) {
        work_fail(work, "BadRequestException", "ImportRestApi is not supported");
        return;
    }
    if (!name || !*name || strlen(name) > MAX_NAME_BYTES) {
        work_fail(work, "BadRequestException", "Invalid API name specified");
        return;
    }
    if (work_text(work, "cloneFrom") || (source && strcmp(source, "HEADER") != 0) ||
        !media_types_are_texts(json_object_get(work->request, "binaryMediaTypes"))) {
        work_fail(work, "BadRequestException",
                  "cloneFrom and apiKeySource AUTHORIZER are not supported");
        return;
    }
    if (work_text(work, "description") && !*work_text(work, "description")) {
        work_fail(work, "BadRequestException", "Description cannot be an empty string");
        return;
    }
    work_make_id(id);
    work_make_id(root_id);
    json_t *api = make_api(work, id, root_id);
    if (check_endpoint(work, api) < 0 || check_compression(work, api) < 0 ||
        work_take_tags(work, api) < 0) {
        json_decref(api);
        return;
    }
    work->api = json_pack("{s:o, s:o, s:{}, s:{}, s:{}}", "api", api, "resources",
                          root_resource(root_id), "validators", "deployments", "stages");
    work->changes_api = 1;
    work->status = 201;
    work->reply = show_api(api);
}

void apigateway_list_apis(void *self, struct rest_call *call)
{
    struct work *work = self;
    const char *id;
    json_t *document, *apis = json_object();
    (void)call;
    json_object_foreach((json_t *)(uintptr_t)store_apis(work->gateway->store), id, document)
    {
        if (!gateway_is_http(document))
            json_object_set_new(apis, id, show_api(json_object_get(document, "api")));
    }
    work->reply = work_list(work, apis, NULL);
    json_decref(apis);
}

void apigateway_get_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = show_api(json_object_get(work->api, "api"));
}

/* Plans must not keep naming a stage that is gone. */
static void forget_stages(struct work *work)
{
    const char *id;
    json_t *plan;
    if (work_open_plans(work) < 0)
        return;
    json_object_foreach(json_object_get(work->plans, "plans"), id, plan)
    {
        json_t *stages = json_object_get(plan, "apiStages");
        for (size_t i = json_array_size(stages); i-- > 0;) {
            const char *api =
                json_string_value(json_object_get(json_array_get(stages, i), "apiId"));
            if (api && strcmp(api, work->call->parameters[0]) == 0)
                json_array_remove(stages, i);
        }
    }
    work->changes_plans = 1;
}

void apigateway_delete_api(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0)
        return;
    work->deletes_api = 1;
    work->status = 202;
    forget_stages(work);
}

static void patch(struct work *work, json_t *object, const char *const *allowed)
{
    struct err err = {0};
    if (patch_apply(object, work->request, allowed, &err) < 0) {
        work_fail_err(work, &err);
        return;
    }
    work->changes_api = 1;
    work->reply = json_incref(object);
}

void apigateway_update_api(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"name",
                                          "description",
                                          "binaryMediaTypes",
                                          "policy",
                                          "minimumCompressionSize",
                                          "disableExecuteApiEndpoint",
                                          "endpointConfiguration",
                                          NULL};
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0)
        return;
    json_t *api = json_object_get(work->api, "api");
    patch(work, api, allowed);
    if (work->has_failed || check_endpoint(work, api) < 0 || check_compression(work, api) < 0)
        return;
    if (!json_object_get(api, "tags"))
        json_object_set_new(api, "tags", json_object());
    json_decref(work->reply);
    work->reply = show_api(api);
}

/* Request validators */

void apigateway_create_validator(void *self, struct rest_call *call)
{
    struct work *work = self;
    char id[WORK_ID_BYTES];
    (void)call;
    if (work_open_api(work) < 0)
        return;
    work_make_id(id);
    json_t *validator = json_pack(
        "{s:s, s:O*, s:b, s:b}", "id", id, "name", json_object_get(work->request, "name"),
        "validateRequestBody", json_is_true(json_object_get(work->request, "validateRequestBody")),
        "validateRequestParameters",
        json_is_true(json_object_get(work->request, "validateRequestParameters")));
    json_object_set(json_object_get(work->api, "validators"), id, validator);
    work->changes_api = 1;
    work->status = 201;
    work->reply = validator;
}

void apigateway_list_validators(void *self, struct rest_call *call)
{
    struct work *work = self;
    (void)call;
    if (work_open_api(work) == 0)
        work->reply = work_list(work, json_object_get(work->api, "validators"), NULL);
}

static json_t *find_validator(struct work *work)
{
    if (work_open_api(work) < 0)
        return NULL;
    json_t *validator =
        json_object_get(json_object_get(work->api, "validators"), work->call->parameters[1]);
    if (!validator)
        work_fail(work, "NotFoundException", "Invalid Request Validator identifier specified");
    return validator;
}

void apigateway_get_validator(void *self, struct rest_call *call)
{
    (void)call;
    struct work *work = self;
    work->reply = json_incref(find_validator(work));
}

void apigateway_delete_validator(void *self, struct rest_call *call)
{
    struct work *work = self;
    if (!find_validator(work))
        return;
    json_object_del(json_object_get(work->api, "validators"), call->parameters[1]);
    work->changes_api = 1;
    work->status = 202;
}
