#ifndef CLOUD_CHECKSUM_H
#define CLOUD_CHECKSUM_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* The checksums that S3 knows, and CRC-32C for what is stored. */

enum checksum_kind {
    CHECKSUM_NONE,
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_KINDS,
};

enum { CHECKSUM_MAX_BYTES = 32, CHECKSUM_TEXT_BYTES = 49 };

/* "CRC32", as in XML and x-amz-sdk-checksum-algorithm; and the header "x-amz-checksum-crc32". */
const char *checksum_name(enum checksum_kind kind);
const char *checksum_word(enum checksum_kind kind); /* "crc32", as in messages; "null" for none */
const char *checksum_header(enum checksum_kind kind);
size_t checksum_size(enum checksum_kind kind);      /* bytes */
enum checksum_kind checksum_find(const char *name); /* CHECKSUM_NONE for an unknown one */

/* Tables of the CRCs; made once. */
struct checksums;
struct checksums *checksums_create(struct err *err);
void checksums_destroy(struct checksums *checksums);

/* CRC of the bytes behind those that gave `crc` (0 at first). */
uint64_t checksum_crc(const struct checksums *checksums, enum checksum_kind kind, uint64_t crc,
                      const void *data, size_t size);

/* CRC of two pieces in a row, of which the second has `size` bytes, from the CRC of each. */
uint64_t checksum_crc_join(enum checksum_kind kind, uint64_t first, uint64_t second, size_t size);

/* A CRC as bytes, big-endian; returns how many. And back from Base64: -1 when it is none. */
size_t checksum_crc_bytes(enum checksum_kind kind, uint64_t crc,
                          unsigned char out[CHECKSUM_MAX_BYTES]);
int checksum_crc_of_text(enum checksum_kind kind, const char *text, uint64_t *crc);

/* A running checksum of any kind. */
struct checksum {
    const struct checksums *tables;
    enum checksum_kind kind;
    uint64_t crc;
    void *digest; /* EVP_MD_CTX */
};
int checksum_start(struct checksum *c, const struct checksums *tables, enum checksum_kind kind,
                   struct err *err) MUST_USE;
void checksum_add(struct checksum *c, const void *data, size_t size);
/* The bytes, big-endian; returns how many. Ends the checksum, as checksum_drop() does. */
size_t checksum_end(struct checksum *c, unsigned char out[CHECKSUM_MAX_BYTES]);
void checksum_drop(struct checksum *c);

/* Base64 of up to CHECKSUM_MAX_BYTES. */
void checksum_text(const unsigned char *bytes, size_t size, char out[CHECKSUM_TEXT_BYTES]);
/* The bytes of Base64 text; returns how many, or -1. */
int checksum_bytes(const char *text, unsigned char out[CHECKSUM_MAX_BYTES]);

#endif
