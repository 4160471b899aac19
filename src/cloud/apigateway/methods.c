#include "cloud/apigateway/methods.h"

#include "cloud/apigateway/patch.h"

#include <stdint.h>
#include <string.h>

enum { MAX_TIMEOUT_MS = 29000, MIN_TIMEOUT_MS = 50, MAX_REQUEST_PARAMETERS = 100 };

static json_t *not_found(struct work *work, const char *what)
{
    work_fail(work, "NotFoundException", "Invalid %s identifier specified", what);
    return NULL;
}

int methods_find(struct work *work, int needs_method, int needs_integration,
                 struct method_place *out)
{
    *out = (struct method_place){0};
    if (work_open_api(work) < 0)
        return -1;
    const char *const *parameters = work->call->parameters;
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

static int check_method(struct work *work)
{
    const char *authorization = work_text(work, "authorizationType");
    const char *validator = work_text(work, "requestValidatorId");
    if (!is_http_method(work->call->parameters[2])) {
        work_fail(work, "BadRequestException",
                  "Invalid HttpMethod specified. Valid options are "
                  "GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY");
        return -1;
    }
    if (!authorization ||
        (strcmp(authorization, "NONE") != 0 && strcmp(authorization, "AWS_IAM") != 0)) {
        work_fail(work, "BadRequestException",
                  "Invalid authorization type specified: ken cloud has NONE and AWS_IAM");
        return -1;
    }
    if (validator && !json_object_get(json_object_get(work->api, "validators"), validator)) {
        work_fail(work, "BadRequestException", "Invalid Request Validator identifier specified");
        return -1;
    }
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
    const char *authorization = json_string_value(json_object_get(method, "authorizationType"));
    if (!authorization ||
        (strcmp(authorization, "NONE") != 0 && strcmp(authorization, "AWS_IAM") != 0)) {
        work_fail(work, "BadRequestException",
                  "Invalid authorization type specified: ken cloud has NONE and AWS_IAM");
        return -1;
    }
    return check_parameters(work, json_object_get(method, "requestParameters"));
}

void apigateway_update_method(void *self, struct rest_call *call)
{
    static const char *const allowed[] = {"authorizationType", "apiKeyRequired",
                                          "requestParameters", "requestValidatorId",
                                          "operationName",     NULL};
    struct work *work = self;
    struct method_place target;
    struct err err = {0};
    (void)call;
    if (methods_find(work, 1, 0, &target) < 0)
        return;
    if (patch_apply(target.method, work->request, allowed, &err) < 0)
        work_fail_err(work, &err);
    else if (check_patched(work, target.method) == 0)
        methods_answer(work, 200, target.method);
}

/* Integrations */

static int check_timeout(struct work *work)
{
    const json_t *timeout = json_object_get(work->request, "timeoutInMillis");
    json_int_t ms = json_integer_value(timeout);
    if (!timeout || (json_is_integer(timeout) && ms >= MIN_TIMEOUT_MS && ms <= MAX_TIMEOUT_MS))
        return 0;
    work_fail(work, "BadRequestException", "Timeout should be between %d ms and %d ms",
              MIN_TIMEOUT_MS, MAX_TIMEOUT_MS);
    return -1;
}

static int check_proxy(struct work *work)
{
    size_t size;
    const char *uri = work_text(work, "uri"), *method = work_text(work, "httpMethod");
    if (!method)
        method = work_text(work, "integrationHttpMethod");
    if (!uri || (!gateway_function(uri, &size) && !strstr(uri, "${stageVariables.")))
        work_fail(work, "BadRequestException",
                  "Invalid ARN specified in the request: the uri of a function is "
                  "arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations");
    else if (!method || strcmp(method, "POST") != 0)
        work_fail(work, "BadRequestException",
                  "integrationHttpMethod of a function is POST, whatever the method's own is");
    else if (json_object_size(json_object_get(work->request, "requestTemplates")))
        work_fail(
            work, "BadRequestException",
            "requestTemplates are not supported for AWS_PROXY: the function gets the request");
    return work->has_failed ? -1 : 0;
}

/* MOCK knows one template: what names the status. */
static int check_mock(struct work *work)
{
    const char *type;
    json_t *template, *templates = json_object_get(work->request, "requestTemplates");
    json_object_foreach(templates, type, template)
    {
        const char *text = json_string_value(template);
        json_t *value = text ? json_loads(text, 0, NULL) : NULL;
        int is_known = strcmp(type, "application/json") == 0 &&
                       json_is_integer(json_object_get(value, "statusCode"));
        json_decref(value);
        if (is_known)
            continue;
        work_fail(work, "BadRequestException",
                  "requestTemplates %.64s is not supported: MOCK takes {\"application/json\": "
                  "\"{\\\"statusCode\\\": 200}\"}",
                  type);
        return -1;
    }
    return 0;
}

int methods_check_integration(struct work *work)
{
    static const char *const refused[] = {"connectionType", "connectionId", "requestParameters",
                                          "tlsConfig"};
    const char *type = work_text(work, "type");
    int is_mock = type && strcmp(type, "MOCK") == 0;
    if (!is_mock && (!type || strcmp(type, "AWS_PROXY") != 0)) {
        work_fail(work, "BadRequestException",
                  "Integration type %.32s is not supported: ken cloud has AWS_PROXY and MOCK",
                  type ? type : "(none)");
        return -1;
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const json_t *value = json_object_get(work->request, refused[i]);
        const char *text = json_string_value(value);
        if (!value || json_is_null(value) || (text && strcmp(text, "INTERNET") == 0) ||
            (json_is_object(value) && json_object_size(value) == 0))
            continue;
        work_fail(work, "BadRequestException", "%s of an integration is not supported", refused[i]);
        return -1;
    }
    return (is_mock ? check_mock(work) : check_proxy(work)) < 0 ? -1 : check_timeout(work);
}

static json_t *make_integration(const struct work *work)
{
    json_t *request = work->request, *timeout = json_object_get(request, "timeoutInMillis");
    const char *when = work_text(work, "passthroughBehavior");
    json_t *integration = json_pack(
        "{s:O, s:s, s:o, s:s, s:[], s:O*, s:O*, s:O*}", "type", json_object_get(request, "type"),
        "passthroughBehavior", when ? when : "WHEN_NO_MATCH", "timeoutInMillis",
        timeout ? json_incref(timeout) : json_integer(MAX_TIMEOUT_MS), "cacheNamespace",
        work->call->parameters[1], "cacheKeyParameters", "credentials",
        json_object_get(request, "credentials"), "contentHandling",
        json_object_get(request, "contentHandling"), "requestTemplates",
        json_object_get(request, "requestTemplates"));
    if (strcmp(work_text(work, "type"), "AWS_PROXY") != 0)
        return integration;
    json_object_set(integration, "uri", json_object_get(request, "uri"));
    json_object_set_new(integration, "httpMethod", json_string("POST"));
    return integration;
}

void apigateway_put_integration(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    (void)call;
    if (methods_find(work, 1, 0, &target) < 0 || methods_check_integration(work) < 0)
        return;
    json_t *integration = make_integration(work);
    json_object_set_new(target.method, "methodIntegration", integration);
    methods_answer(work, 201, integration);
}

void apigateway_get_integration(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    (void)call;
    if (methods_find(work, 1, 1, &target) == 0)
        work->reply = json_incref(target.integration);
}

void apigateway_delete_integration(void *self, struct rest_call *call)
{
    struct work *work = self;
    struct method_place target;
    (void)call;
    if (methods_find(work, 1, 1, &target) < 0)
        return;
    json_object_del(target.method, "methodIntegration");
    work->changes_api = 1;
    work->status = 204;
}

/* Responses of methods and integrations. A proxy integration uses neither; MOCK answers what its
 * integration responses say. */

static int is_status(const char *text)
{
    return strlen(text) == 3 && text[0] >= '1' && text[0] <= '5' && strspn(text, "0123456789") == 3;
}

static void put_response(struct work *work, json_t *holder, const char *field)
{
    const char *status = work->call->parameters[3];
    if (!is_status(status)) {
        work_fail(work, "BadRequestException", "Invalid status code specified");
        return;
    }
    json_t *responses = json_object_get(holder, field);
    if (!responses) {
        responses = json_object();
        json_object_set_new(holder, field, responses);
    }
    json_t *response = json_deep_copy(work->request);
    json_object_set_new(response, "statusCode", json_string(status));
    json_object_set_new(responses, status, response);
    methods_answer(work, 201, response);
}

json_t *methods_find_response(struct work *work, const json_t *holder, const char *field)
{
    json_t *response = json_object_get(json_object_get(holder, field), work->call->parameters[3]);
    return response ? response : not_found(work, "Response status code");
}

static void get_response(struct work *work, const json_t *holder, const char *field)
{
    work->reply = json_incref(methods_find_response(work, holder, field));
}

static void delete_response(struct work *work, json_t *holder, const char *field)
{
    if (!methods_find_response(work, holder, field))
        return;
    json_object_del(json_object_get(holder, field), work->call->parameters[3]);
    work->changes_api = 1;
    work->status = 204;
}

void apigateway_put_method_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 0, &target) == 0)
        put_response(self, target.method, METHOD_RESPONSES);
}

