#include "cloud/s3/complete.h"

#include "base/hex.h"
#include "cloud/errors.h"
#include "cloud/xml.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* CompleteMultipartUpload: the parts named become one file, in one step with the end of the upload.
 * What it became is remembered: who asks again, because the answer got lost, gets the same. */

/* -- what the client asks for
 * ---------------------------------------------------------------------- */

static int end_part(struct completion *c, struct err *err)
{
    if (c->count == S3_MAX_PARTS)
        return err_set(err, ERR_TOO_BIG, "more than %d parts", S3_MAX_PARTS);
    if (!c->has_number || !*c->current.etag)
        return err_set(err, ERR_INVALID, "a part without number or etag");
    c->wanted[c->count++] = c->current;
    c->has_number = 0;
    c->current = (struct wanted_part){0};
    return 0;
}

static int take_number(struct completion *c, const char *text, struct err *err)
{
    c->has_number = 1;
    c->current.number = *text == '-' ? 0 : s3_number(text, INT32_MAX);
    c->has_bad_number |= c->current.number == 0;
    return c->current.number < 0 ? err_set(err, ERR_INVALID, "it is no number") : 0;
}

/* "ChecksumCRC32": one for each part, and the bytes of its kind. */
static void take_checksum(struct completion *c, const char *name, const char *text)
{
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    enum checksum_kind kind = checksum_find(name);
    int size = checksum_bytes(text, bytes);
    c->has_bad_checksum |= c->current.kind != CHECKSUM_NONE || size < 0 ||
                           (kind != CHECKSUM_NONE && (size_t)size != checksum_size(kind));
    c->current.kind = kind;
    snprintf(c->current.checksum, sizeof c->current.checksum, "%s", text);
}

static const char checksum_path[] = "CompleteMultipartUpload/Part/Checksum";

static int take_element(void *context, const char *path, const char *text, struct err *err)
{
    struct completion *c = context;
    if (strcmp(path, "CompleteMultipartUpload/Part") == 0)
        return end_part(c, err);
    if (strcmp(path, "CompleteMultipartUpload/Part/PartNumber") == 0)
        return take_number(c, text, err);
    if (strcmp(path, "CompleteMultipartUpload/Part/ETag") == 0) {
        size_t length = strlen(text);
        int is_quoted = length >= 2 && text[0] == '"' && text[length - 1] == '"';
        snprintf(c->current.etag, sizeof c->current.etag, "%.*s",
                 (int)(length - (is_quoted ? 2 : 0)), text + is_quoted);
    }
    if (strncmp(path, checksum_path, sizeof checksum_path - 1) == 0)
        take_checksum(c, path + sizeof checksum_path - 1, text);
    return 0;
}

static int check_document(const struct completion *c)
{
    if (c->has_bad_number)
        s3_fail_argument(c->r, "PartNumber", NULL, "PartNumber must be >= 1");
    else if (c->has_bad_checksum)
        s3_fail_argument(c->r, "Checksum", NULL,
                         "Invalid Base64 or multiple checksums present in request");
    else
        return 0;
    return -1;
}

static int name_list(struct completion *c)
{
    enum { LINE_BYTES = 32 };
    unsigned char hash[SHA256_DIGEST_LENGTH];
    struct buf text;
    buf_init(&text, (size_t)S3_MAX_PARTS * (S3_ETAG_BYTES + LINE_BYTES));
    for (size_t i = 0; i < c->count; i++)
        buf_printf(&text, "%lld %s\n", (long long)c->wanted[i].number, c->wanted[i].etag);
    int result = text.failed ? -1 : 0;
    if (result == 0) {
        SHA256((const unsigned char *)text.data, text.size, hash);
        hex_encode(hash, sizeof hash, c->list);
    }
    buf_finish(&text);
    return result;
}

static int read_completion(struct completion *c)
{
    struct err err = {0};
    struct exchange *x = c->r->x;
    if (s3_check_size(c->r, S3_MAX_COMPLETE_BYTES) < 0)
        return -1;
    c->wanted = arena_new(&x->arena, struct wanted_part, S3_MAX_PARTS);
    c->chosen = arena_new(&x->arena, struct meta_part *, S3_MAX_PARTS);
    const char *text = exchange_body(x, &err);
    if (!c->wanted || !c->chosen || !text) {
        exchange_fail(x, "InternalError", "Out of memory.");
        return -1;
    }
    if (xml_read(text, x->body.size, take_element, c, &err) == 0 && c->count > 0 &&
        name_list(c) == 0)
        return check_document(c);
    exchange_fail(x, "MalformedXML",
                  "The XML you provided was not well-formed or did not validate against our "
                  "published schema");
    return -1;
}

