#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    void (*job)(void *context, size_t index);
    void *context;
    size_t count, threads;
    atomic_size_t next, busy;
    atomic_ulong round; /* counts pool_run() calls, so that a thread works once a call */
    atomic_int stop;
    pthread_t ids[];
};

static void take_jobs(struct pool *pool)
{
    for (;;) {
        size_t index = atomic_fetch_add(&pool->next, 1);
        if (index >= pool->count)
            return;
        pool->job(pool->context, index);
    }
}

/* The next job, a network's next layer, mostly comes within microseconds, and to sleep and be woken
 * takes tens of them. So wait awake for a moment, giving way to whoever else wants the processor.
 */
enum { PATIENCE = 100 };

/* Returns 0 when the pool stops. */
static int await_round(struct pool *pool, unsigned long *seen)
{
    for (int i = 0; i < PATIENCE && pool->round == *seen && !pool->stop; i++)
        sched_yield();
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop && pool->round == *seen)
        pthread_cond_wait(&pool->work, &pool->lock);
    *seen = pool->round;
    int stop = pool->stop;
    pthread_mutex_unlock(&pool->lock);
    return !stop;
}

static void await_others(struct pool *pool)
{
    for (int i = 0; i < PATIENCE && pool->busy > 0; i++)
        sched_yield();
    if (pool->busy == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *serve(void *argument)
{
    struct pool *pool = argument;
    unsigned long seen = 0;
    while (await_round(pool, &seen)) {
        take_jobs(pool);
        if (atomic_fetch_sub(&pool->busy, 1) != 1)
            continue;
        pthread_mutex_lock(&pool->lock);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->lock);
    }
    return NULL;
}

struct pool *pool_create(size_t threads, struct err *err)
{
    if (threads < 1 || threads > POOL_MAX_THREADS) {
        err_set(err, ERR_INVALID, "create thread pool: %zu threads, not 1 to %d", threads,
                POOL_MAX_THREADS);
        return NULL;
    }
    struct pool *pool = calloc(1, sizeof *pool + (threads - 1) * sizeof pool->ids[0]);
    if (!pool) {
        err_set(err, ERR_NO_MEMORY, "create thread pool");
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    for (pool->threads = 1; pool->threads < threads; pool->threads++)
        if (pthread_create(&pool->ids[pool->threads - 1], NULL, serve, pool) != 0) {
            pool_destroy(pool);
            err_set(err, ERR_NO_MEMORY, "create thread pool: no thread to be had");
            return NULL;
        }
    return pool;
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i + 1 < pool->threads; i++)
        pthread_join(pool->ids[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

size_t pool_threads(const struct pool *pool)
{
    return pool ? pool->threads : 1;
}

void pool_run(struct pool *pool, size_t count, void (*job)(void *context, size_t index),
              void *context)
{
    if (!pool || pool->threads == 1 || count < 2) {
        for (size_t i = 0; i < count; i++)
            job(context, i);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->job = job;
    pool->context = context;
    pool->count = count;
    pool->busy = pool->threads - 1;
    atomic_store(&pool->next, 0);
    pool->round++;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    take_jobs(pool);
    await_others(pool);
}

size_t pool_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0)
        return 1;
    int count = CPU_COUNT(&set);
    if (count > POOL_MAX_THREADS)
        return POOL_MAX_THREADS;
    return count < 1 ? 1 : (size_t)count;
}
