#include "base/clock.h"
#include "base/utf8.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* CopyObject and UploadPartCopy's source. */

/* "/bucket/key" or "bucket/key", percent-encoded, perhaps with ?versionId=null. */
static int read_source(struct s3_request *r, char **bucket, char **key)
{
    const char *text = exchange_header(r->x, "x-amz-copy-source");
    text += *text == '/';
    size_t size = strcspn(text, "?");
    const char *version = text[size] ? text + size + 1 : "versionId=null";
    char *decoded = exchange_decode(r->x, text, size, 0);
    char *slash = decoded ? strchr(decoded, '/') : NULL;
    if (!slash || !slash[1] || slash == decoded || !utf8_is_valid(slash + 1)) {
        exchange_fail(r->x, "InvalidArgument",
                      "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
        return -1;
    }
    if (strcmp(version, "versionId=null") != 0) {
        exchange_fail(r->x, "NoSuchVersion", "The specified version does not exist.");
        return -1;
    }
    *slash = 0;
    *bucket = decoded;
    *key = slash + 1;
    return 0;
}

static int holds(const struct exchange *x, const struct meta_object *object)
{
    const char *match = exchange_header(x, "x-amz-copy-source-if-match");
    const char *none_match = exchange_header(x, "x-amz-copy-source-if-none-match");
    const char *unmodified = exchange_header(x, "x-amz-copy-source-if-unmodified-since");
    const char *modified = exchange_header(x, "x-amz-copy-source-if-modified-since");
    return !(match && !s3_etag_listed(match, object->etag)) &&
           !(none_match && s3_etag_listed(none_match, object->etag)) &&
           !(!match && unmodified && s3_changed_since(object->modified_ms, unmodified) == 1) &&
           !(!none_match && modified && s3_changed_since(object->modified_ms, modified) == 0);
}

int s3_copy_source(struct s3_request *r, struct meta_object *source, int *is_self)
{
    struct err err = {0};
    char *bucket, *key;
    if (read_source(r, &bucket, &key) < 0)
        return -1;
    *is_self = strcmp(bucket, r->bucket) == 0 && strcmp(key, r->key) == 0;
    int has_bucket = meta_bucket(r, bucket, NULL, &err);
    int found = has_bucket > 0 ? meta_object(r, bucket, key, source, &err) : has_bucket;
    if (found < 0)
        s3_fail(r, &err);
    else if (!has_bucket)
        s3_fail_no_bucket(r);
    else if (!found)
        s3_fail_no_key(r);
    else if (!holds(r->x, source))
        exchange_fail(r->x, "PreconditionFailed",
                      "At least one of the pre-conditions you specified did not hold");
    else
        return 0;
    return -1;
}

void s3_answer_copied(struct s3_request *r, const char *root, const char *etag)
{
    struct buf out;
    char when[CLOCK_TEXT_BYTES], quoted[S3_ETAG_BYTES + 2];
    clock_text(r->x->received_unix_ms, when);
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    s3_xml_begin(&out, root);
    s3_xml(&out, "LastModified", when);
    s3_xml(&out, "ETag", quoted);
    buf_printf(&out, "</%s>", root);
    s3_xml_send(r->x, &out);
}

/* Which checksum the copy shall have: the one asked for, else the source's. */
static enum checksum_kind copy_checksum(struct s3_request *r, const struct meta_object *source)
{
    const char *asked = exchange_header(r->x, "x-amz-checksum-algorithm");
    char name[16] = "";
    if (asked)
        return checksum_find(asked);
    return sscanf(source->checksum, "%15s", name) == 1 ? checksum_find(name) : CHECKSUM_NONE;
}

/* A write at the same time may take the source's file away: then look again. */
static int join_source(struct s3_request *r, struct meta_object *source, struct content *content)
{
    enum { ATTEMPTS = 5 };
    struct err err = {0};
    int is_self;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct content_piece piece = {.name = source->file,
                                      .blocks = source->blocks,
                                      .block_count = source->block_count,
                                      .whole_size = (size_t)source->size,
                                      .size = (size_t)source->size};
        if (content_join(r, &piece, 1, copy_checksum(r, source), content, &err) == 0)
            return 0;
        content_finish(content);
        if (err.code != ERR_NOT_FOUND)
            break;
        if (s3_copy_source(r, source, &is_self) < 0)
            return -1;
    }
    s3_fail(r, &err);
    return -1;
}

static void copy(struct s3_request *r, const char *headers, const struct content *content)
{
    char etag[S3_ETAG_BYTES], checksum[S3_CHECKSUM_BYTES];
    s3_etag(content->md5, 0, etag);
    s3_full_checksum(content, checksum);
    struct s3_commit commit = {.headers = headers, .etag = etag, .checksum = checksum};
    if (s3_commit(r, content, &commit) == 0)
        s3_answer_copied(r, "CopyObjectResult", etag);
}

void s3_copy_object(struct s3_request *r)
{
    struct meta_object source;
    struct content content = {0};
    const char *directive = exchange_header(r->x, "x-amz-metadata-directive");
    int replaces = directive && strcasecmp(directive, "REPLACE") == 0, is_self;
    if (s3_copy_source(r, &source, &is_self) < 0)
        return;
    if (is_self && !replaces) {
        exchange_fail(r->x, "InvalidRequest",
                      "This copy request is illegal because it is trying to copy an object to "
                      "itself without changing the object's metadata.");
        return;
    }
    const char *given = replaces ? s3_kept_headers(r) : "";
    if (given && join_source(r, &source, &content) == 0)
        copy(r, replaces ? given : source.headers, &content);
    content_finish(&content);
}
