#ifndef CLOUD_FRONT_H
#define CLOUD_FRONT_H

#include "base/err.h"
#include "cloud/exchange.h"

/* The HTTP server of the cloud: takes requests on one port, finds the service, verifies who signed,
 * receives the body, has the service answer, sends the answer.
 *
 * Threads: one a port takes connections (door.h), a few network threads (one a processor, epoll
 * each) do all the rest except handle(), which runs on worker threads; see `quick` and `writes_to`
 * in struct service. */
struct cloud;
struct front;

enum {
    FRONT_MAX_CONNECTIONS = 2048,
    FRONT_IDLE_TIMEOUT_S = 75,
    FRONT_CONNECTION_BYTES = 64 * 1024, /* head of a request, and its read buffer */
    FRONT_MAX_HEADERS = 128,
    FRONT_ARENA_BYTES = 64 * 1024 * 1024, /* ceiling of one exchange's arena */
    FRONT_DEFAULT_WORKERS = 32,
};

struct front_options {
    const char *listen;                    /* "ADDRESS:PORT" */
    const struct certificate *certificate; /* NULL: plain HTTP; outlives the front */
    unsigned workers;                      /* 0: FRONT_DEFAULT_WORKERS */
};

/* Opens the port; ERR_BUSY when it is in use. Answers begin with front_start(). With a certificate
 * there is a second port, on loopback and in plain HTTP, for the functions: they need not be told
 * whom to trust. */
struct front *front_create(struct cloud *cloud, const struct front_options *options,
                           struct err *err);
const char *front_endpoint(const struct front *front);
const char *front_inner_endpoint(const struct front *front); /* the functions' */
int front_start(struct front *front, struct err *err) MUST_USE;
/* Take no new connections, and requests only of functions (temporary credentials), which may need
 * them to end their work; others get 503. */
void front_quiesce(struct front *front);
/* Wait until every exchange is answered, at most `limit_ms`, then take no request at all. Returns
 * how many are left; only with 0 the front may be destroyed. */
unsigned front_drain(struct front *front, unsigned limit_ms);
void front_destroy(struct front *front); /* NULL is fine */

#endif
