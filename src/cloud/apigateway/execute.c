#include "cloud/apigateway/execute.h"

#include "base/log.h"
#include "cloud/access.h"
#include "cloud/apigateway/target.h"
#include "cloud/lambda/permission.h"
#include "cloud/query.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the kinds of APIs share: finding the API and its stage, who may invoke, the event. */

const char *target_text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

int target_refuse(struct exchange *x, struct target *t, int status, const char *message)
{
    t->refused = status;
    wait_respond_message(x, t->form, status, message);
    return -1;
}

int target_authorize(struct execution *e, struct exchange *x, struct target *t)
{
    const char *policy = target_text(json_object_get(t->stage->api, "api"), "policy");
    const char *arn =
        arena_printf(&x->arena, "arn:aws:execute-api:%s:%s:%s/%s/%s%s", e->cloud->region,
                     e->cloud->account_id, t->api_id, t->stage->name, x->method, t->path);
    if (!arn)
        return target_refuse(x, t, 500, "Internal server error");
    if (exchange_authorize_with(
            x, &(struct access_question){.action = "execute-api:Invoke",
                                         .resource = arn,
                                         .resource_policy = *policy ? policy : NULL}) == 0)
        return 0;
    t->refused = 403;
    return -1;
}

int target_may_invoke(struct execution *e, struct exchange *x, struct target *t,
                      const char *function, const char *resource)
{
    const char *source =
        arena_printf(&x->arena, "arn:aws:execute-api:%s:%s:%s/%s/%s", e->cloud->region,
                     e->cloud->account_id, t->api_id, t->stage->name, resource);
    const struct lambda_caller caller = {"apigateway.amazonaws.com", source};
    if (source && lambda_permits(e->cloud->lambda, function, &caller))
        return 0;
    log_line(LOG_WARN, "%s may not invoke %s (lambda add-permission)", source ? source : t->api_id,
             function);
    return target_refuse(x, t, 500,
                         t->form == WAIT_REST ? "Internal server error" : "Internal Server Error");
}

int target_read_query(struct exchange *x, struct target *t)
{
    int count = event_split_query(x->query, t->query, EXECUTE_MAX_QUERY, &x->arena);
    t->query_count = count < 0 ? 0 : (size_t)count;
    return count < 0 ? target_refuse(x, t, 400, "Bad Request") : 0;
}

int target_event(struct execution *e, struct exchange *x, struct target *t,
                 struct event_request *out)
{
    struct err err = {0};
    const void *body = x->body.size ? exchange_body(x, &err) : "";
    const char *host = exchange_header(x, "Host");
    if (!body)
        return target_refuse(x, t, 500, "Internal server error");
    const json_t *api = t->stage ? json_object_get(t->stage->api, "api") : NULL;
    *out = (struct event_request){
        .method = x->method,
        .path = t->path,
        .headers = x->headers,
        .header_count = x->header_count,
        .query = t->query,
        .query_count = t->query_count,
        .body = body,
        .body_bytes = x->body.size,
        .match = t->match.resource ? &t->match : NULL,
        .stage_variables = t->stage ? json_object_get(t->stage->stage, "variables") : NULL,
        .api_id = t->api_id,
        .stage = t->stage ? t->stage->name : "$default",
        .deployment_id = t->stage ? t->stage->deployment_id : NULL,
        .account_id = e->cloud->account_id,
        .request_id = x->request_id,
        .source_ip = x->source_ip ? x->source_ip : "",
        .domain_name = host ? host : "",
        .domain_prefix = t->api_id,
        .raw_query = x->query,
        .access_key_id = x->identity.access_key_id,
        .user_arn = x->identity.access_key_id ? x->identity.arn : NULL,
        .api_key_id = t->pass.key ? target_text(t->pass.key, "id") : NULL,
        .api_key = t->pass.key ? target_text(t->pass.key, "value") : NULL,
        .binary_media_types = json_object_get(api, "binaryMediaTypes"),
        .unix_ms = x->received_unix_ms,
        .is_secure = x->is_secure,
    };
    return 0;
}

