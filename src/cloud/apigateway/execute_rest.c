#include "base/clock.h"
#include "cloud/apigateway/method_settings.h"
#include "cloud/apigateway/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests to REST APIs. */

/* Of a greedy parameter the last '/' is the path's, not the value's. */
static void trim_parameters(struct exchange *x, struct target *t)
{
    for (size_t i = 0; i < t->match.parameter_count; i++) {
        const char *value = t->match.parameters[i].value;
        size_t size = strlen(value);
        if (size > 1 && value[size - 1] == '/' && (value = arena_copy(&x->arena, value, size - 1)))
            t->match.parameters[i].value = value;
    }
}

static int find_method(struct exchange *x, struct target *t)
{
    /* The function sees path and parameters as they came: REST APIs decode only the query. */
    if (path_tree_find(t->stage->tree, t->raw_path, &t->match, &x->arena))
        t->method = gateway_method(t->match.resource, x->method);
    trim_parameters(x, t);
    t->integration = json_object_get(t->method, "methodIntegration");
    return t->integration ? 0 : target_refuse(x, t, 403, "Missing Authentication Token");
}

static int check_identity(struct execution *e, struct exchange *x, struct target *t)
{
    if (strcmp(target_text(t->method, "authorizationType"), "AWS_IAM") != 0)
        return 0;
    return x->identity.access_key_id ? target_authorize(e, x, t)
                                     : target_refuse(x, t, 403, "Missing Authentication Token");
}

static int check_key(struct execution *e, struct exchange *x, struct target *t)
{
    char bucket[THROTTLE_KEY_BYTES];
    const char *key = exchange_header(x, "x-api-key");
    if (!json_is_true(json_object_get(t->method, "apiKeyRequired")))
        return 0;
    t->pass = key ? gateway_check_key(t->gateway, t->stage, key) : (struct gateway_pass){0};
    if (!t->pass.key)
        return target_refuse(x, t, 403, "Forbidden");
    snprintf(bucket, sizeof bucket, "%s %s", target_text(t->pass.plan, "id"),
             target_text(t->pass.key, "id"));
    if (t->pass.rate > 0 &&
        !throttle_take(e->throttle, bucket, t->pass.rate, t->pass.burst, clock_monotonic_ns()))
        return target_refuse(x, t, 429, "Too Many Requests");
    return 0;
}

/* What the stage lets everybody together do with a method. */
static int check_rate(struct execution *e, struct exchange *x, struct target *t)
{
    char bucket[THROTTLE_KEY_BYTES];
    struct method_rate limit =
        method_settings_rate(t->stage->stage, target_text(t->match.resource, "path"),
                             target_text(t->method, "httpMethod"));
    if (limit.rate <= 0)
        return 0;
    snprintf(bucket, sizeof bucket, "%.12s %.20s %.12s %.8s", t->api_id, t->stage->name,
             target_text(t->match.resource, "id"), target_text(t->method, "httpMethod"));
    if (throttle_take(e->throttle, bucket, limit.rate, limit.burst, clock_monotonic_ns()))
        return 0;
    return target_refuse(x, t, 429, "Too Many Requests");
}

static int has_parameter(const struct exchange *x, const struct target *t, const char *name)
{
    static const char query[] = "method.request.querystring.", header[] = "method.request.header.";
    if (strncmp(name, header, sizeof header - 1) == 0)
        return exchange_header(x, name + sizeof header - 1) != NULL;
    if (strncmp(name, query, sizeof query - 1) != 0)
        return 1; /* of the path: it is there, or the resource would be another */
    for (size_t i = 0; i < t->query_count; i++)
        if (strcmp(t->query[i].name, name + sizeof query - 1) == 0)
            return 1;
    return 0;
}

/* Checked only where the method has a validator that says so, as on AWS. */
static int check_parameters(struct exchange *x, struct target *t)
{
    const char *name, *missing = NULL;
    json_t *is_required;
    const json_t *validator =
        json_object_get(t->stage->validators, target_text(t->method, "requestValidatorId"));
    if (!json_is_true(json_object_get(validator, "validateRequestParameters")))
        return 0;
    json_object_foreach(json_object_get(t->method, "requestParameters"), name, is_required)
    {
        if (!json_is_true(is_required) || has_parameter(x, t, name))
            continue;
        const char *last = strrchr(name, '.');
        missing = missing ? arena_printf(&x->arena, "%s, %s", missing, last + 1) : last + 1;
    }
    if (!missing || strpbrk(missing, "\"\\") || strlen(missing) > 512)
        return missing ? target_refuse(x, t, 400, "Missing request parameters") : 0;
    return target_refuse(
        x, t, 400, arena_printf(&x->arena, "Missing required request parameters: [%s]", missing));
}