/* -- against what was uploaded
 * --------------------------------------------------------------------- */

static int compare_number(const void *key, const void *row)
{
    int64_t a = *(const int64_t *)key, b = ((const struct meta_part *)row)->number;
    return (a > b) - (a < b);
}

static int check_order(const struct completion *c)
{
    for (size_t i = 1; i < c->count; i++) {
        if (c->wanted[i].number <= c->wanted[i - 1].number) {
            exchange_fail(c->r->x, "InvalidPartOrder",
                          "The list of parts was not in ascending order. Parts must be ordered by "
                          "part number.");
            return -1;
        }
    }
    return 0;
}

static int choose_part(struct completion *c, size_t i)
{
    const struct wanted_part *wanted = &c->wanted[i];
    c->chosen[i] =
        bsearch(&wanted->number, c->parts, (size_t)c->part_count, sizeof *c->parts, compare_number);
    int fits = c->chosen[i] && strcmp(c->chosen[i]->etag, wanted->etag) == 0;
    if (fits && complete_check_told(c, wanted) < 0)
        return -1;
    if (fits && (!*wanted->checksum || !*c->chosen[i]->checksum ||
                 strcmp(c->chosen[i]->checksum, wanted->checksum) == 0))
        return 0;
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)wanted->number);
    exchange_fail_more(
        c->r->x, "InvalidPart", "PartNumber", number,
        "One or more of the specified parts could not be found. The part may not have "
        "been uploaded, or the specified entity tag may not match the part's entity "
        "tag.");
    return -1;
}

static int check_sizes(const struct completion *c)
{
    for (size_t i = 0; i + 1 < c->count; i++) {
        if ((size_t)c->chosen[i]->size < S3_MIN_PART_BYTES) {
            exchange_fail(c->r->x, "EntityTooSmall",
                          "Your proposed upload is smaller than the minimum allowed size");
            return -1;
        }
    }
    return 0;
}

static int choose_parts(struct completion *c)
{
    struct err err = {0};
    c->part_count = meta_parts(c->r, c->upload.id, &c->parts, &err);
    if (c->part_count < 0) {
        s3_fail(c->r, &err);
        return -1;
    }
    if (check_order(c) < 0)
        return -1;
    for (size_t i = 0; i < c->count; i++)
        if (choose_part(c, i) < 0)
            return -1;
    return check_sizes(c);
}

/* -- the request's headers, against the upload -- */

static int check_size(const struct completion *c)
{
    const char *text = exchange_header(c->r->x, "x-amz-mp-object-size");
    int64_t total = 0;
    for (size_t i = 0; i < c->count; i++)
        total += c->chosen[i]->size;
    if (!text || s3_number(text, INT64_MAX) == total)
        return 0;
    if (*text == '-')
        exchange_fail(c->r->x, "InvalidRequest",
                      "Value for x-amz-mp-object-size header is less than zero: '%s'", text);
    else
        exchange_fail(c->r->x, "InvalidRequest",
                      "The provided 'x-amz-mp-object-size' header value %s does not match what was "
                      "computed: %lld",
                      text, (long long)total);
    return -1;
}

/* The etag is the MD5 of the parts' MD5s. */
static void make_etag(const struct completion *c, char out[S3_ETAG_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE], md5[16];
    EVP_MD_CTX *all = EVP_MD_CTX_new();
    EVP_DigestInit_ex(all, EVP_md5(), NULL);
    for (size_t i = 0; i < c->count; i++) {
        if (hex_decode(c->chosen[i]->etag, md5, sizeof md5) == 0)
            EVP_DigestUpdate(all, md5, sizeof md5);
    }
    EVP_DigestFinal_ex(all, digest, NULL);
    EVP_MD_CTX_free(all);
    s3_etag(digest, c->count, out);
}

/* -- the object
 * ------------------------------------------------------------------------------------ */

