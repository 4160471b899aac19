#ifndef EDGE_DELIVER_H
#define EDGE_DELIVER_H

#include "edge/run.h"
#include "edge/uplink.h"
#include "video/picture.h"

/* One frame's way to its answer, by architecture; inside the edge module only. */

/* What one worker keeps between its frames. */
struct worker {
    struct edge_run *run;
    struct uplink *uplink; /* NULL until it could be opened */
    struct converter *converter;
    struct buf encoded, body; /* body: of an answer made here */
};

/* One frame on its way. */
struct delivery {
    struct edge_frame frame;
    struct answer answer;
    char path[sizeof((struct edge_totals *)0)->frames_folder + EDGE_KEY_BYTES];
    int saved;
    double round_trip_ms; /* of the question that was answered */
};

/* Nothing known of the frame yet but its name. */
void deliver_begin(const struct edge_run *run, const struct edge_job *job,
                   struct delivery *delivery);
/* Count what became of it and tell who listens; all under one lock, so lines never mix. `err`: why
 * it was lost. */
void deliver_account(struct edge_run *run, const struct delivery *delivery, const struct err *err);

/* 0: `delivery->answer` is there and the stages are measured. */
int deliver(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
            struct err *err) MUST_USE;
/* Bring a frame that was answered here to the frame bucket. */
int deliver_archive(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                    struct err *err) MUST_USE;
/* Answer a frame here that the cloud did not. */
int deliver_here(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                 struct err *err) MUST_USE;
/* A copy of the encoded frame into the work folder, if there is none yet. */
void deliver_keep(struct worker *worker, struct delivery *delivery);
/* Only encode it. */
int deliver_encode(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                   struct err *err) MUST_USE;
/* The line that the frame has in the queue on the disk; `ask_then`: it still wants an answer.
 * Allocated; NULL without memory. */
char *deliver_line(const struct edge_run *run, const struct edge_job *job,
                   const struct delivery *delivery, int ask_then);
/* Put the encoded frame into the queue on the disk. */
int deliver_later(struct worker *worker, const struct edge_job *job,
                  const struct delivery *delivery, int ask_then, struct err *err) MUST_USE;

#endif
