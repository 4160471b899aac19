#ifndef BENCH_NET_LINK_H
#define BENCH_NET_LINK_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* One direction of a network line: packets wait for their turn at the given rate, then travel for
 * the given time; some never arrive. Pure: the caller says what time it is. */

enum {
    LINK_MAX_PACKET_BYTES = 1500,
    LINK_SLOTS = 8192,           /* packets under way at most */
    LINK_MIN_QUEUE_BYTES = 30000 /* whatever the rate */
};

struct link_options {
    double delay_ms;     /* one way, 0 to 10,000 */
    double rate_mbit;    /* 0: not limited */
    double loss_percent; /* 0 to 100, each packet by itself */
    double queue_ms;     /* what may wait for its turn; more is dropped, as a router does */
    uint64_t seed;       /* of what is lost; the same seed loses the same packets */
};

struct link_counts {
    uint64_t packets, bytes; /* that arrived */
    uint64_t lost, overflowed;
};

struct link;

struct link *link_create(const struct link_options *options, struct err *err);
void link_destroy(struct link *link); /* NULL is fine */

/* A packet enters at `now_ns`; copied. */
void link_put(struct link *link, const void *packet, size_t size, uint64_t now_ns);
/* The packet that has arrived by `now_ns`, borrowed until the next call, or NULL. */
const void *link_take(struct link *link, uint64_t now_ns, size_t *size);
/* When the next packet arrives; UINT64_MAX: none is under way. */
uint64_t link_next_ns(const struct link *link);
struct link_counts link_counts(const struct link *link);

#endif
