#ifndef EDGE_REFUSAL_H
#define EDGE_REFUSAL_H

#include "edge/spool.h"

/* What the cloud refuses: is it this item, or everything? A wrong policy, an absent bucket or keys
 * that have expired refuse all items of a rank, and heal; what is wrong with one item, its size or
 * its name, never does. Statuses do not tell the two apart (S3 answers both with 400 and 403). So
 * after the oldest item of a rank was refused another one of that rank has a turn, and so on: what
 * is refused again after REFUSAL_PASSED others got through will be refused for ever. Ranks do not
 * wait for each other. Inside the edge module only. */
struct refusal {
    uint64_t id;       /* of the item that was refused; 0: none */
    uint64_t until_ns; /* monotonic; the rank waits so long */
    int pause_ms;      /* the next one */
    int passed;        /* others, since */
    int others_turn;
};

enum {
    REFUSAL_PASSED = 3,
    REFUSAL_FIRST_PAUSE_MS = 500,
    REFUSAL_MAX_PAUSE_MS = 60000,
    REFUSAL_ALL_RANKS = (1 << SPOOL_RANKS) - 1
};

/* The ranks that need not wait, as spool_wish has them. */
unsigned refusals_due(const struct refusal of_rank[SPOOL_RANKS], uint64_t now_ns);

/* The item was refused. 1: for ever, and it is forgotten here; else 0, and its rank waits. */
int refusal_note(struct refusal *refusal, uint64_t id, uint64_t now_ns) MUST_USE;
/* The item got through. */
void refusal_pass(struct refusal *refusal, uint64_t id);

#endif
