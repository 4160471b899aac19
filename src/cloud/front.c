#include "cloud/front.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "cloud/certificate.h"
#include "cloud/errors.h"
#include "cloud/listen.h"
#include "cloud/pages.h"
#include "cloud/request.h"
#include "cloud/traffic.h"
#include "cloud/watch.h"

#include <microhttpd.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MAX_NETWORK_THREADS = 8,
    DISCARD_BYTES = 1024 * 1024,
    DRAIN_STEP_MS = 5,
    LAST_ANSWERS_MS = 500
};

/* GnuTLS's words for: TLS 1.2 and 1.3 only. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* While what was asked is answered, the functions that work on it may still ask. */
enum closing { OPEN_FOR_ALL, OPEN_FOR_FUNCTIONS, OPEN_FOR_NONE };

/* A port. */
struct door {
    const struct certificate *certificate; /* NULL: plain HTTP */
    struct MHD_Daemon *daemon;
    struct watch *watch;
    int listen_fd; /* -1: none, or the daemon's */
    char endpoint[LISTEN_ENDPOINT_BYTES];
};

enum { PUBLIC_DOOR, INNER_DOOR, DOORS };

struct front {
    struct cloud *cloud;
    struct door doors[DOORS]; /* the inner one only beside one with a certificate */
    struct workers *workers;
    struct traffic traffic;
    unsigned in_flight; /* exchanges with a service; atomic */
    int closing;        /* enum closing; atomic */
};

/* -- connections -- */

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **watched,
                          enum MHD_ConnectionNotificationCode code)
{
    struct door *door = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        watch_remove(door->watch, *watched);
        *watched = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *watched = info ? watch_add(door->watch, info->connect_fd) : NULL;
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

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
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

/* The request line: the only place where libmicrohttpd tells it undecoded. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
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

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
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

static size_t keep_encoded(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *context, const char *format,
                                                         va_list args)
{
    (void)context;
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    log_line(LOG_INFO, "http: %s", text);
}

/* -- life -- */

/* Each exchange may need a file beside its connection, and the services a few more than they have
 * now: leave some of the process's descriptors. */
static unsigned connection_limit(void)
{
    enum { SPARE_FILES = 16, LEAST = 8 };
    struct rlimit files;
    rlim_t own = (rlim_t)traffic_open_files() + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur <= own + 2 * LEAST)
        return LEAST;
    rlim_t left = (files.rlim_cur - own) / 4 * 3;
    return left < FRONT_MAX_CONNECTIONS ? (unsigned)left : FRONT_MAX_CONNECTIONS;
}

static int open_doors(struct front *front, const struct front_options *options, struct err *err)
{
    struct door *public = &front->doors[PUBLIC_DOOR], *inner = &front->doors[INNER_DOOR];
    public->certificate = options->certificate;
    public->listen_fd = listen_open(options->listen, options->certificate ? "https" : "http",
                                    public->endpoint, err);
    if (public->listen_fd < 0)
        return -1;
    if (!options->certificate)
        return 0;
    inner->listen_fd = listen_open("127.0.0.1:0", "http", inner->endpoint, err);
    return inner->listen_fd < 0 ? -1 : 0;
}

struct front *front_create(struct cloud *cloud, const struct front_options *options,
                           struct err *err)
{
    struct front *front = calloc(1, sizeof *front);
    if (!front) {
        err_set(err, ERR_NO_MEMORY, "start the server: out of memory");
        return NULL;
    }
    front->cloud = cloud;
    front->doors[PUBLIC_DOOR].listen_fd = front->doors[INNER_DOOR].listen_fd = -1;
    if (open_doors(front, options, err) == 0)
        front->workers =
            workers_create(options->workers ? options->workers : FRONT_DEFAULT_WORKERS, err);
    if (front->workers)
        return front;
    front_destroy(front);
    return NULL;
}

const char *front_endpoint(const struct front *front)
{
    return front->doors[PUBLIC_DOOR].endpoint;
}

const char *front_inner_endpoint(const struct front *front)
{
    const struct door *inner = &front->doors[INNER_DOOR];
    return *inner->endpoint ? inner->endpoint : front_endpoint(front);
}

static int start_door(struct front *front, struct door *door, struct err *err)
{
    door->watch = watch_create(connection_limit(), err);
    if (!door->watch)
        return -1;
    size_t threads = pool_processors();
    if (threads > MAX_NETWORK_THREADS)
        threads = MAX_NETWORK_THREADS;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
                                          {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, door->certificate ? door->certificate->chain : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, door->certificate ? door->certificate->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    door->daemon = MHD_start_daemon(
        flags | (door->certificate ? MHD_USE_TLS : 0), 0, NULL, NULL, on_request, front,
        MHD_OPTION_LISTEN_SOCKET, door->listen_fd, MHD_OPTION_CONNECTION_LIMIT, connection_limit(),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)FRONT_IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)FRONT_CONNECTION_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, front, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, door, MHD_OPTION_ARRAY,
        door->certificate ? secure : none, MHD_OPTION_ARRAY, threads > 1 ? pool : none,
        MHD_OPTION_END);
    if (!door->daemon)
        return err_set(err, ERR_IO, "start the server at %s: libmicrohttpd refused",
                       door->endpoint);
    door->listen_fd = -1; /* the daemon's now */
    return 0;
}

int front_start(struct front *front, struct err *err)
{
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].listen_fd >= 0 && start_door(front, &front->doors[i], err) < 0)
            return -1;
    return 0;
}

void front_quiesce(struct front *front)
{
    __atomic_store_n(&front->closing, OPEN_FOR_FUNCTIONS, __ATOMIC_RELEASE);
    for (size_t i = 0; i < DOORS; i++) {
        MHD_socket fd = front->doors[i].daemon ? MHD_quiesce_daemon(front->doors[i].daemon)
                                               : MHD_INVALID_SOCKET;
        if (fd != MHD_INVALID_SOCKET)
            close(fd);
    }
}

/* Wait until nothing is in flight, at most `limit_ms`. */
static unsigned wait_for_answers(struct front *front, unsigned limit_ms)
{
    uint64_t start = clock_monotonic_ns();
    for (;;) {
        unsigned left = __atomic_load_n(&front->in_flight, __ATOMIC_ACQUIRE);
        if (!left || clock_ms_since(start) > limit_ms)
            return left;
        clock_sleep_until_ns(clock_monotonic_ns() + DRAIN_STEP_MS * 1000000ull);
    }
}

unsigned front_drain(struct front *front, unsigned limit_ms)
{
    wait_for_answers(front, limit_ms);
    __atomic_store_n(&front->closing, OPEN_FOR_NONE, __ATOMIC_RELEASE);
    return wait_for_answers(front, LAST_ANSWERS_MS);
}

void front_destroy(struct front *front)
{
    if (!front)
        return;
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].daemon)
            MHD_stop_daemon(front->doors[i].daemon);
    for (size_t i = 0; i < DOORS; i++) /* until then the other door's clients may count them */
        watch_destroy(front->doors[i].watch);
    workers_destroy(front->workers);
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].listen_fd >= 0)
            close(front->doors[i].listen_fd);
    free(front);
}
