#ifndef CLOUD_APIGATEWAY_RESPONSE_H
#define CLOUD_APIGATEWAY_RESPONSE_H

#include "base/err.h"

#include <stddef.h>

/* What a function answers to a proxy event (version 1.0):
 *   {"statusCode": 200, "headers": {..}, "multiValueHeaders": {..: [..]}, "body": "..",
 *    "isBase64Encoded": false}
 * All fields may be absent, others may not be there. The text comes from the function: it is not
 * trusted.
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */

enum { RESPONSE_MAX_HEADERS = 100, RESPONSE_MAX_HEADER_BYTES = 10240 };

struct proxy_header {
    char *name, *value;
};

struct proxy_response {
    int status;                                        /* 200 to 599 */
    struct proxy_header headers[RESPONSE_MAX_HEADERS]; /* without Content-Type */
    size_t header_count;
    char *content_type; /* "application/json" unless the function said otherwise */
    char *body;         /* decoded, malloc()ed; may be taken by setting it to NULL */
    size_t body_bytes;
};

/* Version 2.0 (HTTP APIs, function URLs): the same with "cookies": [..] and without
 * multiValueHeaders; anything without a statusCode is the body of a 200. */
int proxy_response_parse_v2(const char *text, size_t size, struct proxy_response *out,
                            struct err *err) MUST_USE;

/* Returns 0, or -1 with ERR_INVALID for what API Gateway calls a malformed response. On success the
 * response is to be finished. */
int proxy_response_parse(const char *text, size_t size, struct proxy_response *out,
                         struct err *err) MUST_USE;
void proxy_response_finish(struct proxy_response *response);

#endif
