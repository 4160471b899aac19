#include "cloud/apigateway/methods.h"

#include <stdint.h>
#include <string.h>

enum { MAX_TIMEOUT_MS = 29000, MIN_TIMEOUT_MS = 50 };

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
    if (!method || !*method)
        work_fail(work, "BadRequestException",
                  "Enumeration value for HttpMethod must be non-empty");
    else if (!uri || strncmp(uri, "arn:", 4) != 0)
        work_fail(work, "BadRequestException", "Invalid ARN specified in the request");
    else if (!strstr(uri, ":path/") && !strstr(uri, ":action/"))
        work_fail(work, "BadRequestException",
                  "AWS ARN for integration must contain path or action");
    else if (!strstr(uri, ":lambda:"))
        work_fail(work, "BadRequestException",
                  "Integrations of type 'AWS_PROXY' currently only supports Lambda function and "
                  "Firehose stream invocations.");
    else if (!gateway_function(uri, &size) && !strstr(uri, "${stageVariables."))
        work_fail(work, "BadRequestException",
                  "Invalid ARN specified in the request: the uri of a function is "
                  "arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations");
    else if (strcmp(method, "POST") != 0)
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

/* To AWS. 0: the error is answered. */
static int is_known_type(struct work *work, const char *type)
{
    static const char *const types[] = {"HTTP", "MOCK", "AWS_PROXY", "HTTP_PROXY", "AWS"};
    const char *content = work_text(work, "contentHandling");
    size_t i = 0;
    while (i < 5 && (!type || strcmp(types[i], type) != 0))
        i++;
    if (i == 5)
        work_fail(work, "ValidationException",
                  "1 validation error detected: Value '%.64s' at 'putIntegrationInput.type' failed "
                  "to satisfy constraint: Member must satisfy enum value set: [HTTP, MOCK, "
                  "AWS_PROXY, HTTP_PROXY, AWS]",
                  type ? type : "");
    else if (content && strcmp(content, "CONVERT_TO_BINARY") != 0 &&
             strcmp(content, "CONVERT_TO_TEXT") != 0)
        work_fail(work, "ValidationException",
                  "1 validation error detected: Value '%.64s' at "
                  "'putIntegrationInput.contentHandling' failed to satisfy constraint: Member must "
                  "satisfy enum value set: [CONVERT_TO_BINARY, CONVERT_TO_TEXT]",
                  content);
    else
        return 1;
    return 0;
}

int methods_check_integration(struct work *work)
{
    static const char *const refused[] = {"connectionType", "connectionId", "requestParameters",
                                          "tlsConfig"};
    const char *type = work_text(work, "type");
    int is_mock = type && strcmp(type, "MOCK") == 0;
    if (!is_known_type(work, type))
        return -1;
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
    if (!response)
        work_fail(work, "NotFoundException", "Invalid Response status code specified");
    return response;
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
    struct work *work = self;
    struct method_place target;
    if (methods_find(work, 1, 0, &target) < 0 ||
        methods_check_models(work, json_object_get(work->request, "responseModels")) < 0)
        return;
    if (json_object_get(json_object_get(target.method, METHOD_RESPONSES), call->parameters[3]))
        work_fail(work, "ConflictException", "Response already exists for this resource");
    else
        put_response(work, target.method, METHOD_RESPONSES);
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
    if (methods_find(self, 1, 1, &target) == 0 &&
        methods_find_response(self, target.method, METHOD_RESPONSES) &&
        methods_check_mock_response(self) == 0)
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
