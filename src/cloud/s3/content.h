#ifndef CLOUD_S3_CONTENT_H
#define CLOUD_S3_CONTENT_H

#include "cloud/s3/s3.h"

/* The files that hold objects and parts, with a CRC-32C for each block, which every read checks. */

enum {
    CONTENT_BLOCK_BYTES = 1024 * 1024,
    CONTENT_WINDOW_BYTES = 64 * 1024, /* memory of one check of a file */
    CONTENT_NAME_BYTES = 64,
    CONTENT_SMALL_BYTES = 64 * 1024, /* up to here an object lies in the database: one sync less */
    CONTENT_MAX_BLOCKS = 5 * 1024,   /* of S3_MAX_OBJECT_BYTES */
};

struct content {
    char name[CONTENT_NAME_BYTES]; /* "ab/0123...-0123...", below DIR/s3/objects */
    size_t size;
    unsigned char md5[16];
    int md5_is_due;                   /* is made with the object's row (etags.h) */
    enum checksum_kind checksum_kind; /* asked for by the caller; CHECKSUM_NONE: none */
    unsigned char checksum[CHECKSUM_MAX_BYTES];
    size_t checksum_size;
    uint64_t crc64;   /* CRC64NVME, whatever the kind */
    uint32_t *blocks; /* CRC-32C of each block, block_count of them; malloc */
    size_t block_count;
    const void *data; /* of a small one: it has no file. Borrowed from the body */
    int is_borrowed;  /* the file has a row already: content_drop() leaves it */
};

void content_finish(struct content *content);

/* Digest the request's body: md5 unless `out` says that it is due later, blocks, and the checksum
 * of its kind. Of the rest `out` is empty before. */
int content_digest(struct s3 *s3, const struct body *body, struct content *out,
                   struct err *err) MUST_USE;
/* Put the digested body into a new file of its own, on the disk when it returns. */
int content_store(struct s3 *s3, const struct s3_request *r, struct content *content,
                  struct err *err) MUST_USE;
/* A new file with a part of another's bytes (checked) or several in a row. Digests as it goes. */
struct content_piece {
    const char *name;
    const void *data; /* of a small source: all of it; NULL: it is in the file */
    const uint32_t *blocks;
    size_t block_count, whole_size; /* of the source */
    size_t offset, size;            /* the piece of it */
};
int content_join(const struct s3_request *r, const struct content_piece *pieces, size_t count,
                 enum checksum_kind kind, struct content *out, struct err *err) MUST_USE;
/* Whole files in a row, where each but the last ends with a block: content_chain() has the kernel
 * copy them, or share them where the file system can, and neither reads nor digests. The sums of
 * their blocks go on, so that damage shows when the whole is read. One file alone is borrowed. */
int content_can_chain(const struct content_piece *pieces, size_t count);
int content_chain(const struct s3_request *r, const struct content_piece *pieces, size_t count,
                  struct content *out, struct err *err) MUST_USE;
/* Remove the file; fine when it is absent. */
void content_remove(struct s3 *s3, const char *name);
/* The file of content that did not become an object or part. */
void content_drop(struct s3 *s3, const struct content *content);

/* Open for reading: ERR_NOT_FOUND, or ERR_CORRUPT when its size is wrong. */
int content_open(struct s3 *s3, const char *name, size_t size, struct err *err) MUST_USE;
/* Check the blocks that bytes `offset` to `offset + size` lie in. With `out` (`size` bytes) they
 * are also copied there. ERR_CORRUPT when one is damaged. */
int content_check(struct s3 *s3, int fd, const struct content_piece *piece, void *out,
                  struct err *err) MUST_USE;

/* The same of a whole small object in memory. */
int content_check_data(struct s3 *s3, const struct content_piece *piece, struct err *err) MUST_USE;

/* Make the folder; at start. */
int content_prepare(struct s3 *s3, struct err *err) MUST_USE;
/* Remove every file whose name is not among the sorted `names`. Returns how many. */
size_t content_sweep(struct s3 *s3, char *const *names, size_t count);

#endif
