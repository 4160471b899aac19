#ifndef CLOUD_LAMBDA_RUNTIME_API_H
#define CLOUD_LAMBDA_RUNTIME_API_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/* The HTTP side of Lambda's Runtime API: what a `bootstrap` talks to.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 *
 * Every instance has a port of its own, so a connection's port says whose it is and an instance
 * sees only its own requests. One thread (the manager's) does everything here; nothing is locked.
 */
struct runtime_api;

enum { RUNTIME_ERROR_TYPE_BYTES = 128 };
/* What AWS takes: 6 MiB and a little. */
#define RUNTIME_MAX_RESPONSE_BYTES ((size_t)6 * 1024 * 1024 + 100)

/* A GET .../next that waits for work. */
struct runtime_poll;

/* What goes with an invocation. */
struct runtime_work {
    const char *request_id, *function_arn, *trace_id;
    const char *client_context; /* JSON text; NULL: none */
    long long deadline_unix_ms;
    const void *payload;
    size_t payload_bytes;
};

enum runtime_report { RUNTIME_RESPONSE, RUNTIME_ERROR, RUNTIME_INIT_ERROR };
enum runtime_verdict {
    RUNTIME_ACCEPTED,    /* 202 */
    RUNTIME_WRONG_ID,    /* 400: not the request this instance works on */
    RUNTIME_WRONG_STATE, /* 403: out of order */
    RUNTIME_TOO_LARGE,   /* 413 */
};

/* The manager's side. `instance` is what runtime_api_accept() was told. */
struct runtime_events {
    /* The instance asks for work. RUNTIME_ACCEPTED: `poll` waits for runtime_api_deliver(), which
     * may come before this returns. */
    enum runtime_verdict (*next)(void *instance, struct runtime_poll *poll);
    /* An answer or a failure. `request_id` is NULL for RUNTIME_INIT_ERROR. `body` may be emptied by
     * the callee to keep its memory. `too_large`: more than RUNTIME_MAX_RESPONSE_BYTES came, and
     * the body is empty. `error_type` may be "". */
    enum runtime_verdict (*report)(void *instance, enum runtime_report kind, const char *request_id,
                                   const char *error_type, struct buf *body, int too_large);
};

struct runtime_api *runtime_api_create(const struct runtime_events *events, struct err *err);
void runtime_api_destroy(struct runtime_api *api); /* NULL is fine */

/* To be watched for reading; then, and after every deliver and drop, runtime_api_run(). */
int runtime_api_fd(const struct runtime_api *api);
void runtime_api_run(struct runtime_api *api);
/* 1 when runtime_api_run() has more to do at once. */
int runtime_api_is_busy(struct runtime_api *api);

/* Take a connection of an instance. The socket is the API's from here on, also on failure. */
void runtime_api_accept(struct runtime_api *api, int fd, void *instance);
/* The instance is gone: close all its connections; no more events for it. */
void runtime_api_drop(struct runtime_api *api, void *instance);

/* Answer a waiting `next`, once. */
void runtime_api_deliver(struct runtime_poll *poll, const struct runtime_work *work);
/* End a waiting `next` without work: another one took its place. */
void runtime_api_dismiss(struct runtime_poll *poll);

#endif
