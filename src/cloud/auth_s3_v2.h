#ifndef CLOUD_AUTH_S3_V2_H
#define CLOUD_AUTH_S3_V2_H

#include "cloud/exchange.h"

/* Signature version 2 of S3, which boto3 still presigns with unless told otherwise, and older tools
 * sign with: HMAC-SHA1 over method, Content-MD5, Content-Type, date, x-amz-* headers and resource.
 * It does not cover the body. AWS takes it in us-east-1; so does this cloud, for S3 alone.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html */

struct auth_s3_v2 {
    const char *access_key_id, *signature; /* of the header, or of the query */
    const char *expires;                   /* presigned: in Unix seconds; NULL: in the header */
};

/* Does the request claim to be signed so? */
int auth_s3_v2_is(struct exchange *x);
/* What it claims. -1: malformed, which is answered. */
int auth_s3_v2_read(struct exchange *x, struct auth_s3_v2 *out);
/* Check clock and signature. -1: answered. */
int auth_s3_v2_verify(struct exchange *x, const struct auth_s3_v2 *claim, const char *secret);

/* The bucket in front of ".localhost" or ".s3." of the Host header, in the arena; NULL: none. */
char *auth_s3_host_bucket(struct exchange *x);

#endif
