#ifndef EDGE_RETRY_H
#define EDGE_RETRY_H

#include <stdint.h>

/* When to try again: after 100 ms, then twice as long each time up to RETRY_MAX_PAUSE_MS, each
 * pause drawn from its second half so that workers do not knock at the same moment. */
enum { RETRY_FIRST_PAUSE_MS = 100, RETRY_MAX_PAUSE_MS = 2000 };

struct retry {
    uint64_t give_up_ns; /* monotonic */
    int pause_ms;
};

void retry_start(struct retry *retry, double limit_s);

/* A pause drawn from the second half of `*pause_ms`, which doubles up to `max_ms`. */
int retry_draw(int *pause_ms, int max_ms);

/* The pause before the next try in ms, or -1 when the time is up. */
int retry_next_pause(struct retry *retry, uint64_t now_ns);

/* Sleeps that pause. Returns 1, or 0 when the time is up. */
int retry_wait(struct retry *retry);

#endif
