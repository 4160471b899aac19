#include "cloud/apigateway/execute.h"

#include "base/clock.h"
#include "cloud/apigateway/event.h"
#include "cloud/apigateway/response.h"
#include "cloud/apigateway/throttle.h"
#include "cloud/cloud.h"
#include "cloud/lambda/invoke.h"
#include "cloud/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A request that waits for its function. The function's answer and the clock race; whoever comes
 * first answers, the other finds it answered. */
struct pending {
    struct pending *previous, *next;
    struct execution *execution;
    struct exchange *x; /* gone once answered */
    int is_answered;
    uint64_t deadline_ns;
    char api_name[256];
};

struct execution {
    struct cloud *cloud;
    struct store *store;
    struct throttle *throttle;
    pthread_t clock;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    struct pending *pending;
    uint64_t wake_ns; /* when the clock looks next; 0: when told to */
    int is_stopping;
};

/* What a request is for, as it is found out. */
struct target {
    char api_id[64], stage_name[129];
    const char *path; /* decoded, begins with '/' */
    struct gateway *gateway;
    const struct gateway_stage *stage;
    struct path_match match;
    const json_t *method, *integration;
    struct gateway_pass pass;
    struct event_pair query[EXECUTE_MAX_QUERY];
    size_t query_count;
    int refused; /* the status of the error that was answered */
};

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static const char *api_name(const struct target *t)
{
    return text(json_object_get(t->stage->api, "api"), "name");
}

/* Answers */

static void put_metrics(struct cloud *cloud, const char *api_name, const struct exchange *x,
                        int status)
{
    const struct metric_dimension api = {"ApiName", api_name};
    const char *space = "AWS/ApiGateway";
    int64_t now = clock_unix_ms();
    if (!cloud->metrics || !*api_name)
        return;
    metrics_put(cloud->metrics, space, "Count", &api, 1, 1, "Count", now);
    metrics_put(cloud->metrics, space, "4XXError", &api, 1, status / 100 == 4, "Count", now);
    metrics_put(cloud->metrics, space, "5XXError", &api, 1, status / 100 == 5, "Count", now);
    metrics_put(cloud->metrics, space, "Latency", &api, 1, clock_ms_since(x->received_ns),
                "Milliseconds", now);
}

static void respond_message(struct exchange *x, int status, const char *type, const char *message)
{
    char body[1024];
    int size = snprintf(body, sizeof body, "{\"message\":\"%s\"}", message);
    exchange_reply_header(x, "x-amzn-ErrorType", type);
    exchange_respond(x, status, "application/json", body, (size_t)size);
}

static void respond_parsed(struct exchange *x, struct proxy_response *response)
{
    for (size_t i = 0; i < response->header_count; i++)
        exchange_reply_header(x, response->headers[i].name, response->headers[i].value);
    exchange_respond_take(x, response->status, response->content_type, response->body,
                          response->body_bytes);
    response->body = NULL;
}

/* Returns the status. */
static int respond_result(struct exchange *x, const struct lambda_result *result)
{
    struct err err = {0};
    struct proxy_response response;
    if (result->status != 200) { /* it did not run */
        respond_message(x, 500, "InternalServerErrorException", "Internal server error");
        return 500;
    }
    if (result->function_error ||
        proxy_response_parse(result->payload, result->payload_bytes, &response, &err) < 0) {
        respond_message(x, 502, "InternalServerErrorException", "Internal server error");
        return 502;
    }
    int status = response.status;
    respond_parsed(x, &response);
    proxy_response_finish(&response);
    return status;
}

/* Waiting */

/* 1 for the one who may answer. */
static int claim(struct pending *pending)
{
    struct execution *e = pending->execution;
    pthread_mutex_lock(&e->lock);
    int is_first = !pending->is_answered;
    pending->is_answered = 1;
    pthread_mutex_unlock(&e->lock);
    return is_first;
}

