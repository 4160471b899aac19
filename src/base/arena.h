#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

/* Memory of one request or one frame: many allocations, one release.
 *
 * Grows by chunks up to `limit_bytes`; past that, or when the system has no memory, allocation
 * returns NULL, which the caller reports as ERR_TOO_BIG. One owner at a time; no locking. */
struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes, limit_bytes;
};

void arena_init(struct arena *arena, size_t limit_bytes);
void arena_finish(struct arena *arena); /* frees everything; the arena may be used again */

/* `count * size` zeroed bytes, aligned to 16; NULL on overflow or past the limit. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);
/* A copy of `size` bytes with a 0 behind them. */
char *arena_copy(struct arena *arena, const void *data, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define arena_new(arena, type, count) ((type *)arena_alloc((arena), (count), sizeof(type)))

#endif
