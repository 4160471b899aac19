#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/err.h"

#include <stddef.h>

/* A fixed set of threads that work on one array of jobs at a time, for loops that split evenly.
 * pool_run() calls `job(context, index)` once for every index below `count`, the calling thread
 * working too, and returns when all are done. One pool_run() at a time; jobs may not call it. */
struct pool;

enum { POOL_MAX_THREADS = 256 };

/* 1 to POOL_MAX_THREADS, the caller's included. */
struct pool *pool_create(size_t threads, struct err *err);
void pool_destroy(struct pool *pool);         /* NULL is fine */
size_t pool_threads(const struct pool *pool); /* 1 for NULL */
/* With pool == NULL the calling thread does everything. */
void pool_run(struct pool *pool, size_t count, void (*job)(void *context, size_t index),
              void *context);

/* Processors this process may run on: as many threads as make sense, 1 to POOL_MAX_THREADS. */
size_t pool_processors(void);

#endif
