#include "base/clock.h"
#include "cloud/apigateway/cors.h"
#include "cloud/apigateway/http_routes.h"
#include "cloud/apigateway/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests to HTTP APIs. */

enum { HTTP_TIMEOUT_MS = 30000 };

static int find_route(struct exchange *x, struct target *t)
{
    t->method = http_routes_find(t->stage->routes, x->method, t->path, &t->match, &x->arena);
    if (!t->method)
        return target_refuse(x, t, 404, "Not Found");
    const char *target = target_text(t->method, "target"); /* "integrations/ID" */
    const char *slash = strchr(target, '/');
    t->integration = json_object_get(t->stage->integrations, slash ? slash + 1 : "");
    return t->integration ? 0 : target_refuse(x, t, 500, "Internal Server Error");
}

static int check_identity(struct execution *e, struct exchange *x, struct target *t)
{
    if (strcmp(target_text(t->method, "authorizationType"), "AWS_IAM") != 0)
        return 0;
    return x->identity.access_key_id ? target_authorize(e, x, t)
                                     : target_refuse(x, t, 403, "Forbidden");
}

/* The route's own settings, else the stage's. */
static double setting(const struct target *t, const char *name)
{
    const json_t *own = json_object_get(json_object_get(t->stage->stage, "routeSettings"),
                                        target_text(t->method, "routeKey"));
    const json_t *value = json_object_get(own, name);
    if (!value)
        value = json_object_get(json_object_get(t->stage->stage, "defaultRouteSettings"), name);
    return json_number_value(value);
}

static int check_rate(struct execution *e, struct exchange *x, struct target *t)
{
    char bucket[THROTTLE_KEY_BYTES];
    double rate = setting(t, "throttlingRateLimit"), burst = setting(t, "throttlingBurstLimit");
    if (rate <= 0)
        return 0;
    snprintf(bucket, sizeof bucket, "%.16s %.24s %.16s", t->api_id, t->stage->name,
             target_text(t->method, "routeId"));
    if (throttle_take(e->throttle, bucket, rate, burst, clock_monotonic_ns()))
        return 0;
    return target_refuse(x, t, 429, "Too Many Requests");
}

/* As the function sees it: a stage that has a name is part of it. */
static const char *event_path(struct exchange *x, const struct target *t)
{
    if (strcmp(t->stage->name, "$default") == 0)
        return t->path;
    const char *path = arena_printf(&x->arena, "/%s%s", t->stage->name, t->path);
    return path ? path : t->path;
}

static char *make_event(struct exchange *x, struct target *t, struct event_request *request,
                        size_t *size)
{
    request->route_key = target_text(t->method, "routeKey");
    if (t->form == WAIT_HTTP_1) {
        request->is_http_api = 1;
        return event_create(request, size);
    }
    request->path = event_path(x, t);
    return event_create_v2(request, size);
}

/* The integration's URI is a function's ARN, or holds one as REST APIs' do. */
static const char *function_of(struct exchange *x, const struct target *t)
{
    size_t size;
    const char *uri = target_text(t->integration, "integrationUri");
    const char *name = gateway_function(uri, &size);
    return name ? arena_copy(&x->arena, name, size) : uri;
}

/* "GET/faces/{name}", or "$default". */
static const char *resource_of(struct exchange *x, const struct target *t)
{
    const char *key = target_text(t->method, "routeKey"), *path = strchr(key, ' ');
    const char *resource = path ? arena_printf(&x->arena, "%s%s", x->method, path + 1) : key;
    return resource ? resource : "";
}

static int invoke(struct execution *e, struct exchange *x, struct target *t, int owns_cors)
{
    struct event_request request;
    const char *function = function_of(x, t);
    if (target_may_invoke(e, x, t, function, resource_of(x, t)) < 0 ||
        target_event(e, x, t, &request) < 0)
        return -1;
    request.stage_variables = json_object_get(t->stage->stage, "stageVariables");
    json_int_t ms = json_integer_value(json_object_get(t->integration, "timeoutInMillis"));
    struct invocation invocation = {.function = function,
                                    .timeout_ms = ms > 0 ? (long)ms : HTTP_TIMEOUT_MS,
                                    .owns_cors = owns_cors};
    invocation.event = make_event(x, t, &request, &invocation.event_bytes);
    return target_invoke(e, x, t, &invocation);
}

int execute_http(struct execution *e, struct exchange *x, struct target *t)
{
    const json_t *api = json_object_get(t->stage->api, "api");
    const json_t *cors = json_object_get(api, "corsConfiguration");
    t->form = WAIT_HTTP_2;
    t->label = "ApiId";
    t->name = t->api_id;
    if (http_cors_answer_preflight(x, cors)) {
        t->refused = 204;
        return -1;
    }
    http_cors_add_headers(x, cors);
    if (find_route(x, t) < 0 || check_identity(e, x, t) < 0 || check_rate(e, x, t) < 0 ||
        target_read_query(x, t) < 0)
        return -1;
    if (strcmp(target_text(t->integration, "payloadFormatVersion"), "1.0") == 0)
        t->form = WAIT_HTTP_1;
    return invoke(e, x, t, cors != NULL);
}
