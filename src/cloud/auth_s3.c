#include "cloud/auth_s3.h"

#include "aws/sigv4_canonical.h"
#include "base/buf.h"
#include "base/clock.h"
#include "cloud/errors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */

#define ALGORITHM "AWS4-HMAC-SHA256"

/* Where a Credential stands, and how its errors begin. */
struct place {
    const char *code, *begin;
};

static const struct place in_query = {"AuthorizationQueryParametersError",
                                      "Error parsing the X-Amz-Credential parameter; "};
static const struct place in_header = {"AuthorizationHeaderMalformed",
                                       "The authorization header is malformed; "};

static int fail_query(struct exchange *x, const char *message)
{
    exchange_fail(x, in_query.code, "%s", message);
    return 1;
}

static int is_day(const char *text, size_t size)
{
    return size == 8 && strspn(text, "0123456789") >= 8;
}

/* "KEY/20261123/us-east-1/s3/aws4_request". 1: it is wrong, which is answered. */
static int explain_credential(struct exchange *x, const struct place *place, const char *text)
{
    const char *parts[5] = {text};
    size_t sizes[5] = {0}, count = 1;
    for (const char *p = text; *p; p++) {
        if (*p != '/')
            sizes[count - 1]++;
        else if (count == 5)
            return exchange_fail(x, place->code,
                                 "%sthe Credential is mal-formed; expecting "
                                 "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
                                 place->begin),
                   1;
        else
            parts[count++] = p + 1;
    }
    if (count < 5)
        exchange_fail(x, place->code,
                      "%sthe Credential is mal-formed; expecting "
                      "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
                      place->begin);
    else if (strcmp(parts[4], "aws4_request") != 0)
        exchange_fail(x, place->code,
                      "%sincorrect terminal \"%.64s\". This endpoint uses \"aws4_request\".",
                      place->begin, parts[4]);
    else if (!is_day(parts[1], sizes[1]))
        exchange_fail(
            x, place->code,
            "%sincorrect date format \"%.*s\". This date in the credential must be in the "
            "format \"yyyyMMdd\".",
            place->begin, (int)sizes[1], parts[1]);
    else
        return 0;
    return 1;
}

static int is_amz_date(const char *text)
{
    return text && strlen(text) == 16 && is_day(text, 8) && text[8] == 'T' &&
           strspn(text + 9, "0123456789") == 6 && text[15] == 'Z';
}

static int explain_expires(struct exchange *x, const char *text)
{
    enum { WEEK_S = 604800 };
    const char *digits = text + (*text == '-');
    errno = 0;
    long long seconds = strtoll(digits, NULL, 10);
    if (!*digits || strspn(digits, "0123456789") != strlen(digits) || errno == ERANGE)
        return fail_query(x, "X-Amz-Expires should be a number");
    if (*text == '-')
        return fail_query(x, "X-Amz-Expires must be non-negative");
    if (!seconds) {
        exchange_fail_more(x, "AccessDenied", "X-Amz-Expires", text, "Request has expired");
        return 1;
    }
    if (seconds > WEEK_S)
        return fail_query(x, "X-Amz-Expires must be less than a week (in seconds); that is, the "
                             "given X-Amz-Expires must be less than 604800 seconds");
    return 0;
}

static int explain_query(struct exchange *x)
{
    static const char *const needed[] = {"X-Amz-Algorithm",     "X-Amz-Credential",
                                         "X-Amz-Signature",     "X-Amz-Date",
                                         "X-Amz-SignedHeaders", "X-Amz-Expires"};
    const char *values[6];
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        values[i] = exchange_query(x, needed[i]);
        if (!values[i] || !*values[i])
            return fail_query(x, "Query-string authentication version 4 requires the "
                                 "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
                                 "X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
    }
    if (strcmp(values[0], ALGORITHM) != 0)
        return fail_query(x, "X-Amz-Algorithm only supports \"" ALGORITHM
                             " and AWS4-ECDSA-P256-SHA256\"");
    if (explain_credential(x, &in_query, values[1]))
        return 1;
    if (!is_amz_date(values[3]))
        return fail_query(x,
                          "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    return explain_expires(x, values[5]);
}

/* The value behind "name=" in the header's list, in the arena; NULL: there is none. */
static const char *component(struct exchange *x, const char *header, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = header; *p;) {
        p += strspn(p, ", ");
        size_t size = strcspn(p, ", ");
        if (size > length && strncmp(p, name, length) == 0 && p[length] == '=')
            return arena_copy(&x->arena, p + length + 1, size - length - 1);
        p += size;
    }
    return NULL;
}

static int fail_authorization(struct exchange *x, const char *message)
{
    exchange_fail_more(x, "InvalidArgument", "ArgumentName", "Authorization", message);
    return 1;
}

