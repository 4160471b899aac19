#include "aws/runtime.h"

#include "aws/http.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "2018-06-01"
enum { WAIT_MS = 24 * 3600 * 1000, POST_MS = 30 * 1000 };

struct runtime {
    struct http *http;
    char base[300];
    struct http_response response, ignored;
};

struct runtime *runtime_create(const char *api, struct err *err)
{
    struct runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime) {
        err_set(err, ERR_NO_MEMORY, "start runtime: out of memory");
        return NULL;
    }
    http_response_init(&runtime->response);
    http_response_init(&runtime->ignored);
    runtime->response.body.limit = RUNTIME_MAX_EVENT_BYTES;
    runtime->ignored.body.limit = RUNTIME_MAX_EVENT_BYTES;
    int length = snprintf(runtime->base, sizeof runtime->base, "http://%s/" VERSION, api);
    if (length < 0 || (size_t)length >= sizeof runtime->base)
        err_set(err, ERR_INVALID, "start runtime: AWS_LAMBDA_RUNTIME_API is too long");
    else
        runtime->http = http_create(err);
    if (runtime->http)
        return runtime;
    runtime_destroy(runtime);
    return NULL;
}

void runtime_destroy(struct runtime *runtime)
{
    if (!runtime)
        return;
    http_destroy(runtime->http);
    http_response_finish(&runtime->response);
    http_response_finish(&runtime->ignored);
    free(runtime);
}

/* Request ids go into paths: letters, digits and dashes only. */
static int is_id(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return *text && text[strspn(text, allowed)] == 0;
}

static int read_event(struct runtime *runtime, struct runtime_event *event, struct err *err)
{
    const struct http_response *response = &runtime->response;
    char deadline[32];
    *event = (struct runtime_event){0};
    if (response->status != 200)
        return err_set(err, ERR_UNAVAILABLE, "get event: the runtime API answered %d",
                       response->status);
    if (http_response_header(response, "Lambda-Runtime-Aws-Request-Id", event->request_id,
                             sizeof event->request_id) < 0 ||
        !is_id(event->request_id))
        return err_set(err, ERR_CORRUPT, "get event: it has no usable request id");
    if (http_response_header(response, "Lambda-Runtime-Deadline-Ms", deadline, sizeof deadline) > 0)
        event->deadline_unix_ms = strtoll(deadline, NULL, 10);
    if (http_response_header(response, "Lambda-Runtime-Trace-Id", event->trace_id,
                             sizeof event->trace_id) < 0)
        event->trace_id[0] = 0;
    event->data = response->body.data ? response->body.data : "";
    event->size = response->body.size;
    return 0;
}

int runtime_next(struct runtime *runtime, struct runtime_event *event, struct err *err)
{
    char url[400];
    snprintf(url, sizeof url, "%s/runtime/invocation/next", runtime->base);
    struct http_request request = {
        .method = "GET", .url = url, .body_fd = -1, .timeout_ms = WAIT_MS};
    int done;
    do
        done = http_send(runtime->http, &request, &runtime->response, err);
    while (done < 0 && err->code == ERR_TIMEOUT);
    return done < 0 ? err_wrap(err, "get event") : read_event(runtime, event, err);
}

static int post(struct runtime *runtime, const char *path, const char *error_type, const void *body,
                size_t size, struct err *err)
{
    char url[600];
    snprintf(url, sizeof url, "%s%s", runtime->base, path);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"Lambda-Runtime-Function-Error-Type", error_type}};
    struct http_request request = {
        .method = "POST",
        .url = url,
        .headers = headers,
        .header_count = error_type ? 2 : 1,
        .body = body,
        .body_bytes = size,
        .body_fd = -1,
        .timeout_ms = POST_MS,
    };
    if (http_send(runtime->http, &request, &runtime->ignored, err) < 0)
        return err_wrap(err, "give answer");
    if (runtime->ignored.status >= 300)
        return err_set(err, ERR_UNAVAILABLE, "give answer: the runtime API answered %d",
                       runtime->ignored.status);
    return 0;
}

int runtime_respond(struct runtime *runtime, const char *request_id, const void *body, size_t size,
                    struct err *err)
{
    char path[256];
    snprintf(path, sizeof path, "/runtime/invocation/%s/response", request_id);
    return post(runtime, path, NULL, body, size, err);
}

static int post_error(struct runtime *runtime, const char *path, const char *type,
                      const char *message, struct err *err)
{
    json_t *body =
        json_pack("{s:s, s:s, s:[]}", "errorMessage", message, "errorType", type, "stackTrace");
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    const char *sent = text ? text : "{}";
    int done = post(runtime, path, type, sent, strlen(sent), err);
    free(text);
    return done;
}

int runtime_fail(struct runtime *runtime, const char *request_id, const char *type,
                 const char *message, struct err *err)
{
    char path[256];
    snprintf(path, sizeof path, "/runtime/invocation/%s/error", request_id);
    return post_error(runtime, path, type, message, err);
}

int runtime_fail_init(struct runtime *runtime, const char *type, const char *message,
                      struct err *err)
{
    return post_error(runtime, "/runtime/init/error", type, message, err);
}