/* MOCK: the answer is in the integration's own responses. The request template names its status;
 * headers are constants in quotes. What else templates can do was refused when they were put. */

static const json_t *mock_response(const json_t *integration)
{
    const char *text =
        target_text(json_object_get(integration, "requestTemplates"), "application/json");
    json_t *template = json_loads(text, 0, NULL);
    const json_t *wanted = json_object_get(template, "statusCode");
    char status[24];
    snprintf(status, sizeof status, "%lld", wanted ? (long long)json_integer_value(wanted) : 200LL);
    json_decref(template);
    return json_object_get(json_object_get(integration, "integrationResponses"), status);
}

static void add_mock_headers(struct exchange *x, const json_t *response)
{
    static const char prefix[] = "method.response.header.";
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(response, "responseParameters"), name, value)
    {
        const char *text = json_string_value(value);
        size_t size = text ? strlen(text) : 0;
        if (size >= 2 && strncmp(name, prefix, sizeof prefix - 1) == 0)
            exchange_reply_header(x, name + sizeof prefix - 1,
                                  arena_copy(&x->arena, text + 1, size - 2));
    }
}

static int answer_mock(struct exchange *x, struct target *t)
{
    const json_t *response = mock_response(t->integration);
    if (!response)
        return target_refuse(x, t, 500, "Internal server error");
    const char *body =
        target_text(json_object_get(response, "responseTemplates"), "application/json");
    t->refused = (int)strtol(target_text(response, "statusCode"), NULL, 10);
    add_mock_headers(x, response);
    exchange_respond(x, t->refused, "application/json", body, strlen(body));
    return -1;
}

/* The integration's URI with the stage's variables in it. NULL: one is missing, or no memory. */
static const char *expand_uri(struct exchange *x, const struct target *t)
{
    static const char mark[] = "${stageVariables.";
    const char *uri = target_text(t->integration, "uri"), *found;
    const json_t *variables = json_object_get(t->stage->stage, "variables");
    for (int i = 0; uri && i < 16 && (found = strstr(uri, mark)); i++) {
        const char *name = found + sizeof mark - 1, *end = strchr(name, '}');
        const char *key = end ? arena_copy(&x->arena, name, (size_t)(end - name)) : NULL;
        const char *value = key ? json_string_value(json_object_get(variables, key)) : NULL;
        uri = value ? arena_printf(&x->arena, "%.*s%s%s", (int)(found - uri), uri, value, end + 1)
                    : NULL;
    }
    return uri;
}

static int invoke(struct execution *e, struct exchange *x, struct target *t)
{
    char function[512];
    size_t size = 0;
    struct event_request request;
    const char *uri = expand_uri(x, t), *name = uri ? gateway_function(uri, &size) : NULL;
    if (!name || size >= sizeof function)
        return target_refuse(x, t, 500, "Internal server error");
    memcpy(function, name, size);
    function[size] = 0;
    const char *resource =
        arena_printf(&x->arena, "%s%s", x->method, target_text(t->match.resource, "path"));
    if (target_may_invoke(e, x, t, function, resource ? resource : "") < 0 ||
        target_event(e, x, t, &request) < 0)
        return -1;
    request.path = t->raw_path;
    struct invocation invocation = {.function = function};
    json_int_t ms = json_integer_value(json_object_get(t->integration, "timeoutInMillis"));
    invocation.timeout_ms =
        ms > 0 && ms < EXECUTE_MAX_TIMEOUT_MS ? (long)ms : EXECUTE_MAX_TIMEOUT_MS;
    invocation.event = event_create(&request, &invocation.event_bytes);
    return target_invoke(e, x, t, &invocation);
}

int execute_rest(struct execution *e, struct exchange *x, struct target *t)
{
    t->label = "ApiName";
    t->name = target_text(json_object_get(t->stage->api, "api"), "name");
    if (find_method(x, t) < 0 || check_identity(e, x, t) < 0 || check_key(e, x, t) < 0 ||
        check_rate(e, x, t) < 0 || target_read_query(x, t) < 0 || check_parameters(x, t) < 0)
        return -1;
    return strcmp(target_text(t->integration, "type"), "MOCK") == 0 ? answer_mock(x, t)
                                                                    : invoke(e, x, t);
}
