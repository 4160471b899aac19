#include "cloud/auth.h"

#include "base/hex.h"
#include "cloud/auth_s3.h"
#include "cloud/auth_s3_v2.h"
#include "cloud/errors.h"
#include "cloud/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STREAMING_PREFIX "STREAMING-"

/* AWS's codes for each failure, by enum error_form, and the usual message. */
static const struct {
    const char *codes[4];
    const char *message;
} failures[] = {
    [AUTH_MISSING] = {{"AccessDenied", "MissingAuthenticationTokenException",
                       "MissingAuthenticationTokenException", "MissingAuthenticationToken"},
                      "Request is missing Authentication Token"},
    [AUTH_MALFORMED] = {{"AuthorizationHeaderMalformed", "IncompleteSignatureException",
                         "IncompleteSignatureException", "IncompleteSignature"},
                        "The authorization is malformed."},
    [AUTH_UNKNOWN_KEY] = {{"InvalidAccessKeyId", "UnrecognizedClientException",
                           "UnrecognizedClientException", "InvalidClientTokenId"},
                          "The security token included in the request is invalid."},
    [AUTH_WRONG_TOKEN] = {{"InvalidToken", "UnrecognizedClientException",
                           "UnrecognizedClientException", "InvalidClientTokenId"},
                          "The security token included in the request is invalid."},
    [AUTH_EXPIRED_TOKEN] = {{"ExpiredToken", "ExpiredTokenException", "ExpiredTokenException",
                             "ExpiredToken"},
                            "The security token included in the request is expired"},
    [AUTH_WRONG_SIGNATURE] = {{"SignatureDoesNotMatch", "InvalidSignatureException",
                               "InvalidSignatureException", "SignatureDoesNotMatch"},
                              "The request signature we calculated does not match the signature "
                              "you provided. Check your AWS Secret Access Key and signing method."},
    [AUTH_SKEWED] = {{"RequestTimeTooSkewed", "InvalidSignatureException",
                      "InvalidSignatureException", "SignatureDoesNotMatch"},
                     "The difference between the request time and the current time is too large."},
    [AUTH_EXPIRED] = {{"AccessDenied", "InvalidSignatureException", "InvalidSignatureException",
                       "SignatureDoesNotMatch"},
                      "Request has expired"},
    [AUTH_OLD_VERSION] = {{"InvalidRequest", "IncompleteSignatureException",
                           "IncompleteSignatureException", "IncompleteSignature"},
                          "The authorization mechanism you have provided is not supported. Please "
                          "use AWS4-HMAC-SHA256."},
    [AUTH_WRONG_PAYLOAD] = {{"XAmzContentSHA256Mismatch", "InvalidSignatureException",
                             "InvalidSignatureException", "SignatureDoesNotMatch"},
                            "The provided 'x-amz-content-sha256' header does not match what was "
                            "computed."},
};

void auth_fail(struct exchange *x, enum auth_failure failure, const char *message)
{
    enum error_form form = x->service->error_form;
    const char *code = failures[failure].codes[form];
    if (!message)
        message = failures[failure].message;
    if (form == ERROR_FORM_S3 && failure == AUTH_MALFORMED && !exchange_header(x, "Authorization"))
        code = "AuthorizationQueryParametersError"; /* a presigned URL's */
    if (form == ERROR_FORM_S3 && failure == AUTH_MISSING)
        message = "Access Denied";
    if (form == ERROR_FORM_S3 && failure == AUTH_UNKNOWN_KEY)
        message = "The AWS Access Key Id you provided does not exist in our records.";
    if (form == ERROR_FORM_REST_JSON && failure == AUTH_MISSING)
        message = "Missing Authentication Token";
    if (form == ERROR_FORM_S3 && failure == AUTH_UNKNOWN_KEY)
        exchange_fail_more(x, code, "AWSAccessKeyId", x->identity.access_key_id, message);
    else if (form == ERROR_FORM_S3 && failure == AUTH_MALFORMED)
        auth_s3_explain(x, message);
    else
        exchange_fail(x, code, "%s", message);
}

static int fail(struct exchange *x, enum auth_failure failure)
{
    auth_fail(x, failure, NULL);
    return -1;
}

/* What calls an API or a function's URL may bring a word of its own ("Bearer .."): it is the
 * function's to judge. */
