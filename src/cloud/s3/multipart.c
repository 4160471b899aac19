#include "base/clock.h"
#include "base/random.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Uploads in parts, but for their completion (complete.c). */

enum { UPLOAD_ID_LETTERS = 48 };

enum checksum_kind s3_upload_checksum(const struct meta_upload *upload, int *is_composite)
{
    char name[16] = "", type[16] = "";
    if (sscanf(upload->algorithm, "%15s %15s", name, type) != 2)
        return CHECKSUM_NONE;
    *is_composite = strcmp(type, "COMPOSITE") == 0;
    return checksum_find(name);
}

static int refuse_algorithm(struct s3_request *r, const char *message)
{
    exchange_fail(r->x, "InvalidRequest", "%s", message);
    return -1;
}

static int is_type(const char *type, const char *name)
{
    return type && strcasecmp(type, name) == 0;
}

/* "CRC32 COMPOSITE" of what the client asked for; "" for nothing. */
static int read_algorithm(struct s3_request *r, char out[40])
{
    const char *name = exchange_header(r->x, "x-amz-checksum-algorithm");
    const char *type = exchange_header(r->x, "x-amz-checksum-type");
    int is_full = is_type(type, "FULL_OBJECT"), is_composite = is_type(type, "COMPOSITE");
    out[0] = 0;
    if (type && !is_full && !is_composite)
        return refuse_algorithm(r, "Value for x-amz-checksum-type header is invalid.");
    if (type && !name)
        return refuse_algorithm(r, "The x-amz-checksum-type header can only be used with the "
                                   "x-amz-checksum-algorithm header.");
    if (!name)
        return 0;
    enum checksum_kind kind = checksum_find(name);
    int is_crc64 = kind == CHECKSUM_CRC64NVME;
    if (kind == CHECKSUM_NONE)
        return s3_fail_algorithm(r);
    if ((is_full && kind > CHECKSUM_CRC64NVME) || (is_composite && is_crc64)) {
        exchange_fail(r->x, "InvalidRequest",
                      "The %s checksum type cannot be used with the %s checksum algorithm.",
                      is_full ? "FULL_OBJECT" : "COMPOSITE", checksum_word(kind));
        return -1;
    }
    snprintf(out, 40, "%s %s", checksum_name(kind),
             is_full || is_crc64 ? "FULL_OBJECT" : "COMPOSITE");
    return 0;
}

static void answer_created(struct s3_request *r, const struct meta_upload *upload)
{
    struct buf out;
    int is_composite = 0;
    enum checksum_kind kind = s3_upload_checksum(upload, &is_composite);
    if (kind != CHECKSUM_NONE) {
        exchange_reply_header(r->x, "x-amz-checksum-algorithm", checksum_name(kind));
        exchange_reply_header(r->x, "x-amz-checksum-type",
                              is_composite ? "COMPOSITE" : "FULL_OBJECT");
    }
    s3_reply_encryption(r);
    s3_reply_abort(r, upload);
    s3_xml_begin(&out, "InitiateMultipartUploadResult");
    s3_xml(&out, "Bucket", r->bucket);
    s3_xml(&out, "Key", r->key);
    s3_xml(&out, "UploadId", upload->id);
    buf_puts(&out, "</InitiateMultipartUploadResult>");
    s3_xml_send(r->x, &out);
}

