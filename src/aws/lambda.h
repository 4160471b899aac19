#ifndef AWS_LAMBDA_H
#define AWS_LAMBDA_H

#include "aws/client.h"

#include <jansson.h>
#include <stddef.h>

/* Functions made of a zip file, or of a container image in ECR.
 * https://docs.aws.amazon.com/lambda/latest/api/ */

enum { LAMBDA_MAX_ZIP_BYTES = 50 * 1024 * 1024 }; /* what may travel in a request */

/* A zip, or an image: "HOST/repository@sha256:...". */
struct lambda_code {
    const void *zip;
    size_t zip_bytes;
    const char *image; /* NULL: the zip */
};

/* How a function should be. */
struct lambda_function {
    const char *name, *role;       /* role: an ARN */
    const char *runtime, *handler; /* of a zip */
    const char *architecture;
    int memory_mb, timeout_s;
    const json_t *environment; /* {"NAME": "value"} */
    struct lambda_code code;
};

/* What changed, as bits. */
enum { LAMBDA_CREATED = 1, LAMBDA_CODE = 2, LAMBDA_CONFIGURATION = 4 };

/* Make the function as described, or change what differs. Returns the bits of what was done (0:
 * nothing had to be), or -1. Waits until it is Active. `arn` receives the function's ARN. */
int aws_lambda_put_function(struct aws_client *client, const struct lambda_function *function,
                            int timeout_ms, char *arn, size_t arn_bytes, struct err *err) MUST_USE;

/* New code alone, also 0 when it is the same. ERR_NOT_FOUND when there is no such function. */
int aws_lambda_put_code(struct aws_client *client, const char *name, const struct lambda_code *code,
                        int timeout_ms, struct err *err) MUST_USE;

/* Let a service invoke the function. 1: added, 0: it was there, -1. */
int aws_lambda_add_permission(struct aws_client *client, const char *function,
                              const char *statement, const char *principal, const char *source_arn,
                              struct err *err) MUST_USE;

#endif
