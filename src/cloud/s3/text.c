#include "cloud/errors.h"
#include "cloud/s3/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void s3_http_time(int64_t unix_ms, char out[S3_TIME_BYTES])
{
    struct tm tm;
    time_t seconds = (time_t)(unix_ms / 1000);
    gmtime_r(&seconds, &tm);
    strftime(out, S3_TIME_BYTES, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

int s3_read_http_time(const char *text, int64_t *unix_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y", "%Y-%m-%dT%H:%M:%SZ"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);
        if (end && !*end) {
            *unix_s = timegm(&tm);
            return 0;
        }
    }
    return -1;
}

int s3_changed_since(int64_t modified_ms, const char *date)
{
    int64_t unix_s;
    return s3_read_http_time(date, &unix_s) < 0 ? -1 : modified_ms / 1000 > unix_s;
}

int s3_unchanged_since(const struct exchange *x, int64_t modified_ms, const char *date)
{
    return date && s3_changed_since(modified_ms, date) == 0 &&
           s3_changed_since(x->received_unix_ms + 1000, date) == 1;
}

void s3_xml(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "<%s>", name);
    error_xml_escape(out, text);
    buf_printf(out, "</%s>", name);
}

void s3_xml_begin(struct buf *out, const char *root)
{
    buf_init(out, (size_t)16 * 1024 * 1024);
    buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s xmlns=\"" S3_NAMESPACE "\">",
               root);
}

void s3_xml_send(struct exchange *x, struct buf *out)
{
    if (out->failed) {
        exchange_fail(x, "InternalError", "The answer is too long.");
        buf_finish(out);
        return;
    }
    exchange_respond_take(x, 200, "application/xml", out->data, out->size);
    *out = (struct buf){.limit = out->limit}; /* the exchange has its memory now */
}

void s3_xml_user(struct buf *out, const struct s3 *s3, const char *element)
{
    buf_printf(out, "<%s><ID>%s</ID><DisplayName>" S3_OWNER_NAME "</DisplayName></%s>", element,
               s3->owner_id, element);
}

void s3_xml_owner(struct buf *out, const struct s3 *s3)
{
    s3_xml_user(out, s3, "Owner");
}

const char *s3_storage_class(const char *headers, struct arena *arena)
{
    static const char name[] = "x-amz-storage-class: ";
    const char *at = headers ? strstr(headers, name) : NULL;
    if (!at || (at > headers && at[-1] != '\n'))
        return "STANDARD";
    at += sizeof name - 1;
    const char *text = arena_copy(arena, at, strcspn(at, "\n"));
    return text ? text : "STANDARD";
}

void s3_url_encode(struct buf *out, const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~/";
    for (const char *p = text; *p;) {
        size_t run = strspn(p, plain);
        buf_append(out, p, run);
        p += run;
        if (*p)
            buf_printf(out, "%%%02X", (unsigned char)*p++);
    }
}

void s3_reply_etag(struct exchange *x, const char *etag)
{
    char quoted[S3_ETAG_BYTES + 2];
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    exchange_reply_header(x, "ETag", quoted);
}

int s3_etag_listed(const char *list, const char *etag)
{
    size_t length = strlen(etag);
    for (const char *p = list; *p;) {
        p += strspn(p, ", \t");
        if (*p == '*')
            return 1;
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        size_t size = strcspn(p, ", \t");
        const char *start = p;
        p += size;
        if (size >= 2 && start[0] == '"' && start[size - 1] == '"') {
            start++;
            size -= 2;
        }
        if (size == length && memcmp(start, etag, length) == 0)
            return 1;
    }
    return 0;
}

int64_t s3_number(const char *text, int64_t max)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits])
        return -1;
    int64_t value = strtoll(text, NULL, 10);
    return value > max ? -1 : value;
}
