#include "cloud/s3/acl.h"

#include "base/hex.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* PutObject, and what writes share. */

static const char *const kept[] = {"Content-Type",     "Cache-Control",    "Content-Disposition",
                                   "Content-Encoding", "Content-Language", "Expires"};

void s3_etag(const unsigned char md5[16], size_t parts, char out[S3_ETAG_BYTES])
{
    hex_encode(md5, 16, out);
    if (parts)
        snprintf(out + 32, S3_ETAG_BYTES - 32, "-%zu", parts);
}

/* "aws-chunked" was for the way only. */
static void add_encoding(struct buf *out, const char *value)
{
    char text[256] = "";
    for (const char *p = value; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ", \t");
        size_t used = strlen(text);
        int is_chunked = size == 11 && strncasecmp(p, "aws-chunked", 11) == 0;
        if (size && !is_chunked && used + size + 3 < sizeof text)
            snprintf(text + used, sizeof text - used, "%s%.*s", used ? ", " : "", (int)size, p);
        p += size;
    }
    if (*text)
        buf_printf(out, "Content-Encoding: %s\n", text);
}

static void add_kept(struct buf *out, const char *name, const char *value)
{
    if (strcasecmp(name, "Content-Encoding") == 0)
        add_encoding(out, value);
    else
        buf_printf(out, "%s: %s\n", name, value);
}

/* Metadata names are lower case, as AWS gives them back. */
static void add_metadata(struct buf *out, const char *name, const char *value)
{
    for (const char *p = name; *p; p++) {
        char small = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
        buf_append(out, &small, 1);
    }
    buf_printf(out, ": %s\n", value);
}

static int add_storage_class(struct s3_request *r, struct buf *out)
{
    static const char *const classes[] = {
        "STANDARD",   "STANDARD_IA",         "ONEZONE_IA",
        "GLACIER_IR", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"};
    static const char *const not_offered[] = {"GLACIER", "DEEP_ARCHIVE",    "OUTPOSTS",
                                              "SNOW",    "EXPRESS_ONEZONE", "FSX_OPENZFS"};
    const char *name = exchange_header(r->x, "x-amz-storage-class");
    for (size_t i = 0; name && i < sizeof not_offered / sizeof *not_offered; i++) {
        if (strcmp(name, not_offered[i]) != 0)
            continue;
        s3_fail_not_offered(r, "storage class", name);
        return -1;
    }
    for (size_t i = 0; name && i < sizeof classes / sizeof *classes; i++) {
        if (strcmp(name, classes[i]) != 0)
            continue;
        if (i > 0) /* kept as told: all classes are the same disk */
            buf_printf(out, "x-amz-storage-class: %s\n", name);
        return 0;
    }
    if (name)
        exchange_fail_more(r->x, "InvalidStorageClass", "StorageClassRequested", name,
                           "The storage class you specified is not valid");
    return name ? -1 : 0;
}

static int add_special(struct s3_request *r, struct buf *out)
{
    const char *to = exchange_header(r->x, "x-amz-website-redirect-location");
    if (to && *to != '/' && strncmp(to, "http://", 7) != 0 && strncmp(to, "https://", 8) != 0) {
        exchange_fail(r->x, "InvalidRedirectLocation",
                      "The website redirect location must have a prefix of 'http://' or 'https://' "
                      "or '/'.");
        return -1;
    }
    if (to)
        buf_printf(out, "x-amz-website-redirect-location: %s\n", to);
    return add_storage_class(r, out);
}

int s3_read_extras(struct s3_request *r, struct s3_extras *out)
{
    const char *tags = exchange_header(r->x, "x-amz-tagging");
    int given;
    *out = (struct s3_extras){.headers = s3_kept_headers(r)};
    out->tags = !out->headers ? NULL : tags ? s3_read_tags(r, tags) : "";
    out->acl = out->tags ? acl_of_headers(r, &given) : NULL;
    if (!out->acl || (*out->acl && acl_is_taken(r, out->acl) < 0))
        return -1;
    if (tags && *tags && s3_authorize(r, "s3:PutObjectTagging", r->bucket, r->key) < 0)
        return -1;
    return given ? s3_authorize(r, "s3:PutObjectAcl", r->bucket, r->key) : 0;
}

/* RFC 9110, 5.5: no control character but the tab stands in a field. */
static int has_control(const char *value)
{
    for (const char *p = value; *p; p++)
        if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f)
            return 1;
    return 0;
}

