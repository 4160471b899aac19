#ifndef AWS_RUNTIME_H
#define AWS_RUNTIME_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The client of Lambda's Runtime API: how a custom runtime gets its events and gives its answers.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */
struct runtime;

#define RUNTIME_MAX_EVENT_BYTES ((size_t)6 * 1024 * 1024 + 64 * 1024)

struct runtime_event {
    char request_id[128], trace_id[256];
    int64_t deadline_unix_ms;
    const char *data; /* the runtime's, until the next call; a 0 behind it */
    size_t size;
};

/* `api` is the value of AWS_LAMBDA_RUNTIME_API, "host:port". */
struct runtime *runtime_create(const char *api, struct err *err);
void runtime_destroy(struct runtime *runtime); /* NULL is fine */

/* Wait for the next event, for as long as it takes. */
int runtime_next(struct runtime *runtime, struct runtime_event *event, struct err *err) MUST_USE;
/* The answer to an event: `body` is JSON. */
int runtime_respond(struct runtime *runtime, const char *request_id, const void *body, size_t size,
                    struct err *err) MUST_USE;
/* The event could not be handled. `type` is like "Ken.BadEvent". */
int runtime_fail(struct runtime *runtime, const char *request_id, const char *type,
                 const char *message, struct err *err) MUST_USE;
/* The function cannot start. */
int runtime_fail_init(struct runtime *runtime, const char *type, const char *message,
                      struct err *err) MUST_USE;

#endif
