#ifndef EDGE_SHOT_H
#define EDGE_SHOT_H

#include "face/quality.h"

#include <stdint.h>

/* When to send a picture of a visit: a first one soon, so that there is a name while the person is
 * still there, and a better one later only where it is much better. Pure. */
struct shot {
    int64_t entered_ms, sent_ms; /* sent_ms: 0 for not yet */
    float best, sent;            /* qualities: of the picture that waits, of the best one sent */
    int waits;                   /* there is a picture that waits */
};

enum { SHOT_FIRST_MS = 600, SHOT_PAUSE_MS = 1500 };
#define SHOT_GOOD 0.5f   /* no waiting for a better one */
#define SHOT_BETTER 1.3f /* times what was sent before */

/* 0 to 1 for a face with its detector's score: sharp, large, frontal, well lit. */
float shot_quality(const struct face_quality *quality, float score);

void shot_begin(struct shot *shot, int64_t at_ms);
/* A picture of that quality: 1: keep it in place of the one that waits, 0: it is not better. */
int shot_offer(struct shot *shot, float quality);
/* Whether the picture that waits is to go now; `leaving`: there will be no other. */
int shot_due(const struct shot *shot, int64_t at_ms, int leaving);
void shot_sent(struct shot *shot, int64_t at_ms);

#endif