static int is_functions_affair(const struct exchange *x, const char *authorization)
{
    if (strncmp(authorization, "AWS4-", 5) == 0)
        return 0;
    const char *service = route_service(x, NULL);
    return strcmp(service, "execute-api") == 0 || strcmp(service, "lambda-url") == 0;
}

int auth_parse(struct auth *auth, struct exchange *x)
{
    const char *date = exchange_header(x, "X-Amz-Date");
    const char *authorization = exchange_header(x, "Authorization");
    if (authorization && strncasecmp(authorization, "Basic ", 6) == 0)
        return 0; /* a registry's password is the ecr service's to check */
    if (authorization && is_functions_affair(x, authorization))
        return 0;
    int parsed = sigv4_parse(authorization, date ? date : exchange_header(x, "Date"), x->query,
                             &auth->claim, &x->arena, &auth->err);
    auth->is_signed = parsed > 0;
    return parsed;
}

static int find_identity(struct auth *auth, struct exchange *x, struct identities *identities)
{
    const char *token = auth->claim.presigned ? exchange_query(x, "X-Amz-Security-Token")
                                              : exchange_header(x, "X-Amz-Security-Token");
    if (!token && auth->claim.presigned) /* version 2 writes it small */
        token = exchange_query(x, "x-amz-security-token");
    struct err err = {0};
    x->identity.access_key_id = auth->claim.access_key_id;
    if (identity_find(identities, auth->claim.access_key_id, token, &auth->secret, &err) < 0) {
        fail(x, err.code == ERR_NOT_FOUND ? AUTH_UNKNOWN_KEY
                : err.code == ERR_TIMEOUT ? AUTH_EXPIRED_TOKEN
                                          : AUTH_WRONG_TOKEN);
        x->identity.access_key_id = NULL; /* nobody's, but told */
        return -1;
    }
    x->identity.arn = auth->secret.arn;
    x->identity.role_arn = *auth->secret.role_arn ? auth->secret.role_arn : NULL;
    x->identity.is_administrator = auth->secret.is_administrator;
    x->identity.issued_unix_ms = auth->secret.issued_unix_ms;
    x->region = auth->claim.region;
    return 0;
}

static int is_hash(const char *text)
{
    return strlen(text) == SIGV4_HEX_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SIGV4_HEX_BYTES - 1;
}

static int unknown_payload(struct exchange *x)
{
    exchange_fail_more(
        x,
        x->service->error_form == ERROR_FORM_S3 ? "InvalidArgument" : "InvalidSignatureException",
        "ArgumentName", "x-amz-content-sha256",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, "
        "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.");
    return -1;
}

static int read_streaming(struct auth *auth, struct exchange *x, const char *told)
{
    auth->payload = AUTH_PAYLOAD_CHUNKED;
    auth->chunks_signed = strcmp(told, SIGV4_STREAMING_UNSIGNED_TRAILER) != 0;
    auth->has_trailer = strcmp(told, SIGV4_STREAMING) != 0;
    if (strcmp(told, SIGV4_STREAMING) == 0 || strcmp(told, SIGV4_STREAMING_TRAILER) == 0 ||
        strcmp(told, SIGV4_STREAMING_UNSIGNED_TRAILER) == 0)
        return 0;
    return unknown_payload(x);
}

/* How is the body covered? Only S3 knows anything but its hash. */
static int read_payload(struct auth *auth, struct exchange *x)
{
    int is_s3 = strcmp(auth->claim.service, "s3") == 0;
    const char *told = exchange_header(x, "X-Amz-Content-Sha256");
    if (!told && is_s3 && auth->claim.presigned)
        told = SIGV4_UNSIGNED;
    auth->payload_hash = told;
    if (!told && is_s3) {
        exchange_fail(x, "InvalidRequest",
                      "Missing required header for this request: x-amz-content-sha256");
        return -1;
    }
    if (!told || is_hash(told))
        return 0;
    if (is_s3 && strcmp(told, SIGV4_UNSIGNED) == 0) {
        auth->payload = AUTH_PAYLOAD_UNSIGNED;
        return 0;
    }
    if (is_s3 && strncmp(told, STREAMING_PREFIX, strlen(STREAMING_PREFIX)) == 0)
        return read_streaming(auth, x, told);
    return unknown_payload(x);
}

/* A time that is not near enough, or another day in the scope, as the services but S3 word it.
 * NULL: it is something else. */
