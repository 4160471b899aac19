#include "cloud/s3/digester.h"

#include <stdlib.h>

int digester_init(struct digester *d, struct s3 *s3, size_t size, struct content *out,
                  struct err *err)
{
    *d = (struct digester){.s3 = s3, .out = out, .md5 = out->md5_is_due ? NULL : EVP_MD_CTX_new()};
    if (size > S3_MAX_OBJECT_BYTES)
        return err_set(err, ERR_TOO_BIG, "store an object: larger than %zu bytes",
                       S3_MAX_OBJECT_BYTES);
    size_t blocks = size / CONTENT_BLOCK_BYTES + 1;
    out->blocks = calloc(blocks, sizeof *out->blocks);
    if (!out->blocks ||
        (!out->md5_is_due && (!d->md5 || EVP_DigestInit_ex(d->md5, EVP_md5(), NULL) != 1)))
        return err_set(err, ERR_NO_MEMORY, "store an object: out of memory");
    int is_crc64 = out->checksum_kind == CHECKSUM_CRC64NVME; /* made in any case */
    return checksum_start(&d->checksum, s3->checksums,
                          is_crc64 ? CHECKSUM_NONE : out->checksum_kind, err);
}

static void end_block(struct digester *d)
{
    d->out->blocks[d->out->block_count++] = (uint32_t)d->crc;
    d->crc = 0;
    d->in_block = 0;
}

void digester_add(struct digester *d, const void *data, size_t size)
{
    if (d->md5)
        EVP_DigestUpdate(d->md5, data, size);
    checksum_add(&d->checksum, data, size);
    d->out->crc64 = checksum_crc(d->s3->checksums, CHECKSUM_CRC64NVME, d->out->crc64, data, size);
    d->out->size += size;
    for (const char *next = data; size > 0;) {
        size_t part = CONTENT_BLOCK_BYTES - d->in_block;
        part = part < size ? part : size;
        d->crc = checksum_crc(d->s3->checksums, CHECKSUM_CRC32C, d->crc, next, part);
        d->in_block += part;
        next += part;
        size -= part;
        if (d->in_block == CONTENT_BLOCK_BYTES)
            end_block(d);
    }
}

void digester_end(struct digester *d)
{
    if (d->in_block)
        end_block(d);
    if (d->md5)
        EVP_DigestFinal_ex(d->md5, d->out->md5, NULL);
    if (d->out->checksum_kind == CHECKSUM_CRC64NVME)
        d->out->checksum_size =
            checksum_crc_bytes(CHECKSUM_CRC64NVME, d->out->crc64, d->out->checksum);
    else
        d->out->checksum_size = checksum_end(&d->checksum, d->out->checksum);
}

void digester_finish(struct digester *d)
{
    EVP_MD_CTX_free(d->md5);
    checksum_drop(&d->checksum);
}
