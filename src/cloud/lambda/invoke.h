#ifndef CLOUD_LAMBDA_INVOKE_H
#define CLOUD_LAMBDA_INVOKE_H

#include "base/err.h"

#include <stddef.h>

/* Invoke a function from inside the cloud: what API Gateway (and later S3 events, SQS) call. */
struct lambda;

struct lambda_result {
    int status;                 /* as the Invoke API's: 200, or 404, 429, ... when it did not run */
    const char *function_error; /* "Unhandled" or "Handled"; NULL when the function answered */
    const char *error_type,
        *error_message;       /* when it did not run: "ResourceNotFoundException", text */
    const char *error_reason; /* of a throttle, or NULL */
    const void *payload;
    size_t payload_bytes;
    const char *log_tail;         /* the last 4 KiB of its output, or NULL */
    const char *executed_version; /* "$LATEST", "3"; NULL when it did not run */
};

typedef void lambda_done(void *context, const struct lambda_result *result);

/* Returns at once; `done` is called exactly once, from any thread, also before this returns.
 * `function` is a name or an ARN; `payload` is copied. */
void lambda_invoke(struct lambda *lambda, const char *function, const void *payload,
                   size_t payload_bytes, lambda_done *done, void *context);

#endif