static void answer(struct completion *c, const char *etag, const char *checksum)
{
    struct buf out;
    char quoted[S3_ETAG_BYTES + 2], name[16], type[16], value[80], element[32];
    snprintf(quoted, sizeof quoted, "\"%s\"", etag);
    s3_xml_begin(&out, "CompleteMultipartUploadResult");
    buf_printf(&out, "<Location>%s/", c->r->s3->cloud->endpoint);
    s3_url_encode(&out, c->r->bucket);
    buf_puts(&out, "/");
    s3_url_encode(&out, c->r->key);
    buf_puts(&out, "</Location>");
    s3_xml(&out, "Bucket", c->r->bucket);
    s3_xml(&out, "Key", c->r->key);
    s3_xml(&out, "ETag", quoted);
    if (sscanf(checksum, "%15s %15s %79s", name, type, value) == 3) {
        snprintf(element, sizeof element, "Checksum%s", name);
        s3_xml(&out, element, value);
        s3_xml(&out, "ChecksumType", type);
    }
    buf_puts(&out, "</CompleteMultipartUploadResult>");
    s3_xml_send(c->r->x, &out);
}

static int join_parts(struct completion *c, struct content *content)
{
    struct err err = {0};
    struct content_piece *pieces = arena_new(&c->r->x->arena, struct content_piece, c->count);
    for (size_t i = 0; pieces && i < c->count; i++)
        pieces[i] = (struct content_piece){.name = c->chosen[i]->file,
                                           .blocks = c->chosen[i]->blocks,
                                           .block_count = c->chosen[i]->block_count,
                                           .whole_size = (size_t)c->chosen[i]->size,
                                           .size = (size_t)c->chosen[i]->size};
    int result = pieces ? 0 : err_set(&err, ERR_NO_MEMORY, "join parts: out of memory");
    if (result == 0)
        result = content_can_chain(pieces, c->count)
                     ? content_chain(c->r, pieces, c->count, content, &err)
                     : content_join(c->r, pieces, c->count, CHECKSUM_NONE, content, &err);
    if (result < 0)
        s3_fail(c->r, &err);
    return result;
}

/* "number size checksum\n" of each, for reads by part. */
static const char *list_parts(struct completion *c)
{
    enum { LINE_BYTES = 128 };
    struct buf out;
    buf_init(&out, (size_t)S3_MAX_PARTS * LINE_BYTES);
    for (size_t i = 0; i < c->count; i++)
        buf_printf(
            &out, "%lld %lld %s\n", (long long)c->chosen[i]->number, (long long)c->chosen[i]->size,
            c->kind != CHECKSUM_NONE && *c->chosen[i]->checksum ? c->chosen[i]->checksum : "-");
    const char *text = out.failed ? NULL : arena_copy(&c->r->x->arena, out.data, out.size);
    buf_finish(&out);
    return text;
}

static int complete(struct completion *c, struct content *content)
{
    char etag[S3_ETAG_BYTES], checksum[S3_CHECKSUM_BYTES];
    make_etag(c, etag);
    if (complete_make_checksum(c, checksum) < 0 || join_parts(c, content) < 0)
        return -1;
    const struct s3_extras extras = {c->upload.headers, c->upload.tags, c->upload.acl};
    struct s3_commit commit = {.extras = &extras,
                               .etag = etag,
                               .checksum = checksum,
                               .upload = c->upload.id,
                               .upload_created_ms = c->upload.created_ms,
                               .list = c->list,
                               .parts = list_parts(c),
                               .event = "ObjectCreated:CompleteMultipartUpload"};
    if (!commit.parts) {
        content_drop(c->r->s3, content);
        exchange_fail(c->r->x, "InternalError", "Out of memory.");
        return -1;
    }
    if (s3_commit(c->r, content, &commit) < 0)
        return -1;
    answer(c, etag, checksum);
    return 0;
}

static int find_completed(struct completion *c, struct meta_completed *out)
{
    struct err err = {0};
    const char *id = exchange_query(c->r->x, "uploadId");
    return id ? meta_completed(c->r, id, out, &err) : 0;
}

/* The failure stands unless the upload has become an object of just these parts: before, or by
 * another request while this one was under way. */
static void answer_again(struct completion *c)
{
    struct meta_completed before;
    if (find_completed(c, &before) <= 0 || strcmp(before.list, c->list) != 0)
        return;
    s3_reply_made_version(c->r, before.version);
    answer(c, before.etag, before.checksum);
}

void s3_complete_multipart_upload(struct s3_request *r)
{
    struct completion c = {.r = r};
    struct content content = {0};
    struct meta_completed before;
    int is_open = s3_need_upload(r, &c.upload) == 0;
    if (is_open)
        c.kind = s3_upload_checksum(&c.upload, &c.is_composite);
    else if (find_completed(&c, &before) <= 0)
        return;
    if (complete_check_headers(&c) < 0 || read_completion(&c) < 0)
        return;
    if (!is_open || choose_parts(&c) < 0 || check_size(&c) < 0 || complete(&c, &content) < 0)
        answer_again(&c);
    content_finish(&content);
}