static const char *explain_time(struct auth *auth, struct exchange *x)
{
    const struct sigv4_claim *claim = &auth->claim;
    int64_t now = x->received_unix_ms / 1000;
    int is_late = claim->unix_s < now;
    char now_text[SIGV4_AMZ_DATE_BYTES], edge[SIGV4_AMZ_DATE_BYTES];
    sigv4_amz_date(now, now_text);
    sigv4_amz_date(now + (is_late ? -SIGV4_CLOCK_WINDOW_S : SIGV4_CLOCK_WINDOW_S), edge);
    if (strncmp(claim->date, claim->amz_date, 8) != 0)
        return arena_printf(&x->arena,
                            "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                            "version of date from HTTP: '%s' != '%.8s', from '%s'.",
                            claim->date, claim->amz_date, claim->amz_date);
    if (claim->presigned || llabs(claim->unix_s - now) <= SIGV4_CLOCK_WINDOW_S)
        return NULL;
    return arena_printf(&x->arena, "Signature %s: %s is %s than %s (%s %c %d min.)",
                        is_late ? "expired" : "not yet current", claim->amz_date,
                        is_late ? "now earlier" : "still later", edge, now_text,
                        is_late ? '-' : '+', SIGV4_CLOCK_WINDOW_S / 60);
}

static int verify(struct auth *auth, struct exchange *x, const char *payload_hash)
{
    struct sigv4_request request = {.method = x->method,
                                    .path = x->path,
                                    .query = x->query,
                                    .headers = x->headers,
                                    .header_count = x->header_count,
                                    .payload_hash = payload_hash};
    struct sigv4_check check = {auth->secret.secret_access_key, x->received_unix_ms / 1000,
                                auth->signing_key, auth->keys};
    struct err err = {0};
    if (sigv4_verify(&request, &auth->claim, &check, &x->arena, &err) == 0) {
        auth->is_verified = 1;
        return 0;
    }
    int is_s3 = x->service->error_form == ERROR_FORM_S3, is_time = err.code == ERR_TIMEOUT;
    if (is_s3 && !is_time)
        auth_s3_mismatch(x, &request, &auth->claim);
    else if (is_s3 && auth->claim.presigned)
        auth_s3_fail_time(x, &auth->claim);
    else
        auth_fail(x,
                  !is_time                ? AUTH_WRONG_SIGNATURE
                  : auth->claim.presigned ? AUTH_EXPIRED
                                          : AUTH_SKEWED,
                  is_s3 ? NULL : explain_time(auth, x));
    return -1;
}

int auth_head(struct auth *auth, struct exchange *x, struct identities *identities)
{
    auth->keys = identities_keys(identities);
    if (find_identity(auth, x, identities) < 0 || read_payload(auth, x) < 0)
        return -1;
    return auth->payload_hash ? verify(auth, x, auth->payload_hash) : 0;
}

int auth_head_v2(struct auth *auth, struct exchange *x, struct identities *identities)
{
    struct auth_s3_v2 claim;
    if (auth_s3_v2_read(x, &claim) < 0)
        return -1;
    auth->claim = (struct sigv4_claim){.access_key_id = claim.access_key_id,
                                       .region = x->region,
                                       .service = "s3",
                                       .presigned = claim.expires != NULL};
    if (find_identity(auth, x, identities) < 0 ||
        auth_s3_v2_verify(x, &claim, auth->secret.secret_access_key) < 0)
        return -1;
    auth->is_signed = auth->is_verified = 1;
    auth->payload = AUTH_PAYLOAD_UNSIGNED;
    const char *told = exchange_header(x, "X-Amz-Content-Sha256");
    if (told && strcmp(told, SIGV4_STREAMING_UNSIGNED_TRAILER) == 0)
        return read_streaming(auth, x, told);
    return told && strncmp(told, STREAMING_PREFIX, strlen(STREAMING_PREFIX)) == 0
               ? unknown_payload(x) /* its chunks have no seed */
               : 0;
}

int auth_hashes_body(const struct auth *auth)
{
    return auth->is_signed && (!auth->is_verified || auth->payload == AUTH_PAYLOAD_HASHED);
}

int auth_body(struct auth *auth, struct exchange *x)
{
    char hash[SIGV4_HEX_BYTES];
    if (!auth_hashes_body(auth))
        return 0;
    hex_encode(x->body.sha256, sizeof x->body.sha256, hash);
    if (!auth->is_verified)
        return verify(auth, x, hash);
    return strcmp(hash, auth->payload_hash) == 0 ? 0 : fail(x, AUTH_WRONG_PAYLOAD);
}
