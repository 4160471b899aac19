#include "base/pool.h"

#include "base/clock.h"
#include "base/runnable.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_BYTES = 64,
    WANTED_PART = 4, /* a caller that runs a quarter longer than its processor time is disturbed */
    ALONE_MS = 100,  /* and begins no shared piece for so long */
};

/* A job belongs to whoever takes one from `left`; until `done` has reached `count` the other fields
 * stay as they are. So a thread that wakes late finds nothing to take, and nobody waits for it. */
struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    void (*job)(void *context, size_t index);
    void *context;
    size_t count, threads;
    uint64_t began_ns, began_cpu_ns;         /* the piece of work under way */
    cpu_set_t processors;                    /* that the pool may run on */
    int caller_processor;                    /* where the caller ran last; -1: not known */
    uint64_t disturbed_ns;                   /* when others' load last showed; 0: not yet */
    int alone;                               /* the piece under way is the caller's alone */
    int load_fd;                             /* -1: not to be had */
    long online;                             /* processors of the machine; asking takes 0.1 ms */
    _Alignas(LINE_BYTES) atomic_size_t left; /* jobs that nobody has taken yet */
    _Alignas(LINE_BYTES) atomic_size_t done;
    _Alignas(LINE_BYTES) atomic_size_t sleepers;
    atomic_int waits; /* the caller, for the last jobs */
    atomic_int stop;
    pthread_t ids[];
};

static void take_jobs(struct pool *pool)
{
    size_t left = pool->left;
    while (left > 0) {
        if (!atomic_compare_exchange_weak(&pool->left, &left, left - 1))
            continue;
        pool->job(pool->context, pool->count - left);
        pool->done++;
        left = pool->left;
    }
}

/* The next job, a network's next layer, mostly comes within microseconds, and to sleep and be woken
 * takes tens of them. So wait awake for a moment, giving way to whoever else wants the processor.
 */
enum { PATIENCE = 1000 };

/* Returns 0 when the pool stops. */
static int await_jobs(struct pool *pool)
{
    for (int i = 0; i < PATIENCE && pool->left == 0 && !pool->stop; i++)
        sched_yield();
    if (pool->left > 0)
        return 1;
    pthread_mutex_lock(&pool->lock);
    pool->sleepers++;
    while (!pool->stop && pool->left == 0)
        pthread_cond_wait(&pool->work, &pool->lock);
    pool->sleepers--;
    int stop = pool->stop;
    pthread_mutex_unlock(&pool->lock);
    return !stop;
}

static void wake(struct pool *pool, pthread_cond_t *who)
{
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(who);
    pthread_mutex_unlock(&pool->lock);
}

static void await_others(struct pool *pool)
{
    for (int i = 0; i < PATIENCE && pool->done < pool->count; i++)
        sched_yield();
    if (pool->done == pool->count)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->waits = 1;
    while (pool->done < pool->count)
        pthread_cond_wait(&pool->finished, &pool->lock);
    pool->waits = 0;
    pthread_mutex_unlock(&pool->lock);
}

static void *serve(void *argument)
{
    struct pool *pool = argument;
    while (await_jobs(pool)) {
        take_jobs(pool);
        if (pool->waits)
            wake(pool, &pool->finished);
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
    size_t bytes = sizeof(struct pool) + (threads - 1) * sizeof(pthread_t);
    struct pool *pool = aligned_alloc(LINE_BYTES, (bytes + LINE_BYTES - 1) & -(size_t)LINE_BYTES);
    if (!pool) {
        err_set(err, ERR_NO_MEMORY, "create thread pool");
        return NULL;
    }
    memset(pool, 0, bytes);
    pool->caller_processor = -1;
    pool->load_fd = runnable_open();
    pool->online = sysconf(_SC_NPROCESSORS_ONLN);
    sched_getaffinity(0, sizeof pool->processors, &pool->processors);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->finished, NULL);
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
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->lock);
    if (pool->load_fd >= 0)
        close(pool->load_fd);
    free(pool);
}

size_t pool_threads(const struct pool *pool)
{
    return pool ? pool->threads : 1;
}

void pool_run(struct pool *pool, size_t count, void (*job)(void *context, size_t index),
              void *context)
{
    if (!pool || pool->threads == 1 || count < 2 || pool->alone) {
        for (size_t i = 0; i < count; i++)
            job(context, i);
        return;
    }
    pool->job = job;
    pool->context = context;
    pool->count = count;
    pool->done = 0;
    pool->left = count;
    if (pool->sleepers > 0)
        wake(pool, &pool->work);
    take_jobs(pool);
    await_others(pool);
}

/* A woken thread may be put behind its waker, on the one processor that it must not share. */
static void make_way(struct pool *pool)
{
    int processor = sched_getcpu();
    cpu_set_t others = pool->processors;
    if (processor < 0 || processor == pool->caller_processor)
        return;
    CPU_CLR(processor, &others);
    for (size_t i = 0; i + 1 < pool->threads && CPU_COUNT(&others) > 0; i++)
        pthread_setaffinity_np(pool->ids[i], sizeof others, &others);
    pool->caller_processor = processor;
}

/* Is there a processor that nobody uses? Where the kernel does not tell, there may be one. */
static int has_free_processor(const struct pool *pool)
{
    return runnable_threads(pool->load_fd) < pool->online;
}

void pool_begin(struct pool *pool)
{
    if (!pool || pool->threads == 1)
        return;
    pool->began_ns = clock_monotonic_ns();
    pool->began_cpu_ns = clock_thread_cpu_ns();
    int disturbed = pool->disturbed_ns && pool->began_ns - pool->disturbed_ns < ALONE_MS * 1000000u;
    pool->alone = disturbed || !has_free_processor(pool);
    if (!pool->alone)
        make_way(pool);
}

void pool_end(struct pool *pool)
{
    if (!pool || pool->threads == 1)
        return;
    uint64_t wall_ns = clock_monotonic_ns() - pool->began_ns;
    uint64_t cpu_ns = clock_thread_cpu_ns() - pool->began_cpu_ns;
    if (wall_ns > cpu_ns + cpu_ns / WANTED_PART)
        pool->disturbed_ns = pool->began_ns + wall_ns;
    pool->alone = 0;
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
