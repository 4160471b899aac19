#include "cloud/front.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/pool.h"
#include "cloud/certificate.h"
#include "cloud/front_parts.h"
#include "cloud/workers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_NETWORK_THREADS = 8, DRAIN_STEP_MS = 5, LAST_ANSWERS_MS = 500 };

/* GnuTLS's words for: TLS 1.2 and 1.3 only. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

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
        flags | (door->certificate ? MHD_USE_TLS : 0), 0, NULL, NULL, visit_request, front,
        MHD_OPTION_LISTEN_SOCKET, door->listen_fd, MHD_OPTION_CONNECTION_LIMIT, connection_limit(),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)FRONT_IDLE_TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)FRONT_CONNECTION_BYTES,
        MHD_OPTION_URI_LOG_CALLBACK, visit_uri, front, MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, visit_completed, front, MHD_OPTION_EXTERNAL_LOGGER,
        on_log, NULL, MHD_OPTION_NOTIFY_CONNECTION, visit_connection, door, MHD_OPTION_ARRAY,
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
    for (size_t i = 0; i < DOORS; i++) /* one door's clients may count those of the other */
        if (front->doors[i].listen_fd >= 0 &&
            !(front->doors[i].watch = watch_create(connection_limit(), err)))
            return -1;
    for (size_t i = 0; i < DOORS; i++)
        if (front->doors[i].listen_fd >= 0 && start_door(front, &front->doors[i], err) < 0)
            return -1;
    return 0;
}

void front_quiesce(struct front *front)
{
    __atomic_store_n(&front->closing, OPEN_FOR_FUNCTIONS, __ATOMIC_RELEASE);
    for (size_t i = 0; i < DOORS; i++) {
        struct door *door = &front->doors[i];
        if (door->daemon)
            door->listen_fd = MHD_quiesce_daemon(door->daemon);
        if (door->daemon && door->listen_fd >= 0) /* its threads may still ask about the socket */
            shutdown(door->listen_fd, SHUT_RDWR);
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
