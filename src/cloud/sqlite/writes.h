#ifndef CLOUD_SQLITE_WRITES_H
#define CLOUD_SQLITE_WRITES_H

#include "base/err.h"

#include <pthread.h>
#include <semaphore.h>

/* Who writes when. What meets no other write is written here and now, on its caller's thread: one
 * of its own would be two changes of thread more. What comes meanwhile waits, and a thread, which
 * is there once writes have met, writes all that waits in batches. Thread safe. */

enum { WRITES_MAX_BATCH = 512 };

struct write_request { /* first in the request */
    struct write_request *next;
    sem_t done;
    void (*finished)(struct write_request *request); /* of writes_post() */
};

struct writes {
    void (*write)(void *context, struct write_request *batch); /* one at a time */
    void *context;
    pthread_mutex_t lock; /* of the rest */
    struct write_request *first, **last;
    int is_written;  /* something, by someone, at this time */
    int handed_over; /* to the thread, until nothing waits */
    int closing, thread_started;
    pthread_cond_t work, at_rest;
    pthread_t thread;
};

void writes_init(struct writes *writes, void (*write)(void *context, struct write_request *batch),
                 void *context);
void writes_finish(struct writes *writes); /* when all is written */

/* Returns when it is written. */
void writes_put(struct writes *writes, struct write_request *request);

/* Returns at once; `finished` is called by who has written it, and may free it. -1: there is no
 * thread to be had for that, and it is not written. */
int writes_post(struct writes *writes, struct write_request *request) MUST_USE;

#endif
