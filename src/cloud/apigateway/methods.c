#include "cloud/apigateway/methods.h"

#include "cloud/apigateway/patch.h"

#include <stdint.h>
#include <string.h>

enum { MAX_REQUEST_PARAMETERS = 100 };

static void not_found(struct work *work, const char *what)
{
    work_fail(work, "NotFoundException", "Invalid %s identifier specified", what);
}

int methods_find(struct work *work, int needs_method, int needs_integration,
                 struct method_place *out)
{
    *out = (struct method_place){0};
    const char *const *parameters = work->call->parameters;
    const json_t *apis = store_apis(work->gateway->store);
    if (!json_object_get(apis, parameters[0])) {
        not_found(work, "Resource"); /* it is looked up with its API */
        return -1;
    }
    if (work_open_api(work) < 0)
        return -1;
    out->resource = json_object_get(json_object_get(work->api, "resources"), parameters[1]);
    if (!out->resource) {
        not_found(work, "Resource");
        return -1;
    }
    out->methods = json_object_get(out->resource, "resourceMethods");
    out->method = json_object_get(out->methods, parameters[2]);
    out->integration = json_object_get(out->method, "methodIntegration");
    if (needs_method && !out->method) {
        not_found(work, "Method");
        return -1;
    }
    if (needs_integration && !out->integration) {
        not_found(work, "Integration");
        return -1;
    }
    return 0;
}

void methods_answer(struct work *work, int status, const json_t *value)
{
    work->changes_api = 1;
    work->status = status;
    work->reply = json_incref((json_t *)(uintptr_t)value);
}

/* Methods */

static int is_http_method(const char *name)
{
    static const char *const known[] = {"GET",   "HEAD",    "POST", "PUT",
                                        "PATCH", "OPTIONS", "ANY",  "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i], name) == 0)
            return 1;
    return 0;
}

/* Has another parameter the same last name? */
static int has_twin(const json_t *parameters, const char *name)
{
    const char *other, *last = strrchr(name, '.');
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)parameters, other, value)
    {
        const char *end = strrchr(other, '.');
        if (strcmp(other, name) != 0 && end && last && strcmp(end, last) == 0)
            return 1;
    }
    return 0;
}

/* {"method.request.querystring.X": true, "method.request.header.X": .., "method.request.path.X":
 * ..}
 */
static int check_parameters(struct work *work, const json_t *parameters)
{
    static const char *const places[] = {"querystring.", "header.", "path."};
    const char *name;
    json_t *required;
    if (json_object_size(parameters) > MAX_REQUEST_PARAMETERS) {
        work_fail(work, "BadRequestException", "Too many request parameters");
        return -1;
    }
    json_object_foreach((json_t *)(uintptr_t)parameters, name, required)
    {
        int is_known = 0;
        for (size_t i = 0; i < 3; i++)
            is_known |= strncmp(name, "method.request.", 15) == 0 &&
                        strncmp(name + 15, places[i], strlen(places[i])) == 0;
        if (is_known && has_twin(parameters, name)) {
            work_fail(work, "BadRequestException",
                      "Parameter names must be unique across querystring, header and path");
            return -1;
        }
        if (!is_known || !json_is_boolean(required)) {
            work_fail(work, "BadRequestException",
                      "Invalid mapping expression specified: %.200s: true or false for "
                      "method.request.{querystring|header|path}.NAME",
                      name);
            return -1;
        }
    }
    return 0;
}

/* There are no authorizers here. */
static int check_authorization(struct work *work, const char *type)
{
    if (type && (strcmp(type, "NONE") == 0 || strcmp(type, "AWS_IAM") == 0))
        return 0;
    if (type && (strcmp(type, "CUSTOM") == 0 || strcmp(type, "COGNITO_USER_POOLS") == 0))
        work_fail(work, "BadRequestException",
                  "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or "
                  "COGNITO_USER_POOLS requires a valid authorizer.");
    else
        work_fail(work, "BadRequestException",
                  "Invalid authorization type specified: ken cloud has NONE and AWS_IAM");
    return -1;
}

/* {"application/json": MODEL}: every API has AWS's two. */
int methods_check_models(struct work *work, const json_t *models)
{
    const char *type;
    json_t *model;
    json_object_foreach((json_t *)(uintptr_t)models, type, model)
    {
        const char *name = json_string_value(model);
        if (name && (strcmp(name, "Empty") == 0 || strcmp(name, "Error") == 0))
            continue;
        work_fail(work, "BadRequestException", "Invalid model identifier specified: %.128s",
                  name ? name : "");
        return -1;
    }
    return 0;
}

static int check_validator(struct work *work, const char *validator)
{
    if (!validator || json_object_get(json_object_get(work->api, "validators"), validator))
        return 0;
    work_fail(work, "BadRequestException", "Invalid Request Validator identifier specified");
    return -1;
}

static int check_method(struct work *work)
{
    if (!is_http_method(work->call->parameters[2])) {
        work_fail(work, "BadRequestException",
                  "Invalid HttpMethod specified. Valid options are "
                  "GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY");
        return -1;
    }
    if (check_authorization(work, work_text(work, "authorizationType")) < 0 ||
        check_validator(work, work_text(work, "requestValidatorId")) < 0 ||
        methods_check_models(work, json_object_get(work->request, "requestModels")) < 0)
        return -1;
    return check_parameters(work, json_object_get(work->request, "requestParameters"));
}