static int add_metadata_all(struct s3_request *r, struct buf *out, size_t *bytes)
{
    for (size_t i = 0; i < r->x->header_count; i++) {
        const char *name = r->x->headers[i].name, *value = r->x->headers[i].value;
        if (strncasecmp(name, "x-amz-meta-", 11) != 0)
            continue;
        if (has_control(value)) {
            exchange_fail(r->x, "InvalidArgument", "The header %s has a control character.", name);
            return -1;
        }
        *bytes += strlen(name) - 11 + strlen(value);
        add_metadata(out, name, value);
    }
    return 0;
}

const char *s3_kept_headers(struct s3_request *r)
{
    struct exchange *x = r->x;
    struct buf out;
    buf_init(&out, S3_MAX_HEADERS_BYTES);
    size_t metadata = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        const char *value = exchange_header(x, kept[i]);
        if (value && *value)
            add_kept(&out, kept[i], value);
    }
    if (add_special(r, &out) < 0 || add_metadata_all(r, &out, &metadata) < 0) {
        buf_finish(&out);
        return NULL;
    }
    const char *text = arena_copy(&x->arena, out.data ? out.data : "", out.size);
    int fits = metadata <= S3_MAX_METADATA_BYTES && !out.failed && text;
    buf_finish(&out);
    if (fits)
        return text;
    exchange_fail(x, "MetadataTooLarge",
                  "Your metadata headers exceed the maximum allowed metadata size.");
    return NULL;
}

int s3_fail_algorithm(struct s3_request *r)
{
    exchange_fail(r->x, "InvalidRequest",
                  "Checksum algorithm provided is unsupported. Please try again with any of the "
                  "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]");
    return -1;
}

/* The algorithm that the SDK says it used: it must be the one of the value that came. */
static int read_sdk_algorithm(struct s3_request *r, enum checksum_kind *kind, int has_value)
{
    const char *name = exchange_header(r->x, "x-amz-sdk-checksum-algorithm");
    enum checksum_kind told = name ? checksum_find(name) : *kind;
    if (name && !has_value && !exchange_header(r->x, "x-amz-trailer")) {
        exchange_fail(r->x, "InvalidRequest",
                      "x-amz-sdk-checksum-algorithm specified, but no corresponding "
                      "x-amz-checksum-* or x-amz-trailer headers were found.");
        return -1;
    }
    if (name && told == CHECKSUM_NONE)
        return s3_fail_algorithm(r);
    if (*kind != CHECKSUM_NONE && told != *kind) {
        exchange_fail(r->x, "InvalidRequest",
                      "Value for x-amz-sdk-checksum-algorithm header is invalid.");
        return -1;
    }
    *kind = told;
    return 0;
}

int s3_given_checksum(struct s3_request *r, enum checksum_kind *kind, const char **text)
{
    *kind = CHECKSUM_NONE;
    *text = NULL;
    for (int k = CHECKSUM_CRC32; k < CHECKSUM_KINDS; k++) {
        const char *value = exchange_header(r->x, checksum_header((enum checksum_kind)k));
        if (value && *kind != CHECKSUM_NONE) {
            exchange_fail(r->x, "InvalidRequest",
                          "Expecting a single x-amz-checksum- header. Multiple checksum Types are "
                          "not allowed.");
            return -1;
        }
        if (value) {
            *kind = (enum checksum_kind)k;
            *text = value;
        }
    }
    return read_sdk_algorithm(r, kind, *text != NULL);
}

int s3_need_digest(struct s3_request *r, const char *names)
{
    int has_digest = exchange_header(r->x, "Content-MD5") != NULL;
    for (int k = CHECKSUM_CRC32; k < CHECKSUM_KINDS; k++)
        has_digest |= exchange_header(r->x, checksum_header((enum checksum_kind)k)) != NULL;
    if (has_digest || exchange_header(r->x, "x-amz-sdk-checksum-algorithm"))
        return 0; /* of the last one s3_given_checksum() knows whether a value came */
    exchange_fail(r->x, "InvalidRequest", "Missing required header for this request: %s", names);
    return -1;
}

