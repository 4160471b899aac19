#include "cloud/auth_s3_v2.h"

#include "aws/sigv4.h"
#include "base/buf.h"
#include "cloud/auth_s3.h"
#include "cloud/errors.h"
#include "cloud/query.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_FIELDS = 64, MAX_TEXT_BYTES = 64 * 1024, MAC_TEXT_BYTES = 29 };

/* A header or a parameter that is signed. */
struct field {
    const char *name, *value;
};

/* -- where the bucket stands -- */

char *auth_s3_host_bucket(struct exchange *x)
{
    const char *host = exchange_header(x, "Host");
    if (!host)
        return NULL;
    const char *end = strcasestr(host, ".localhost");
    const char *s3 = strcasestr(host, ".s3.");
    const char *s3_region = strcasestr(host, ".s3-");
    if (end && end[10] && end[10] != ':')
        end = NULL;
    if (s3)
        end = s3;
    else if (s3_region)
        end = s3_region;
    if (!end || (size_t)(end - host) == 2 || end == host)
        return NULL; /* s3.localhost is path style */
    return arena_copy(&x->arena, host, (size_t)(end - host));
}

/* -- what is claimed -- */

int auth_s3_v2_is(struct exchange *x)
{
    const char *authorization = exchange_header(x, "Authorization");
    return authorization ? strncmp(authorization, "AWS ", 4) == 0
                         : exchange_query(x, "AWSAccessKeyId") && exchange_query(x, "Signature");
}

static int fail_denied(struct exchange *x, const char *message)
{
    exchange_fail(x, "AccessDenied", "%s", message);
    return -1;
}

/* "AWS KEY:SIGNATURE" */
static int read_header(struct exchange *x, const char *text, struct auth_s3_v2 *out)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text) {
        exchange_fail_more(x, "InvalidArgument", "ArgumentName", "Authorization",
                           "AWS authorization header is invalid.  Expected "
                           "AwsAccessKeyId:signature");
        return -1;
    }
    out->access_key_id = arena_copy(&x->arena, text, (size_t)(colon - text));
    out->signature = colon + 1;
    return 0;
}

int auth_s3_v2_read(struct exchange *x, struct auth_s3_v2 *out)
{
    const char *authorization = exchange_header(x, "Authorization");
    *out = (struct auth_s3_v2){0};
    if (authorization)
        return read_header(x, authorization + 4, out);
    out->access_key_id = exchange_query(x, "AWSAccessKeyId");
    out->signature = exchange_query(x, "Signature");
    out->expires = exchange_query(x, "Expires");
    if (out->expires && *out->expires && strlen(out->expires) < 16 &&
        strspn(out->expires, "0123456789") == strlen(out->expires) &&
        strtoll(out->expires, NULL, 10) <= INT32_MAX)
        return 0;
    return fail_denied(x, out->expires
                              ? "Invalid date (should be seconds since epoch)"
                              : "Query-string authentication requires the Signature, Expires and "
                                "AWSAccessKeyId parameters");
}

/* -- the clock -- */

static int read_date(const char *text, int64_t *unix_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S ", &tm);
    if (!end || (strcmp(end, "GMT") != 0 && strcmp(end, "+0000") != 0 && strcmp(end, "-0000") != 0))
        return -1;
    *unix_s = timegm(&tm);
    return *unix_s < 0 ? -1 : 0; /* to AWS no date */
}

static int check_clock(struct exchange *x, const struct auth_s3_v2 *claim)
{
    int64_t now_s = x->received_unix_ms / 1000, date_s;
    const char *date = exchange_header(x, "x-amz-date");
    date = date ? date : exchange_header(x, "Date");
    if (claim->expires) {
        if (strtoll(claim->expires, NULL, 10) > now_s)
            return 0;
        exchange_fail_more(x, "AccessDenied", "Expires", claim->expires, "Request has expired");
        return -1;
    }
    if (!date || read_date(date, &date_s) < 0)
        return fail_denied(x, "AWS authentication requires a valid Date or x-amz-date header");
    if (llabs(now_s - date_s) <= SIGV4_CLOCK_WINDOW_S)
        return 0;
    exchange_fail_more(x, "RequestTimeTooSkewed", "RequestTime", date,
                       "The difference between the request time and the current time is too "
                       "large.");
    return -1;
}

/* -- what is signed -- */

