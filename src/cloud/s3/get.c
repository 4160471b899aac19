#include "base/log.h"
#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* GetObject and HeadObject. */

enum {
    MEMORY_BYTES = 1024 * 1024,     /* up to here an answer is read into memory and sent at once */
    HELD_BYTES = 32 * MEMORY_BYTES, /* of such answers together, then they go by file too */
    QUICK_BYTES = 256 * 1024,       /* up to here without a change of thread */
};

struct range {
    size_t offset, size;
    int is_partial;
    const char *checksum; /* of just this piece: a part of the object; NULL: none is known */
};

/* -- conditions: RFC 9110, 13.2.2 -- */

/* 0 to go on, else the status: 304 or 412. */
static int judge(const struct exchange *x, const struct meta_object *object)
{
    const char *match = exchange_header(x, "If-Match");
    const char *unmodified = exchange_header(x, "If-Unmodified-Since");
    const char *none_match = exchange_header(x, "If-None-Match");
    const char *modified = exchange_header(x, "If-Modified-Since");
    if (match && !s3_etag_listed(match, object->etag))
        return 412;
    if (!match && unmodified && s3_changed_since(object->modified_ms, unmodified) == 1)
        return 412;
    if (none_match)
        return s3_etag_listed(none_match, object->etag) ? 304 : 0;
    return s3_unchanged_since(x, object->modified_ms, modified) ? 304 : 0;
}

/* -- versions -- */

int s3_read_version(struct s3_request *r, const char **version)
{
    *version = *r->x->query ? exchange_query(r->x, "versionId") : NULL;
    if (!*version || strcmp(*version, "null") == 0 || s3_version_sequence(*version) >= 0)
        return 0;
    s3_fail_argument(r, "versionId", *version,
                     **version ? "Invalid version id specified"
                               : "Version id cannot be the empty string");
    return -1;
}

void s3_reply_version(struct s3_request *r, const struct meta_object *object)
{
    if (object->versioning != VERSIONING_OFF)
        exchange_reply_header(r->x, "x-amz-version-id", object->version);
}

static void reply_marker(struct s3_request *r, const struct meta_object *marker)
{
    exchange_reply_header(r->x, "x-amz-delete-marker", "true");
    exchange_reply_header(r->x, "x-amz-version-id", marker->version);
}

void s3_fail_absent(struct s3_request *r, const struct meta_object *marker)
{
    struct err err = {0};
    const char *version = *r->x->query ? exchange_query(r->x, "versionId") : NULL;
    int found = meta_bucket(r, r->bucket, NULL, &err);
    if (found > 0 && marker->is_marker)
        reply_marker(r, marker);
    if (found < 0)
        s3_fail(r, &err);
    else if (!found)
        s3_fail_no_bucket(r);
    else if (version)
        s3_fail_no_version(r, r->key, version);
    else
        s3_fail_no_key(r);
}

/* A marker named by its version has nothing to give. */
static void fail_marker(struct s3_request *r, const struct meta_object *marker)
{
    const struct error_field fields[] = {{"Method", r->x->method},
                                         {"ResourceType", "DeleteMarker"}};
    char when[S3_TIME_BYTES];
    reply_marker(r, marker);
    s3_http_time(marker->modified_ms, when);
    exchange_reply_header(r->x, "Last-Modified", when);
    exchange_reply_header(r->x, "Allow", "DELETE");
    exchange_fail_fields(r->x, "MethodNotAllowed",
                         "The specified method is not allowed against this resource.", fields, 2);
}

int s3_need_version(struct s3_request *r, struct meta_object *object)
{
    struct err err = {0};
    const char *version;
    *object = (struct meta_object){0};
    if (s3_read_version(r, &version) < 0)
        return -1;
    int found = meta_version(r, r->bucket, r->key, version, object, &err);
    if (found < 0)
        s3_fail(r, &err);
    else if (object->is_marker && (found || exchange_query(r->x, "tagging")))
        fail_marker(r, object); /* tags: of the newest version too, as on AWS */
    else if (!found)
        s3_fail_absent(r, object);
    return found > 0 && !object->is_marker ? 0 : -1;
}

/* -- ranges -- */

