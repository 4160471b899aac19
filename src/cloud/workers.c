#include "cloud/workers.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

struct worker {
    struct workers *workers;
    pthread_t thread;
    sem_t wake;
    struct worker_job *job; /* given to it while it was idle; NULL: the end has come */
    struct worker *next;    /* that is idle */
};

/* Who became idle last is woken first: its stack and memory are still near. */
struct workers {
    pthread_mutex_t lock;
    struct worker_job *first, **last; /* while nobody is idle */
    struct worker *idle;
    unsigned started, limit;
    int closing;
    struct worker all[];
};

/* Under the lock. */
static struct worker_job *take_first(struct workers *workers)
{
    struct worker_job *job = workers->first;
    if (!job)
        return NULL;
    workers->first = job->next;
    if (!workers->first)
        workers->last = &workers->first;
    return job;
}

/* NULL: there will be none any more. */
static struct worker_job *next_job(struct worker *worker)
{
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->lock);
    struct worker_job *job = take_first(workers);
    int waits = !job && !workers->closing;
    if (waits) {
        worker->job = NULL;
        worker->next = workers->idle;
        workers->idle = worker;
    }
    pthread_mutex_unlock(&workers->lock);
    if (!waits)
        return job;
    while (sem_wait(&worker->wake) < 0 && errno == EINTR)
        ;
    return worker->job;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    for (struct worker_job *job; (job = next_job(worker));)
        job->run(job);
    return NULL;
}

/* Under the lock. Threads are started when they are needed first. */
static int start_one(struct workers *workers)
{
    struct worker *worker = &workers->all[workers->started];
    worker->workers = workers;
    sem_init(&worker->wake, 0, 0);
    if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
        sem_destroy(&worker->wake);
        return -1;
    }
    workers->started++;
    return 0;
}

struct workers *workers_create(unsigned threads, struct err *err)
{
    struct workers *workers = calloc(1, sizeof *workers + threads * sizeof workers->all[0]);
    if (!workers) {
        err_set(err, ERR_NO_MEMORY, "start worker threads: out of memory");
        return NULL;
    }
    pthread_mutex_init(&workers->lock, NULL);
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

/* Under the lock. */
static void queue(struct workers *workers, struct worker_job *job)
{
    *workers->last = job;
    workers->last = &job->next;
    if (workers->started < workers->limit)
        start_one(workers); /* when it fails, the ones there are go on */
}

/* The job goes to an idle worker itself, which then needs no lock to get it. */
void workers_add(struct workers *workers, struct worker_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&workers->lock);
    struct worker *worker = workers->idle;
    if (worker) {
        workers->idle = worker->next;
        worker->job = job;
    } else {
        queue(workers, job);
    }
    pthread_mutex_unlock(&workers->lock);
    if (worker)
        sem_post(&worker->wake);
}

void workers_destroy(struct workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->closing = 1;
    for (struct worker *worker = workers->idle; worker; worker = worker->next)
        sem_post(&worker->wake);
    workers->idle = NULL;
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->started; i++) {
        pthread_join(workers->all[i].thread, NULL);
        sem_destroy(&workers->all[i].wake);
    }
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
