#ifndef CLOUD_INFLATE_H
#define CLOUD_INFLATE_H

#include "base/arena.h"
#include "base/err.h"

/* "Content-Encoding: gzip" or "deflate" undone, also of several such pieces in a row: the text in
 * the arena with a 0 behind, its size in *size (which comes in as that of `data`). NULL with
 * ERR_INVALID when it is damaged or would be larger than max_bytes. */
const char *inflate_gzip(const char *data, size_t *size, size_t max_bytes, struct arena *arena,
                         struct err *err);

#endif
