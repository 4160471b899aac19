#include "base/clock.h"
#include "base/log.h"
#include "cloud/errors.h"
#include "cloud/front_parts.h"
#include "cloud/pages.h"
#include "cloud/request.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { DISCARD_BYTES = 1024 * 1024 };

/* -- connections -- */

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

void visit_connection(void *context, struct MHD_Connection *connection, void **watched,
                      enum MHD_ConnectionNotificationCode code)
{
    struct lane *lane = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        watch_remove(lane->door->watch, *watched);
        *watched = NULL;
        __atomic_add_fetch(&lane->ended, 1, __ATOMIC_RELAXED);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *watched = info ? watch_add(lane->door->watch, info->connect_fd) : NULL;
}

/* -- from the request's thread to the network's -- */

static void suspend(struct exchange *x)
{
    MHD_suspend_connection(((struct request *)x)->connection);
}

static void resume(struct exchange *x)
{
    MHD_resume_connection(((struct request *)x)->connection);
}

/* -- answers -- */

/* The body of an answer to HEAD is never asked for. */
static ssize_t no_body(void *context, uint64_t offset, char *out, size_t size)
{
    (void)context, (void)offset, (void)out, (void)size;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

static struct MHD_Response *make_response(struct reply *reply)
{
    struct MHD_Response *response;
    if (reply->head_only)
        return MHD_create_response_from_callback(reply->size, 1, no_body, NULL, NULL);
    if (reply->fd >= 0) {
        response = MHD_create_response_from_fd_at_offset64(reply->size, reply->fd,
                                                           (uint64_t)reply->offset);
        reply->fd = response ? -1 : reply->fd;
        return response;
    }
    response = MHD_create_response_from_buffer(
        reply->data ? reply->size : 0, reply->data ? reply->data : (void *)"",
        reply->data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response)
        reply->data = NULL;
    return response;
}

/* libmicrohttpd takes no empty value; the space in its place is none to a reader (RFC 9110, 5.5).
 */
static void add_headers(struct MHD_Response *response, const struct exchange *x)
{
    const struct reply *reply = x->reply;
    if (reply->content_type)
        MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (size_t i = 0; i < reply->header_count; i++)
        MHD_add_response_header(response, reply->headers[i].name,
                                *reply->headers[i].value ? reply->headers[i].value : " ");
    int is_s3 = x->service->error_form == ERROR_FORM_S3;
    MHD_add_response_header(response, is_s3 ? "x-amz-request-id" : "x-amzn-RequestId",
                            x->request_id);
    if (is_s3)
        MHD_add_response_header(response, "x-amz-id-2", x->request_id); /* as HostId */
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct request *request)
{
    struct reply *reply = &request->reply;
    struct MHD_Response *response = make_response(reply);
    if (!response)
        return MHD_NO;
    add_headers(response, &request->x);
    watch_enter(watched_of(connection), WATCH_ANSWER);
    if (request->must_close)
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result =
        MHD_queue_response(connection, reply->status ? (unsigned)reply->status : 500, response);
    MHD_destroy_response(response);
    return result;
}

/* -- the request's way -- */

struct header_list {
    struct http_header *headers;
    size_t count;
};

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    (void)kind;
    struct header_list *list = context;
    if (list->count == FRONT_MAX_HEADERS)
        return MHD_NO;
    list->headers[list->count++] = (struct http_header){name, value ? value : ""};
    return MHD_YES;
}

static int read_headers(struct MHD_Connection *connection, struct request *request)
{
    struct exchange *x = &request->x;
    int told = MHD_get_connection_values(connection, MHD_HEADER_KIND, NULL, NULL);
    struct header_list list = {.headers =
                                   arena_new(&x->arena, struct http_header, FRONT_MAX_HEADERS)};
    if (!list.headers || told > FRONT_MAX_HEADERS)
        return -1;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, collect_header, &list);
    x->headers = list.headers;
    x->header_count = list.count;
    return 0;
}

static const char *address_text(struct MHD_Connection *connection, struct arena *arena)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    char *text = arena_alloc(arena, INET6_ADDRSTRLEN, 1);
    if (!address || !text)
        return "";
    if (address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                  INET6_ADDRSTRLEN);
    else if (address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                  INET6_ADDRSTRLEN);
    return text;
}

static unsigned count_connections(const struct front *front)
{
    unsigned count = 0;
    for (size_t i = 0; i < DOORS; i++)
        count += watch_count(front->doors[i].watch);
    return count;
}

static int answer_page(struct front *front, struct request *request)
{
    const struct pages pages = {.cloud = front->cloud,
                                .traffic = &front->traffic,
                                .in_flight = __atomic_load_n(&front->in_flight, __ATOMIC_RELAXED),
                                .connections = count_connections(front)};
    if (!pages_answer(&pages, &request->x))
        return 0;
    request->state = REQUEST_REFUSED;
    return 1;
}

/* An answer before the body has come: at once when the client waits for "100 Continue" or would
 * send a lot for nothing (the connection closes then), else after the body is thrown away. */
static int answers_early(const struct request *request)
{
    if (request->state != REQUEST_REFUSED)
        return 0;
    if (request->must_close)
        return 1;
    const char *length = exchange_header(&request->x, "Content-Length");
    return exchange_header(&request->x, "Expect") ||
           (length && strtoull(length, NULL, 10) > DISCARD_BYTES);
}

static int is_secure(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_PROTOCOL) != NULL;
}

static enum MHD_Result refuse_headers(struct MHD_Connection *connection, struct request *request)
{
    request->state = REQUEST_REFUSED;
    request->must_close = 1;
    exchange_fail(&request->x, "RequestHeaderSectionTooLarge",
                  "Your request has more than %d headers.", FRONT_MAX_HEADERS);
    return send_reply(connection, request);
}

