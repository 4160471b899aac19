/* Requests at a constant rate, whatever the server does: how long each takes from the moment it was
 * due, so a server that falls behind cannot hide it.
 *
 * usage: bench_rate PORT FILE RATE SECONDS [CONNECTIONS]
 *
 * FILE holds whole HTTP/1.1 requests, each behind its length in decimal and a newline; they are
 * sent in turn to 127.0.0.1:PORT, on CONNECTIONS (16) kept open, each of which sends every
 * CONNECTIONS/RATE seconds, or as soon as its last answer is there. One thread does it all: one for
 * each connection took more of the processors than the server, and kept it waiting for them. Prints
 * one line of JSON; fails when an answer is not of status 200.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    MAX_REQUESTS = 4096,
    MAX_CONNECTIONS = 256,
    MAX_FILE_BYTES = 64 << 20,
    ANSWER_BYTES = 256 * 1024,
    UNSENT_BYTES = 256 * 1024, /* a request fits, so that sending never waits */
    EVENTS = 64,
};

struct request {
    const char *data;
    size_t size;
};

struct plan {
    int port;
    size_t connections, request_count, each; /* requests of a connection */
    double rate;
    uint64_t start_ns;
    struct request requests[MAX_REQUESTS];
};

struct client {
    size_t index;
    int fd, waits;     /* for an answer */
    char *answer;      /* [ANSWER_BYTES] */
    size_t used, size; /* of it, and in all: 0 while that is unknown */
    float *ms;
    size_t done;
};

struct run {
    const struct plan *plan;
    struct client *clients;
    int epoll_fd;
    size_t next;     /* request that is due next, of all */
    size_t finished; /* clients */
};

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, unsent = UNSENT_BYTES;
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &unsent, sizeof unsent) == 0)
        return fd;
    perror("connect");
    return -1;
}

/* Of the answer with its body; 0: its head is not there yet, or tells no length. */
static size_t answer_size(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    const char *length = strcasestr(answer, "\r\nContent-Length:");
    if (!end || !length || length > end)
        return 0;
    return (size_t)(end - answer) + 4 + strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
}

static uint64_t due_ns(const struct plan *plan, size_t number)
{
    return plan->start_ns + (uint64_t)((double)number * 1e9 / plan->rate);
}

static size_t next_of(const struct plan *plan, const struct client *client)
{
    return client->done * plan->connections + client->index;
}

static int send_next(const struct plan *plan, struct client *client)
{
    const struct request *request = &plan->requests[next_of(plan, client) % plan->request_count];
    for (size_t sent = 0; sent < request->size;) {
        ssize_t done = send(client->fd, request->data + sent, request->size - sent, MSG_NOSIGNAL);
        if (done <= 0)
            return -1;
        sent += (size_t)done;
    }
    client->waits = 1;
    client->used = client->size = 0;
    return 0;
}

/* -1 when the connection is lost; 1: the answer is whole. */
static int read_some(struct client *client)
{
    size_t room = ANSWER_BYTES - 1 - client->used;
    ssize_t got = room ? recv(client->fd, client->answer + client->used, room, MSG_DONTWAIT) : -1;
    if (got < 0 && room && errno == EAGAIN)
        return 0;
    if (got <= 0)
        return -1;
    client->used += (size_t)got;
    client->answer[client->used] = 0;
    if (!client->size)
        client->size = answer_size(client->answer);
    return client->size && client->used >= client->size;
}

static int take_answer(struct run *run, struct client *client)
{
    const struct plan *plan = run->plan;
    int whole = read_some(client);
    if (whole <= 0)
        return whole;
    if (strncmp(client->answer, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "bench_rate: %.300s\n", client->answer);
        return -1;
    }
    client->ms[client->done] = (float)clock_ms_since(due_ns(plan, next_of(plan, client)));
    client->waits = 0;
    if (++client->done == plan->each) {
        run->finished++;
        return 0;
    }
    size_t next = next_of(plan, client);
    return next < run->next ? send_next(plan, client) : 0; /* late: its time has passed */
}

