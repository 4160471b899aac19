/* Requests at a constant rate, whatever the server does: how long each takes from the moment it was
 * due, so a server that falls behind cannot hide it.
 *
 * usage: bench_rate PORT FILE RATE SECONDS [CONNECTIONS]
 *
 * FILE holds whole HTTP/1.1 requests, each behind its length in decimal and a newline; they are
 * sent in turn to 127.0.0.1:PORT, on CONNECTIONS (16) kept open, each of which sends every
 * CONNECTIONS/RATE seconds. Prints one line of JSON; fails when an answer is not of status 200.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MAX_REQUESTS = 4096,
    MAX_CONNECTIONS = 256,
    MAX_FILE_BYTES = 64 << 20,
    ANSWER_BYTES = 256 * 1024,
    STACK_BYTES = 512 * 1024
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
    const struct plan *plan;
    size_t index;
    int fd;
    float *ms;
    size_t done;
    pthread_t thread;
};

static int connect_to(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
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

static int read_answer(int fd)
{
    char answer[ANSWER_BYTES];
    size_t used = 0, size = 0;
    while (!size || used < size) {
        ssize_t got =
            used < sizeof answer - 1 ? read(fd, answer + used, sizeof answer - 1 - used) : -1;
        if (got <= 0)
            return -1;
        used += (size_t)got;
        answer[used] = 0;
        size = answer_size(answer);
    }
    if (strncmp(answer, "HTTP/1.1 200 ", 13) == 0)
        return 0;
    fprintf(stderr, "bench_rate: %.300s\n", answer);
    return -1;
}

static int send_all(int fd, const struct request *request)
{
    for (size_t sent = 0; sent < request->size;) {
        ssize_t done = send(fd, request->data + sent, request->size - sent, MSG_NOSIGNAL);
        if (done <= 0)
            return -1;
        sent += (size_t)done;
    }
    return 0;
}

static void *run_client(void *argument)
{
    struct client *client = argument;
    const struct plan *plan = client->plan;
    for (size_t i = 0; i < plan->each; i++) {
        size_t number = i * plan->connections + client->index;
        uint64_t due_ns = plan->start_ns + (uint64_t)((double)number * 1e9 / plan->rate);
        clock_sleep_until_ns(due_ns);
        if (send_all(client->fd, &plan->requests[number % plan->request_count]) < 0 ||
            read_answer(client->fd) < 0)
            break;
        client->ms[client->done++] = (float)clock_ms_since(due_ns);
    }
    return NULL;
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

static int start_clients(struct plan *plan, struct client *clients)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    for (size_t i = 0; i < plan->connections; i++) {
        clients[i] = (struct client){.plan = plan, .index = i, .fd = connect_to(plan->port)};
        clients[i].ms = calloc(plan->each, sizeof *clients[i].ms);
        if (clients[i].fd < 0 || !clients[i].ms)
            return -1;
    }
    plan->start_ns = clock_monotonic_ns() + 100000000;
    for (size_t i = 0; i < plan->connections; i++)
        if (pthread_create(&clients[i].thread, &attributes, run_client, &clients[i]))
            return -1;
    pthread_attr_destroy(&attributes);
    return 0;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int report(const struct plan *plan, struct client *clients)
{
    size_t count = 0, wanted = plan->each * plan->connections;
    float *all = calloc(wanted, sizeof *all);
    for (size_t i = 0; i < plan->connections; i++) {
        pthread_join(clients[i].thread, NULL);
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
    return start_clients(&plan, clients) < 0 || report(&plan, clients) < 0;
}