void apigateway_get_method_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 0, &target) == 0)
        get_response(self, target.method, METHOD_RESPONSES);
}

void apigateway_delete_method_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 0, &target) == 0)
        delete_response(self, target.method, METHOD_RESPONSES);
}

/* What MOCK can give: headers that are constants in quotes, a body without expressions. */
int methods_check_mock_response(struct work *work)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(work->request, "responseParameters"), name, value)
    {
        const char *text = json_string_value(value);
        size_t size = text ? strlen(text) : 0;
        if (strncmp(name, "method.response.header.", 23) == 0 && size >= 2 && text[0] == '\'' &&
            text[size - 1] == '\'' && !strpbrk(text, "\r\n"))
            continue;
        work_fail(work, "BadRequestException",
                  "Invalid mapping expression specified: %.200s: ken cloud has constants in single "
                  "quotes for method.response.header.NAME",
                  name);
        return -1;
    }
    json_object_foreach(json_object_get(work->request, "responseTemplates"), name, value)
    {
        const char *text = json_string_value(value);
        if ((json_is_null(value) || (text && !strpbrk(text, "$#"))) &&
            strcmp(name, "application/json") == 0)
            continue;
        work_fail(work, "BadRequestException",
                  "responseTemplates %.100s is not supported: ken cloud has application/json "
                  "without expressions",
                  name);
        return -1;
    }
    return 0;
}

void apigateway_put_integration_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 1, &target) == 0 && methods_check_mock_response(self) == 0)
        put_response(self, target.integration, INTEGRATION_RESPONSES);
}

void apigateway_get_integration_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 1, &target) == 0)
        get_response(self, target.integration, INTEGRATION_RESPONSES);
}

void apigateway_delete_integration_response(void *self, struct rest_call *call)
{
    struct method_place target;
    (void)call;
    if (methods_find(self, 1, 1, &target) == 0)
        delete_response(self, target.integration, INTEGRATION_RESPONSES);
}
