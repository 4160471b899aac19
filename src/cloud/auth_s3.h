#ifndef CLOUD_AUTH_S3_H
#define CLOUD_AUTH_S3_H

#include "aws/sigv4.h"
#include "cloud/exchange.h"

/* S3 tells exactly what is wrong with a signature; other services do not. Each function answers. */

/* The Authorization header or the query of a presigned request cannot be read. `otherwise`: why, if
 * nothing better is found. */
void auth_s3_explain(struct exchange *x, const char *otherwise);
/* The signature is another one than ours: which headers were not signed, or what we signed. */
void auth_s3_mismatch(struct exchange *x, const struct sigv4_request *request,
                      const struct sigv4_claim *claim);

/* "47 45 54": the bytes of a text, as errors tell them; in the arena. */
const char *auth_s3_hex_bytes(struct exchange *x, const char *text);

/* A presigned URL that is too old, or not old enough. */
void auth_s3_fail_time(struct exchange *x, const struct sigv4_claim *claim);

#endif