static void unlist(struct pending *pending)
{
    struct execution *e = pending->execution;
    pthread_mutex_lock(&e->lock);
    *(pending->previous ? &pending->previous->next : &e->pending) = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    if (e->is_stopping)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void on_done(void *context, const struct lambda_result *result)
{
    struct pending *pending = context;
    struct exchange *x = pending->x;
    if (claim(pending)) {
        int status = respond_result(x, result);
        put_metrics(pending->execution->cloud, pending->api_name, x, status);
        exchange_resume(x);
    }
    unlist(pending);
    free(pending);
}

/* The one whose time is over, claimed; NULL for none. `next_ns` becomes the earliest deadline of
 * the others, 0 for none. Locked by the caller. */
static struct pending *claim_late(struct execution *e, uint64_t now_ns, uint64_t *next_ns)
{
    *next_ns = 0;
    for (struct pending *p = e->pending; p; p = p->next) {
        if (p->is_answered)
            continue;
        if (p->deadline_ns <= now_ns) {
            p->is_answered = 1;
            return p;
        }
        if (!*next_ns || p->deadline_ns < *next_ns)
            *next_ns = p->deadline_ns;
    }
    return NULL;
}

static void wait_for_change(struct execution *e, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    e->wake_ns = until_ns;
    if (until_ns)
        pthread_cond_timedwait(&e->changed, &e->lock, &until);
    else
        pthread_cond_wait(&e->changed, &e->lock);
}

/* Answered under the lock: `late` is freed by on_done(), which needs it. */
static void answer_late(struct execution *e, struct pending *late)
{
    respond_message(late->x, 504, "InternalServerErrorException", "Endpoint request timed out");
    put_metrics(e->cloud, late->api_name, late->x, 504);
    exchange_resume(late->x);
}

static void *keep_time(void *self)
{
    struct execution *e = self;
    pthread_mutex_lock(&e->lock);
    while (!e->is_stopping) {
        uint64_t next_ns;
        struct pending *late = claim_late(e, clock_monotonic_ns(), &next_ns);
        if (late)
            answer_late(e, late);
        else
            wait_for_change(e, next_ns);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

static struct pending *add_pending(struct execution *e, struct exchange *x,
                                   const struct target *target)
{
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        return NULL;
    json_int_t ms = json_integer_value(json_object_get(target->integration, "timeoutInMillis"));
    if (ms <= 0 || ms > EXECUTE_MAX_TIMEOUT_MS)
        ms = EXECUTE_MAX_TIMEOUT_MS;
    *pending = (struct pending){
        .execution = e, .x = x, .deadline_ns = clock_monotonic_ns() + (uint64_t)ms * 1000000};
    snprintf(pending->api_name, sizeof pending->api_name, "%s", api_name(target));
    pthread_mutex_lock(&e->lock);
    pending->next = e->pending;
    if (pending->next)
        pending->next->previous = pending;
    e->pending = pending;
    if (!e->wake_ns || pending->deadline_ns < e->wake_ns)
        pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    return pending;
}

/* Finding out what is asked. Each returns -1 when it has answered with an error. */

static int refuse(struct exchange *x, struct target *t, int status, const char *type,
                  const char *message)
{
    t->refused = status;
    respond_message(x, status, type, message);
    return -1;
}

static int copy_part(char *out, size_t out_bytes, const char *part, size_t size)
{
    if (size == 0 || size >= out_bytes)
        return -1;
    memcpy(out, part, size);
    out[size] = 0;
    return 0;
}

/* "api/stage/_user_request_/path", behind "/restapis/". */
static const char *split_path_form(struct target *t, const char *path)
{
    static const char mark[] = "_user_request_";
    size_t size = strcspn(path, "/");
    if (copy_part(t->api_id, sizeof t->api_id, path, size) < 0 || !path[size])
        return NULL;
    path += size + 1;
    size = strcspn(path, "/");
    if (copy_part(t->stage_name, sizeof t->stage_name, path, size) < 0 || !path[size])
        return NULL;
    path += size + 1;
    return strncmp(path, mark, sizeof mark - 1) == 0 ? path + sizeof mark - 1 : NULL;
}

/* "/stage/path", the API in front of ".execute-api." */
static const char *split_host_form(struct target *t, const char *host, const char *path)
{
    const char *end = host ? strstr(host, ".execute-api.") : NULL;
    size_t size = strcspn(path + 1, "/");
    if (!end || copy_part(t->api_id, sizeof t->api_id, host, (size_t)(end - host)) < 0 ||
        copy_part(t->stage_name, sizeof t->stage_name, path + 1, size) < 0)
        return NULL;
    return path + 1 + size;
}

static int find_stage(struct execution *e, struct exchange *x, struct target *t)
{
    static const char prefix[] = "/restapis/";
    const char *rest = strncmp(x->path, prefix, sizeof prefix - 1) == 0
                           ? split_path_form(t, x->path + sizeof prefix - 1)
                           : split_host_form(t, exchange_header(x, "Host"), x->path);
    t->path = rest ? exchange_decode(x, rest, strlen(rest), 0) : NULL;
    if (t->path && !*t->path)
        t->path = "/";
    if (!t->path || *t->path != '/')
        return refuse(x, t, 403, "MissingAuthenticationTokenException",
                      "Missing Authentication Token");
    t->gateway = store_gateway(e->store);
    t->stage = gateway_find(t->gateway, t->api_id, t->stage_name);
    return t->stage ? 0 : refuse(x, t, 403, "ForbiddenException", "Forbidden");
}

static int find_method(struct exchange *x, struct target *t)
{
    if (path_tree_find(t->stage->tree, t->path, &t->match, &x->arena))
        t->method = gateway_method(t->match.resource, x->method);
    t->integration = json_object_get(t->method, "methodIntegration");
    return t->integration ? 0
                          : refuse(x, t, 403, "MissingAuthenticationTokenException",
                                   "Missing Authentication Token");
}

static int check_identity(struct exchange *x, struct target *t)
{
    if (strcmp(text(t->method, "authorizationType"), "AWS_IAM") == 0 && !x->identity.access_key_id)
        return refuse(x, t, 403, "MissingAuthenticationTokenException",
                      "Missing Authentication Token");
    return 0;
}

static int check_key(struct execution *e, struct exchange *x, struct target *t)
{
    char bucket[THROTTLE_KEY_BYTES];
    const char *key = exchange_header(x, "x-api-key");
    if (!json_is_true(json_object_get(t->method, "apiKeyRequired")))
        return 0;
    t->pass = key ? gateway_check_key(t->gateway, t->stage, key) : (struct gateway_pass){0};
    if (!t->pass.key)
        return refuse(x, t, 403, "ForbiddenException", "Forbidden");
    snprintf(bucket, sizeof bucket, "%s %s", text(t->pass.plan, "id"), text(t->pass.key, "id"));
    if (t->pass.rate > 0 &&
        !throttle_take(e->throttle, bucket, t->pass.rate, t->pass.burst, clock_monotonic_ns()))
        return refuse(x, t, 429, "TooManyRequestsException", "Too Many Requests");
    return 0;
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
        json_object_get(t->stage->validators, text(t->method, "requestValidatorId"));
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
        return missing ? refuse(x, t, 400, "BadRequestException", "Missing request parameters") : 0;
    return refuse(x, t, 400, "BadRequestException",
                  arena_printf(&x->arena, "Missing required request parameters: [%s]", missing));
}

static int read_query(struct exchange *x, struct target *t)
{
    int count = event_split_query(x->query, t->query, EXECUTE_MAX_QUERY, &x->arena);
    t->query_count = count < 0 ? 0 : (size_t)count;
    return count < 0 ? refuse(x, t, 400, "BadRequestException", "Bad Request") : 0;
}

static int check(struct execution *e, struct exchange *x, struct target *t)
{
    if (find_stage(e, x, t) < 0 || find_method(x, t) < 0 || check_identity(x, t) < 0 ||
        check_key(e, x, t) < 0 || read_query(x, t) < 0 || check_parameters(x, t) < 0)
        return -1;
    return 0;
}

/* Handing it to the function */

static char *make_event(struct execution *e, struct exchange *x, const struct target *t,
                        size_t *size)
{
    struct err err = {0};
    const void *body = x->body.size ? exchange_body(x, &err) : "";
    const char *host = exchange_header(x, "Host");
    if (!body)
        return NULL;
    const json_t *api = json_object_get(t->stage->api, "api");
    return event_create(
        &(struct event_request){
            .method = x->method,
            .path = t->path,
            .headers = x->headers,
            .header_count = x->header_count,
            .query = t->query,
            .query_count = t->query_count,
            .body = body,
            .body_bytes = x->body.size,
            .match = &t->match,
            .stage_variables = json_object_get(t->stage->stage, "variables"),
            .api_id = t->stage->api_id,
            .stage = t->stage->name,
            .deployment_id = t->stage->deployment_id,
            .account_id = e->cloud->account_id,
            .request_id = x->request_id,
            .source_ip = x->source_ip ? x->source_ip : "",
            .domain_name = host ? host : "",
            .access_key_id = x->identity.access_key_id,
            .user_arn = x->identity.access_key_id ? x->identity.arn : NULL,
            .api_key_id = t->pass.key ? text(t->pass.key, "id") : NULL,
            .api_key = t->pass.key ? text(t->pass.key, "value") : NULL,
            .binary_media_types = json_object_get(api, "binaryMediaTypes"),
            .unix_ms = x->received_unix_ms,
        },
        size);
}

/* Hands the request on. Afterwards the exchange may be gone, unless this failed. */
static int invoke(struct execution *e, struct exchange *x, struct target *t)
{
    char function[512];
    size_t size = 0, event_bytes = 0;
    const char *name = gateway_function(text(t->integration, "uri"), &size);
    if (!name || copy_part(function, sizeof function, name, size) < 0)
        return refuse(x, t, 500, "InternalServerErrorException", "Internal server error");
    char *event = make_event(e, x, t, &event_bytes);
    if (!event || event_bytes > EXECUTE_MAX_EVENT_BYTES) {
        free(event);
        return refuse(x, t, 413, "RequestTooLargeException", "Request Too Long");
    }
    struct pending *pending = add_pending(e, x, t);
    if (!pending) {
        free(event);
        return refuse(x, t, 500, "InternalServerErrorException", "Internal server error");
    }
    exchange_defer(x);
    lambda_invoke(e->cloud->lambda, function, event, event_bytes, on_done, pending);
    free(event);
    return 0;
}

static void refused(struct execution *e, const struct exchange *x, struct target *t)
{
    if (t->stage)
        put_metrics(e->cloud, api_name(t), x, t->refused);
    gateway_release(t->gateway);
}

void execution_handle(void *self, struct exchange *x)
{
    struct execution *e = self;
    struct target *target = arena_new(&x->arena, struct target, 1);
    if (!target) {
        respond_message(x, 500, "InternalServerErrorException", "Internal server error");
        return;
    }
    if (check(e, x, target) < 0) {
        refused(e, x, target);
        return;
    }
    struct gateway *gateway = target->gateway; /* the target goes with the exchange */
    if (invoke(e, x, target) < 0)
        put_metrics(e->cloud, api_name(target), x, target->refused);
    gateway_release(gateway);
}

int execution_is_quick(void *self, const struct exchange *x)
{
    enum { QUICK_BODY_BYTES = 64 * 1024 };
    (void)self;
    return x->body.size <= QUICK_BODY_BYTES;
}

/* Life */

static int start_clock(struct execution *e)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&e->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&e->lock, NULL);
    return pthread_create(&e->clock, NULL, keep_time, e);
}

struct execution *execution_create(struct cloud *cloud, struct store *store, struct err *err)
{
    struct execution *e = calloc(1, sizeof *e);
    if (e)
        *e = (struct execution){.cloud = cloud, .store = store, .throttle = throttle_create()};
    if (e && e->throttle && (errno = start_clock(e)) == 0)
        return e;
    err_set_errno(err, "start API Gateway");
    if (e)
        throttle_destroy(e->throttle);
    free(e);
    return NULL;
}

void execution_destroy(struct execution *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->is_stopping = 1;
    pthread_cond_broadcast(&e->changed);
    while (e->pending) /* answered, but their functions still run: they end soon now */
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->clock, NULL);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    throttle_destroy(e->throttle);
    free(e);
}