static int check_digests(struct s3_request *r, const struct content *content, const char *checksum)
{
    unsigned char told[CHECKSUM_MAX_BYTES];
    const char *md5 = exchange_header(r->x, "Content-MD5");
    if (md5 && checksum_bytes(md5, told) != 16) {
        exchange_fail(r->x, "InvalidDigest", "The Content-MD5 you specified was invalid.");
        return -1;
    }
    if (md5 && memcmp(told, content->md5, 16) != 0) {
        exchange_fail(r->x, "BadDigest",
                      "The Content-MD5 you specified did not match what we received.");
        return -1;
    }
    if (!checksum)
        return 0;
    int size = checksum_bytes(checksum, told);
    if (size < 0 || (size_t)size != content->checksum_size) {
        exchange_fail(r->x, "InvalidRequest", "Value for %s header is invalid.",
                      checksum_header(content->checksum_kind));
        return -1;
    }
    if (memcmp(told, content->checksum, content->checksum_size) == 0)
        return 0;
    exchange_fail(r->x, "BadDigest", "The %s you specified did not match the calculated checksum.",
                  checksum_name(content->checksum_kind));
    return -1;
}

/* With `content` empty but for what it says of its md5. */
static int take_body(struct s3_request *r, enum checksum_kind usual, struct content *content)
{
    struct err err = {0};
    const char *checksum;
    if (s3_given_checksum(r, &content->checksum_kind, &checksum) < 0)
        return -1;
    if (content->checksum_kind == CHECKSUM_NONE)
        content->checksum_kind = usual;
    if (content_digest(r->s3, &r->x->body, content, &err) < 0) {
        s3_fail(r, &err);
        return -1;
    }
    return check_digests(r, content, checksum);
}

int s3_take_body(struct s3_request *r, enum checksum_kind usual, struct content *content)
{
    *content = (struct content){0};
    return take_body(r, usual, content);
}

static int is_small(const struct body *body)
{
    return body->data && body->size <= CONTENT_SMALL_BYTES;
}

int s3_take_object(struct s3_request *r, struct content *content)
{
    int can_wait = is_small(&r->x->body) && !exchange_header(r->x, "Content-MD5");
    *content = (struct content){.md5_is_due = can_wait && md5_lanes_is_fast()};
    return take_body(r, CHECKSUM_CRC64NVME, content);
}

void s3_fail_condition(struct s3_request *r, const char *header)
{
    exchange_fail_more(r->x, "PreconditionFailed", "Condition", header,
                       "At least one of the pre-conditions you specified did not hold");
}

static void fail_write_condition(struct s3_request *r, enum meta_outcome outcome)
{
    const char *header = exchange_header(r->x, "If-Match") ? "If-Match" : "If-None-Match";
    const struct error_field fields[] = {{"Condition", header}, {"Key", r->key}};
    if (outcome == META_CONFLICT)
        exchange_fail_fields(r->x, "ConditionalRequestConflict",
                             "The conditional request cannot succeed due to a conflicting "
                             "operation against this resource.",
                             fields, 2);
    else
        s3_fail_condition(r, header);
}

void s3_fail_outcome(struct s3_request *r, enum meta_outcome outcome)
{
    if (outcome == META_NO_BUCKET)
        s3_fail_no_bucket(r);
    else if (outcome == META_NO_OBJECT)
        s3_fail_no_key(r);
    else if (outcome == META_NO_VERSION)
        exchange_fail(r->x, "NoSuchVersion", "The specified version does not exist.");
    else if (outcome == META_NO_UPLOAD)
        exchange_fail_more(r->x, "NoSuchUpload", "UploadId", exchange_query(r->x, "uploadId"),
                           "The specified upload does not exist. The upload ID may be invalid, or "
                           "the upload may have been aborted or completed.");
    else
        fail_write_condition(r, outcome);
}

int s3_settle(struct s3_request *r, const struct content *content, int result,
              enum meta_outcome outcome, const struct err *err)
{
    if (result == 0 && outcome == META_DONE)
        return 0;
    content_drop(r->s3, content);
    if (result < 0)
        s3_fail(r, err);
    else
        s3_fail_outcome(r, outcome);
    return -1;
}

void s3_full_checksum(const struct content *content, char out[S3_CHECKSUM_BYTES])
{
    char text[CHECKSUM_TEXT_BYTES];
    out[0] = 0;
    if (!content->checksum_size)
        return;
    checksum_text(content->checksum, content->checksum_size, text);
    snprintf(out, S3_CHECKSUM_BYTES, "%s FULL_OBJECT %s", checksum_name(content->checksum_kind),
             text);
}

static int is_star(const char *etag)
{
    return strcmp(etag, "*") == 0 || strcmp(etag, "\"*\"") == 0;
}

