#include "base/clock.h"
#include "base/utf8.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* CopyObject and UploadPartCopy's source. */

struct source {
    char *bucket, *key;
    const char *version; /* NULL: the current one */
};

static int fail_source(struct s3_request *r)
{
    s3_fail_argument(r, "x-amz-copy-source", exchange_header(r->x, "x-amz-copy-source"),
                     "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    return -1;
}

static int read_source_version(struct s3_request *r, const char *text, struct source *out)
{
    static const char name[] = "versionId=";
    if (!*text)
        return 0;
    if (strncmp(text, name, sizeof name - 1) != 0)
        return fail_source(r);
    out->version = exchange_decode(r->x, text + sizeof name - 1, strlen(text) - sizeof name + 1, 0);
    if (out->version &&
        (strcmp(out->version, "null") == 0 || s3_version_sequence(out->version) >= 0))
        return 0;
    exchange_fail(r->x, "InvalidArgument", "Invalid version id specified");
    return -1;
}

/* "/bucket/key" or "bucket/key", percent-encoded, perhaps with ?versionId=. */
static int read_source(struct s3_request *r, struct source *out)
{
    const char *text = exchange_header(r->x, "x-amz-copy-source");
    *out = (struct source){0};
    text += *text == '/';
    size_t size = strcspn(text, "?");
    char *decoded = exchange_decode(r->x, text, size, 0);
    char *slash = decoded ? strchr(decoded, '/') : NULL;
    if (!slash || !slash[1] || slash == decoded || !utf8_is_valid(slash + 1))
        return fail_source(r);
    *slash = 0;
    out->bucket = decoded;
    out->key = slash + 1;
    return read_source_version(r, text[size] ? text + size + 1 : "", out);
}

/* The condition that does not hold, as AWS spells it; NULL: all do. */
static const char *failed_condition(const struct exchange *x, const struct meta_object *object)
{
    const char *match = exchange_header(x, "x-amz-copy-source-if-match");
    const char *none_match = exchange_header(x, "x-amz-copy-source-if-none-match");
    const char *unmodified = exchange_header(x, "x-amz-copy-source-if-unmodified-since");
    const char *modified = exchange_header(x, "x-amz-copy-source-if-modified-since");
    if (match && !s3_etag_listed(match, object->etag))
        return "x-amz-copy-source-If-Match";
    if (!match && unmodified && s3_changed_since(object->modified_ms, unmodified) == 1)
        return "x-amz-copy-source-If-Unmodified-Since";
    if (none_match && s3_etag_listed(none_match, object->etag))
        return "x-amz-copy-source-If-None-Match";
    if (!none_match && s3_unchanged_since(x, object->modified_ms, modified))
        return "x-amz-copy-source-If-Modified-Since";
    return NULL;
}

static void fail_source_absent(struct s3_request *r, const struct source *source, int has_bucket)
{
    if (!has_bucket)
        exchange_fail_more(r->x, "NoSuchBucket", "BucketName", source->bucket,
                           "The specified bucket does not exist");
    else if (source->version)
        s3_fail_no_version(r, source->key, source->version);
    else
        exchange_fail_more(r->x, "NoSuchKey", "Key", source->key,
                           "The specified key does not exist.");
}

/* The source's row and, of a small one, its content, which a write in between may have replaced. */
static int find_source(struct s3_request *r, const struct source *source,
                       struct meta_object *object, struct err *err)
{
    enum { ATTEMPTS = 10 };
    for (int i = 0; i < ATTEMPTS; i++) {
        int found = meta_version(r, source->bucket, source->key, source->version, object, err);
        if (found <= 0 || object->is_marker || object->file[0] != '#')
            return found;
        void *data = arena_alloc(&r->x->arena, (size_t)object->size + 1, 1);
        found = data ? meta_content(r, object->file, data, (size_t)object->size, err)
                     : err_set(err, ERR_NO_MEMORY, "copy an object: out of memory");
        object->data = data;
        if (found)
            return found;
    }
    return err_set(err, ERR_BUSY, "copy an object: it changes too often");
}

int s3_copy_source(struct s3_request *r, struct meta_object *object, int *is_self)
{
    struct err err = {0};
    struct source source;
    *object = (struct meta_object){0};
    if (read_source(r, &source) < 0 ||
        s3_authorize(r, source.version ? "s3:GetObjectVersion" : "s3:GetObject", source.bucket,
                     source.key) < 0)
        return -1;
    *is_self = strcmp(source.bucket, r->bucket) == 0 && r->key && strcmp(source.key, r->key) == 0 &&
               !source.version;
    int has_bucket = meta_bucket(r, source.bucket, NULL, &err);
    int found = has_bucket > 0 ? find_source(r, &source, object, &err) : has_bucket;
    if (found < 0)
        s3_fail(r, &err);
    else if (!found)
        fail_source_absent(r, &source, has_bucket);
    else if (object->is_marker)
        exchange_fail(r->x, "InvalidRequest",
                      "The source of a copy request may not specifically refer to a delete marker "
                      "by version id.");
    else if (failed_condition(r->x, object))
        s3_fail_condition(r, failed_condition(r->x, object));
    else
        return 0;
    return -1;
}

void s3_answer_copied(struct s3_request *r, const char *root, const char *etag,
                      const struct content *content)
{
    struct buf out;
    char when[CLOCK_TEXT_BYTES], quoted[S3_ETAG_BYTES + 2], text[CHECKSUM_TEXT_BYTES], name[32];
    clock_text(r->x->received_unix_ms, when);
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    s3_xml_begin(&out, root);
    s3_xml(&out, "LastModified", when);
    s3_xml(&out, "ETag", quoted);
    if (content->checksum_size) {
        snprintf(name, sizeof name, "Checksum%s", checksum_name(content->checksum_kind));
        checksum_text(content->checksum, content->checksum_size, text);
        s3_xml(&out, name, text);
    }
    buf_printf(&out, "</%s>", root);
    s3_xml_send(r->x, &out);
}

/* Which checksum the copy shall have: the one asked for, else the source's, else AWS's usual one.
 */
static enum checksum_kind copy_checksum(struct s3_request *r, const struct meta_object *source)
{
    const char *asked = exchange_header(r->x, "x-amz-checksum-algorithm");
    char name[16] = "";
    if (asked)
        return checksum_find(asked);
    return sscanf(source->checksum, "%15s", name) == 1 ? checksum_find(name) : CHECKSUM_CRC64NVME;
}

/* A write at the same time may take the source's file away: then look again. */
static int join_source(struct s3_request *r, struct meta_object *source, struct content *content)
{
    enum { ATTEMPTS = 5 };
    struct err err = {0};
    int is_self;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct content_piece piece = {.name = source->file,
                                      .data = source->data,
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

/* COPY (0) or REPLACE (1) of a directive header; -1: answered. */
static int read_directive(struct s3_request *r, const char *name)
{
    const char *text = exchange_header(r->x, name);
    if (!text || strcmp(text, "COPY") == 0)
        return 0;
    if (strcmp(text, "REPLACE") == 0)
        return 1;
    s3_fail_argument(r, name, text,
                     strcmp(name, "x-amz-tagging-directive") == 0 ? "Unknown tagging directive."
                                                                  : "Unknown metadata directive.");
    return -1;
}

/* The source's lines without those that belong to the copy request. */
static const char *copied_headers(struct s3_request *r, const struct meta_object *source,
                                  const char *own)
{
    static const char *const dropped[] = {"x-amz-storage-class:",
                                          "x-amz-website-redirect-location:"};
    struct buf out;
    buf_init(&out, 2 * S3_MAX_HEADERS_BYTES);
    for (const char *line = source->headers; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        int is_dropped = 0;
        for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
            is_dropped |= strncmp(line, dropped[i], strlen(dropped[i])) == 0;
        if (!is_dropped)
            buf_append(&out, line, size);
        line += size;
    }
    for (const char *line = own; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
            if (strncmp(line, dropped[i], strlen(dropped[i])) == 0)
                buf_append(&out, line, size);
        line += size;
    }
    const char *text = arena_copy(&r->x->arena, out.size ? out.data : "", out.size);
    buf_finish(&out);
    if (!text)
        exchange_fail(r->x, "InternalError", "Out of memory.");
    return text;
}

/* What the copy takes from its source, and what from the request. */
static int choose_extras(struct s3_request *r, const struct meta_object *source, int is_self,
                         struct s3_extras *extras)
{
    int replaces = read_directive(r, "x-amz-metadata-directive");
    int replaces_tags = replaces < 0 ? -1 : read_directive(r, "x-amz-tagging-directive");
    if (replaces_tags < 0 || s3_read_extras(r, extras) < 0)
        return -1;
    if (is_self && !replaces && !exchange_header(r->x, "x-amz-storage-class") &&
        !exchange_header(r->x, "x-amz-website-redirect-location") &&
        !exchange_header(r->x, "x-amz-server-side-encryption")) {
        exchange_fail(r->x, "InvalidRequest",
                      "This copy request is illegal because it is trying to copy an object to "
                      "itself without changing the object's metadata, storage class, website "
                      "redirect location or encryption attributes.");
        return -1;
    }
    if (!replaces_tags)
        extras->tags = source->tags;
    if (!replaces)
        extras->headers = copied_headers(r, source, extras->headers);
    return extras->headers ? 0 : -1;
}

static void copy(struct s3_request *r, const struct s3_extras *extras,
                 const struct meta_object *source, const struct content *content)
{
    char etag[S3_ETAG_BYTES], checksum[S3_CHECKSUM_BYTES];
    s3_etag(content->md5, 0, etag);
    s3_full_checksum(content, checksum);
    struct s3_commit commit = {
        .extras = extras, .etag = etag, .checksum = checksum, .event = "ObjectCreated:Copy"};
    if (s3_commit(r, content, &commit) < 0)
        return;
    if (source->versioning != VERSIONING_OFF)
        exchange_reply_header(r->x, "x-amz-copy-source-version-id", source->version);
    s3_answer_copied(r, "CopyObjectResult", etag, content);
}

void s3_copy_object(struct s3_request *r)
{
    struct meta_object source;
    struct s3_extras extras;
    struct content content = {0};
    int is_self;
    const char *algorithm = exchange_header(r->x, "x-amz-checksum-algorithm");
    if (algorithm && checksum_find(algorithm) == CHECKSUM_NONE) {
        s3_fail_algorithm(r);
        return;
    }
    if (s3_need_bucket(r, NULL) < 0 || s3_copy_source(r, &source, &is_self) < 0 ||
        choose_extras(r, &source, is_self, &extras) < 0)
        return;
    if (join_source(r, &source, &content) == 0)
        copy(r, &extras, &source, &content);
    content_finish(&content);
}
