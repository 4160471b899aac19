#ifndef AWS_SIGV4_H
#define AWS_SIGV4_H

#include "aws/http.h"
#include "base/arena.h"
#include "base/err.h"

#include <stdint.h>

/* AWS Signature Version 4: one implementation for the client that signs and the cloud that
 * verifies. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html */

enum {
    SIGV4_HEX_BYTES = 65,      /* 64 hex digits and a 0 */
    SIGV4_AMZ_DATE_BYTES = 17, /* "20261123T053129Z" and a 0 */
    SIGV4_CLOCK_WINDOW_S = 900,
    SIGV4_MAX_PRESIGN_S = 604800,
};

struct sigv4_key {
    const char *access_key_id, *secret_access_key;
    const char *session_token; /* NULL for none */
};

struct sigv4_scope {
    const char *region,
        *service; /* "us-east-1", "s3": S3 has its path encoded once, others twice */
};

/* Value of x-amz-content-sha256 for the body: 64 lower-case hex digits. */
void sigv4_hash(const void *data, size_t size, char out[SIGV4_HEX_BYTES]);

/* What is signed: the request's parts as they go over the wire. */
struct sigv4_request {
    const char *method;
    const char *path;                  /* as on the wire (encoded), "/" when empty */
    const char *query;                 /* as on the wire, without "?"; "" for none */
    const struct http_header *headers; /* the ones to sign, Host among them */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256, or UNSIGNED-PAYLOAD, STREAMING-... */
};

/* Sign at `unix_s`: writes the value of the Authorization header into `arena`. The headers to sign
 * must already hold Host, X-Amz-Date and, with temporary credentials, X-Amz-Security-Token. */
const char *sigv4_authorization(const struct sigv4_request *request, const struct sigv4_key *key,
                                const struct sigv4_scope *scope, int64_t unix_s,
                                struct arena *arena, struct err *err);

/* What a signed request claims, read from its Authorization header or its query (presigned form).
 */
struct sigv4_claim {
    const char *access_key_id, *date, *region, *service, *signed_headers, *signature, *amz_date;
    int64_t unix_s;    /* of amz_date */
    int64_t expires_s; /* presigned form; 0 otherwise */
    int presigned;
};

/* Returns 1 when the request is signed and `claim` is filled, 0 when it is not signed at all, -1
 * with ERR_INVALID when the signature's form is wrong. */
int sigv4_parse(const char *authorization, const char *amz_date_header, const char *query,
                struct sigv4_claim *claim, struct arena *arena, struct err *err);

/* Check the claim's signature, clock window and expiry, in constant time. `request` has all the
 * headers received; the claim says which were signed. Returns 0, or -1: ERR_DENIED for a wrong
 * signature, ERR_TIMEOUT for a request too old, too new or expired. `signing_key` (32 bytes, may be
 * NULL) receives the derived key and `claim->signature` is the seed, both for the chunks of a
 * streaming body. */
int sigv4_verify(const struct sigv4_request *request, const struct sigv4_claim *claim,
                 const char *secret_access_key, int64_t now_unix_s, unsigned char signing_key[32],
                 struct arena *arena, struct err *err) MUST_USE;

#endif
