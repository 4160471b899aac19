#ifndef CLOUD_WORKERS_H
#define CLOUD_WORKERS_H

#include "base/err.h"

/* Threads that take jobs from one queue, first come first served. Jobs may block. */
struct workers;

/* `job` is one element's link; it stays the caller's. */
struct worker_job {
    struct worker_job *next;
    void (*run)(struct worker_job *job);
};

struct workers *workers_create(unsigned threads, struct err *err);
void workers_add(struct workers *workers, struct worker_job *job);
void workers_destroy(struct workers *workers); /* finishes what is queued; NULL is fine */

#endif