/* A write promises an etag (which takes the right to read) or that there is nothing, as on AWS. */
static int check_conditions(struct s3_request *r, const char *match, const char *none_match)
{
    if (match && is_star(match))
        s3_fail_not_implemented(r, "If-Match",
                                "We don't accept the provided value of If-Match header for this "
                                "API");
    else if (match && !none_match)
        return s3_authorize(r, "s3:GetObject", r->bucket, r->key);
    else if (match && none_match)
        s3_fail_not_implemented(r, "If-Match,If-None-Match",
                                "Multiple conditional request headers present in the request");
    else if (none_match && strcmp(none_match, "*") != 0)
        s3_fail_not_implemented(
            r, "If-None-Match",
            "We don't accept the provided value of If-None-Match header for this API");
    else
        return 0;
    return -1;
}

void s3_reply_made_version(struct s3_request *r, const char *version)
{
    if (*version && strcmp(version, "null") != 0)
        exchange_reply_header(r->x, "x-amz-version-id", version);
}

int s3_commit(struct s3_request *r, const struct content *content, const struct s3_commit *commit)
{
    struct err err = {0};
    struct meta_object object = {.key = r->key,
                                 .file = content->name,
                                 .data = content->data,
                                 .etag = commit->etag,
                                 .headers = commit->extras->headers,
                                 .tags = commit->extras->tags,
                                 .acl = commit->extras->acl,
                                 .parts = commit->parts,
                                 .checksum = commit->checksum,
                                 .size = (int64_t)content->size,
                                 .modified_ms = r->x->received_unix_ms,
                                 .blocks = content->blocks,
                                 .block_count = content->block_count};
    struct meta_put put = {
        .object = &object,
        .condition = {exchange_header(r->x, "If-Match"), exchange_header(r->x, "If-None-Match")},
        .upload = commit->upload,
        .upload_created_ms = commit->upload_created_ms,
        .list = commit->list,
        .event = commit->event};
    if (check_conditions(r, put.condition.if_match, put.condition.if_none_match) < 0) {
        content_drop(r->s3, content);
        return -1;
    }
    if (content->md5_is_due)
        put.etag = commit->etag;
    int result = meta_put_object(r, &put, &err);
    if (s3_settle(r, content, result, put.outcome, &err) < 0)
        return -1;
    s3_reply_made_version(r, put.version);
    s3_reply_encryption(r);
    s3_reply_expiration(r, &object);
    return 0;
}

/* Shared with browser forms: the body is stored, made the object, and the answer's head filled. */
int s3_store_object(struct s3_request *r, struct content *content, const struct s3_extras *extras,
                    const char *event, char etag[S3_ETAG_BYTES])
{
    struct err err = {0};
    char checksum[S3_CHECKSUM_BYTES], text[CHECKSUM_TEXT_BYTES];
    s3_etag(content->md5, 0, etag); /* one that is due is written with the row */
    s3_full_checksum(content, checksum);
    struct s3_commit commit = {
        .extras = extras, .etag = etag, .checksum = checksum, .event = event};
    if (is_small(&r->x->body)) {
        content->data = r->x->body.data;
    } else if (content_store(r->s3, r, content, &err) < 0) {
        s3_fail(r, &err);
        return -1;
    }
    if (s3_commit(r, content, &commit) < 0)
        return -1;
    s3_reply_etag(r->x, etag);
    if (content->checksum_size) {
        checksum_text(content->checksum, content->checksum_size, text);
        exchange_reply_header(r->x, checksum_header(content->checksum_kind), text);
        exchange_reply_header(r->x, "x-amz-checksum-type", "FULL_OBJECT");
    }
    return 0;
}

int s3_need_length(struct s3_request *r)
{
    if (exchange_header(r->x, "Content-Length") || exchange_header(r->x, "Transfer-Encoding"))
        return 0;
    exchange_fail(r->x, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    return -1;
}

void s3_put_object(struct s3_request *r)
{
    struct content content = {0};
    struct s3_extras extras;
    char etag[S3_ETAG_BYTES];
    if (s3_need_bucket(r, NULL) == 0 && s3_need_length(r) == 0 && s3_read_extras(r, &extras) == 0 &&
        s3_take_object(r, &content) == 0 &&
        s3_store_object(r, &content, &extras, "ObjectCreated:Put", etag) == 0)
        exchange_respond(r->x, 200, NULL, NULL, 0);
    content_finish(&content);
}