/* Sends what is due, where the connection is free. */
static int send_due(struct run *run)
{
    const struct plan *plan = run->plan;
    uint64_t now_ns = clock_monotonic_ns();
    for (; run->next < plan->each * plan->connections && due_ns(plan, run->next) <= now_ns;
         run->next++) {
        struct client *client = &run->clients[run->next % plan->connections];
        if (!client->waits && send_next(plan, client) < 0)
            return -1;
    }
    return 0;
}

static int wait_for_events(const struct run *run, struct epoll_event events[EVENTS])
{
    uint64_t due = due_ns(run->plan, run->next), now_ns = clock_monotonic_ns();
    uint64_t left = due > now_ns ? due - now_ns : 0;
    const struct timespec timeout = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
    int is_last = run->next == run->plan->each * run->plan->connections;
    return epoll_pwait2(run->epoll_fd, events, EVENTS, is_last ? NULL : &timeout, NULL);
}

static int run_all(struct run *run)
{
    struct epoll_event events[EVENTS];
    while (run->finished < run->plan->connections) {
        if (send_due(run) < 0)
            return -1;
        int count = wait_for_events(run, events);
        if (count < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < count; i++)
            if (take_answer(run, events[i].data.ptr) < 0)
                return -1;
    }
    return 0;
}

static int read_requests(struct plan *plan, const char *path)
{
    static struct buf text;
    struct err err = {0};
    buf_init(&text, MAX_FILE_BYTES);
    if (file_read(path, &text, &err) < 0) {
        fprintf(stderr, "bench_rate: %s\n", err.message);
        return -1;
    }
    const char *at = text.data, *end = text.data + text.size;
    while (at < end && plan->request_count < MAX_REQUESTS) {
        char *after;
        size_t size = strtoul(at, &after, 10);
        if (!size || *after != '\n' || size > (size_t)(end - after - 1))
            return -1;
        plan->requests[plan->request_count++] = (struct request){after + 1, size};
        at = after + 1 + size;
    }
    return plan->request_count ? 0 : -1;
}

static int open_clients(struct run *run)
{
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < run->plan->connections; i++) {
        struct client *client = &run->clients[i];
        *client = (struct client){.index = i, .fd = connect_to(run->plan->port)};
        client->answer = malloc(ANSWER_BYTES);
        client->ms = calloc(run->plan->each, sizeof *client->ms);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        if (client->fd < 0 || !client->answer || !client->ms ||
            epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
            return -1;
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int report(const struct plan *plan, const struct client *clients)
{
    size_t count = 0, wanted = plan->each * plan->connections;
    float *all = calloc(wanted, sizeof *all);
    for (size_t i = 0; i < plan->connections; i++) {
        if (all)
            memcpy(all + count, clients[i].ms, clients[i].done * sizeof *all);
        count += clients[i].done;
    }
    if (!all || count < wanted) {
        fprintf(stderr, "bench_rate: %zu of %zu requests were answered\n", count, wanted);
        return -1;
    }
    qsort(all, count, sizeof *all, compare);
    printf("{\"rate\": %.0f, \"requests\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": "
           "%.3f}\n",
           plan->rate, count, (double)all[count / 2], (double)all[count * 99 / 100],
           (double)all[count * 999 / 1000]);
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    static struct plan plan;
    static struct client clients[MAX_CONNECTIONS];
    plan.connections = argc > 5 ? strtoul(argv[5], NULL, 10) : 16;
    if (argc < 5 || plan.connections < 1 || plan.connections > MAX_CONNECTIONS) {
        fprintf(stderr, "usage: bench_rate PORT FILE RATE SECONDS [CONNECTIONS]\n");
        return 2;
    }
    plan.port = (int)strtol(argv[1], NULL, 10);
    plan.rate = strtod(argv[3], NULL);
    plan.each = (size_t)(plan.rate * strtod(argv[4], NULL)) / plan.connections;
    if (!plan.each || read_requests(&plan, argv[2]) < 0) {
        fprintf(stderr, "bench_rate: %s: not a list of requests, or the rate is none\n", argv[2]);
        return 2;
    }
    struct run run = {.plan = &plan, .clients = clients};
    if (open_clients(&run) < 0)
        return 1;
    plan.start_ns = clock_monotonic_ns() + 100000000;
    int result = run_all(&run);
    return report(&plan, clients) < 0 || result < 0;
}