void s3_create_multipart_upload(struct s3_request *r)
{
    struct err err = {0};
    enum meta_outcome outcome;
    char id[UPLOAD_ID_LETTERS + 1], algorithm[40];
    struct s3_extras extras;
    if (s3_need_bucket(r, NULL) < 0 || s3_read_extras(r, &extras) < 0 ||
        read_algorithm(r, algorithm) < 0)
        return;
    random_text(id, UPLOAD_ID_LETTERS, RANDOM_LOWER);
    struct meta_upload upload = {.id = id,
                                 .key = r->key,
                                 .headers = extras.headers,
                                 .tags = extras.tags,
                                 .acl = extras.acl,
                                 .algorithm = algorithm,
                                 .created_ms = r->x->received_unix_ms};
    if (meta_create_upload(r, &upload, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        answer_created(r, &upload);
}

int s3_need_upload(struct s3_request *r, struct meta_upload *upload)
{
    struct err err = {0};
    const char *id = exchange_query(r->x, "uploadId");
    if (!id) {
        s3_fail_argument(r, "partNumber", exchange_query(r->x, "partNumber"),
                         "This operation does not accept partNumber without uploadId");
        return -1;
    }
    int found = meta_upload(r, id, upload, &err);
    if (found < 0)
        s3_fail(r, &err);
    else if (!found && s3_need_bucket(r, NULL) == 0)
        s3_fail_outcome(r, META_NO_UPLOAD);
    return found > 0 ? 0 : -1;
}

/* -- parts -- */

static int read_part_number(struct s3_request *r, int64_t *number)
{
    const char *text = exchange_query(r->x, "partNumber");
    *number = text ? s3_number(text, S3_MAX_PARTS) : -1;
    if (*number >= 1)
        return 0;
    exchange_fail(r->x, "InvalidArgument",
                  "Part number must be an integer between 1 and 10000, inclusive");
    return -1;
}

/* Make stored content the part. -1: answered, the file is gone. */
static int put_part(struct s3_request *r, const char *upload, int64_t number,
                    const struct content *content, char etag[S3_ETAG_BYTES])
{
    struct err err = {0};
    enum meta_outcome outcome = META_DONE;
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    char checksum[CHECKSUM_TEXT_BYTES] = "", crc64[CHECKSUM_TEXT_BYTES];
    s3_etag(content->md5, 0, etag);
    checksum_text(bytes, checksum_crc_bytes(CHECKSUM_CRC64NVME, content->crc64, bytes), crc64);
    if (content->checksum_size)
        checksum_text(content->checksum, content->checksum_size, checksum);
    struct meta_part part = {.number = number,
                             .size = (int64_t)content->size,
                             .modified_ms = r->x->received_unix_ms,
                             .file = content->name,
                             .etag = etag,
                             .checksum = checksum,
                             .crc64 = crc64,
                             .blocks = content->blocks,
                             .block_count = content->block_count};
    int result = meta_put_part(r, upload, &part, &outcome, &err);
    if (s3_settle(r, content, result, outcome, &err) < 0)
        return -1;
    s3_reply_encryption(r);
    return 0;
}

/* A checksum of checksums is made of what the client has told; of the whole, the cloud can tell. */
static int check_kind(struct s3_request *r, const struct meta_upload *upload)
{
    enum checksum_kind given;
    const char *text;
    int is_composite = 0;
    enum checksum_kind kind = s3_upload_checksum(upload, &is_composite);
    if (s3_given_checksum(r, &given, &text) < 0)
        return -1;
    if (kind == CHECKSUM_NONE || given == kind || (given == CHECKSUM_NONE && !is_composite))
        return 0;
    exchange_fail(
        r->x, "InvalidRequest",
        "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
        checksum_word(kind), checksum_word(given));
    return -1;
}

static void upload_part(struct s3_request *r, const struct meta_upload *upload, int64_t number,
                        struct content *content)
{
    struct err err = {0};
    char etag[S3_ETAG_BYTES], text[CHECKSUM_TEXT_BYTES];
    if (check_kind(r, upload) < 0)
        return;
    if (content_store(r->s3, r, content, &err) < 0) {
        s3_fail(r, &err);
        return;
    }
    if (put_part(r, upload->id, number, content, etag) < 0)
        return;
    s3_reply_etag(r->x, etag);
    if (content->checksum_size) {
        checksum_text(content->checksum, content->checksum_size, text);
        exchange_reply_header(r->x, checksum_header(content->checksum_kind), text);
    }
    exchange_respond(r->x, 200, NULL, NULL, 0);
}

void s3_upload_part(struct s3_request *r)
{
    struct meta_upload upload;
    struct content content = {0};
    int64_t number;
    int ignored = 0;
    if (s3_need_length(r) == 0 && read_part_number(r, &number) == 0 &&
        s3_need_upload(r, &upload) == 0 &&
        s3_take_body(r, s3_upload_checksum(&upload, &ignored), &content) == 0)
        upload_part(r, &upload, number, &content);
    content_finish(&content);
}

/* "bytes=first-last", inside of the source. */
static int read_copy_range(struct s3_request *r, struct content_piece *piece)
{
    static const char name[] = "x-amz-copy-source-range";
    const char *text = exchange_header(r->x, name);
    unsigned long long first, last;
    char end;
    if (!text)
        return 0;
    if (sscanf(text, "bytes=%llu-%llu%c", &first, &last, &end) != 2 || first > last ||
        strstr(text, "--") || strspn(text, "bytes=-0123456789") != strlen(text)) {
        s3_fail_argument(r, name, text,
                         "The x-amz-copy-source-range value must be of the form bytes=first-last "
                         "where first and last are the zero-based offsets of the first and last "
                         "bytes to copy");
        return -1;
    }
    if (first >= piece->whole_size) {
        exchange_fail(r->x, "InvalidRequest",
                      "The specified copy range is invalid for the source object size");
        return -1;
    }
    if (last >= piece->whole_size) {
        char message[96];
        snprintf(message, sizeof message,
                 "Range specified is not valid for source object of size: %zu", piece->whole_size);
        s3_fail_argument(r, name, text, message);
        return -1;
    }
    piece->offset = first;
    piece->size = last - first + 1;
    return 0;
}

void s3_upload_part_copy(struct s3_request *r)
{
    struct err err = {0};
    struct meta_upload upload;
    struct meta_object source;
    struct content content = {0};
    int64_t number;
    int is_self, ignored = 0;
    char etag[S3_ETAG_BYTES];
    if (read_part_number(r, &number) < 0 || s3_need_upload(r, &upload) < 0 ||
        s3_copy_source(r, &source, &is_self) < 0)
        return;
    struct content_piece piece = {.name = source.file,
                                  .data = source.data,
                                  .blocks = source.blocks,
                                  .block_count = source.block_count,
                                  .whole_size = (size_t)source.size,
                                  .size = (size_t)source.size};
    if (read_copy_range(r, &piece) < 0)
        return;
    if (content_join(r, &piece, 1, s3_upload_checksum(&upload, &ignored), &content, &err) < 0)
        s3_fail(r, &err);
    else if (put_part(r, upload.id, number, &content, etag) == 0) {
        if (source.versioning != VERSIONING_OFF)
            exchange_reply_header(r->x, "x-amz-copy-source-version-id", source.version);
        s3_answer_copied(r, "CopyPartResult", etag, &content);
    }
    content_finish(&content);
}

/* -- the rest -- */

void s3_abort_multipart_upload(struct s3_request *r)
{
    struct err err = {0};
    struct meta_upload upload;
    enum meta_outcome outcome;
    if (s3_need_upload(r, &upload) < 0)
        return;
    if (meta_abort_upload(r, upload.id, &outcome, &err) < 0)
        s3_fail(r, &err);
    else if (outcome != META_DONE)
        s3_fail_outcome(r, outcome);
    else
        exchange_respond(r->x, 204, NULL, NULL, 0);
}

static void put_part_row(struct buf *out, const struct meta_part *part, enum checksum_kind kind)
{
    char when[CLOCK_TEXT_BYTES], name[32];
    clock_text(part->modified_ms, when);
    buf_printf(out,
               "<Part><PartNumber>%lld</PartNumber><LastModified>%s</LastModified>"
               "<ETag>&quot;%s&quot;</ETag><Size>%lld</Size>",
               (long long)part->number, when, part->etag, (long long)part->size);
    if (kind != CHECKSUM_NONE && *part->checksum) {
        snprintf(name, sizeof name, "Checksum%s", checksum_name(kind));
        s3_xml(out, name, part->checksum);
    }
    buf_puts(out, "</Part>");
}

struct part_page {
    int64_t after, limit;
};

static int read_part_page(struct s3_request *r, struct part_page *page)
{
    const char *marker = exchange_query(r->x, "part-number-marker");
    const char *max = exchange_query(r->x, "max-parts");
    page->after = marker && *marker ? s3_number(marker, INT32_MAX) : 0;
    page->limit = max && *max ? s3_number(max, INT32_MAX) : S3_MAX_LIST;
    if (page->limit > S3_MAX_LIST)
        page->limit = S3_MAX_LIST;
    if (page->after >= 0 && page->limit >= 0)
        return 0;
    const char *name = page->limit < 0 ? "max-parts" : "part-number-marker";
    char message[96];
    snprintf(message, sizeof message, "Argument %s must be an integer between 0 and 2147483647",
             name);
    s3_fail_argument(r, name, exchange_query(r->x, name), message);
    return -1;
}

static void put_parts(struct buf *out, const struct part_page *page, const struct meta_part *parts,
                      int64_t count, enum checksum_kind kind)
{
    int64_t first = 0;
    while (first < count && parts[first].number <= page->after)
        first++;
    int64_t end = count - first > page->limit ? first + page->limit : count;
    buf_printf(out,
               "<PartNumberMarker>%lld</PartNumberMarker>"
               "<NextPartNumberMarker>%lld</NextPartNumberMarker><MaxParts>%lld</MaxParts>"
               "<IsTruncated>%s</IsTruncated>",
               (long long)page->after, (long long)(end > first ? parts[end - 1].number : 0),
               (long long)page->limit, end < count ? "true" : "false");
    for (int64_t i = first; i < end; i++)
        put_part_row(out, &parts[i], kind);
}

void s3_list_parts(struct s3_request *r)
{
    struct err err = {0};
    struct meta_upload upload;
    struct meta_part *parts;
    struct buf out;
    struct part_page page;
    int is_composite = 0;
    if (read_part_page(r, &page) < 0 || s3_need_upload(r, &upload) < 0)
        return;
    int64_t count = meta_parts(r, upload.id, &parts, &err);
    if (count < 0) {
        s3_fail(r, &err);
        return;
    }
    enum checksum_kind kind = s3_upload_checksum(&upload, &is_composite);
    s3_reply_abort(r, &upload);
    s3_xml_begin(&out, "ListPartsResult");
    s3_xml(&out, "Bucket", r->bucket);
    s3_xml(&out, "Key", r->key);
    s3_xml(&out, "UploadId", upload.id);
    s3_xml_user(&out, r->s3, "Initiator");
    s3_xml_owner(&out, r->s3);
    s3_xml(&out, "StorageClass", s3_storage_class(upload.headers, &r->x->arena));
    if (kind != CHECKSUM_NONE) {
        s3_xml(&out, "ChecksumAlgorithm", checksum_name(kind));
        s3_xml(&out, "ChecksumType", is_composite ? "COMPOSITE" : "FULL_OBJECT");
    }
    put_parts(&out, &page, parts, count, kind);
    buf_puts(&out, "</ListPartsResult>");
    s3_xml_send(r->x, &out);
}
