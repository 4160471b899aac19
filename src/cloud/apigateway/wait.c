#include "cloud/apigateway/wait.h"

#include "base/clock.h"
#include "cloud/apigateway/cors.h"
#include "cloud/apigateway/response.h"
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

struct pending {
    struct pending *previous, *next;
    struct wait_room *room;
    struct exchange *x; /* gone once answered */
    enum wait_form form;
    int owns_cors, is_answered;
    uint64_t deadline_ns; /* 0: none */
    const char *api_label;
    char api_name[256];
};

struct wait_room {
    struct cloud *cloud;
    pthread_t clock;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    struct pending *pending;
    uint64_t wake_ns; /* when the clock looks next; 0: when told to */
    int is_stopping;
};

/* What is said when there is no good answer. */
static const struct form_words {
    const char *member, *failed;
    int failed_status, not_run_status, busy_status;
    const char *busy;
    int late_status;
    const char *late;
} words[] = {
    [WAIT_REST] = {"message", "Internal server error", 502, 500, 500, "Internal server error", 504,
                   "Endpoint request timed out"},
    [WAIT_HTTP_1] = {"message", "Internal Server Error", 500, 500, 503, "Service Unavailable", 503,
                     "Service Unavailable"},
    [WAIT_HTTP_2] = {"message", "Internal Server Error", 500, 500, 503, "Service Unavailable", 503,
                     "Service Unavailable"},
    [WAIT_URL] = {"Message", "Internal Server Error", 502, 502, 429, "Rate Exceeded.", 504,
                  "Gateway Timeout"},
};

static const char *error_type(int status, const char *message)
{
    if (strcmp(message, "Missing Authentication Token") == 0)
        return "MissingAuthenticationTokenException";
    if (strncmp(message, "Forbidden. ", 11) == 0)
        return "AccessDeniedException"; /* of a function URL */
    return status == 403   ? "ForbiddenException"
           : status == 404 ? "NotFoundException"
           : status == 429 ? "TooManyRequestsException"
           : status == 503 ? "ServiceUnavailableException"
           : status < 500  ? "BadRequestException"
                           : "InternalServerErrorException";
}

void wait_respond_message(struct exchange *x, enum wait_form form, int status, const char *message)
{
    char body[1024];
    int is_bare = form == WAIT_URL && status == words[form].failed_status;
    int size = is_bare
                   ? snprintf(body, sizeof body, "%s", message)
                   : snprintf(body, sizeof body, "{\"%s\":\"%s\"}", words[form].member, message);
    exchange_reply_header(x, "x-amzn-ErrorType", error_type(status, message));
    exchange_respond(x, status, "application/json", body, (size_t)size);
}

