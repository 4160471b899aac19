#include "cloud/apigateway/patch.h"
#include "cloud/apigateway/service.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

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

/* What is wrong by AWS's model of the operation; -1: it is answered. */
static int check_model(struct work *work)
{
    static const char *const kinds[] = {"PRIVATE", "EDGE", "REGIONAL", NULL};
    const char *source = work_text(work, "apiKeySource");
    const json_t *types =
        json_object_get(json_object_get(work->request, "endpointConfiguration"), "types");
    const char *type = json_string_value(json_array_get(types, 0));
    size_t i = 0;
    while (type && kinds[i] && strcmp(kinds[i], type) != 0)
        i++;
    if (source && strcmp(source, "HEADER") != 0 && strcmp(source, "AUTHORIZER") != 0)
        work_fail(work, "ValidationException",
                  "1 validation error detected: Value '%.64s' at 'createRestApiInput.apiKeySource' "
                  "failed to satisfy constraint: Member must satisfy enum value set: [AUTHORIZER, "
                  "HEADER]",
                  source);
    else if (type && !kinds[i])
        work_fail(work, "ValidationException",
                  "1 validation error detected: Value '%.64s' at "
                  "'createRestApiInput.endpointConfiguration.types' failed to satisfy constraint: "
                  "Member must satisfy enum value set: [PRIVATE, EDGE, REGIONAL]",
                  type);
    else if (json_array_size(types) > 1)
        work_fail(work, "BadRequestException",
                  "Cannot create an api with multiple Endpoint Types.");
    else
        return 0;
    return -1;
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
    if (check_model(work) < 0)
        return;
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

/* "" is without it; a text that is no number is told about as a wrong number. */
static int take_compression(struct work *work, json_t *operation)
{
    const char *text = json_string_value(json_object_get(operation, "value"));
    int has_one =
        json_object_get(json_object_get(work->api, "api"), "minimumCompressionSize") != NULL;
    if (!text || !*text) {
        json_object_set_new(operation, "op", json_string("remove"));
        return has_one ? 0 : 1; /* 1: there is nothing to do */
    }
    if (strspn(text, "0123456789") == strlen(text))
        return 0;
    work_fail(work, "BadRequestException",
              "Invalid minimum compression size, must be between 0 and 10485760");
    return -1;
}

/* What can only be replaced. -1: the error is answered. */
static int check_operations(struct work *work)
{
    static const char *const words[] = {"/name", "/minimumCompressionSize", "/apiKeySource",
                                        "/disableExecuteApiEndpoint"};
    json_t *list = json_object_get(work->request, "patchOperations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *operation = json_array_get(list, i);
        const char *path = json_string_value(json_object_get(operation, "path"));
        const char *op = json_string_value(json_object_get(operation, "op"));
        size_t at = 0;
        while (path && at < 4 && strcmp(path, words[at]) != 0)
            at++;
        if (!path || at == 4)
            continue;
        if (!op || strcmp(op, "replace") != 0) {
            work_fail(work, "BadRequestException",
                      "Invalid patch operation specified. Must be one of: [replace]");
            return -1;
        }
        int result = at == 1 ? take_compression(work, operation) : 0;
        if (result < 0)
            return -1;
        if (result > 0)
            json_array_remove(list, i--);
    }
    return 0;
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
                                          "apiKeySource",
                                          NULL};
    struct work *work = self;
    (void)call;
    if (work_open_api(work) < 0 || check_operations(work) < 0)
        return;
    json_t *api = json_object_get(work->api, "api");
    patch(work, api, allowed);
    const char *source = json_string_value(json_object_get(api, "apiKeySource"));
    if (!work->has_failed && source && strcmp(source, "HEADER") != 0)
        work_fail(work, "BadRequestException", "apiKeySource %.32s is not supported", source);
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

static int patch_validator(struct work *work, json_t *validator, const json_t *operation)
{
    static const char *const paths[] = {"/name", "/validateRequestParameters",
                                        "/validateRequestBody"};
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *value = json_string_value(json_object_get(operation, "value"));
    size_t at = 0;
    op = op ? op : "";
    path = path ? path : "";
    while (at < 3 && strcmp(path, paths[at]) != 0)
        at++;
    if (strcmp(op, "replace") != 0)
        work_fail(work, "BadRequestException",
                  "Invalid patch path  '%.100s' specified for op '%.20s'. Please choose supported "
                  "operations",
                  path, op);
    else if (at == 3)
        work_fail(
            work, "BadRequestException",
            "Invalid patch path  '%.100s' specified for op 'replace'. Must be one of: [/name, "
            "/validateRequestParameters, /validateRequestBody]",
            path);
    else if (at == 0 && (!value || !*value))
        work_fail(work, "BadRequestException", "Request Validator name cannot be blank");
    else
        return json_object_set_new(validator, path + 1,
                                   at == 0 ? json_string(value)
                                           : json_boolean(value && strcasecmp(value, "true") == 0));
    return -1;
}

void apigateway_update_validator(void *self, struct rest_call *call)
{
    size_t i;
    json_t *operation;
    struct work *work = self;
    json_t *validator = find_validator(work);
    (void)call;
    if (!validator)
        return;
    json_array_foreach(json_object_get(work->request, "patchOperations"), i, operation)
    {
        if (patch_validator(work, validator, operation) < 0)
            return;
    }
    work->changes_api = 1;
    work->reply = json_incref(validator);
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
