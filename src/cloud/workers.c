#include "cloud/workers.h"

#include <pthread.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct worker_job *first, **last;
    unsigned idle, started, limit;
    int closing;
    pthread_t threads[];
};

static void *worker_main(void *argument)
{
    struct workers *workers = argument;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        while (!workers->first && !workers->closing) {
            workers->idle++;
            pthread_cond_wait(&workers->work, &workers->lock);
            workers->idle--;
        }
        struct worker_job *job = workers->first;
        if (!job)
            break;
        workers->first = job->next;
        if (!workers->first)
            workers->last = &workers->first;
        pthread_mutex_unlock(&workers->lock);
        job->run(job);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* Under the lock. Threads are started when they are needed first. */
static int start_one(struct workers *workers)
{
    if (pthread_create(&workers->threads[workers->started], NULL, worker_main, workers))
        return -1;
    workers->started++;
    return 0;
}

struct workers *workers_create(unsigned threads, struct err *err)
{
    struct workers *workers = calloc(1, sizeof *workers + threads * sizeof workers->threads[0]);
    if (!workers) {
        err_set(err, ERR_NO_MEMORY, "start worker threads: out of memory");
        return NULL;
    }
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->work, NULL);
    workers->last = &workers->first;
    workers->limit = threads;
    pthread_mutex_lock(&workers->lock);
    int result = start_one(workers);
    pthread_mutex_unlock(&workers->lock);
    if (result == 0)
        return workers;
    err_set(err, ERR_NO_MEMORY, "start worker threads: the system has none to give");
    workers_destroy(workers);
    return NULL;
}

void workers_add(struct workers *workers, struct worker_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&workers->lock);
    int waiting = workers->first != NULL;
    *workers->last = job;
    workers->last = &job->next;
    if ((workers->idle == 0 || waiting) && workers->started < workers->limit)
        start_one(workers); /* when it fails, the ones there are go on */
    pthread_cond_signal(&workers->work);
    pthread_mutex_unlock(&workers->lock);
}

void workers_destroy(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->closing = 1;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->started; i++)
        pthread_join(workers->threads[i], NULL);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
