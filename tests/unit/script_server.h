#ifndef TESTS_SCRIPT_SERVER_H
#define TESTS_SCRIPT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server that plays a script, good or bad: one act for each request, in order. */

enum after { KEEP, CLOSE, STALL };

struct act {
    const char *reply; /* NULL: none */
    size_t size;       /* 0: strlen */
    enum after after;
};

struct server {
    int fd, port;
    pthread_t thread;
    const struct act *acts;
    size_t act_count;
    atomic_size_t next_act;
    atomic_int stop, connections;
    char last_request[1 << 18];
    size_t last_size;
};

static inline int readable(struct server *server, int fd)
{
    while (!atomic_load(&server->stop)) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (poll(&poller, 1, 20) > 0)
            return 1;
    }
    return 0;
}

/* Receive one request; 0 when the client has closed. */
static inline int receive(struct server *server, int fd)
{
    size_t size = 0, want = 0;
    while (readable(server, fd)) {
        ssize_t got =
            recv(fd, server->last_request + size, sizeof server->last_request - 1 - size, 0);
        if (got <= 0)
            return 0;
        size += (size_t)got;
        server->last_request[size] = 0;
        char *end = strstr(server->last_request, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strcasestr(server->last_request, "\r\nContent-Length:");
        want = (size_t)(end + 4 - server->last_request) +
               (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        if (size >= want) {
            server->last_size = size;
            return 1;
        }
    }
    return 0;
}

static inline void serve(struct server *server, int fd)
{
    atomic_fetch_add(&server->connections, 1);
    while (receive(server, fd)) {
        size_t index = atomic_fetch_add(&server->next_act, 1);
        if (index >= server->act_count)
            return;
        const struct act *act = &server->acts[index];
        size_t size = act->size ? act->size : act->reply ? strlen(act->reply) : 0;
        if (size)
            (void)!send(fd, act->reply, size, MSG_NOSIGNAL);
        if (act->after == CLOSE)
            return;
        while (act->after == STALL && !atomic_load(&server->stop))
            usleep(5000);
    }
}

static inline void *run_server(void *context)
{
    struct server *server = context;
    while (readable(server, server->fd)) {
        int fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            break;
        serve(server, fd);
        close(fd);
    }
    return NULL;
}

/* Listen on a free port of the loopback; nothing is accepted before server_start(). */
static inline int server_listen(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->fd, (struct sockaddr *)&address, size) < 0 || listen(server->fd, 8) < 0 ||
        getsockname(server->fd, (struct sockaddr *)&address, &size) < 0)
        return -1;
    server->port = ntohs(address.sin_port);
    return 0;
}

static inline int server_start(struct server *server, const struct act *acts, size_t count)
{
    server->acts = acts;
    server->act_count = count;
    return pthread_create(&server->thread, NULL, run_server, server);
}

static inline void server_stop(struct server *server)
{
    atomic_store(&server->stop, 1);
    if (server->thread)
        pthread_join(server->thread, NULL);
    close(server->fd);
}

#endif
