#include "cloud/errors.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <string.h>

/* GetObjectAttributes, and the parts of an object that came in parts. */

enum {
    ATTRIBUTE_ETAG = 1,
    ATTRIBUTE_CHECKSUM = 2,
    ATTRIBUTE_PARTS = 4,
    ATTRIBUTE_CLASS = 8,
    ATTRIBUTE_SIZE = 16
};

static const struct {
    const char *name;
    int flag;
} attributes[] = {
    {"ETag", ATTRIBUTE_ETAG},         {"Checksum", ATTRIBUTE_CHECKSUM},
    {"ObjectParts", ATTRIBUTE_PARTS}, {"StorageClass", ATTRIBUTE_CLASS},
    {"ObjectSize", ATTRIBUTE_SIZE},
};

/* -- parts -- */

struct part_line {
    long long number, size;
    char checksum[CHECKSUM_TEXT_BYTES];
};

static int next_part(const char **at, struct part_line *out)
{
    size_t size = strcspn(*at, "\n");
    int read = sscanf(*at, "%lld %lld %48s", &out->number, &out->size, out->checksum);
    *at += size + ((*at)[size] == '\n');
    return read == 3;
}

size_t s3_part_count(const struct meta_object *object)
{
    size_t count = 0;
    struct part_line line;
    for (const char *at = object->parts; *at && next_part(&at, &line);)
        count++;
    return count;
}

int s3_part_at(const struct meta_object *object, size_t number, struct s3_part_place *out)
{
    struct part_line line;
    size_t i = 0;
    *out = (struct s3_part_place){.size = (size_t)object->size};
    if (!*object->parts)
        return number == 1 ? 0 : -1;
    for (const char *at = object->parts; *at && next_part(&at, &line);) {
        out->size = (size_t)line.size;
        if (++i < number) {
            out->offset += (size_t)line.size;
            continue;
        }
        if (strcmp(line.checksum, "-") != 0)
            memcpy(out->checksum, line.checksum, sizeof out->checksum);
        return 0;
    }
    return -1;
}

/* -- the operation -- */

static int read_names(struct s3_request *r)
{
    const char *text = exchange_header(r->x, "x-amz-object-attributes");
    int flags = 0;
    for (const char *p = text ? text : ""; *p;) {
        p += strspn(p, ", \t");
        size_t size = strcspn(p, ", \t"), i = 0, count = sizeof attributes / sizeof *attributes;
        while (size && i < count &&
               (strncmp(attributes[i].name, p, size) != 0 || attributes[i].name[size]))
            i++;
        if (i == count) {
            s3_fail_argument(r, "x-amz-object-attributes", text,
                             "Invalid attribute name specified.");
            return -1;
        }
        flags |= size ? attributes[i].flag : 0;
        p += size;
    }
    if (!flags)
        exchange_fail_more(r->x, "InvalidRequest", "ArgumentName", "x-amz-object-attributes",
                           "The x-amz-object-attributes header specifying the attributes to be "
                           "retrieved is either missing or empty");
    return flags ? flags : -1;
}

static void put_checksum(struct buf *out, const struct meta_object *object)
{
    char name[16], type[16], value[96], element[32];
    if (sscanf(object->checksum, "%15s %15s %95s", name, type, value) != 3)
        return;
    value[strcspn(value, "-")] = 0; /* the number of parts has its own place */
    snprintf(element, sizeof element, "Checksum%s", name);
    buf_puts(out, "<Checksum>");
    s3_xml(out, element, value);
    s3_xml(out, "ChecksumType", type);
    buf_puts(out, "</Checksum>");
}

static int64_t header_number(struct exchange *x, const char *name, int64_t otherwise)
{
    const char *text = exchange_header(x, name);
    int64_t value = text ? s3_number(text, INT32_MAX) : otherwise;
    return value < 0 ? otherwise : value;
}

/* AWS tells of the parts themselves only where their upload had an algorithm. */
static int have_checksums(const char *parts)
{
    struct part_line line;
    return *parts && next_part(&parts, &line) && strcmp(line.checksum, "-") != 0;
}

static void put_parts(struct s3_request *r, struct buf *out, const struct meta_object *object)
{
    int64_t limit = header_number(r->x, "x-amz-max-parts", S3_MAX_LIST);
    int64_t after = header_number(r->x, "x-amz-part-number-marker", 0), last = 0, shown = 0;
    struct part_line line;
    char name[16] = "", element[32];
    int64_t most = limit < S3_MAX_LIST ? limit : S3_MAX_LIST;
    int is_truncated = 0;
    int has_sums = sscanf(object->checksum, "%15s", name) == 1 && have_checksums(object->parts);
    snprintf(element, sizeof element, "Checksum%s", name);
    buf_printf(out, "<ObjectParts><PartsCount>%zu</PartsCount>", s3_part_count(object));
    for (const char *at = object->parts; has_sums && *at && next_part(&at, &line);) {
        if (line.number <= after)
            continue;
        is_truncated = shown == most && most > 0;
        if (shown == most)
            break;
        buf_printf(out, "<Part><PartNumber>%lld</PartNumber><Size>%lld</Size>", line.number,
                   line.size);
        s3_xml(out, element, line.checksum);
        buf_puts(out, "</Part>");
        last = line.number;
        shown++;
    }
    if (has_sums)
        buf_printf(out,
                   "<PartNumberMarker>%lld</PartNumberMarker><NextPartNumberMarker>%lld"
                   "</NextPartNumberMarker><MaxParts>%lld</MaxParts><IsTruncated>%s</IsTruncated>",
                   (long long)after, (long long)last, (long long)limit,
                   is_truncated ? "true" : "false");
    buf_puts(out, "</ObjectParts>");
}

static void answer(struct s3_request *r, const struct meta_object *object, int flags)
{
    struct buf out;
    char when[S3_TIME_BYTES];
    s3_reply_version(r, object);
    s3_http_time(object->modified_ms, when);
    exchange_reply_header(r->x, "Last-Modified", when);
    s3_xml_begin(&out, "GetObjectAttributesResponse");
    if (flags & ATTRIBUTE_ETAG)
        s3_xml(&out, "ETag", object->etag);
    if (flags & ATTRIBUTE_CHECKSUM)
        put_checksum(&out, object);
    if (flags & ATTRIBUTE_PARTS && *object->parts)
        put_parts(r, &out, object);
    if (flags & ATTRIBUTE_CLASS)
        s3_xml(&out, "StorageClass", s3_storage_class(object->headers, &r->x->arena));
    if (flags & ATTRIBUTE_SIZE)
        buf_printf(&out, "<ObjectSize>%lld</ObjectSize>", (long long)object->size);
    buf_puts(&out, "</GetObjectAttributesResponse>");
    s3_xml_send(r->x, &out);
}

void s3_get_object_attributes(struct s3_request *r)
{
    struct err err = {0};
    struct meta_object object;
    int flags = read_names(r);
    if (flags < 0 || s3_need_version(r, &object) < 0)
        return;
    if (meta_object_parts(r, r->bucket, &object, &err) < 0)
        s3_fail(r, &err);
    else
        answer(r, &object, flags);
}