int target_invoke(struct execution *e, struct exchange *x, struct target *t,
                  const struct invocation *invocation)
{
    int fits = invocation->event && invocation->event_bytes <= EXECUTE_MAX_EVENT_BYTES;
    struct wait_request request = {.x = x,
                                   .form = t->form,
                                   .function = invocation->function,
                                   .event = invocation->event,
                                   .event_bytes = invocation->event_bytes,
                                   .timeout_ms = invocation->timeout_ms,
                                   .owns_cors = invocation->owns_cors,
                                   .api_label = t->label,
                                   .api_name = t->name};
    int result = fits ? wait_for_function(e->room, &request) : -1;
    free(invocation->event);
    if (result == 0)
        return 0;
    return fits ? target_refuse(x, t, 500, "Internal server error")
                : target_refuse(x, t, 413, "Request Too Long");
}

/* Finding the API */

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
    if (copy_part(t->stage_name, sizeof t->stage_name, path, size) < 0 || !path[size] ||
        query_decode(t->stage_name, 0) < 0) /* "%24default" */
        return NULL;
    path += size + 1;
    return strncmp(path, mark, sizeof mark - 1) == 0 ? path + sizeof mark - 1 : NULL;
}

/* The API in front of ".execute-api.": "/stage/path", or of an HTTP API's $default "/path". */
static const char *split_host_form(struct target *t, const char *host, const char *path)
{
    const char *end = host ? strstr(host, ".execute-api.") : NULL;
    size_t size = strcspn(path + 1, "/");
    if (!end || copy_part(t->api_id, sizeof t->api_id, host, (size_t)(end - host)) < 0)
        return NULL;
    if (copy_part(t->stage_name, sizeof t->stage_name, path + 1, size) == 0 &&
        gateway_find(t->gateway, t->api_id, t->stage_name))
        return path + 1 + size;
    int names_stage = t->stage_name[0] != 0;
    if (gateway_find(t->gateway, t->api_id, "$default")) {
        snprintf(t->stage_name, sizeof t->stage_name, "$default");
        return path;
    }
    return names_stage ? path + 1 + size : NULL;
}

static int find_stage(struct execution *e, struct exchange *x, struct target *t)
{
    static const char prefix[] = "/restapis/";
    t->gateway = store_gateway(e->store);
    const char *rest = strncmp(x->path, prefix, sizeof prefix - 1) == 0
                           ? split_path_form(t, x->path + sizeof prefix - 1)
                           : split_host_form(t, exchange_header(x, "Host"), x->path);
    t->path = rest ? exchange_decode(x, rest, strlen(rest), 0) : NULL;
    t->raw_path = rest;
    if (t->path && !*t->path)
        t->path = t->raw_path = "/";
    if (!t->path || *t->path != '/')
        return target_refuse(x, t, 403, "Missing Authentication Token");
    t->stage = gateway_find(t->gateway, t->api_id, t->stage_name);
    return t->stage ? 0 : target_refuse(x, t, 403, "Forbidden");
}

void execution_handle(void *self, struct exchange *x)
{
    struct execution *e = self;
    struct target *t = arena_new(&x->arena, struct target, 1);
    if (!t) {
        wait_respond_message(x, WAIT_REST, 500, "Internal server error");
        return;
    }
    int result = find_stage(e, x, t);
    struct gateway *gateway = t->gateway; /* the target goes with the exchange */
    if (result == 0)
        result = t->stage->routes ? execute_http(e, x, t) : execute_rest(e, x, t);
    if (result < 0 && t->label)
        wait_put_metrics(e->cloud, t->label, t->name, x, t->refused);
    gateway_release(gateway);
}

int execution_is_quick(void *self, const struct exchange *x)
{
    enum { QUICK_BODY_BYTES = 64 * 1024 };
    (void)self;
    return x->body.size <= QUICK_BODY_BYTES;
}

/* Life */

struct execution *execution_create(struct cloud *cloud, struct store *store, struct err *err)
{
    struct execution *e = calloc(1, sizeof *e);
    if (e)
        *e = (struct execution){.cloud = cloud, .store = store, .throttle = throttle_create()};
    if (!e || !e->throttle)
        err_set(err, ERR_NO_MEMORY, "start API Gateway: no memory");
    else
        e->room = wait_room_create(cloud, err);
    if (e && e->room)
        return e;
    execution_destroy(e);
    return NULL;
}

void execution_destroy(struct execution *e)
{
    if (!e)
        return;
    wait_room_destroy(e->room);
    throttle_destroy(e->throttle);
    free(e);
}
