#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>

/* Bytes that grow, with a ceiling. There is always a 0 behind the last byte, so `data` of a buffer
 * that holds text is a string (NULL only while nothing was ever put in).
 *
 * A failed append is remembered in `failed` and every later append fails too, so a caller may
 * append many times and check once. */
struct buf {
    char *data;
    size_t size, capacity, limit; /* bytes */
    int failed;
};

void buf_init(struct buf *buf, size_t limit_bytes);
void buf_finish(struct buf *buf);
void buf_clear(struct buf *buf); /* empties it, keeps the memory */

int buf_append(struct buf *buf, const void *data, size_t size);
int buf_puts(struct buf *buf, const char *text);
int buf_printf(struct buf *buf, const char *format, ...) PRINTF(2, 3);
int buf_reserve(struct buf *buf, size_t more_bytes);

#endif
