#ifndef EDGE_VISITS_H
#define EDGE_VISITS_H

#include "edge/answer.h"
#include "edge/run.h"
#include "edge/track.h"

/* The tracker between threads: the watch tells what it sees, workers what the answers say, and
 * somebody hears of the events, one at a time. */
struct visits;

struct visits_listener {
    void *context;
    void (*event)(void *context, const struct track_event *event);
};

struct visits *visits_create(const struct visits_listener *listener, struct err *err);
void visits_destroy(struct visits *visits); /* NULL is fine, as everywhere here */

/* As tracker_update(); a time before the last one is ignored, `ids` are 0 then. */
void visits_see(struct visits *visits, int64_t at_ms, const struct track_face *faces, size_t count,
                uint64_t *ids);
/* The answer about a job: votes for the visits that were marked in it. `sees`: nobody watches on
 * the device, so the answer's faces are also what there is to see. */
void visits_answer(struct visits *visits, const struct edge_job *job, const struct answer *answer,
                   int sees);
/* It is `now_ms`, whether anybody looks or not. Where nobody has for a while, as the camera or the
 * cloud is gone, whoever was there has left. */
enum { VISITS_SILENCE_MS = 10000 };
void visits_pass_time(struct visits *visits, int64_t now_ms); /* NULL is fine */
int visits_going_on(struct visits *visits);                   /* how many */
void visits_end(struct visits *visits);                       /* everybody leaves */

#endif
