#ifndef AWS_SIGV4_CANONICAL_H
#define AWS_SIGV4_CANONICAL_H

#include "aws/sigv4.h"
#include "base/buf.h"

/* The canonical request of Signature Version 4, for sigv4.c and its tests.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */

enum { SIGV4_MAX_CANONICAL_BYTES = 1024 * 1024 };

/* "a;b;host" for the headers given: lower case, sorted, each once. NULL when the arena is full. */
const char *sigv4_signed_headers(const struct http_header *headers, size_t count,
                                 struct arena *arena);

/* Append the canonical request to `out`. Of the request's headers those named in `signed_headers`
 * take part; an X-Amz-Signature in the query never does. */
int sigv4_canonical_request(const struct sigv4_request *request, const char *service,
                            const char *signed_headers, struct arena *arena, struct buf *out,
                            struct err *err) MUST_USE;

/* Is `name` (lower case) an entry of the list "a;b;c"? */
int sigv4_list_has(const char *list, const char *name);

#endif
