#ifndef EDGE_SPILL_H
#define EDGE_SPILL_H

#include "edge/run.h"

/* Brings the frames that the workers have no time for to the queue on the disk; inside the edge
 * module only. One thread encodes, another writes as many at once as have come meanwhile: a disk
 * that stops for seconds, as flash does, costs no frame. */
struct spill;

enum {
    SPILL_FRAMES = 8,                 /* that wait to be encoded */
    SPILL_MAX_BYTES = 4 * 1024 * 1024 /* of encoded ones that wait for the disk */
};

struct spill *spill_start(struct edge_run *run, struct err *err);
/* Takes the job over; -1, and it does not, when there is no more room. Never waits. */
int spill_push(struct spill *spill, struct edge_job *job) MUST_USE;
/* Writes what it has, and ends. NULL is fine. */
void spill_finish(struct spill *spill);

#endif
