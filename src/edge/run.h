#ifndef EDGE_RUN_H
#define EDGE_RUN_H

#include "base/queue.h"
#include "edge/edge.h"
#include "edge/report.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the threads of one run share; inside the edge module only. */
struct edge_run {
    const struct edge_options *options;
    const struct edge_listener *listener;
    struct queue *queue;   /* of struct edge_job, owned by who popped it */
    struct report *report; /* or NULL */
    struct local *local;   /* E only, else NULL */
    atomic_int cloud_gone; /* a frame was given up on, and none has got through since */
    pthread_mutex_t lock;  /* of all below, the listener and the report */
    struct edge_totals totals;
    struct err first_error; /* of a lost frame */
    int said_work_full;
};

struct edge_job {
    struct AVFrame *picture;
    uint64_t number, captured_ns;
    int64_t captured_unix_ms;
};

void edge_job_destroy(struct edge_job *job); /* NULL is fine */

/* A worker thread: delivers until the queue is closed and empty. `argument` is the edge_run. */
void *edge_work(void *argument);

/* Tell the listener. */
void edge_notice(struct edge_run *run, const char *format, ...) PRINTF(2, 3);

#endif
