#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/err.h"

#include <stddef.h>

/* A fixed set of threads that work on one array of jobs at a time, for loops that split evenly.
 * pool_run() calls `job(context, index)` once for every index below `count`, the calling thread
 * working too, and returns when all are done. One pool_run() at a time; jobs may not call it. A
 * thread that the system does not let run delays nobody, but for the job that it is in. */
struct pool;

enum { POOL_MAX_THREADS = 256 };

/* 1 to POOL_MAX_THREADS, the caller's included. */
struct pool *pool_create(size_t threads, struct err *err);
void pool_destroy(struct pool *pool);         /* NULL is fine */
size_t pool_threads(const struct pool *pool); /* 1 for NULL */
/* With pool == NULL the calling thread does everything. */
void pool_run(struct pool *pool, size_t count, void (*job)(void *context, size_t index),
              void *context);

/* Around a piece of work of some milliseconds with many pool_run()s in it, a picture for example.
 * Where no processor is free, sharing would cost others and the caller time: the piece is the
 * caller's alone. So is what begins within 100 ms after the caller got clearly less of a processor
 * than it could use. */
void pool_begin(struct pool *pool); /* NULL is fine */
void pool_end(struct pool *pool);

/* Processors this process may run on: as many threads as make sense, 1 to POOL_MAX_THREADS. */
size_t pool_processors(void);

#endif
