#include "cloud/lambda/runtime_api.h"

#include "base/log.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RUNTIME_PREFIX "/2018-06-01/runtime/"

/* One connection of an instance. */
struct link {
    struct link *previous, *next;
    void *instance; /* NULL: gone */
    int fd;
    struct runtime_poll *poll; /* its request that waits for work, or NULL */
};

struct runtime_api {
    const struct runtime_events *events;
    struct MHD_Daemon *daemon;
    struct link *links;
    void *accepting; /* whose connection is being added */
    int has_resumed; /* a connection, since the last run */
};

/* One request. It is a runtime_poll where it asks for work. */
struct runtime_poll {
    struct runtime_api *api;
    struct link *link;
    struct MHD_Connection *connection;
    struct MHD_Response *answer; /* of a poll, when there is one */
    struct buf body;
    int is_waiting; /* suspended */
    int too_large;
    char request_id[64];
    enum { CALL_NEXT, CALL_RESPONSE, CALL_ERROR, CALL_INIT_ERROR, CALL_UNKNOWN } call;
};

static void link_opened(struct runtime_api *api, struct MHD_Connection *connection, void **context)
{
    struct link *link = calloc(1, sizeof *link);
    *context = link;
    if (!link)
        return;
    link->instance = api->accepting;
    link->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    link->next = api->links;
    if (link->next)
        link->next->previous = link;
    api->links = link;
}

static void link_closed(struct runtime_api *api, struct link *link)
{
    if (!link)
        return;
    *(link->previous ? &link->previous->next : &api->links) = link->next;
    if (link->next)
        link->next->previous = link->previous;
    free(link);
}

static void on_connection(void *self, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        link_opened(self, connection, context);
    else
        link_closed(self, *context);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)self, (void)connection, (void)code;
    struct runtime_poll *request = *context;
    if (!request)
        return;
    if (request->link->poll == request)
        request->link->poll = NULL;
    if (request->answer)
        MHD_destroy_response(request->answer);
    buf_finish(&request->body);
    free(request);
    *context = NULL;
}

/* "ID/response" and "ID/error". */
static void read_invocation_call(const char *rest, struct runtime_poll *request)
{
    const char *slash = strchr(rest, '/');
    size_t size = slash ? (size_t)(slash - rest) : 0;
    if (size == 0 || size >= sizeof request->request_id)
        return;
    memcpy(request->request_id, rest, size);
    if (strcmp(slash, "/response") == 0)
        request->call = CALL_RESPONSE;
    else if (strcmp(slash, "/error") == 0)
        request->call = CALL_ERROR;
}

static void read_call(const char *method, const char *path, struct runtime_poll *request)
{
    static const char prefix[] = RUNTIME_PREFIX, invocation[] = "invocation/";
    request->call = CALL_UNKNOWN;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return;
    path += sizeof prefix - 1;
    if (strcmp(method, "GET") == 0 && strcmp(path, "invocation/next") == 0)
        request->call = CALL_NEXT;
    if (strcmp(method, "POST") != 0)
        return;
    if (strcmp(path, "init/error") == 0)
        request->call = CALL_INIT_ERROR;
    else if (strncmp(path, invocation, sizeof invocation - 1) == 0)
        read_invocation_call(path + sizeof invocation - 1, request);
}

static enum MHD_Result begin(struct runtime_api *api, struct MHD_Connection *connection,
                             const char *method, const char *path, void **context)
{
    struct link *link =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    if (!link || !link->instance)
        return MHD_NO;
    struct runtime_poll *request = calloc(1, sizeof *request);
    if (!request)
        return MHD_NO;
    *request = (struct runtime_poll){.api = api, .link = link, .connection = connection};
    buf_init(&request->body, RUNTIME_MAX_RESPONSE_BYTES);
    read_call(method, path, request);
    *context = request;
    return MHD_YES;
}