/* "bytes=a-b", "bytes=a-", "bytes=-n"; another form means the whole. -1: outside of the object. */
static int read_range(const char *text, size_t size, struct range *out)
{
    *out = (struct range){.size = size};
    if (!text || strncasecmp(text, "bytes=", 6) != 0 || strchr(text, ','))
        return 0;
    char first[24], last[24];
    const char *dash = strchr(text + 6, '-');
    if (!dash || (size_t)(dash - text - 6) >= sizeof first || strlen(dash + 1) >= sizeof last)
        return 0;
    snprintf(first, sizeof first, "%.*s", (int)(dash - text - 6), text + 6);
    snprintf(last, sizeof last, "%s", dash + 1);
    int64_t from = *first ? s3_number(first, INT64_MAX) : -1;
    int64_t to = *last ? s3_number(last, INT64_MAX) : -1;
    if ((*first && from < 0) || (*last && to < 0) || (from < 0 && to < 0) ||
        (from >= 0 && to >= 0 && to < from))
        return 0;
    if (from < 0) { /* the last `to` bytes */
        if (to == 0 || size == 0)
            return -1;
        out->size = (size_t)to < size ? (size_t)to : size;
        out->offset = size - out->size;
    } else {
        if ((size_t)from >= size)
            return -1;
        out->offset = (size_t)from;
        out->size = size - out->offset;
        if (to >= 0 && (size_t)(to - from) + 1 < out->size)
            out->size = (size_t)(to - from) + 1;
    }
    out->is_partial = 1;
    return 0;
}

/* -- headers -- */

static const struct {
    const char *parameter, *header;
} overrides[] = {
    {"response-content-type", "Content-Type"},
    {"response-content-language", "Content-Language"},
    {"response-expires", "Expires"},
    {"response-cache-control", "Cache-Control"},
    {"response-content-disposition", "Content-Disposition"},
    {"response-content-encoding", "Content-Encoding"},
};

static const char *override_of(struct exchange *x, const char *header)
{
    for (size_t i = 0; *x->query && i < sizeof overrides / sizeof *overrides; i++) {
        const char *value = strcasecmp(header, overrides[i].header) == 0
                                ? exchange_query(x, overrides[i].parameter)
                                : NULL;
        if (value && !strpbrk(value, "\r\n"))
            return value;
    }
    return NULL;
}

/* Calls for each "Name: value\n" line. Content-Type is given back, as the reply wants it apart. */
static const char *reply_kept(struct exchange *x, const char *lines)
{
    const char *type = "binary/octet-stream";
    char *text = arena_strdup(&x->arena, lines), *rest = NULL;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = 0;
        const char *value = colon[1] == ' ' ? colon + 2 : colon + 1;
        if (strcasecmp(line, "Content-Type") == 0)
            type = value;
        else if (!override_of(x, line))
            exchange_reply_header(x, line, value);
    }
    for (size_t i = 1; i < sizeof overrides / sizeof *overrides; i++) {
        const char *value = override_of(x, overrides[i].header);
        if (value)
            exchange_reply_header(x, overrides[i].header, value);
    }
    const char *other = override_of(x, "Content-Type");
    return other ? other : type;
}

static void reply_checksum(struct exchange *x, const struct meta_object *object,
                           const struct range *range)
{
    const char *mode = exchange_header(x, "x-amz-checksum-mode");
    char name[16], type[16], value[96];
    if (!mode || strcasecmp(mode, "ENABLED") != 0 ||
        sscanf(object->checksum, "%15s %15s %95s", name, type, value) != 3)
        return;
    if (range->is_partial && !range->checksum)
        return;
    exchange_reply_header(x, checksum_header(checksum_find(name)),
                          range->is_partial ? range->checksum : value);
    exchange_reply_header(x, "x-amz-checksum-type", type);
}

static const char *reply_headers(struct s3_request *r, const struct meta_object *object,
                                 const struct range *range)
{
    struct exchange *x = r->x;
    char text[96];
    s3_reply_version(r, object);
    s3_reply_encryption(r);
    if (*object->tags) {
        snprintf(text, sizeof text, "%zu", s3_tag_count(object->tags));
        exchange_reply_header(x, "x-amz-tagging-count", text);
    }
    if (!*x->query || !exchange_query(x, "versionId")) /* a version has no expiry, on AWS */
        s3_reply_expiration(r, object);
    s3_reply_etag(x, object->etag);
    s3_http_time(object->modified_ms, text);
    exchange_reply_header(x, "Last-Modified", text);
    exchange_reply_header(x, "Accept-Ranges", "bytes");
    if (range->is_partial) {
        snprintf(text, sizeof text, "bytes %zu-%zu/%lld", range->offset,
                 range->offset + range->size - 1, (long long)object->size);
        exchange_reply_header(x, "Content-Range", text);
    }
    reply_checksum(x, object, range);
    return reply_kept(x, object->headers);
}

