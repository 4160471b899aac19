#ifndef EDGE_METRICS_H
#define EDGE_METRICS_H

#include "base/buf.h"
#include "edge/edge.h"

/* What the device did, as numbers: for a page at http://127.0.0.1:PORT/metrics in Prometheus's text
 * format. It names nobody. All calls are thread safe. */
struct metrics;

struct metrics *metrics_open(int port, struct err *err); /* on loopback; 0: any port, for tests */
void metrics_close(struct metrics *metrics);             /* NULL is fine */
int metrics_port(const struct metrics *metrics);

void metrics_frame(struct metrics *metrics, const struct edge_frame *frame);
void metrics_visit(struct metrics *metrics, const struct track_event *event);
void metrics_status(struct metrics *metrics, const struct edge_status *status);
void metrics_write(struct metrics *metrics, struct buf *out); /* the page's text */

#endif
