#ifndef CLOUD_SQLITE_FLUSHER_H
#define CLOUD_SQLITE_FLUSHER_H

#include "base/err.h"

/* A thread that calls `flush` a little after it was woken, so that what came in between is stored
 * together: for callers that must not wait for the disk. Waking is cheap; thread safe. */
struct flusher;

struct flusher *flusher_create(void (*flush)(void *context), void *context, int delay_ms,
                               struct err *err);
void flusher_wake(struct flusher *flusher);
void flusher_destroy(struct flusher *flusher); /* NULL is fine; flushes a last time */

#endif