void wait_put_metrics(struct cloud *cloud, const char *label, const char *name,
                      const struct exchange *x, int status)
{
    const struct metric_dimension api = {label, name};
    if (!cloud->metrics || !label || !*name)
        return;
    int is_http = strcmp(label, "ApiId") == 0; /* whose errors are called 4xx and 5xx */
    const struct {
        const char *name, *unit;
        double value;
    } rows[] = {{"Count", "Count", 1},
                {is_http ? "4xx" : "4XXError", "Count", status / 100 == 4},
                {is_http ? "5xx" : "5XXError", "Count", status / 100 == 5},
                {"Latency", "Milliseconds", clock_ms_since(x->received_ns)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metrics_put(cloud->metrics,
                    &(struct metric_value){"AWS/ApiGateway", rows[i].name, &api, 1, rows[i].value,
                                           rows[i].unit, clock_unix_ms()});
}

/* Answers */

static void respond_parsed(struct exchange *x, struct proxy_response *response, int owns_cors)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (!owns_cors || !http_cors_owns_header(response->headers[i].name))
            exchange_reply_header(x, response->headers[i].name, response->headers[i].value);
    exchange_respond_take(x, response->status, response->content_type, response->body,
                          response->body_bytes);
    response->body = NULL;
}

static int fail(const struct pending *p, int status, const char *message)
{
    wait_respond_message(p->x, p->form, status, message);
    return status;
}

/* Returns the status. */
static int respond_result(const struct pending *p, const struct lambda_result *result)
{
    struct err err = {0};
    struct proxy_response response;
    const struct form_words *w = &words[p->form];
    if (result->status == 429)
        return fail(p, w->busy_status, w->busy);
    if (result->status != 200) /* it did not run */
        return fail(p, w->not_run_status, w->failed);
    int is_second = p->form == WAIT_HTTP_2 || p->form == WAIT_URL;
    if (result->function_error || (is_second ? proxy_response_parse_v2 : proxy_response_parse)(
                                      result->payload, result->payload_bytes, &response, &err) < 0)
        return fail(p, w->failed_status, w->failed);
    int status = response.status;
    respond_parsed(p->x, &response, p->owns_cors);
    proxy_response_finish(&response);
    return status;
}

static void settle(const struct pending *p, int status)
{
    wait_put_metrics(p->room->cloud, p->api_label, p->api_name, p->x, status);
    exchange_resume(p->x);
}

/* 1 for the one who may answer. */
static int claim(struct pending *pending)
{
    struct wait_room *room = pending->room;
    pthread_mutex_lock(&room->lock);
    int is_first = !pending->is_answered;
    pending->is_answered = 1;
    pthread_mutex_unlock(&room->lock);
    return is_first;
}

static void unlist(struct pending *pending)
{
    struct wait_room *room = pending->room;
    pthread_mutex_lock(&room->lock);
    *(pending->previous ? &pending->previous->next : &room->pending) = pending->next;
    if (pending->next)
        pending->next->previous = pending->previous;
    if (room->is_stopping)
        pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
}

static void on_done(void *context, const struct lambda_result *result)
{
    struct pending *pending = context;
    if (claim(pending))
        settle(pending, respond_result(pending, result));
    unlist(pending);
    free(pending);
}

/* The one whose time is over, claimed; NULL for none. `next_ns` becomes the earliest deadline of
 * the others, 0 for none. Locked by the caller. */
static struct pending *claim_late(struct wait_room *room, uint64_t now_ns, uint64_t *next_ns)
{
    *next_ns = 0;
    for (struct pending *p = room->pending; p; p = p->next) {
        if (p->is_answered || !p->deadline_ns)
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

static void wait_for_change(struct wait_room *room, uint64_t until_ns)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                             .tv_nsec = (long)(until_ns % 1000000000)};
    room->wake_ns = until_ns;
    if (until_ns)
        pthread_cond_timedwait(&room->changed, &room->lock, &until);
    else
        pthread_cond_wait(&room->changed, &room->lock);
}

static void *keep_time(void *self)
{
    struct wait_room *room = self;
    pthread_mutex_lock(&room->lock);
    while (!room->is_stopping) {
        uint64_t next_ns;
        struct pending *late = claim_late(room, clock_monotonic_ns(), &next_ns);
        if (late) /* under the lock: on_done() frees it, and needs the lock before */
            settle(late, fail(late, words[late->form].late_status, words[late->form].late));
        else
            wait_for_change(room, next_ns);
    }
    pthread_mutex_unlock(&room->lock);
    return NULL;
}

static void list(struct pending *pending)
{
    struct wait_room *room = pending->room;
    pthread_mutex_lock(&room->lock);
    pending->next = room->pending;
    if (pending->next)
        pending->next->previous = pending;
    room->pending = pending;
    if (pending->deadline_ns && (!room->wake_ns || pending->deadline_ns < room->wake_ns))
        pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
}

int wait_for_function(struct wait_room *room, const struct wait_request *r)
{
    struct pending *pending = calloc(1, sizeof *pending);
    if (!pending)
        return -1;
    *pending = (struct pending){.room = room,
                                .x = r->x,
                                .form = r->form,
                                .owns_cors = r->owns_cors,
                                .api_label = r->api_label};
    if (r->timeout_ms)
        pending->deadline_ns = clock_monotonic_ns() + (uint64_t)r->timeout_ms * 1000000;
    snprintf(pending->api_name, sizeof pending->api_name, "%s", r->api_name ? r->api_name : "");
    list(pending);
    exchange_defer(r->x);
    lambda_invoke(room->cloud->lambda, r->function, r->event, r->event_bytes, on_done, pending);
    return 0;
}

/* Life */

static int start_clock(struct wait_room *room)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&room->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&room->lock, NULL);
    return pthread_create(&room->clock, NULL, keep_time, room);
}

struct wait_room *wait_room_create(struct cloud *cloud, struct err *err)
{
    struct wait_room *room = calloc(1, sizeof *room);
    if (room)
        room->cloud = cloud;
    if (room && (errno = start_clock(room)) == 0)
        return room;
    err_set_errno(err, "start API Gateway");
    free(room);
    return NULL;
}

void wait_room_destroy(struct wait_room *room)
{
    if (!room)
        return;
    pthread_mutex_lock(&room->lock);
    room->is_stopping = 1;
    pthread_cond_broadcast(&room->changed);
    while (room->pending) /* answered, but their functions still run: they end soon now */
        pthread_cond_wait(&room->changed, &room->lock);
    pthread_mutex_unlock(&room->lock);
    pthread_join(room->clock, NULL);
    pthread_cond_destroy(&room->changed);
    pthread_mutex_destroy(&room->lock);
    free(room);
}