/* -- bytes -- */

static void fail_content(struct s3_request *r, const struct meta_object *object, struct err *err)
{
    log_line(LOG_ERROR, "s3: object %s/%s (%s): %s", r->bucket, r->key, object->file, err->message);
    exchange_fail(r->x, "InternalError", "The stored object is damaged or cannot be read.");
}

/* What is behind the row: a file, or a small object's bytes (malloc). */
struct source {
    int fd;
    char *data;
};

static void close_source(struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    free(source->data);
    *source = (struct source){.fd = -1};
}

/* Take the wanted bytes out of the file or the whole, checked. NULL with 0: they go by file. */
static int take_bytes(struct s3_request *r, const struct content_piece *piece,
                      struct source *source, char **out, struct err *err)
{
    *out = NULL;
    if (source->data) {
        if (content_check_data(r->s3, piece, err) < 0)
            return -1;
        memmove(source->data, source->data + piece->offset, piece->size);
        *out = source->data;
        source->data = NULL;
        return 0;
    }
    if (piece->size <= MEMORY_BYTES &&
        exchange_hold(r->x, &r->s3->held_bytes, piece->size, HELD_BYTES))
        *out = malloc(piece->size + 1);
    if (content_check(r->s3, source->fd, piece, *out, err) == 0)
        return 0;
    free(*out);
    return -1;
}

static void send_bytes(struct s3_request *r, const struct meta_object *object,
                       struct source *source, const struct range *range)
{
    struct err err = {0};
    struct content_piece piece = {.name = object->file,
                                  .data = source->data,
                                  .blocks = object->blocks,
                                  .block_count = object->block_count,
                                  .whole_size = (size_t)object->size,
                                  .offset = range->offset,
                                  .size = range->size};
    int status = range->is_partial ? 206 : 200;
    char *data;
    if (take_bytes(r, &piece, source, &data, &err) < 0) {
        fail_content(r, object, &err);
        return;
    }
    const char *type = reply_headers(r, object, range);
    if (data) {
        exchange_respond_take(r->x, status, type, data, range->size);
        return;
    }
    exchange_respond_file(r->x, status, type, source->fd, (off_t)range->offset, range->size);
    source->fd = -1; /* the exchange's now */
}

/* 1, 0: it has gone meanwhile, -1. */
static int open_source(struct s3_request *r, const struct meta_object *object,
                       struct source *source, struct err *err)
{
    if (object->file[0] != '#') {
        source->fd = content_open(r->s3, object->file, (size_t)object->size, err);
        return source->fd >= 0 ? 1 : err->code == ERR_NOT_FOUND ? 0 : -1;
    }
    source->data = malloc((size_t)object->size + 1);
    int found = source->data
                    ? meta_content(r, object->file, source->data, (size_t)object->size, err)
                    : err_set(err, ERR_NO_MEMORY, "read an object: out of memory");
    if (found <= 0)
        close_source(source);
    return found;
}

/* The row and, for GET, what is behind it; a write in between may have taken that away. */
static int find(struct s3_request *r, const char *version, struct meta_object *object,
                struct source *source, struct err *err)
{
    enum { ATTEMPTS = 10 };
    for (int i = 0; i < ATTEMPTS; i++) {
        int found = meta_version(r, r->bucket, r->key, version, object, err);
        if (found <= 0 || !source || object->is_marker)
            return found;
        found = open_source(r, object, source, err);
        if (found)
            return found;
    }
    return err_set(err, ERR_CORRUPT, "open %s: the content is missing", object->file);
}

/* Where part `number` lies. The whole is its own part 1. -1: there is none, which is answered. */
static int find_part(struct s3_request *r, const struct meta_object *object, const char *number,
                     struct range *range)
{
    size_t parts = s3_part_count(object);
    struct s3_part_place *place = arena_new(&r->x->arena, struct s3_part_place, 1);
    char count[24];
    if (!place) {
        exchange_fail(r->x, "InternalError", "Out of memory.");
        return -1;
    }
    snprintf(count, sizeof count, "%zu", parts ? parts : 1);
    if (s3_part_at(object, (size_t)s3_number(number, S3_MAX_PARTS), place) == 0) {
        int is_partial = object->size > 0; /* nothing has no range */
        *range = (struct range){place->offset, place->size, is_partial,
                                *place->checksum ? place->checksum : NULL};
        if (!parts && strchr(object->checksum, ' ')) /* its value, the last word */
            range->checksum = strrchr(object->checksum, ' ') + 1;
        if (parts)
            exchange_reply_header(r->x, "x-amz-mp-parts-count", count);
        return 0;
    }
    const struct error_field fields[] = {{"PartNumberRequested", number},
                                         {"ActualPartCount", count}};
    exchange_fail_fields(r->x, "InvalidPartNumber", "The requested partnumber is not satisfiable",
                         fields, 2);
    return -1;
}

