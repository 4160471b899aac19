#include "aws/sigv4.h"
#include "aws/uri.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reading what a signed request claims. Everything here comes from outside. */

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { MAX_AUTHORIZATION_BYTES = 16 * 1024 };

static int all_digits(const char *text, size_t count)
{
    return strspn(text, "0123456789") >= count;
}

/* `out` gets the "20130524T000000Z" form of either form of a date. */
static const char *read_date(const char *text, int64_t *unix_s, struct arena *arena,
                             struct err *err)
{
    struct tm tm = {0};
    int basic = strlen(text) == SIGV4_AMZ_DATE_BYTES - 1 && all_digits(text, 8) && text[8] == 'T' &&
                all_digits(text + 9, 6) && text[15] == 'Z';
    const char *end = strptime(text, basic ? "%Y%m%dT%H%M%SZ" : "%a, %d %b %Y %H:%M:%S GMT", &tm);
    char *out = arena_alloc(arena, SIGV4_AMZ_DATE_BYTES, 1);
    if (!end || *end || tm.tm_year < 70) {
        err_set(err, ERR_INVALID, "read signature: its date is not like 20130524T000000Z");
        return NULL;
    }
    *unix_s = timegm(&tm);
    if (out)
        sigv4_amz_date(*unix_s, out);
    else
        err_set(err, ERR_TOO_BIG, "read signature: it is too long");
    return out;
}

static int is_signature(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* "AKID/20130524/us-east-1/s3/aws4_request", split in place from the right: a key id may hold
 * slashes. */
static int read_credential(char *text, struct sigv4_claim *claim, struct err *err)
{
    char *part[4];
    for (int i = 3; i >= 0; i--) {
        char *slash = strrchr(text, '/');
        if (!slash || !slash[1])
            return err_set(err, ERR_INVALID,
                           "read signature: its Credential is not KEY/DATE/REGION/SERVICE/"
                           "aws4_request");
        *slash = 0;
        part[i] = slash + 1;
    }
    if (!*text || strcmp(part[3], "aws4_request") != 0 || strlen(part[0]) != 8 ||
        !all_digits(part[0], 8))
        return err_set(err, ERR_INVALID,
                       "read signature: its Credential is not KEY/DATE/REGION/SERVICE/"
                       "aws4_request");
    claim->access_key_id = text;
    claim->date = part[0];
    claim->region = part[1];
    claim->service = part[2];
    return 0;
}

struct fields {
    char *credential, *signed_headers, *signature, *date, *expires;
};

static int read_fields(const struct fields *fields, struct sigv4_claim *claim, struct arena *arena,
                       struct err *err)
{
    if (!fields->credential || !fields->signed_headers || !*fields->signed_headers ||
        !fields->signature)
        return err_set(err, ERR_INVALID,
                       "read signature: Credential, SignedHeaders or Signature is missing");
    if (!fields->date)
        return err_set(err, ERR_INVALID, "read signature: X-Amz-Date or Date is missing");
    if (!is_signature(fields->signature))
        return err_set(err, ERR_INVALID, "read signature: it is not 64 hex digits");
    if (read_credential(fields->credential, claim, err) < 0)
        return -1;
    claim->signed_headers = fields->signed_headers;
    claim->signature = fields->signature;
    claim->amz_date = read_date(fields->date, &claim->unix_s, arena, err);
    return claim->amz_date ? 0 : -1;
}

/* Store a "Name=value" item of the Authorization header where it belongs. */
static void store_item(struct fields *fields, char *item)
{
    if (strncmp(item, "Credential=", 11) == 0)
        fields->credential = item + 11;
    else if (strncmp(item, "SignedHeaders=", 14) == 0)
        fields->signed_headers = item + 14;
    else if (strncmp(item, "Signature=", 10) == 0)
        fields->signature = item + 10;
}

static int parse_header(const char *authorization, const char *date, struct sigv4_claim *claim,
                        struct arena *arena, struct err *err)
{
    size_t scheme = strlen(ALGORITHM);
    if (strncmp(authorization, ALGORITHM, scheme) != 0 || authorization[scheme] != ' ')
        return err_set(err, ERR_UNSUPPORTED,
                       "read signature: only " ALGORITHM " is known, not another scheme");
    if (strlen(authorization) > MAX_AUTHORIZATION_BYTES)
        return err_set(err, ERR_TOO_BIG, "read signature: it is too long");
    char *text = arena_strdup(arena, authorization + scheme), *rest = NULL;
    struct fields fields = {.date = date ? arena_strdup(arena, date) : NULL};
    for (char *item = text ? strtok_r(text, ", ", &rest) : NULL; item;
         item = strtok_r(NULL, ", ", &rest))
        store_item(&fields, item);
    return read_fields(&fields, claim, arena, err);
}

/* The decoded value of a query parameter, NULL when absent. */
static char *parameter(const char *query, const char *name, struct arena *arena)
{
    size_t length = strlen(name);
    for (const char *at = query; *at;) {
        size_t size = strcspn(at, "&");
        if (size > length && strncmp(at, name, length) == 0 && at[length] == '=')
            return uri_decode(arena, at + length + 1, size - length - 1, 1, NULL);
        at += size;
        at += *at == '&';
    }
    return NULL;
}

static int parse_query(const char *query, struct sigv4_claim *claim, struct arena *arena,
                       struct err *err)
{
    const char *algorithm = parameter(query, "X-Amz-Algorithm", arena);
    if (!algorithm || strcmp(algorithm, ALGORITHM) != 0)
        return err_set(err, ERR_INVALID, "read signature: X-Amz-Algorithm is not " ALGORITHM);
    struct fields fields = {
        .credential = parameter(query, "X-Amz-Credential", arena),
        .signed_headers = parameter(query, "X-Amz-SignedHeaders", arena),
        .signature = parameter(query, "X-Amz-Signature", arena),
        .date = parameter(query, "X-Amz-Date", arena),
        .expires = parameter(query, "X-Amz-Expires", arena),
    };
    size_t digits = fields.expires ? strspn(fields.expires, "0123456789") : 0;
    if (digits == 0 || digits > 6 || fields.expires[digits])
        return err_set(err, ERR_INVALID, "read signature: X-Amz-Expires is not 1 to %d seconds",
                       SIGV4_MAX_PRESIGN_S);
    claim->presigned = 1;
    claim->expires_s = strtol(fields.expires, NULL, 10);
    if (claim->expires_s < 1 || claim->expires_s > SIGV4_MAX_PRESIGN_S)
        return err_set(err, ERR_INVALID, "read signature: X-Amz-Expires is not 1 to %d seconds",
                       SIGV4_MAX_PRESIGN_S);
    return read_fields(&fields, claim, arena, err);
}

int sigv4_parse(const char *authorization, const char *date_header, const char *query,
                struct sigv4_claim *claim, struct arena *arena, struct err *err)
{
    *claim = (struct sigv4_claim){0};
    if (authorization)
        return parse_header(authorization, date_header, claim, arena, err) < 0 ? -1 : 1;
    if (!parameter(query, "X-Amz-Signature", arena) &&
        !parameter(query, "X-Amz-Algorithm", arena) && !parameter(query, "X-Amz-Credential", arena))
        return 0;
    return parse_query(query, claim, arena, err) < 0 ? -1 : 1;
}
