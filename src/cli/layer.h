#ifndef CLI_LAYER_H
#define CLI_LAYER_H

#include "base/buf.h"
#include "base/err.h"

/* One layer of a container image: a tar, made in memory, compressed by gzip. Everything in it
 * belongs to root and dates from 1970, so that the same files give the same bytes.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md */

#define LAYER_MAX_BYTES ((size_t)256 * 1024 * 1024) /* unpacked */
enum { LAYER_DIGEST_BYTES = 72 };                   /* "sha256:", 64 hex digits, a 0 */

struct layer {
    struct archive *tar;
    struct buf bytes; /* of the tar */
};

int layer_begin(struct layer *layer, struct err *err) MUST_USE;
/* A folder and every file below it come after it, in the order of names. Paths are relative. */
int layer_add_folder(struct layer *layer, const char *path, int mode, struct err *err) MUST_USE;
int layer_add_bytes(struct layer *layer, const char *path, int mode, const void *data, size_t size,
                    struct err *err) MUST_USE;
/* The file `from` of this machine. */
int layer_add_file(struct layer *layer, const char *path, int mode, const char *from,
                   struct err *err) MUST_USE;
/* The compressed tar into `gzip`, the digest of the plain one into `plain_digest`. */
int layer_end(struct layer *layer, struct buf *gzip, char plain_digest[LAYER_DIGEST_BYTES],
              struct err *err) MUST_USE;
void layer_finish(struct layer *layer); /* also after a failure, and a second time */

void layer_digest(const void *data, size_t size, char digest[LAYER_DIGEST_BYTES]);

#endif