/* The piece that partNumber names, when it does. */
static int read_part(struct s3_request *r, struct meta_object *object, struct range *range)
{
    struct err err = {0};
    const char *text = *r->x->query ? exchange_query(r->x, "partNumber") : NULL;
    if (!text)
        return 0;
    if (s3_number(text, S3_MAX_PARTS) < 1) {
        s3_fail_argument(r, "partNumber", text,
                         "Part number must be an integer between 1 and 10000, inclusive");
        return -1;
    }
    if (exchange_header(r->x, "Range")) {
        exchange_fail(r->x, "InvalidRequest",
                      "Cannot specify both Range header and partNumber query parameter");
        return -1;
    }
    if (meta_object_parts(r, r->bucket, object, &err) < 0) {
        s3_fail(r, &err);
        return -1;
    }
    return find_part(r, object, text, range);
}

/* Answers itself when a condition fails or the range is outside. */
static int check_request(struct s3_request *r, struct meta_object *object, struct range *range)
{
    struct exchange *x = r->x;
    char text[64];
    int status = judge(x, object);
    if (status == 304) {
        char when[S3_TIME_BYTES];
        s3_reply_etag(x, object->etag);
        s3_http_time(object->modified_ms, when);
        exchange_reply_header(x, "Last-Modified", when);
        s3_reply_version(r, object);
        exchange_respond(x, 304, NULL, NULL, 0);
        return -1;
    }
    if (status) {
        s3_fail_condition(r, exchange_header(x, "If-Match") ? "If-Match" : "If-Unmodified-Since");
        return -1;
    }
    if (read_range(exchange_header(x, "Range"), (size_t)object->size, range) < 0) {
        snprintf(text, sizeof text, "bytes */%lld", (long long)object->size);
        exchange_reply_header(x, "Content-Range", text);
        const struct error_field fields[] = {{"RangeRequested", exchange_header(x, "Range")},
                                             {"ActualObjectSize", text + strlen("bytes */")}};
        exchange_fail_fields(x, "InvalidRange", "The requested range is not satisfiable", fields,
                             2);
        return -1;
    }
    return read_part(r, object, range);
}

static int refuse_overrides(struct s3_request *r)
{
    if (r->x->identity.access_key_id || !*r->x->query)
        return 0;
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
        if (!exchange_query(r->x, overrides[i].parameter))
            continue;
        exchange_fail(r->x, "InvalidRequest",
                      "Request specific response headers cannot be used for anonymous GET "
                      "requests.");
        return -1;
    }
    return 0;
}

static void answer_head(struct s3_request *r, const struct meta_object *object,
                        const struct range *range)
{
    const char *type = reply_headers(r, object, range);
    exchange_respond_head(r->x, range->is_partial ? 206 : 200, type, range->size);
}

static void answer(struct s3_request *r, int is_head)
{
    struct err err = {0};
    struct meta_object object = {0};
    struct range range;
    const char *version;
    if (s3_read_version(r, &version) < 0 || refuse_overrides(r) < 0)
        return;
    struct source source = {.fd = -1};
    int found = find(r, version, &object, is_head ? NULL : &source, &err);
    if (found < 0 && object.file)
        fail_content(r, &object, &err);
    else if (found < 0)
        s3_fail(r, &err);
    else if (!found)
        s3_fail_absent(r, &object);
    else if (object.is_marker)
        fail_marker(r, &object);
    if (found <= 0 || object.is_marker)
        return;
    int moves = !is_head && object.size > QUICK_BYTES && exchange_to_worker(r->x);
    if (!moves && check_request(r, &object, &range) == 0) {
        if (is_head)
            answer_head(r, &object, &range);
        else
            send_bytes(r, &object, &source, &range);
    }
    close_source(&source);
}

void s3_get_object(struct s3_request *r)
{
    answer(r, 0);
}

void s3_head_object(struct s3_request *r)
{
    answer(r, 1);
}
