#ifndef CLOUD_S3_DIGESTER_H
#define CLOUD_S3_DIGESTER_H

#include "cloud/s3/content.h"

#include <openssl/evp.h>

/* All that is known of an object's bytes as they pass: MD5, checksums, the sums of its blocks.
 * Inside content.c only. */
struct digester {
    struct s3 *s3;
    struct content *out;
    EVP_MD_CTX *md5;
    struct checksum checksum;
    size_t in_block; /* bytes of the current block so far */
    uint64_t crc;
};

/* Of `out` it is known which digests are wanted; the rest is filled in, at the end the md5 and the
 * checksum. `size` is of all that will come. digester_finish() in any case. */
int digester_init(struct digester *d, struct s3 *s3, size_t size, struct content *out,
                  struct err *err) MUST_USE;
void digester_add(struct digester *d, const void *data, size_t size);
void digester_end(struct digester *d);
void digester_finish(struct digester *d);

#endif
