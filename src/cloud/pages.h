#ifndef CLOUD_PAGES_H
#define CLOUD_PAGES_H

#include "cloud/exchange.h"
#include "cloud/traffic.h"

/* What the port shows of itself, to anyone and without a signature: /health for those who wait for
 * it, /metrics for Prometheus. Neither tells names of buckets, tables or functions. */

struct cloud;

struct pages {
    const struct cloud *cloud;
    const struct traffic *traffic;
    unsigned in_flight, connections;
};

/* Answers the exchange when it asks for a page: 1; else 0. */
int pages_answer(const struct pages *pages, struct exchange *x);

#endif