static int compare_fields(const void *a, const void *b)
{
    return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static char *lower(struct exchange *x, const char *name)
{
    char *text = arena_strdup(&x->arena, name);
    for (char *p = text; p && *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    return text;
}

static int add_field(struct field fields[MAX_FIELDS], size_t *count, const char *name,
                     const char *value)
{
    if (*count == MAX_FIELDS || !name || !value)
        return -1;
    fields[(*count)++] = (struct field){name, value};
    return 0;
}

/* x-amz-* of the head and of the query, "name:value\n" in order; several of a name in one line. */
static int put_headers(struct exchange *x, struct buf *out)
{
    struct field fields[MAX_FIELDS];
    struct query_pair pair;
    size_t count = 0;
    for (size_t i = 0; i < x->header_count; i++)
        if (strncasecmp(x->headers[i].name, "x-amz-", 6) == 0 &&
            add_field(fields, &count, lower(x, x->headers[i].name), x->headers[i].value) < 0)
            return -1;
    for (const char *at = x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        if (name && strncasecmp(name, "x-amz-", 6) == 0 &&
            add_field(fields, &count, lower(x, name),
                      exchange_decode(x, pair.value, pair.value_size, 1)) < 0)
            return -1;
    }
    qsort(fields, count, sizeof *fields, compare_fields);
    for (size_t i = 0; i < count; i++) {
        int goes_on = i > 0 && strcmp(fields[i].name, fields[i - 1].name) == 0;
        buf_printf(out, "%s%s%s%s", i && !goes_on ? "\n" : "", goes_on ? "," : fields[i].name,
                   goes_on ? "" : ":", fields[i].value);
    }
    buf_puts(out, count ? "\n" : "");
    return 0;
}

static int is_sub_resource(const char *name)
{
    static const char *const names[] = {"accelerate",
                                        "acl",
                                        "analytics",
                                        "cors",
                                        "defaultObjectAcl",
                                        "delete",
                                        "inventory",
                                        "lifecycle",
                                        "location",
                                        "logging",
                                        "metrics",
                                        "notification",
                                        "object-lock",
                                        "partNumber",
                                        "policy",
                                        "replication",
                                        "requestPayment",
                                        "response-cache-control",
                                        "response-content-disposition",
                                        "response-content-encoding",
                                        "response-content-language",
                                        "response-content-type",
                                        "response-expires",
                                        "restore",
                                        "select",
                                        "select-type",
                                        "storageClass",
                                        "tagging",
                                        "torrent",
                                        "uploadId",
                                        "uploads",
                                        "versionId",
                                        "versioning",
                                        "versions",
                                        "website"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

/* "/bucket/key?acl&versionId=..": the path as it came with what stands `behind` it, and what makes
 * another resource of it. */
static int put_resource(struct exchange *x, const char *behind, struct buf *out)
{
    struct field fields[MAX_FIELDS];
    struct query_pair pair;
    size_t count = 0;
    const char *bucket = auth_s3_host_bucket(x);
    buf_printf(out, "%s%s%s%s", bucket ? "/" : "", bucket ? bucket : "", x->path, behind);
    for (const char *at = x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        if (name && is_sub_resource(name) &&
            add_field(fields, &count, name, exchange_decode(x, pair.value, pair.value_size, 1)) < 0)
            return -1;
    }
    qsort(fields, count, sizeof *fields, compare_fields);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%c%s%s%s", i ? '&' : '?', fields[i].name, *fields[i].value ? "=" : "",
                   fields[i].value);
    return 0;
}

/* A presigned request may hold in its query what is else a header. */
static const char *header_or_parameter(struct exchange *x, const char *header, const char *name)
{
    const char *value = exchange_header(x, header);
    if (!value)
        value = exchange_query(x, name);
    return value ? value : "";
}

/* NULL: too much to sign. */
static const char *text_to_sign(struct exchange *x, const struct auth_s3_v2 *claim,
                                const char *behind)
{
    struct buf out;
    const char *date = exchange_header(x, "x-amz-date") ? "" : exchange_header(x, "Date");
    buf_init(&out, MAX_TEXT_BYTES);
    buf_printf(&out, "%s\n%s\n%s\n%s\n", x->method,
               header_or_parameter(x, "Content-MD5", "content-md5"),
               header_or_parameter(x, "Content-Type", "content-type"),
               claim->expires ? claim->expires
               : date         ? date
                              : "");
    int result =
        put_headers(x, &out) < 0 || put_resource(x, behind, &out) < 0 || out.failed ? -1 : 0;
    const char *text = result == 0 ? arena_copy(&x->arena, out.data, out.size) : NULL;
    buf_finish(&out);
    return text;
}

/* -- the answer -- */

static int fail_signature(struct exchange *x, const struct auth_s3_v2 *claim, const char *text)
{
    const struct error_field fields[] = {{"AWSAccessKeyId", claim->access_key_id},
                                         {"StringToSign", text},
                                         {"SignatureProvided", claim->signature},
                                         {"StringToSignBytes", auth_s3_hex_bytes(x, text)}};
    exchange_fail_fields(x, "SignatureDoesNotMatch",
                         "The request signature we calculated does not match the signature you "
                         "provided. Check your key and signing method.",
                         fields, sizeof fields / sizeof *fields);
    return -1;
}

static int is_signature(const char *text, const char *secret, const char *told)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    char expected[MAC_TEXT_BYTES];
    unsigned int size = 0;
    if (!HMAC(EVP_sha1(), secret, (int)strlen(secret), (const unsigned char *)text, strlen(text),
              mac, &size))
        return 0;
    EVP_EncodeBlock((unsigned char *)expected, mac, (int)size);
    return sigv4_same(expected, told);
}

int auth_s3_v2_verify(struct exchange *x, const struct auth_s3_v2 *claim, const char *secret)
{
    if (check_clock(x, claim) < 0)
        return -1;
    const char *text = text_to_sign(x, claim, "");
    if (!text) {
        exchange_fail(x, "InvalidRequest", "There is too much to sign.");
        return -1;
    }
    if (is_signature(text, secret, claim->signature))
        return 0;
    /* botocore signs /bucket/ and asks for /bucket. */
    const char *other = strchr(x->path + 1, '/') ? NULL : text_to_sign(x, claim, "/");
    return other && is_signature(other, secret, claim->signature) ? 0
                                                                  : fail_signature(x, claim, text);
}