static enum MHD_Result start_request(struct front *front, struct MHD_Connection *connection,
                                     struct request *request, const char *method)
{
    request->connection = connection;
    request->x.method = method;
    watch_enter(watched_of(connection), WATCH_BODY);
    if (read_headers(connection, request) < 0)
        return refuse_headers(connection, request);
    request->x.source_ip = address_text(connection, &request->x.arena);
    request->x.is_secure = is_secure(connection);
    if (!answer_page(front, request))
        request_head(request);
    return answers_early(request) ? send_reply(connection, request) : MHD_YES;
}

static void leave(struct front *front)
{
    __atomic_sub_fetch(&front->in_flight, 1, __ATOMIC_ACQ_REL);
}

static void run_job(struct worker_job *job)
{
    struct request *request = (struct request *)((char *)job - offsetof(struct request, job));
    const struct service *service = request->x.service;
    int deferred = 0;
    request->reply.deferred = &deferred;
    request->reply.moves = NULL;
    request->reply.suspend = NULL;
    service->handle(service->self, &request->x);
    if (!deferred)
        resume(&request->x);
}

static int is_closed_for(struct front *front, const struct exchange *x)
{
    const char *id = x->identity.access_key_id;
    int closing = __atomic_load_n(&front->closing, __ATOMIC_ACQUIRE);
    return closing == OPEN_FOR_NONE ||
           (closing == OPEN_FOR_FUNCTIONS && !(id && strncmp(id, "ASIA", 4) == 0));
}

static enum MHD_Result give_to_worker(struct front *front, struct request *request)
{
    request->job.run = run_job;
    MHD_suspend_connection(request->connection);
    workers_add(front->workers, &request->job);
    return MHD_YES;
}

static struct request *request_of_task(struct database_task *task)
{
    return (struct request *)((char *)task - offsetof(struct request, task));
}

static void run_task(struct database_task *task)
{
    struct request *request = request_of_task(task);
    const struct service *service = request->x.service;
    int deferred = 0; /* never */
    request->reply.deferred = &deferred;
    request->reply.moves = &request->moves;
    request->reply.suspend = NULL;
    service->handle(service->self, &request->x);
}

static void end_task(struct database_task *task, const struct err *err)
{
    struct request *request = request_of_task(task);
    if (request->moves) {
        workers_add(request->front->workers, &request->job);
        return;
    }
    if (err) {
        request->reply.header_count = 0;
        exchange_fail_err(&request->x, err);
    }
    resume(&request->x);
}

static enum MHD_Result give_to_writer(struct front *front, struct request *request,
                                      struct database *database)
{
    request->job.run = run_job;
    request->task.work = run_task;
    request->task.done = end_task;
    MHD_suspend_connection(request->connection);
    if (database_post(database, &request->task) < 0)
        workers_add(front->workers, &request->job);
    return MHD_YES;
}

static enum MHD_Result handle(struct front *front, struct MHD_Connection *connection,
                              struct request *request)
{
    const struct service *service = request->x.service;
    request->reply.resume = resume;
    request->front = front;
    watch_enter(watched_of(connection), WATCH_ANSWER);
    __atomic_add_fetch(&front->in_flight, 1, __ATOMIC_ACQ_REL); /* first: front_drain() counts */
    if (is_closed_for(front, &request->x)) {
        exchange_fail(&request->x, "ServiceUnavailable", "The cloud is stopping.");
        return send_reply(connection, request);
    }
    struct database *database =
        service->writes_to ? service->writes_to(service->self, &request->x) : NULL;
    if (database)
        return give_to_writer(front, request, database);
    if (!service->quick || !service->quick(service->self, &request->x))
        return give_to_worker(front, request);
    int deferred = 0, moves = 0;
    request->reply.deferred = &deferred;
    request->reply.moves = &moves;
    request->reply.suspend = suspend;
    service->handle(service->self, &request->x);
    if (moves)
        return give_to_worker(front, request);
    return deferred ? MHD_YES : send_reply(connection, request);
}

enum MHD_Result visit_request(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_bytes, void **state)
{
    (void)url, (void)version;
    struct request *request = *state;
    if (!request)
        return MHD_NO;
    if (request->state == REQUEST_HEAD)
        return start_request(context, connection, request, method);
    if (*data_bytes > 0) {
        watch_received(watched_of(connection), *data_bytes);
        request_body(request, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    if (request->state == REQUEST_HANDLED) /* the service has answered and resumed */
        return send_reply(connection, request);
    return request_complete(request) ? handle(context, connection, request)
                                     : send_reply(connection, request);
}

void *visit_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct front *front = context;
    watch_enter(watched_of(connection), WATCH_HEAD);
    return request_create(front->cloud, uri);
}

static void count(struct front *front, const struct request *request)
{
    const struct cloud *cloud = request->cloud;
    const struct service *service = request->x.service;
    size_t index = TRAFFIC_MAX_SERVICES - 1;
    if (service >= cloud->services && service < cloud->services + cloud->service_count)
        index = (size_t)(service - cloud->services);
    traffic_count(&front->traffic, index, request->reply.status,
                  clock_monotonic_ns() - request->x.received_ns);
}

void visit_completed(void *context, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code)
{
    struct request *request = *state;
    *state = NULL;
    watch_enter(watched_of(connection), WATCH_IDLE);
    if (!request)
        return;
    count(context, request);
    if (request->front)
        leave(request->front);
    if (log_shows(LOG_DEBUG))
        log_line(LOG_DEBUG, "%s %s %s: %d in %.2f ms%s", request->x.source_ip, request->x.method,
                 request->x.path, request->reply.status, clock_ms_since(request->x.received_ns),
                 code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " (connection lost)");
    request_destroy(request);
}
