#ifndef CLOUD_S3_COMPLETE_H
#define CLOUD_S3_COMPLETE_H

#include "cloud/s3/write.h"

#include <openssl/sha.h>

/* Between complete.c and complete_checksum.c only: a CompleteMultipartUpload under way. Where a
 * function returns -1 the answer is in the exchange. */

struct wanted_part {
    int64_t number;
    char etag[S3_ETAG_BYTES];
    char checksum[CHECKSUM_TEXT_BYTES]; /* as told; "" */
    enum checksum_kind kind;            /* of it */
};

struct completion {
    struct s3_request *r;
    struct meta_upload upload;
    struct wanted_part current, *wanted;
    int has_number; /* the current one */
    size_t count;
    struct meta_part *parts; /* all that were uploaded, by number */
    int64_t part_count;
    struct meta_part **chosen;
    enum checksum_kind kind;
    int is_composite;
    int has_bad_number, has_bad_checksum;    /* somewhere in the document */
    char list[2 * SHA256_DIGEST_LENGTH + 1]; /* tells `wanted` from any other */
};

/* What the request's headers tell of the checksum, against the upload. */
int complete_check_headers(const struct completion *c);
/* What is told of a part's checksum must be of the upload's kind; a composite needs all of them. */
int complete_check_told(const struct completion *c, const struct wanted_part *wanted);
/* The value to keep, "CRC32 FULL_OBJECT base64", out of the chosen parts; and is it what the client
 * expects? "" without one. */
int complete_make_checksum(struct completion *c, char out[S3_CHECKSUM_BYTES]);

#endif