static int explain_header(struct exchange *x, const char *header)
{
    static const char *const needed[] = {"Credential", "SignedHeaders", "Signature"};
    const char *date = exchange_header(x, "X-Amz-Date");
    if (!strchr(header, ' '))
        return fail_authorization(
            x, "Authorization header is invalid -- one and only one ' ' (space) required");
    if (strncmp(header, "AWS4-", 5) != 0)
        return fail_authorization(x, "Unsupported Authorization Type");
    if (strncmp(header, ALGORITHM " ", sizeof ALGORITHM) != 0) {
        exchange_fail(x, "InvalidRequest",
                      "The authorization mechanism you have provided is not supported. Please use "
                      "AWS4-HMAC-SHA256.");
        return 1;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (component(x, header + sizeof ALGORITHM, needed[i]))
            continue;
        exchange_fail(x, in_header.code, "%smissing %s.", in_header.begin, needed[i]);
        return 1;
    }
    if (explain_credential(x, &in_header, component(x, header + sizeof ALGORITHM, "Credential")))
        return 1;
    if (date ? is_amz_date(date) : exchange_header(x, "Date") != NULL)
        return 0;
    exchange_fail(x, "AccessDenied",
                  "AWS authentication requires a valid Date or x-amz-date header");
    return 1;
}

void auth_s3_explain(struct exchange *x, const char *otherwise)
{
    const char *header = exchange_header(x, "Authorization");
    if (header ? explain_header(x, header) : explain_query(x))
        return;
    if (strstr(otherwise, "hex digits")) /* a signature that cannot be ours */
        exchange_fail(x, "SignatureDoesNotMatch",
                      "The request signature we calculated does not match the signature you "
                      "provided. Check your key and signing method.");
    else
        exchange_fail(x, in_header.code, "%s", otherwise);
}

/* -- a wrong signature -- */

/* "host, x-amz-date": what must be signed and was not; "" for nothing. */
static const char *unsigned_headers(struct exchange *x, const struct sigv4_claim *claim)
{
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < x->header_count; i++) {
        char name[128];
        size_t size = 0;
        for (const char *p = x->headers[i].name; *p && size + 1 < sizeof name; p++)
            name[size++] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
        name[size] = 0;
        if (claim->presigned && strcmp(name, "x-amz-content-sha256") == 0)
            continue; /* the canonical request ends with it */
        if ((strcmp(name, "host") != 0 && strncmp(name, "x-amz-", 6) != 0) ||
            sigv4_list_has(claim->signed_headers, name) || used + size + 3 > sizeof list)
            continue;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", name);
    }
    return arena_strdup(&x->arena, list);
}

void auth_s3_fail_time(struct exchange *x, const struct sigv4_claim *claim)
{
    char expires[CLOCK_TEXT_BYTES], now[CLOCK_TEXT_BYTES], seconds[24];
    if (claim->unix_s > x->received_unix_ms / 1000) {
        exchange_fail(x, "AccessDenied", "Request is not yet valid");
        return;
    }
    clock_text((claim->unix_s + claim->expires_s) * 1000, expires);
    clock_text(x->received_unix_ms, now);
    snprintf(seconds, sizeof seconds, "%lld", (long long)claim->expires_s);
    const struct error_field fields[] = {
        {"X-Amz-Expires", seconds}, {"Expires", expires}, {"ServerTime", now}};
    exchange_fail_fields(x, "AccessDenied", "Request has expired", fields,
                         sizeof fields / sizeof *fields);
}

const char *auth_s3_hex_bytes(struct exchange *x, const char *text)
{
    size_t size = strlen(text);
    char *out = arena_alloc(&x->arena, 3 * size + 1, 1);
    for (size_t i = 0; out && i < size; i++)
        snprintf(out + 3 * i, 4, "%02x ", (unsigned char)text[i]);
    if (out && size)
        out[3 * size - 1] = 0;
    return out;
}

void auth_s3_mismatch(struct exchange *x, const struct sigv4_request *request,
                      const struct sigv4_claim *claim)
{
    enum { LIMIT_BYTES = 16 * 1024 };
    struct err ignored = {0};
    struct buf canonical;
    char hash[SIGV4_HEX_BYTES];
    const char *missing = unsigned_headers(x, claim);
    if (missing && *missing) {
        exchange_fail_more(x, "AccessDenied", "HeadersNotSigned", missing,
                           "There were headers present in the request which were not signed");
        return;
    }
    const char *ours = NULL, *to_sign = NULL;
    buf_init(&canonical, LIMIT_BYTES);
    if (sigv4_canonical_request(request, claim->service, claim->signed_headers, &x->arena,
                                &canonical, &ignored) == 0 &&
        !canonical.failed) {
        ours = arena_copy(&x->arena, canonical.data, canonical.size);
        sigv4_hash(canonical.data, canonical.size, hash);
        to_sign = arena_printf(&x->arena, ALGORITHM "\n%s\n%s/%s/%s/aws4_request\n%s",
                               claim->amz_date, claim->date, claim->region, claim->service, hash);
    }
    buf_finish(&canonical);
    const struct error_field fields[] = {
        {"AWSAccessKeyId", claim->access_key_id},
        {"StringToSign", to_sign},
        {"SignatureProvided", claim->signature},
        {"StringToSignBytes", to_sign ? auth_s3_hex_bytes(x, to_sign) : ""},
        {"CanonicalRequest", ours},
        {"CanonicalRequestBytes", ours ? auth_s3_hex_bytes(x, ours) : ""}};
    exchange_fail_fields(x, "SignatureDoesNotMatch",
                         "The request signature we calculated does not match the signature you "
                         "provided. Check your key and signing method.",
                         fields, sizeof fields / sizeof *fields);
}
