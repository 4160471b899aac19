#include "cloud/s3/complete.h"

#include "cloud/errors.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Checksums of an upload that completes: those told, and that of the whole. */

int complete_check_told(const struct completion *c, const struct wanted_part *wanted)
{
    if (c->kind != CHECKSUM_NONE && wanted->kind != CHECKSUM_NONE && wanted->kind != c->kind)
        exchange_fail(c->r->x, "BadDigest",
                      "The %s you specified for part %lld did not match what we received.",
                      checksum_word(wanted->kind), (long long)wanted->number);
    else if (c->kind != CHECKSUM_NONE && c->is_composite && wanted->kind == CHECKSUM_NONE)
        exchange_fail(c->r->x, "InvalidRequest",
                      "The upload was created using a %s checksum. The complete request must "
                      "include the checksum for each part. It was missing for part %lld in the "
                      "request.",
                      checksum_word(c->kind), (long long)wanted->number);
    else
        return 0;
    return -1;
}

static int check_type(const struct completion *c)
{
    const char *type = exchange_header(c->r->x, "x-amz-checksum-type");
    if (!type)
        return 0;
    int is_composite = strcasecmp(type, "COMPOSITE") == 0;
    if (!is_composite && strcasecmp(type, "FULL_OBJECT") != 0)
        exchange_fail(c->r->x, "InvalidRequest",
                      "Value for x-amz-checksum-type header is invalid.");
    else if (c->kind != CHECKSUM_NONE && is_composite != c->is_composite)
        exchange_fail(c->r->x, "InvalidRequest",
                      "The upload was created using the %s checksum mode. The complete request "
                      "must use the same checksum mode.",
                      c->is_composite ? "COMPOSITE" : "FULL_OBJECT");
    else
        return 0;
    return -1;
}

/* "base64", of a composite perhaps with "-parts" behind. */
static int is_checksum(const struct completion *c, const char *text)
{
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    char value[CHECKSUM_TEXT_BYTES];
    size_t length = c->is_composite ? strcspn(text, "-") : strlen(text);
    if (length >= sizeof value || (text[length] && s3_number(text + length + 1, S3_MAX_PARTS) < 1))
        return 0;
    snprintf(value, sizeof value, "%.*s", (int)length, text);
    int size = checksum_bytes(value, bytes);
    return size >= 0 && (size_t)size == checksum_size(c->kind);
}

static int check_checksum(const struct completion *c)
{
    enum checksum_kind kind;
    const char *text;
    if (s3_given_checksum(c->r, &kind, &text) < 0)
        return -1;
    if (!text || kind != c->kind || is_checksum(c, text))
        return 0;
    exchange_fail(c->r->x, "InvalidRequest", "Value for %s header is invalid.",
                  checksum_header(kind));
    return -1;
}

int complete_check_headers(const struct completion *c)
{
    return check_type(c) < 0 ? -1 : check_checksum(c);
}

/* The checksum of the parts' checksums, "base64-parts". */
static int composite(struct completion *c, char *out, size_t out_bytes)
{
    struct err err = {0};
    struct checksum sum;
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    char text[CHECKSUM_TEXT_BYTES];
    if (checksum_start(&sum, c->r->s3->checksums, c->kind, &err) < 0)
        return -1;
    for (size_t i = 0; i < c->count; i++) {
        int size = checksum_bytes(c->chosen[i]->checksum, bytes);
        if (size < 0) {
            checksum_drop(&sum);
            return -1;
        }
        checksum_add(&sum, bytes, (size_t)size);
    }
    checksum_text(bytes, checksum_end(&sum, bytes), text);
    snprintf(out, out_bytes, "%s-%zu", text, c->count);
    return 0;
}

/* The CRC of the whole out of the parts' CRCs. */
static int joined(struct completion *c, enum checksum_kind kind, char *out, size_t out_bytes)
{
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    char text[CHECKSUM_TEXT_BYTES];
    uint64_t crc = 0, part;
    for (size_t i = 0; i < c->count; i++) {
        const struct meta_part *chosen = c->chosen[i];
        if (checksum_crc_of_text(kind, c->kind == kind ? chosen->checksum : chosen->crc64, &part) <
            0)
            return -1;
        crc = checksum_crc_join(kind, crc, part, (size_t)chosen->size);
    }
    checksum_text(bytes, checksum_crc_bytes(kind, crc, bytes), text);
    snprintf(out, out_bytes, "%s", text);
    return 0;
}

int complete_make_checksum(struct completion *c, char out[S3_CHECKSUM_BYTES])
{
    char value[CHECKSUM_TEXT_BYTES + 8] = "";
    enum checksum_kind kind = c->kind == CHECKSUM_NONE ? CHECKSUM_CRC64NVME : c->kind;
    out[0] = 0;
    if ((c->is_composite ? composite(c, value, sizeof value)
                         : joined(c, kind, value, sizeof value)) < 0)
        return 0;
    snprintf(out, S3_CHECKSUM_BYTES, "%s %s %s", checksum_name(kind),
             c->is_composite ? "COMPOSITE" : "FULL_OBJECT", value);
    if (c->kind == CHECKSUM_NONE) /* AWS makes its own, whatever the header says */
        return 0;
    const char *told = exchange_header(c->r->x, checksum_header(c->kind));
    if (!told || strncmp(told, value, strcspn(value, "-")) == 0)
        return 0;
    exchange_fail(c->r->x, "BadDigest",
                  "The %s you specified did not match the calculated checksum.",
                  checksum_name(c->kind));
    return -1;
}
