#ifndef CLOUD_TRAFFIC_H
#define CLOUD_TRAFFIC_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* What the front has done, counted: requests by service and status, and how long they took. Shown
 * at /metrics in Prometheus's text format. Counting takes no lock. */

enum {
    TRAFFIC_MAX_SERVICES = 33, /* CLOUD_MAX_SERVICES and one more: what no service answered */
    TRAFFIC_CLASSES = 5,       /* 1xx to 5xx */
    TRAFFIC_BOUNDS = 10,
};

struct traffic {
    struct traffic_service {
        uint64_t requests[TRAFFIC_CLASSES];
        uint64_t within[TRAFFIC_BOUNDS + 1]; /* by the first bound that was not passed */
        uint64_t total_us;
    } services[TRAFFIC_MAX_SERVICES];
};

void traffic_count(struct traffic *traffic, size_t service, int status, uint64_t ns);

/* Appends the counts; `names[i]` is the label of services[i], NULL where there is none. */
void traffic_print(const struct traffic *traffic, const char *const names[TRAFFIC_MAX_SERVICES],
                   struct buf *out);
/* Appends what Prometheus's clients tell of their process: memory, processor time, open files. */
void traffic_print_process(struct buf *out);
long traffic_open_files(void); /* of this process */

#endif
