#include "cloud/door.h"

#include "base/log.h"
#include "base/pool.h"
#include "cloud/front_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* GnuTLS's words for: TLS 1.2 and 1.3 only. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

enum { ROOM_TICK_MS = 20 };

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

/* -- taking connections -- */

static unsigned load_of(const struct lane *lane)
{
    return lane->given - __atomic_load_n(&lane->ended, __ATOMIC_RELAXED);
}

static int is_full(const struct door *door)
{
    unsigned load = 0;
    for (unsigned i = 0; i < door->lane_count; i++)
        load += load_of(&door->lanes[i]);
    return load >= door->limit;
}

/* A lane without memory closes a connection that it was given and tells nobody. */
static void count_anew(struct door *door)
{
    for (unsigned i = 0; i < door->lane_count; i++) {
        struct lane *lane = &door->lanes[i];
        const union MHD_DaemonInfo *info =
            MHD_get_daemon_info(lane->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
        lane->given = __atomic_load_n(&lane->ended, __ATOMIC_RELAXED) + info->num_connections;
    }
}

static struct lane *least_loaded(struct door *door)
{
    struct lane *least = &door->lanes[0];
    for (unsigned i = 1; i < door->lane_count; i++)
        if (load_of(&door->lanes[i]) < load_of(least))
            least = &door->lanes[i];
    return least;
}

static int take_connection(struct door *door)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int fd =
        accept4(door->listen_fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return -1;
    struct lane *lane = least_loaded(door);
    lane->given++;
    if (MHD_add_connection(lane->daemon, fd, (struct sockaddr *)&peer, size) != MHD_YES)
        lane->given--; /* closed by it */
    return 0;
}

static int may_try_again(int error)
{
    return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

static void *door_main(void *argument)
{
    struct door *door = argument;
    struct pollfd waits[] = {{.fd = door->stop_fd, .events = POLLIN},
                             {.fd = door->listen_fd, .events = POLLIN}};
    int has_room = 1;
    while (!(waits[0].revents & POLLIN)) {
        if (poll(waits, has_room ? 2 : 1, has_room ? -1 : ROOM_TICK_MS) < 0 && errno != EINTR)
            break;
        if (!has_room)
            count_anew(door);
        has_room = !is_full(door);
        if (has_room && (waits[1].revents & POLLIN) && take_connection(door) < 0)
            has_room = may_try_again(errno); /* no descriptors: some may come free */
    }
    return NULL;
}

/* -- life -- */

int door_open(struct door *door, const char *listen, const struct certificate *certificate,
              struct err *err)
{
    door->certificate = certificate;
    door->listen_fd = listen_open(listen, certificate ? "https" : "http", door->endpoint, err);
    return door->listen_fd < 0 ? -1 : 0;
}

static int start_lane(struct lane *lane, struct front *front, struct err *err)
{
    struct door *door = lane->door;
    const struct certificate *certificate = door->certificate;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem secure[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, certificate ? certificate->chain : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, certificate ? certificate->key : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    lane->daemon = MHD_start_daemon(
        flags | (certificate ? MHD_USE_TLS : 0), 0, NULL, NULL, visit_request, front,
        MHD_OPTION_CONNECTION_LIMIT, door->limit, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)FRONT_IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)FRONT_CONNECTION_BYTES, MHD_OPTION_URI_LOG_CALLBACK, visit_uri, front,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED,
        visit_completed, front, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, visit_connection, lane, MHD_OPTION_ARRAY,
        certificate ? secure : none, MHD_OPTION_END);
    return lane->daemon ? 0
                        : err_set(err, ERR_IO, "start the server at %s: libmicrohttpd refused",
                                  door->endpoint);
}

int door_prepare(struct door *door, struct err *err)
{
    door->limit = connection_limit();
    door->watch = watch_create(door->limit, err);
    return door->watch ? 0 : -1;
}

int door_start(struct door *door, struct front *front, struct err *err)
{
    size_t lanes = pool_processors();
    for (; door->lane_count < lanes && door->lane_count < DOOR_MAX_LANES; door->lane_count++) {
        struct lane *lane = &door->lanes[door->lane_count];
        lane->door = door;
        if (start_lane(lane, front, err) < 0)
            return -1;
    }
    int stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (stop_fd < 0)
        return err_set_errno(err, "start the server at %s", door->endpoint);
    door->stop_fd = stop_fd;
    int error = pthread_create(&door->thread, NULL, door_main, door);
    if (!error)
        return 0;
    close(stop_fd);
    door->stop_fd = -1;
    errno = error;
    return err_set_errno(err, "start the server at %s", door->endpoint);
}

void door_stop(struct door *door)
{
    if (door->stop_fd >= 0) {
        eventfd_write(door->stop_fd, 1);
        pthread_join(door->thread, NULL);
        close(door->stop_fd);
    }
    if (door->listen_fd >= 0)
        close(door->listen_fd);
    door->stop_fd = door->listen_fd = -1;
}

void door_close(struct door *door)
{
    door_stop(door);
    for (unsigned i = 0; i < door->lane_count; i++)
        MHD_stop_daemon(door->lanes[i].daemon);
    door->lane_count = 0;
}

void door_destroy(struct door *door)
{
    door_close(door);
    watch_destroy(door->watch);
    door->watch = NULL;
}
