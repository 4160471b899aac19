#include "base/clock.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* ListMultipartUploads. */

struct listing {
    struct s3_request *r;
    struct meta_upload_page page;
    const char *delimiter;
    int64_t max, count;
    int encodes_url, is_truncated;
    char last_key[S3_MAX_KEY_BYTES + 1], last_id[64];
    char prefix[S3_MAX_KEY_BYTES + 1]; /* the common prefix shown last */
    struct buf uploads, prefixes;
};

static const char *parameter(struct s3_request *r, const char *name)
{
    const char *value = exchange_query(r->x, name);
    return value ? value : "";
}

static int read_listing(struct listing *l)
{
    struct s3_request *r = l->r;
    const char *max = parameter(r, "max-uploads"), *encoding = parameter(r, "encoding-type");
    l->page = (struct meta_upload_page){parameter(r, "key-marker"),
                                        parameter(r, "upload-id-marker"), parameter(r, "prefix")};
    if (!*l->page.key_marker)
        l->page.id_marker = "";
    l->delimiter = parameter(r, "delimiter");
    l->max = *max ? s3_number(max, INT32_MAX) : S3_MAX_LIST;
    l->encodes_url = strcmp(encoding, "url") == 0;
    if (l->max > S3_MAX_LIST)
        l->max = S3_MAX_LIST;
    if (l->max >= 0 && (l->encodes_url || !*encoding))
        return 0;
    s3_fail_argument(r, l->max < 0 ? "max-uploads" : "encoding-type", l->max < 0 ? max : encoding,
                     l->max < 0 ? "Argument max-uploads must be an integer between 0 and 2147483647"
                                : "Invalid Encoding Method specified in Request");
    return -1;
}

static void put_text(const struct listing *l, struct buf *out, const char *name, const char *text)
{
    if (!l->encodes_url) {
        s3_xml(out, name, text);
        return;
    }
    buf_printf(out, "<%s>", name);
    s3_url_encode(out, text);
    buf_printf(out, "</%s>", name);
}

static void put_upload(struct listing *l, const struct meta_upload *upload)
{
    char when[CLOCK_TEXT_BYTES];
    clock_text(upload->created_ms, when);
    buf_puts(&l->uploads, "<Upload>");
    put_text(l, &l->uploads, "Key", upload->key);
    s3_xml(&l->uploads, "UploadId", upload->id);
    s3_xml_user(&l->uploads, l->r->s3, "Initiator");
    s3_xml_owner(&l->uploads, l->r->s3);
    buf_printf(&l->uploads,
               "<StorageClass>STANDARD</StorageClass><Initiated>%s</Initiated></Upload>", when);
}

/* The length of the common prefix that the key rolls up into, 0: none. */
static size_t rolled_length(const struct listing *l, const char *key)
{
    size_t prefix = strlen(l->page.prefix);
    const char *found = *l->delimiter ? strstr(key + prefix, l->delimiter) : NULL;
    return found ? (size_t)(found - key) + strlen(l->delimiter) : 0;
}

/* 1: the end. */
static int take(struct listing *l, const struct meta_upload *upload)
{
    if (strncmp(upload->key, l->page.prefix, strlen(l->page.prefix)) != 0)
        return 1;
    size_t rolled = rolled_length(l, upload->key);
    if (rolled && strncmp(l->prefix, upload->key, rolled) == 0 && !l->prefix[rolled])
        return 0; /* shown already */
    if (l->count == l->max) {
        l->is_truncated = l->max > 0;
        return 1;
    }
    l->count++;
    snprintf(l->last_key, sizeof l->last_key, "%s", upload->key);
    snprintf(l->last_id, sizeof l->last_id, "%s", rolled ? "" : upload->id);
    if (!rolled) {
        put_upload(l, upload);
        return 0;
    }
    l->last_key[rolled] = 0;
    snprintf(l->prefix, sizeof l->prefix, "%s", l->last_key);
    buf_puts(&l->prefixes, "<CommonPrefixes>");
    put_text(l, &l->prefixes, "Prefix", l->prefix);
    buf_puts(&l->prefixes, "</CommonPrefixes>");
    return 0;
}

static int walk(struct listing *l, struct err *err)
{
    struct meta_upload *uploads;
    struct meta_upload_page page = l->page;
    /* A common prefix as the marker: all below it was shown. */
    if (*l->delimiter && rolled_length(l, page.key_marker) == strlen(page.key_marker))
        snprintf(l->prefix, sizeof l->prefix, "%s", page.key_marker);
    for (;;) {
        int64_t count = meta_uploads(l->r, &page, &uploads, S3_MAX_LIST, err);
        for (int64_t i = 0; i < count; i++)
            if (take(l, &uploads[i]))
                return 0;
        if (count < S3_MAX_LIST)
            return count < 0 ? -1 : 0;
        page.key_marker = uploads[count - 1].key;
        page.id_marker = uploads[count - 1].id;
    }
}

static void answer(struct listing *l)
{
    struct buf out;
    s3_xml_begin(&out, "ListMultipartUploadsResult");
    s3_xml(&out, "Bucket", l->r->bucket);
    put_text(l, &out, "KeyMarker", l->page.key_marker);
    s3_xml(&out, "UploadIdMarker", l->page.id_marker);
    put_text(l, &out, "NextKeyMarker", l->count ? l->last_key : "");
    s3_xml(&out, "NextUploadIdMarker", l->count ? l->last_id : "");
    if (*l->page.prefix)
        put_text(l, &out, "Prefix", l->page.prefix);
    if (*l->delimiter)
        put_text(l, &out, "Delimiter", l->delimiter);
    if (l->encodes_url)
        s3_xml(&out, "EncodingType", "url");
    buf_printf(&out, "<MaxUploads>%lld</MaxUploads><IsTruncated>%s</IsTruncated>",
               (long long)l->max, l->is_truncated ? "true" : "false");
    if (l->uploads.size)
        buf_append(&out, l->uploads.data, l->uploads.size);
    if (l->prefixes.size)
        buf_append(&out, l->prefixes.data, l->prefixes.size);
    buf_puts(&out, "</ListMultipartUploadsResult>");
    out.failed |= l->uploads.failed | l->prefixes.failed;
    s3_xml_send(l->r->x, &out);
}

void s3_list_multipart_uploads(struct s3_request *r)
{
    enum { LIMIT_BYTES = 8 * 1024 * 1024 };
    struct err err = {0};
    struct listing *l = arena_new(&r->x->arena, struct listing, 1);
    if (!l) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return;
    }
    l->r = r;
    if (s3_need_bucket(r, NULL) < 0 || read_listing(l) < 0)
        return;
    buf_init(&l->uploads, LIMIT_BYTES);
    buf_init(&l->prefixes, LIMIT_BYTES);
    if (walk(l, &err) == 0)
        answer(l);
    else
        s3_fail(r, &err);
    buf_finish(&l->uploads);
    buf_finish(&l->prefixes);
}
