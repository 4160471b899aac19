#ifndef EDGE_CAPTURE_H
#define EDGE_CAPTURE_H

#include "edge/run.h"

/* The capturing thread's own; inside the edge module only. */
struct capture {
    struct edge_run *run;
    struct source *source;
    struct recorder *recorder; /* NULL: off, or failed */
    uint64_t record_at_ns;     /* where it is off: when to try */
    struct err recorder_err;   /* why it failed last; code 0: never */
    int64_t start_unix_ms;     /* of the capture */
    uint64_t told_ns;          /* when the listener was last told the status */
    double next_due_ms;        /* of --interval */
};

/* Whom to tell of visits; NULL before the recorder goes. */
void edge_set_recorder(struct edge_run *run, struct recorder *recorder);

/* Read the camera until it ends or somebody stops it: each frame to the recorder, some to the watch
 * or the workers. */
int capture_all(struct capture *capture, struct err *err) MUST_USE;

#endif
