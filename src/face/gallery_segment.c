#include "face/gallery_data.h"
#include "face/seal.h"

#include <string.h>

#include <openssl/evp.h>

/* Numbers are little-endian, floats IEEE 754 binary32: docs/gallery.md. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the gallery file is little-endian");
_Static_assert(sizeof(struct segment) == SEGMENT_HEADER_BYTES, "the file has the struct as it is");
_Static_assert(SEAL_NONCE_BYTES == 12 && (int)SEAL_TAG_BYTES <= (int)GALLERY_CHECK_BYTES,
               "as the file has it");

_Static_assert(sizeof(struct rest) == 56, "the file has the struct as it is");

size_t segment_check_bytes(uint32_t form)
{
    return form == FORM_SEALED ? SEAL_TAG_BYTES : GALLERY_CHECK_BYTES;
}

void segment_put_header(uint8_t *at, const struct segment *segment)
{
    memcpy(at, segment, SEGMENT_HEADER_BYTES);
}

struct segment segment_take_header(const uint8_t *at)
{
    struct segment segment;
    memcpy(&segment, at, SEGMENT_HEADER_BYTES);
    return segment;
}

/* The start of the file without how much of it counts, which changes; the check of the segment
 * before, so that none can be left out or moved; the segment's own header. */
enum { COVERED_BYTES = GALLERY_HEADER_BYTES + GALLERY_CHECK_BYTES + SEGMENT_HEADER_BYTES };

static void gather_covered(uint8_t covered[COVERED_BYTES], const uint8_t *at,
                           const struct segment_place *place)
{
    memset(covered, 0, COVERED_BYTES);
    memcpy(covered, place->file_header, GALLERY_HEADER_BYTES);
    gallery_put_committed(covered, 0);
    if (place->previous)
        memcpy(covered + GALLERY_HEADER_BYTES, place->previous, GALLERY_CHECK_BYTES);
    memcpy(covered + GALLERY_HEADER_BYTES + GALLERY_CHECK_BYTES, at, SEGMENT_HEADER_BYTES);
}

static int checksum(const uint8_t covered[COVERED_BYTES], const uint8_t *payload, size_t size,
                    uint8_t sum[GALLERY_CHECK_BYTES], struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
               EVP_DigestUpdate(context, covered, COVERED_BYTES) == 1 &&
               EVP_DigestUpdate(context, payload, size) == 1 &&
               EVP_DigestFinal_ex(context, sum, NULL) == 1;
    EVP_MD_CTX_free(context);
    return good ? 0 : err_set(err, ERR_IO, "checksum: OpenSSL failed");
}

int segment_close(uint8_t *at, const struct segment_place *place, struct err *err)
{
    struct segment segment = segment_take_header(at);
    uint8_t covered[COVERED_BYTES], *payload = at + SEGMENT_HEADER_BYTES;
    gather_covered(covered, at, place);
    uint8_t *check = payload + segment.payload_bytes;
    if (!place->key)
        return checksum(covered, payload, segment.payload_bytes, check, err);
    struct seal seal = {place->key, segment.nonce, covered, COVERED_BYTES};
    return seal_encrypt(&seal, payload, segment.payload_bytes, check, err);
}

static int changed(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "it was changed: its checksum is wrong");
}

int segment_open(uint8_t *at, const struct segment_place *place, struct err *err)
{
    struct segment segment = segment_take_header(at);
    uint8_t covered[COVERED_BYTES], sum[GALLERY_CHECK_BYTES], *payload = at + SEGMENT_HEADER_BYTES;
    gather_covered(covered, at, place);
    const uint8_t *check = payload + segment.payload_bytes;
    if (place->key) {
        struct seal seal = {place->key, segment.nonce, covered, COVERED_BYTES};
        return seal_decrypt(&seal, payload, segment.payload_bytes, check, err);
    }
    if (checksum(covered, payload, segment.payload_bytes, sum, err) < 0)
        return -1;
    return memcmp(sum, check, GALLERY_CHECK_BYTES) == 0 ? 0 : changed(err);
}

static struct seal seal_of(const struct rest *rest, const uint8_t *key)
{
    return (struct seal){key, rest->nonce, (const uint8_t *)&rest->bytes, sizeof rest->bytes};
}

int rest_close(struct rest *rest, uint8_t *at, const uint8_t *key, struct err *err)
{
    struct seal seal = seal_of(rest, key);
    memset(rest->check, 0, sizeof rest->check);
    return key ? seal_encrypt(&seal, at, rest->bytes, rest->check, err)
               : seal_digest(at, rest->bytes, rest->check, err);
}

int rest_open(const struct rest *rest, uint8_t *at, const uint8_t *key, struct err *err)
{
    struct seal seal = seal_of(rest, key);
    uint8_t sum[GALLERY_CHECK_BYTES];
    if (key)
        return seal_decrypt(&seal, at, rest->bytes, rest->check, err);
    if (seal_digest(at, rest->bytes, sum, err) < 0)
        return -1;
    return memcmp(sum, rest->check, sizeof sum) == 0 ? 0 : changed(err);
}
