#ifndef CLOUD_AUTH_H
#define CLOUD_AUTH_H

#include "aws/sigv4.h"
#include "cloud/chunked.h"
#include "cloud/exchange.h"
#include "cloud/identity.h"

/* Who signed a request, and did they sign this request? In two steps, as the body may be part of
 * what was signed: auth_head() before it, auth_body() after it. */

enum auth_payload {
    AUTH_PAYLOAD_HASHED,   /* the signature covers the body's SHA-256 */
    AUTH_PAYLOAD_UNSIGNED, /* the client chose to sign the head only (S3) */
    AUTH_PAYLOAD_CHUNKED,  /* aws-chunked (S3) */
};

struct auth {
    int is_signed;   /* it claims to be */
    int is_verified; /* and that is true */
    struct sigv4_claim claim;
    struct identity_secret secret;
    struct sigv4_keys *keys; /* of the identities */
    unsigned char signing_key[SIGV4_KEY_BYTES];
    enum auth_payload payload;
    int chunks_signed, has_trailer; /* of AUTH_PAYLOAD_CHUNKED */
    const char *payload_hash;       /* as told by the client; NULL when it did not */
    struct err err;                 /* why auth_parse() failed */
};

enum auth_failure {
    AUTH_MISSING,
    AUTH_MALFORMED,
    AUTH_UNKNOWN_KEY,
    AUTH_WRONG_TOKEN,
    AUTH_EXPIRED_TOKEN,
    AUTH_WRONG_SIGNATURE,
    AUTH_SKEWED,
    AUTH_EXPIRED,
    AUTH_WRONG_PAYLOAD,
    AUTH_OLD_VERSION,
};

/* Answer with the failure in the form of x->service. `message` NULL: AWS's usual one. */
void auth_fail(struct exchange *x, enum auth_failure failure, const char *message);

/* Read who claims to have signed. 1: signed, 0: not signed, -1: the form is wrong, see auth->err.
 */
int auth_parse(struct auth *auth, struct exchange *x);
/* Find the key, check the clock, and the signature where it does not need the body. -1: the answer
 * is in the exchange. Fills x->identity. */
int auth_head(struct auth *auth, struct exchange *x, struct identities *identities);
/* The same of S3's signature version 2 (auth_s3_v2.h). */
int auth_head_v2(struct auth *auth, struct exchange *x, struct identities *identities);
/* After auth_head(): is the body's SHA-256 under the signature? */
int auth_hashes_body(const struct auth *auth);
/* The rest, with that hash. -1: the answer is in the exchange. After 0 the request is who it
 * claims to be. */
int auth_body(struct auth *auth, struct exchange *x);

#endif
