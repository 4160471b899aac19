#ifndef EDGE_TRACK_H
#define EDGE_TRACK_H

#include "base/err.h"
#include "edge/ballot.h"

#include <stddef.h>
#include <stdint.h>

/* Faces followed from frame to frame, so that there is one answer a visit rather than one a frame.
 * Pure: no clock, no threads, no network. A face belongs to the visit whose predicted place (box
 * and its speed) it overlaps most, else to the one it looks like (embedding), else to the nearest.
 *
 * Events come in order: enter, then any number of names, then leave; a face that was seen only once
 * and never recognised makes none. */
struct tracker;

enum { TRACK_MAX = 32, TRACK_EMBEDDING_FLOATS = 512, TRACK_MAX_EVENTS = 256 };

struct tracker_options {
    int leave_ms;     /* not seen for so long: left. 0: TRACK_LEAVE_MS */
    int enter_frames; /* seen so often: entered. 0: TRACK_ENTER_FRAMES */
};
enum { TRACK_LEAVE_MS = 2000, TRACK_ENTER_FRAMES = 2 };
#define TRACK_MIN_OVERLAP 0.25f /* intersection over union with the predicted box */
#define TRACK_SAME_FACE 0.5f    /* cosine of two embeddings */

struct track_face {
    float box[4];           /* x, y, w, h in pixels */
    const float *embedding; /* unit length, TRACK_EMBEDDING_FLOATS; or NULL */
};

enum track_event_kind { TRACK_ENTER, TRACK_NAME, TRACK_LEAVE };

struct track_event {
    enum track_event_kind kind;
    uint64_t visit; /* counts from 1 */
    int64_t at_ms;  /* enter: first seen; name: when it became sure; leave: last seen */
    int64_t entered_ms;
    float box[4];
    int has_name; /* 0: unknown, or (enter, leave) not known yet */
    char name[BALLOT_NAME_BYTES];
    float similarity; /* the best look's */
    int looks;        /* frames that were recognised */
};
const char *track_event_name(enum track_event_kind kind); /* "enter", "name", "leave" */

struct tracker *tracker_create(const struct tracker_options *options, struct err *err);
void tracker_destroy(struct tracker *tracker); /* NULL is fine */

/* What is seen at `at_ms`, which never goes back. `visits[i]` gets face i's visit; 0: there were
 * more than TRACK_MAX. */
void tracker_update(struct tracker *tracker, int64_t at_ms, const struct track_face *faces,
                    size_t count, uint64_t *visits);
/* What a recognised look at a visit said; NULL: nobody enrolled. Of a visit that is over: nothing
 * happens. */
void tracker_vote(struct tracker *tracker, uint64_t visit, const char *name, float similarity,
                  int64_t at_ms);
size_t tracker_count(const struct tracker *tracker); /* visits that are going on */
void tracker_end(struct tracker *tracker);           /* everybody leaves */
/* The next event: 1, or 0 when there is none. Fetch them after each of the calls above. */
int tracker_event(struct tracker *tracker, struct track_event *event);

/* Intersection over union of two boxes (x, y, w, h). */
float track_overlap(const float a[4], const float b[4]);

#endif
