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
    struct queue *queue;     /* of struct edge_job, owned by who popped it */
    struct spill *spill;     /* what they have no time for; NULL without the spool */
    struct report *report;   /* or NULL */
    struct local *local;     /* E only, else NULL */
    struct sender *sender;   /* with the spool */
    struct spool *spool;     /* NULL: what cannot be sent now is lost */
    struct uploads *uploads; /* of recordings, without the spool; NULL: there are none */
    struct visits *visits;   /* NULL: faces are not followed */
    struct watch *watch;     /* NULL: the device does not look for faces itself */
    atomic_int cloud_gone;   /* a frame was given up on, and none has got through since */
    pthread_mutex_t lock;    /* of all below, the listener and the report */
    struct edge_totals totals;
    struct err first_error;    /* of a lost frame */
    struct recorder *recorder; /* while it records: told of visits */
    int present;               /* visits that are going on */
    int said_work_full;
    char last_video[4096]; /* that went to the queue */
    char sent_video[4096]; /* that came from there into its bucket */
};

enum { EDGE_MAX_MARKS = 8 };

/* A face that was seen in a frame, and whose visit it is. */
struct edge_mark {
    uint64_t visit;
    float box[4];
};

struct edge_job {
    struct AVFrame *picture;
    uint64_t number, captured_ns;
    int64_t captured_unix_ms;
    int64_t time_ms; /* monotonic; of a file that plays faster Unix time, by the video */
    int sampled;     /* its turn has come */
    uint64_t visit;  /* whose best shot it is; 0: of nobody alone */
    int crop[4];     /* x, y, w, h of what is sent; w 0: all of it */
    struct edge_mark marks[EDGE_MAX_MARKS];
    size_t mark_count;
};

void edge_job_destroy(struct edge_job *job); /* NULL is fine */
struct edge_job *edge_job_copy(const struct edge_job *job,
                               struct err *err); /* shares the picture */

/* The cloud answered, or did not: what everybody else does next depends on it. */
void edge_note_success(struct edge_run *run);
void edge_note_failure(struct edge_run *run, const struct err *err);

/* With a spool so many sampled frames at most wait for a worker in memory: the disk has room. */
enum { EDGE_QUEUE_BEFORE_DISK = 4 };

/* Hand a job to the workers; where they are behind, a camera's goes to the disk, or is dropped
 * where there is no such queue. Takes it over. */
void edge_send(struct edge_run *run, struct edge_job *job);

/* A worker thread: delivers until the queue is closed and empty. `argument` is the edge_run. */
void *edge_work(void *argument);

/* Tell the listener. */
void edge_notice(struct edge_run *run, const char *format, ...) PRINTF(2, 3);

#endif