static enum MHD_Result answer_json(struct MHD_Connection *connection, int status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_verdict(struct MHD_Connection *connection,
                                      enum runtime_verdict verdict)
{
    switch (verdict) {
    case RUNTIME_ACCEPTED:
        return answer_json(connection, 202, "{\"status\":\"OK\"}\n");
    case RUNTIME_WRONG_ID:
        return answer_json(connection, 400,
                           "{\"errorMessage\":\"Invalid request ID\","
                           "\"errorType\":\"InvalidRequestID\"}\n");
    case RUNTIME_TOO_LARGE:
        return answer_json(connection, 413,
                           "{\"errorMessage\":\"Exceeded maximum allowed payload size "
                           "(6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n");
    case RUNTIME_WRONG_STATE:
        break;
    }
    return answer_json(connection, 403,
                       "{\"errorMessage\":\"State transition is not allowed\","
                       "\"errorType\":\"InvalidStateTransition\"}\n");
}

static enum MHD_Result ask_for_work(struct runtime_poll *request)
{
    request->link->poll = request;
    enum runtime_verdict verdict = request->api->events->next(request->link->instance, request);
    if (verdict != RUNTIME_ACCEPTED) {
        request->link->poll = NULL;
        return answer_verdict(request->connection, verdict);
    }
    if (request->answer)
        return MHD_queue_response(request->connection, MHD_HTTP_OK, request->answer);
    if (request->link->poll != request)
        return MHD_NO; /* dismissed at once */
    request->is_waiting = 1;
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

static enum MHD_Result report(struct runtime_poll *request)
{
    static const enum runtime_report kinds[] = {[CALL_RESPONSE] = RUNTIME_RESPONSE,
                                                [CALL_ERROR] = RUNTIME_ERROR,
                                                [CALL_INIT_ERROR] = RUNTIME_INIT_ERROR};
    const char *type = MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND,
                                                   "Lambda-Runtime-Function-Error-Type");
    char error_type[RUNTIME_ERROR_TYPE_BYTES];
    snprintf(error_type, sizeof error_type, "%s", type ? type : "");
    return answer_verdict(
        request->connection,
        request->api->events->report(request->link->instance, kinds[request->call],
                                     request->call == CALL_INIT_ERROR ? NULL : request->request_id,
                                     error_type, &request->body, request->too_large));
}

static void take_body(struct runtime_poll *request, const char *data, size_t size)
{
    if (!request->too_large && buf_append(&request->body, data, size) < 0) {
        request->too_large = 1;
        buf_finish(&request->body);
    }
}

static enum MHD_Result finish(struct runtime_poll *request)
{
    if (!request->link->instance)
        return MHD_NO;
    if (request->call == CALL_UNKNOWN)
        return answer_json(request->connection, 404, "{\"errorMessage\":\"no such path\"}\n");
    return request->call == CALL_NEXT ? ask_for_work(request) : report(request);
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    (void)version;
    struct runtime_poll *request = *context;
    if (!request)
        return begin(self, connection, method, path, context);
    if (request->answer) /* resumed */
        return MHD_queue_response(connection, MHD_HTTP_OK, request->answer);
    if (request->call == CALL_NEXT && request->link->poll != request && request->is_waiting)
        return MHD_NO; /* dismissed */
    if (*size > 0) {
        take_body(request, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return finish(request);
}

struct runtime_api *runtime_api_create(const struct runtime_events *events, struct err *err)
{
    struct runtime_api *api = calloc(1, sizeof *api);
    if (!api) {
        err_set(err, ERR_NO_MEMORY, "start the Runtime API: no memory");
        return NULL;
    }
    api->events = events;
    api->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME, 0,
                         NULL, NULL, on_request, api, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                         api, MHD_OPTION_NOTIFY_COMPLETED, on_completed, api,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)64 * 1024, MHD_OPTION_END);
    if (api->daemon)
        return api;
    free(api);
    err_set(err, ERR_IO, "start the Runtime API: no HTTP server");
    return NULL;
}

void runtime_api_destroy(struct runtime_api *api)
{
    if (!api)
        return;
    for (struct link *link = api->links; link; link = link->next)
        runtime_api_drop(api, link->instance);
    runtime_api_run(api);
    MHD_stop_daemon(api->daemon);
    free(api);
}

int runtime_api_fd(const struct runtime_api *api)
{
    return MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

void runtime_api_run(struct runtime_api *api)
{
    do {
        api->has_resumed = 0;
        MHD_run(api->daemon);
    } while (api->has_resumed);
}

int runtime_api_is_busy(struct runtime_api *api)
{
    MHD_UNSIGNED_LONG_LONG wait_ms;
    return MHD_get_timeout(api->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

void runtime_api_accept(struct runtime_api *api, int fd, void *instance)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &size) < 0) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    api->accepting = instance;
    MHD_add_connection(api->daemon, fd, (struct sockaddr *)&address, size);
    api->accepting = NULL;
}

void runtime_api_drop(struct runtime_api *api, void *instance)
{
    for (struct link *link = api->links; link && instance; link = link->next) {
        if (link->instance != instance)
            continue;
        link->instance = NULL;
        shutdown(link->fd, SHUT_RDWR);
        if (link->poll)
            runtime_api_dismiss(link->poll);
    }
}

static struct MHD_Response *work_response(const struct runtime_work *work)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        work->payload_bytes, (void *)(uintptr_t)work->payload, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return NULL;
    char deadline[32];
    snprintf(deadline, sizeof deadline, "%lld", work->deadline_unix_ms);
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Lambda-Runtime-Aws-Request-Id", work->request_id);
    MHD_add_response_header(response, "Lambda-Runtime-Deadline-Ms", deadline);
    MHD_add_response_header(response, "Lambda-Runtime-Invoked-Function-Arn", work->function_arn);
    MHD_add_response_header(response, "Lambda-Runtime-Trace-Id", work->trace_id);
    if (work->client_context)
        MHD_add_response_header(response, "Lambda-Runtime-Client-Context", work->client_context);
    return response;
}

static void wake(struct runtime_poll *poll)
{
    poll->link->poll = NULL;
    if (!poll->is_waiting)
        return;
    MHD_resume_connection(poll->connection);
    poll->api->has_resumed = 1;
}

void runtime_api_deliver(struct runtime_poll *poll, const struct runtime_work *work)
{
    poll->answer = work_response(work);
    if (!poll->answer)
        log_line(LOG_ERROR, "lambda: no memory to deliver a request");
    wake(poll);
}

void runtime_api_dismiss(struct runtime_poll *poll)
{
    wake(poll);
}
