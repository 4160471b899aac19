#include "aws/sigv4.h"

#include "aws/sigv4_canonical.h"
#include "aws/sigv4_hmac.h"
#include "aws/sigv4_keys.h"
#include "aws/uri.h"
#include "base/hex.h"

#include <openssl/crypto.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

void sigv4_hash(const void *data, size_t size, char out[SIGV4_HEX_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(size ? data : "", size, digest, NULL, sigv4_sha256(), NULL);
    hex_encode(digest, SIGV4_KEY_BYTES, out);
}

static int update_from_file(EVP_MD_CTX *context, int fd, uint64_t from, size_t size,
                            struct err *err)
{
    unsigned char part[16 * 1024];
    for (size_t done = 0; done < size;) {
        size_t want = size - done < sizeof part ? size - done : sizeof part;
        ssize_t got = pread(fd, part, want, (off_t)(from + done));
        if (got < 0)
            return err_set_errno(err, "read body");
        if (got == 0)
            return err_set(err, ERR_IO, "read body: the file has become shorter");
        EVP_DigestUpdate(context, part, (size_t)got);
        done += (size_t)got;
    }
    return 0;
}

int sigv4_hash_file(int fd, uint64_t from, size_t size, char out[SIGV4_HEX_BYTES], struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || EVP_DigestInit_ex(context, sigv4_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return err_set(err, ERR_NO_MEMORY, "hash body: out of memory");
    }
    int done = update_from_file(context, fd, from, size, err);
    EVP_DigestFinal_ex(context, digest, NULL);
    EVP_MD_CTX_free(context);
    hex_encode(digest, SIGV4_KEY_BYTES, out);
    return done;
}

void sigv4_amz_date(int64_t unix_s, char out[SIGV4_AMZ_DATE_BYTES])
{
    struct tm tm;
    time_t seconds = (time_t)unix_s;
    if (!gmtime_r(&seconds, &tm) || !strftime(out, SIGV4_AMZ_DATE_BYTES, "%Y%m%dT%H%M%SZ", &tm))
        out[0] = 0;
}

/* "20130524/us-east-1/s3/aws4_request" */
static char *scope_text(const char *amz_date, const struct sigv4_scope *scope, struct arena *arena)
{
    return arena_printf(arena, "%.8s/%s/%s/aws4_request", amz_date, scope->region, scope->service);
}

/* What a signature is over, whoever makes it. */
struct signing {
    const struct sigv4_request *request;
    const char *signed_headers, *amz_date;
    struct sigv4_scope scope;
    const unsigned char *key;
};

/* What is signed, once the canonical request is hashed. */
static void put_string_to_sign(struct buf *out, const struct signing *signing,
                               const char hash[SIGV4_HEX_BYTES])
{
    buf_puts(out, ALGORITHM "\n");
    buf_puts(out, signing->amz_date);
    buf_puts(out, "\n");
    buf_append(out, signing->amz_date, strnlen(signing->amz_date, 8));
    buf_puts(out, "/");
    buf_puts(out, signing->scope.region);
    buf_puts(out, "/");
    buf_puts(out, signing->scope.service);
    buf_puts(out, "/aws4_request\n");
    buf_puts(out, hash);
}

static int sign(const struct signing *signing, char out[SIGV4_HEX_BYTES], struct arena *arena,
                struct err *err)
{
    struct buf text;
    char hash[SIGV4_HEX_BYTES];
    unsigned char mac[SIGV4_KEY_BYTES];
    buf_init(&text, SIGV4_MAX_CANONICAL_BYTES);
    int done = sigv4_canonical_request(signing->request, signing->scope.service,
                                       signing->signed_headers, arena, &text, err);
    if (done == 0) {
        sigv4_hash(text.data, text.size, hash);
        buf_clear(&text);
        put_string_to_sign(&text, signing, hash);
        done = text.failed ? err_set(err, ERR_TOO_BIG, "sign request: it is too long") : 0;
    }
    if (done == 0) {
        sigv4_hmac(signing->key, SIGV4_KEY_BYTES, text.data, mac);
        hex_encode(mac, sizeof mac, out);
    }
    buf_finish(&text);
    return done;
}

/* The same with the key derived here; `signing->key` is not read. */
static int sign_with(const struct signing *signing, const struct sigv4_key *key,
                     char out[SIGV4_HEX_BYTES], struct arena *arena, struct err *err)
{
    unsigned char derived[SIGV4_KEY_BYTES];
    char day[9];
    snprintf(day, sizeof day, "%.8s", signing->amz_date);
    const struct sigv4_origin origin = {key->secret_access_key, day, signing->scope};
    int found = sigv4_keys_find(key->keys, &origin, derived, err);
    if (found < 0)
        return -1;
    if (!found)
        sigv4_keys_keep(key->keys, &origin, derived);
    struct signing with_key = *signing;
    with_key.key = derived;
    int done = sign(&with_key, out, arena, err);
    OPENSSL_cleanse(derived, sizeof derived);
    return done;
}

static const char *too_long(struct err *err)
{
    err_set(err, ERR_TOO_BIG, "sign request: it is too long");
    return NULL;
}

const char *sigv4_authorization(const struct sigv4_request *request, const struct sigv4_key *key,
                                const struct sigv4_scope *scope, int64_t unix_s,
                                struct arena *arena, struct err *err)
{
    char amz_date[SIGV4_AMZ_DATE_BYTES], signature[SIGV4_HEX_BYTES];
    sigv4_amz_date(unix_s, amz_date);
    const char *headers = sigv4_signed_headers(request->headers, request->header_count, arena);
    const char *where = scope_text(amz_date, scope, arena);
    if (!headers || !where)
        return too_long(err);
    struct signing signing = {request, headers, amz_date, *scope, NULL};
    if (sign_with(&signing, key, signature, arena, err) < 0)
        return NULL;
    const char *value =
        arena_printf(arena, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
                     key->access_key_id, where, headers, signature);
    return value ? value : too_long(err);
}

/* The query up to the signature. */
static const char *unsigned_query(const struct signing *signing, const struct sigv4_key *key,
                                  int64_t expires_s, struct arena *arena)
{
    const char *where = scope_text(signing->amz_date, &signing->scope, arena);
    const char *credential = where ? arena_printf(arena, "%s/%s", key->access_key_id, where) : NULL;
    const char *headers = signing->signed_headers, *token = "";
    if (key->session_token)
        token = uri_encode(arena, key->session_token, strlen(key->session_token), "");
    const char *encoded = credential ? uri_encode(arena, credential, strlen(credential), "") : NULL;
    const char *listed = uri_encode(arena, headers, strlen(headers), "");
    if (!encoded || !listed || !token)
        return NULL;
    return arena_printf(arena,
                        "%s%sX-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential=%s&X-Amz-Date=%s"
                        "&X-Amz-Expires=%" PRId64 "%s%s&X-Amz-SignedHeaders=%s",
                        signing->request->query, *signing->request->query ? "&" : "", encoded,
                        signing->amz_date, expires_s, *token ? "&X-Amz-Security-Token=" : "", token,
                        listed);
}

const char *sigv4_presigned_query(const struct sigv4_request *request, const struct sigv4_key *key,
                                  const struct sigv4_scope *scope,
                                  const struct sigv4_period *period, struct arena *arena,
                                  struct err *err)
{
    int64_t expires_s = period->expires_s;
    if (expires_s < 1 || expires_s > SIGV4_MAX_PRESIGN_S) {
        err_set(err, ERR_INVALID, "presign request: %" PRId64 " s is not from 1 to %d", expires_s,
                SIGV4_MAX_PRESIGN_S);
        return NULL;
    }
    char amz_date[SIGV4_AMZ_DATE_BYTES], signature[SIGV4_HEX_BYTES];
    sigv4_amz_date(period->unix_s, amz_date);
    const char *headers = sigv4_signed_headers(request->headers, request->header_count, arena);
    struct sigv4_request with_query = *request;
    struct signing signing = {&with_query, headers, amz_date, *scope, NULL};
    const char *query = headers ? unsigned_query(&signing, key, expires_s, arena) : NULL;
    if (!query)
        return too_long(err);
    with_query.query = query;
    if (sign_with(&signing, key, signature, arena, err) < 0)
        return NULL;
    const char *whole = arena_printf(arena, "%s&X-Amz-Signature=%s", query, signature);
    return whole ? whole : too_long(err);
}

static int check_time(const struct sigv4_claim *claim, int64_t now_unix_s, struct err *err)
{
    if (strncmp(claim->date, claim->amz_date, 8) != 0)
        return err_set(err, ERR_DENIED, "verify signature: its scope is of another day");
    if (claim->unix_s > now_unix_s + SIGV4_CLOCK_WINDOW_S)
        return err_set(err, ERR_TIMEOUT, "verify signature: signed in the future: %s",
                       claim->amz_date);
    if (claim->presigned && claim->unix_s + claim->expires_s < now_unix_s)
        return err_set(err, ERR_TIMEOUT, "verify signature: the request has expired");
    if (!claim->presigned && claim->unix_s < now_unix_s - SIGV4_CLOCK_WINDOW_S)
        return err_set(err, ERR_TIMEOUT, "verify signature: signed too long ago: %s",
                       claim->amz_date);
    return 0;
}

/* Is a header, in whatever case, on the list? */
static int lists(const char *list, const char *name)
{
    char small[256];
    size_t length = strlen(name);
    if (length >= sizeof small)
        return 0;
    for (size_t i = 0; i <= length; i++)
        small[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    return sigv4_list_has(list, small);
}

/* Host and all x-amz-* headers decide what a request does: each must be under the signature. A
 * payload's hash is so by itself, and AWS takes it beside a presigned URL. */
static int check_signed_headers(const struct sigv4_request *request,
                                const struct sigv4_claim *claim, struct err *err)
{
    const char *list = claim->signed_headers;
    if (!sigv4_list_has(list, "host"))
        return err_set(err, ERR_DENIED, "verify signature: the Host header is not signed");
    for (size_t i = 0; i < request->header_count; i++) {
        const char *name = request->headers[i].name;
        if (claim->presigned && strcasecmp(name, "x-amz-content-sha256") == 0)
            continue;
        if (strncasecmp(name, "x-amz-", 6) == 0 && !lists(list, name))
            return err_set(err, ERR_DENIED, "verify signature: the header %.100s is not signed",
                           name);
    }
    return 0;
}

int sigv4_same(const char *a, const char *b)
{
    size_t length = strlen(a);
    return length == strlen(b) && CRYPTO_memcmp(a, b, length) == 0;
}

int sigv4_verify(const struct sigv4_request *request, const struct sigv4_claim *claim,
                 const struct sigv4_check *check, struct arena *arena, struct err *err)
{
    if (check_time(claim, check->now_unix_s, err) < 0 ||
        check_signed_headers(request, claim, err) < 0)
        return -1;
    struct sigv4_scope scope = {claim->region, claim->service};
    unsigned char derived[SIGV4_KEY_BYTES];
    char expected[SIGV4_HEX_BYTES];
    const struct sigv4_origin origin = {check->secret_access_key, claim->date, scope};
    int found = sigv4_keys_find(check->keys, &origin, derived, err);
    if (found < 0)
        return -1;
    struct signing signing = {request, claim->signed_headers, claim->amz_date, scope, derived};
    int done = sign(&signing, expected, arena, err);
    if (done == 0 && !sigv4_same(expected, claim->signature))
        done = err_set(err, ERR_DENIED, "verify signature: it does not match");
    if (done == 0 && !found)
        sigv4_keys_keep(check->keys, &origin, derived);
    if (done == 0 && check->signing_key)
        memcpy(check->signing_key, derived, sizeof derived);
    OPENSSL_cleanse(derived, sizeof derived);
    OPENSSL_cleanse(expected, sizeof expected);
    return done;
}

int sigv4_text_signature(const char *secret_access_key, const char *day,
                         const struct sigv4_scope *scope, const char *text,
                         char out[SIGV4_HEX_BYTES], struct err *err)
{
    unsigned char key[SIGV4_KEY_BYTES], mac[SIGV4_KEY_BYTES];
    const struct sigv4_origin origin = {secret_access_key, day, *scope};
    if (sigv4_keys_find(NULL, &origin, key, err) < 0)
        return -1;
    sigv4_hmac(key, sizeof key, text, mac);
    hex_encode(mac, sizeof mac, out);
    OPENSSL_cleanse(key, sizeof key);
    return 0;
}

int sigv4_chain_init(struct sigv4_chain *chain, const struct sigv4_claim *claim,
                     const unsigned char signing_key[SIGV4_KEY_BYTES], struct err *err)
{
    memcpy(chain->signing_key, signing_key, SIGV4_KEY_BYTES);
    snprintf(chain->amz_date, sizeof chain->amz_date, "%s", claim->amz_date);
    snprintf(chain->previous, sizeof chain->previous, "%s", claim->signature);
    int length = snprintf(chain->scope, sizeof chain->scope, "%s/%s/%s/aws4_request", claim->date,
                          claim->region, claim->service);
    if (length < 0 || (size_t)length >= sizeof chain->scope)
        return err_set(err, ERR_TOO_BIG, "verify chunks: the scope is too long");
    return 0;
}

static void sign_piece(struct sigv4_chain *chain, const char *kind, const char *hashes,
                       char out[SIGV4_HEX_BYTES])
{
    char to_sign[512];
    unsigned char mac[SIGV4_KEY_BYTES];
    snprintf(to_sign, sizeof to_sign, ALGORITHM "-%s\n%s\n%s\n%s\n%s", kind, chain->amz_date,
             chain->scope, chain->previous, hashes);
    sigv4_hmac(chain->signing_key, SIGV4_KEY_BYTES, to_sign, mac);
    hex_encode(mac, sizeof mac, out);
    memcpy(chain->previous, out, SIGV4_HEX_BYTES);
}

void sigv4_chunk_signature(struct sigv4_chain *chain, const char data_hash[SIGV4_HEX_BYTES],
                           char out[SIGV4_HEX_BYTES])
{
    char hashes[2 * SIGV4_HEX_BYTES], nothing[SIGV4_HEX_BYTES];
    sigv4_hash(NULL, 0, nothing);
    snprintf(hashes, sizeof hashes, "%.64s\n%.64s", nothing, data_hash);
    sign_piece(chain, "PAYLOAD", hashes, out);
}

void sigv4_trailer_signature(struct sigv4_chain *chain, const char *trailers, size_t size,
                             char out[SIGV4_HEX_BYTES])
{
    char hash[SIGV4_HEX_BYTES];
    sigv4_hash(trailers, size, hash);
    sign_piece(chain, "TRAILER", hash, out);
}
