#include "cloud/checksum.h"

#include "base/crc32c.h"
#include "cloud/crc_fold.h"

#include <endian.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SLICES = 8 };

/* Reflected polynomials. */
static const struct {
    const char *name, *header;
    uint64_t polynomial;
    size_t bytes;
} kinds[CHECKSUM_KINDS] = {
    [CHECKSUM_NONE] = {"", "", 0, 0},
    [CHECKSUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", 0xedb88320, 4},
    [CHECKSUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", 0x82f63b78, 4},
    [CHECKSUM_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", 0x9a6c9329ac4bc9b5, 8},
    [CHECKSUM_SHA1] = {"SHA1", "x-amz-checksum-sha1", 0, 20},
    [CHECKSUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", 0, 32},
};

struct checksums {
    uint64_t tables[CHECKSUM_CRC64NVME + 1][SLICES][256];
    struct crc_fold folds[CHECKSUM_CRC64NVME + 1];
};

const char *checksum_name(enum checksum_kind kind)
{
    return kinds[kind].name;
}

const char *checksum_word(enum checksum_kind kind)
{
    return kind == CHECKSUM_NONE ? "null" : kinds[kind].header + strlen("x-amz-checksum-");
}

size_t checksum_size(enum checksum_kind kind)
{
    return kinds[kind].bytes;
}

const char *checksum_header(enum checksum_kind kind)
{
    return kinds[kind].header;
}

enum checksum_kind checksum_find(const char *name)
{
    for (int kind = CHECKSUM_CRC32; kind < CHECKSUM_KINDS; kind++)
        if (strcasecmp(name, kinds[kind].name) == 0)
            return (enum checksum_kind)kind;
    return CHECKSUM_NONE;
}

static void fill_tables(uint64_t tables[SLICES][256], uint64_t polynomial)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
        tables[0][i] = crc;
    }
    for (int slice = 1; slice < SLICES; slice++)
        for (unsigned i = 0; i < 256; i++)
            tables[slice][i] = (tables[slice - 1][i] >> 8) ^ tables[0][tables[slice - 1][i] & 0xff];
}

/* Product of two polynomials modulo the CRC's own; reflected, so that the highest bit is x^0. */
static uint64_t multiply(enum checksum_kind kind, uint64_t a, uint64_t b)
{
    uint64_t product = 0;
    for (uint64_t bit = 1ull << (8 * kinds[kind].bytes - 1); bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = (b >> 1) ^ (b & 1 ? kinds[kind].polynomial : 0);
    }
    return product;
}

/* x^exponent modulo the CRC's polynomial, reflected as a CRC is. */
static uint64_t power_of_x(enum checksum_kind kind, uint64_t exponent)
{
    uint64_t one = 1ull << (8 * kinds[kind].bytes - 1), power = one >> 1, result = one;
    for (; exponent; exponent >>= 1) {
        if (exponent & 1)
            result = multiply(kind, result, power);
        power = multiply(kind, power, power);
    }
    return result;
}

static void fill_fold(struct crc_fold *fold, enum checksum_kind kind)
{
    enum { FAR_BITS = 8 * CRC_FOLD_BYTES, NEAR_BITS = 8 * CRC_FOLDED_BYTES };
    size_t up = 64 - 8 * kinds[kind].bytes; /* to 64 bits */
    fold->far[0] = power_of_x(kind, FAR_BITS + 63) << up;
    fold->far[1] = power_of_x(kind, FAR_BITS - 1) << up;
    fold->near[0] = power_of_x(kind, NEAR_BITS + 63) << up;
    fold->near[1] = power_of_x(kind, NEAR_BITS - 1) << up;
}

struct checksums *checksums_create(struct err *err)
{
    struct checksums *checksums = malloc(sizeof *checksums);
    if (!checksums) {
        err_set(err, ERR_NO_MEMORY, "make checksum tables: out of memory");
        return NULL;
    }
    for (int kind = CHECKSUM_CRC32; kind <= CHECKSUM_CRC64NVME; kind++) {
        fill_tables(checksums->tables[kind], kinds[kind].polynomial);
        fill_fold(&checksums->folds[kind], (enum checksum_kind)kind);
    }
    return checksums;
}

void checksums_destroy(struct checksums *checksums)
{
    free(checksums);
}

/* Eight bytes a step, one table for each. */
static uint64_t sliced(const uint64_t t[SLICES][256], uint64_t crc, const unsigned char *p,
                       size_t size)
{
    for (; size >= 8; p += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        crc ^= le64toh(word);
        crc = t[7][crc & 0xff] ^ t[6][(crc >> 8) & 0xff] ^ t[5][(crc >> 16) & 0xff] ^
              t[4][(crc >> 24) & 0xff] ^ t[3][(crc >> 32) & 0xff] ^ t[2][(crc >> 40) & 0xff] ^
              t[1][(crc >> 48) & 0xff] ^ t[0][crc >> 56];
    }
    for (; size; p++, size--)
        crc = (crc >> 8) ^ t[0][(crc ^ *p) & 0xff];
    return crc;
}

uint64_t checksum_crc(const struct checksums *checksums, enum checksum_kind kind, uint64_t crc,
                      const void *data, size_t size)
{
    enum { WORTH_BYTES = 2 * CRC_FOLD_BYTES };
    uint64_t all = kind == CHECKSUM_CRC64NVME ? UINT64_MAX : UINT32_MAX;
    const unsigned char *p = data;
    if (kind == CHECKSUM_CRC32C && crc32c_is_fast())
        return crc32c((uint32_t)crc, data, size);
    crc ^= all;
    if (size >= WORTH_BYTES && crc_fold_is_fast()) {
        unsigned char folded[CRC_FOLDED_BYTES];
        size_t part = size / CRC_FOLD_BYTES * CRC_FOLD_BYTES;
        crc_fold(&checksums->folds[kind], crc, p, part, folded);
        crc = sliced(checksums->tables[kind], 0, folded, sizeof folded);
        p += part;
        size -= part;
    }
    return sliced(checksums->tables[kind], crc, p, size) ^ all;
}

/* `size` more bytes behind a piece multiply its CRC by x^(8 * size). */
uint64_t checksum_crc_join(enum checksum_kind kind, uint64_t first, uint64_t second, size_t size)
{
    return multiply(kind, power_of_x(kind, 8 * (uint64_t)size), first) ^ second;
}

size_t checksum_crc_bytes(enum checksum_kind kind, uint64_t crc,
                          unsigned char out[CHECKSUM_MAX_BYTES])
{
    size_t size = kinds[kind].bytes;
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)(crc >> (8 * (size - 1 - i)));
    return size;
}

int checksum_crc_of_text(enum checksum_kind kind, const char *text, uint64_t *crc)
{
    unsigned char bytes[CHECKSUM_MAX_BYTES];
    int size = checksum_bytes(text, bytes);
    if (kind > CHECKSUM_CRC64NVME || size < 0 || (size_t)size != kinds[kind].bytes)
        return -1;
    *crc = 0;
    for (int i = 0; i < size; i++)
        *crc = *crc << 8 | bytes[i];
    return 0;
}

int checksum_start(struct checksum *c, const struct checksums *tables, enum checksum_kind kind,
                   struct err *err)
{
    *c = (struct checksum){.tables = tables, .kind = kind};
    if (kind != CHECKSUM_SHA1 && kind != CHECKSUM_SHA256)
        return 0;
    c->digest = EVP_MD_CTX_new();
    if (!c->digest ||
        EVP_DigestInit_ex(c->digest, kind == CHECKSUM_SHA1 ? EVP_sha1() : EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_NO_MEMORY, "start a checksum: out of memory");
    return 0;
}

void checksum_add(struct checksum *c, const void *data, size_t size)
{
    if (c->digest)
        EVP_DigestUpdate(c->digest, data, size);
    else if (c->kind != CHECKSUM_NONE)
        c->crc = checksum_crc(c->tables, c->kind, c->crc, data, size);
}

size_t checksum_end(struct checksum *c, unsigned char out[CHECKSUM_MAX_BYTES])
{
    if (c->digest)
        EVP_DigestFinal_ex(c->digest, out, NULL);
    else
        checksum_crc_bytes(c->kind, c->crc, out);
    checksum_drop(c);
    return kinds[c->kind].bytes;
}

void checksum_drop(struct checksum *c)
{
    EVP_MD_CTX_free(c->digest);
    c->digest = NULL;
}

void checksum_text(const unsigned char *bytes, size_t size, char out[CHECKSUM_TEXT_BYTES])
{
    EVP_EncodeBlock((unsigned char *)out, bytes, (int)size);
}

int checksum_bytes(const char *text, unsigned char out[CHECKSUM_MAX_BYTES])
{
    unsigned char decoded[CHECKSUM_TEXT_BYTES];
    size_t length = strlen(text), padding = 0;
    if (length == 0 || length % 4 || length > CHECKSUM_TEXT_BYTES - 1)
        return -1;
    while (padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    int size = EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)length);
    size -= (int)padding;
    if (size < 0 || size > CHECKSUM_MAX_BYTES)
        return -1;
    memcpy(out, decoded, (size_t)size);
    return size;
}
