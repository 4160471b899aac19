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
    SIGV4_KEY_BYTES = 32,
};

/* Values of x-amz-content-sha256 that are no hash. */
#define SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIGV4_STREAMING "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define SIGV4_STREAMING_TRAILER "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
#define SIGV4_STREAMING_UNSIGNED_TRAILER "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

struct sigv4_keys; /* derived keys that are kept (sigv4_keys.h) */

struct sigv4_key {
    const char *access_key_id, *secret_access_key;
    const char *session_token; /* NULL for none */
    struct sigv4_keys *keys;   /* NULL: the signing key is derived each time */
};

struct sigv4_scope {
    const char *region,
        *service; /* "us-east-1", "s3": S3 has its path encoded once, others twice */
};

/* Value of x-amz-content-sha256 for the body: 64 lower-case hex digits. */
void sigv4_hash(const void *data, size_t size, char out[SIGV4_HEX_BYTES]);
/* The same of `size` bytes of a file from an offset on. */
int sigv4_hash_file(int fd, uint64_t from, size_t size, char out[SIGV4_HEX_BYTES],
                    struct err *err) MUST_USE;

/* What is signed: the request's parts as they go over the wire. */
struct sigv4_request {
    const char *method;
    const char *path;                  /* as on the wire (encoded), "/" when empty */
    const char *query;                 /* as on the wire, without "?"; "" for none */
    const struct http_header *headers; /* the ones to sign, Host among them */
    size_t header_count;
    const char *payload_hash; /* hex SHA-256, or UNSIGNED-PAYLOAD, STREAMING-... */
};

/* "20261123T053129Z" for a Unix time of the years 1970 to 9999. */
void sigv4_amz_date(int64_t unix_s, char out[SIGV4_AMZ_DATE_BYTES]);

/* Sign at `unix_s`: writes the value of the Authorization header into `arena`; NULL with
 * ERR_TOO_BIG when it does not fit. The headers to sign must already hold Host, X-Amz-Date and,
 * with temporary credentials, X-Amz-Security-Token. */
const char *sigv4_authorization(const struct sigv4_request *request, const struct sigv4_key *key,
                                const struct sigv4_scope *scope, int64_t unix_s,
                                struct arena *arena, struct err *err);

/* When a presigned request begins and for how long it holds. */
struct sigv4_period {
    int64_t unix_s, expires_s; /* expires_s: 1 to SIGV4_MAX_PRESIGN_S */
};

/* The presigned form: the query to send, the request's own parameters first, with everything in it
 * (the session token too). The headers must hold Host; each of them must be sent as signed. The
 * payload hash is SIGV4_UNSIGNED for S3. */
const char *sigv4_presigned_query(const struct sigv4_request *request, const struct sigv4_key *key,
                                  const struct sigv4_scope *scope,
                                  const struct sigv4_period *period, struct arena *arena,
                                  struct err *err);

/* What a signed request claims, read from its Authorization header or its query (presigned form).
 */
struct sigv4_claim {
    const char *access_key_id, *date, *region, *service, *signed_headers, *signature, *amz_date;
    int64_t unix_s;    /* of amz_date */
    int64_t expires_s; /* presigned form; 0 otherwise */
    int presigned;
};

/* `authorization` and `date_header` are NULL when absent; `date_header` is X-Amz-Date, or Date
 * where that is absent. Returns 1 when the request is signed and `claim` is filled, 0 when it is
 * not signed at all, -1 when the signature's form is wrong (ERR_INVALID) or of another scheme
 * (ERR_UNSUPPORTED). */
int sigv4_parse(const char *authorization, const char *date_header, const char *query,
                struct sigv4_claim *claim, struct arena *arena, struct err *err);

/* What a signature is checked with. */
struct sigv4_check {
    const char *secret_access_key;
    int64_t now_unix_s;
    unsigned char *signing_key; /* SIGV4_KEY_BYTES: receives the derived key; may be NULL */
    struct sigv4_keys *keys;    /* NULL: the key is derived each time */
};

/* Check the claim's clock window or expiry, then its signature in constant time. `request` has all
 * the headers received; the claim says which were signed: Host and every x-amz-* header must be
 * among them. Returns 0, or -1: ERR_DENIED for a wrong signature, ERR_TIMEOUT for a request too
 * old, too new or expired, ERR_TOO_BIG. The signing key and `claim->signature`,
 * the seed, are for the chunks of a streaming body. */
int sigv4_verify(const struct sigv4_request *request, const struct sigv4_claim *claim,
                 const struct sigv4_check *check, struct arena *arena, struct err *err) MUST_USE;

/* The signature of a text by itself, such as the policy of a browser's form, with the key of that
 * day ("20261123") and scope. */
int sigv4_text_signature(const char *secret_access_key, const char *day,
                         const struct sigv4_scope *scope, const char *text,
                         char out[SIGV4_HEX_BYTES], struct err *err) MUST_USE;

/* The signatures of an aws-chunked body. Each one chains to the one before it, the first to the
 * request's own (the seed).
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
struct sigv4_chain {
    unsigned char signing_key[SIGV4_KEY_BYTES];
    char amz_date[SIGV4_AMZ_DATE_BYTES];
    char scope[128];                /* "20130524/us-east-1/s3/aws4_request" */
    char previous[SIGV4_HEX_BYTES]; /* signature of the piece before */
};

/* `signing_key` from sigv4_verify(). ERR_TOO_BIG when the claim's scope does not fit. */
int sigv4_chain_init(struct sigv4_chain *chain, const struct sigv4_claim *claim,
                     const unsigned char signing_key[SIGV4_KEY_BYTES], struct err *err) MUST_USE;
/* Signature of the next chunk, whose data hashes to `data_hash` (sigv4_hash() of no bytes for the
 * last one); it becomes `previous`. */
void sigv4_chunk_signature(struct sigv4_chain *chain, const char data_hash[SIGV4_HEX_BYTES],
                           char out[SIGV4_HEX_BYTES]);
/* Signature of the trailing headers: "name:value\n" each, names in lower case, sorted. */
void sigv4_trailer_signature(struct sigv4_chain *chain, const char *trailers, size_t size,
                             char out[SIGV4_HEX_BYTES]);

/* Are two signatures the same? Takes the same time whatever they hold. */
int sigv4_same(const char *a, const char *b);

#endif