void apigateway_put_method(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    if (methods_find(work, 0, 0, &target) < 0 || check_method(work) < 0)
        return;
    if (target.method) {
        work_fail(work, "ConflictException", "Method already exists for this resource");
        return;
    }
    json_t *request = work->request, *parameters = json_object_get(request, "requestParameters");
    json_t *method =
        json_pack("{s:s, s:O, s:b, s:O*, s:O*, s:O*, s:O*}", "httpMethod", call->parameters[2],
                  "authorizationType", json_object_get(request, "authorizationType"),
                  "apiKeyRequired", json_is_true(json_object_get(request, "apiKeyRequired")),
                  "operationName", json_object_get(request, "operationName"), "requestValidatorId",
                  json_object_get(request, "requestValidatorId"), "requestModels",
                  json_object_get(request, "requestModels"), "requestParameters", parameters);
    if (!target.methods) {
        target.methods = json_object();
        json_object_set_new(target.resource, "resourceMethods", target.methods);
    }
    json_object_set_new(target.methods, call->parameters[2], method);
    methods_answer(work, 201, method);
}

void apigateway_get_method(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    (void)call;
    if (methods_find(work, 1, 0, &target) == 0)
        work->reply = json_incref(target.method);
}

void apigateway_delete_method(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    if (methods_find(work, 1, 0, &target) < 0)
        return;
    json_object_del(target.methods, call->parameters[2]);
    work->changes_api = 1;
    work->status = 204;
}

static int check_patched(struct work *work, const json_t *method)
{
    if (check_authorization(work, json_string_value(json_object_get(method, "authorizationType"))) <
            0 ||
        check_validator(work, json_string_value(json_object_get(method, "requestValidatorId"))) <
            0 ||
        methods_check_models(work, json_object_get(method, "requestModels")) < 0)
        return -1;
    return check_parameters(work, json_object_get(method, "requestParameters"));
}

/* What may be done to which part of a method. */
static const struct method_part {
    const char *path, *operations; /* the path ends in '/': what is under it */
} method_parts[] = {
    {"/authorizationType", "replace"},
    {"/authorizerId", "replace"},
    {"/apiKeyRequired", "replace"},
    {"/operationName", "replace"},
    {"/requestValidatorId", "replace"},
    {"/requestParameters/", "add, replace, remove"},
    {"/requestModels/", "add, replace, remove"},
};

static const struct method_part *find_part(const char *path)
{
    for (size_t i = 0; i < sizeof method_parts / sizeof *method_parts; i++) {
        const char *own = method_parts[i].path;
        size_t size = strlen(own);
        if (own[size - 1] == '/' ? strncmp(path, own, size) == 0 && !strchr(path + size, '/')
                                 : strcmp(path, own) == 0)
            return &method_parts[i];
    }
    return NULL;
}

/* -1: answered; 1: there is nothing to do. */
static int check_operation(struct work *work, json_t *operation)
{
    const char *path = json_string_value(json_object_get(operation, "path"));
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *value = json_string_value(json_object_get(operation, "value"));
    const struct method_part *part = path ? find_part(path) : NULL;
    if (!part) {
        work_fail(work, "BadRequestException", "Invalid patch path %.200s", path ? path : "");
        return -1;
    }
    if (!op || !strstr(part->operations, op)) {
        work_fail(work, "BadRequestException",
                  "Invalid patch operation specified. Must be one of: [%s]", part->operations);
        return -1;
    }
    if (strcmp(path, "/requestValidatorId") == 0 && (!value || !*value))
        json_object_set_new(operation, "op", json_string("remove"));
    return strcmp(path, "/authorizerId") == 0; /* of a method that needs none: passed over */
}

static int check_operations(struct work *work, const json_t *method)
{
    json_t *list = json_object_get(work->request, "patchOperations");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *operation = json_array_get(list, i);
        int result = check_operation(work, operation);
        const char *op = json_string_value(json_object_get(operation, "op"));
        const char *path = json_string_value(json_object_get(operation, "path"));
        if (result < 0)
            return -1;
        if (result > 0 || (strcmp(op, "remove") == 0 && strcmp(path, "/requestValidatorId") == 0 &&
                           !json_object_get(method, "requestValidatorId")))
            json_array_remove(list, i--);
    }
    return 0;
}

/* A map of which the last entry went is not shown. */
static void drop_empty(json_t *method)
{
    static const char *const names[] = {"requestParameters", "requestModels"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *map = json_object_get(method, names[i]);
        if (map && json_object_size(map) == 0)
            json_object_del(method, names[i]);
    }
}

void apigateway_update_method(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"authorizationType",
                                          "apiKeyRequired",
                                          "requestParameters",
                                          "requestValidatorId",
                                          "operationName",
                                          "requestModels",
                                          NULL};
    struct work *work = self;
    struct method_place target;
    struct err err = {0};
    (void)call;
    if (methods_find(work, 1, 0, &target) < 0 || check_operations(work, target.method) < 0)
        return;
    if (patch_apply(target.method, work->request, allowed, &err) < 0) {
        work_fail_err(work, &err);
    } else if (check_patched(work, target.method) == 0) {
        drop_empty(target.method);
        methods_answer(work, 200, target.method);
    }
}
