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
    size_t count, threads, busy;
    atomic_size_t next;
    unsigned long round; /* counts pool_run() calls, so that a thread works once a call */
    int stop;
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

static void *serve(void *argument)
{
    struct pool *pool = argument;
    unsigned long seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (!pool->stop && pool->round == seen)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->stop)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        take_jobs(pool);
        pthread_mutex_lock(&pool->lock);
        if (--pool->busy == 0)
            pthread_cond_signal(&pool->done);
    }
    pthread_mutex_unlock(&pool->lock);
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
    pthread_mutex_lock(&pool->lock);
    while (pool->busy > 0)
        pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
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
