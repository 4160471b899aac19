#include "cloud/sqlite/flusher.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct flusher {
    void (*flush)(void *context);
    void *context;
    int delay_ms, dirty, closing;
    pthread_mutex_t lock;
    pthread_cond_t wake, close;
    pthread_t thread;
};

/* Under the lock: give others `delay_ms` to join, unless the end has come. */
static void collect(struct flusher *flusher)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (int64_t)flusher->delay_ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    while (!flusher->closing &&
           pthread_cond_timedwait(&flusher->close, &flusher->lock, &until) == 0)
        ;
}

static void *flusher_main(void *argument)
{
    struct flusher *flusher = argument;
    pthread_mutex_lock(&flusher->lock);
    while (!flusher->closing || flusher->dirty) {
        if (!flusher->dirty) {
            pthread_cond_wait(&flusher->wake, &flusher->lock);
            continue;
        }
        collect(flusher);
        flusher->dirty = 0;
        pthread_mutex_unlock(&flusher->lock);
        flusher->flush(flusher->context);
        pthread_mutex_lock(&flusher->lock);
    }
    pthread_mutex_unlock(&flusher->lock);
    return NULL;
}

struct flusher *flusher_create(void (*flush)(void *context), void *context, int delay_ms,
                               struct err *err)
{
    struct flusher *flusher = calloc(1, sizeof *flusher);
    if (!flusher) {
        err_set(err, ERR_NO_MEMORY, "start the flusher: out of memory");
        return NULL;
    }
    flusher->flush = flush;
    flusher->context = context;
    flusher->delay_ms = delay_ms;
    pthread_mutex_init(&flusher->lock, NULL);
    pthread_cond_init(&flusher->wake, NULL);
    pthread_cond_init(&flusher->close, NULL);
    if (pthread_create(&flusher->thread, NULL, flusher_main, flusher)) {
        err_set(err, ERR_NO_MEMORY, "start the flusher: no thread");
        free(flusher);
        return NULL;
    }
    return flusher;
}

void flusher_wake(struct flusher *flusher)
{
    pthread_mutex_lock(&flusher->lock);
    if (!flusher->dirty)
        pthread_cond_signal(&flusher->wake);
    flusher->dirty = 1;
    pthread_mutex_unlock(&flusher->lock);
}

void flusher_destroy(struct flusher *flusher)
{
    if (!flusher)
        return;
    pthread_mutex_lock(&flusher->lock);
    flusher->closing = 1;
    pthread_cond_broadcast(&flusher->wake);
    pthread_cond_broadcast(&flusher->close);
    pthread_mutex_unlock(&flusher->lock);
    pthread_join(flusher->thread, NULL);
    pthread_cond_destroy(&flusher->wake);
    pthread_cond_destroy(&flusher->close);
    pthread_mutex_destroy(&flusher->lock);
    free(flusher);
}
