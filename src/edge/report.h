#ifndef EDGE_REPORT_H
#define EDGE_REPORT_H

#include "edge/edge.h"

#include <jansson.h>

/* A run on paper: JSON lines, {"type": "header"}, one {"type": "frame"} for each sampled frame in
 * the order of their answers, {"type": "footer"} with the totals. `ken summary` merges them. One
 * call at a time. */
struct report;

#define REPORT_VERSION 1

struct report *report_create(const char *path, struct err *err);
void report_destroy(struct report *report); /* NULL is fine, as everywhere here */

void report_header(struct report *report, const struct edge_options *options, double fps);
void report_frame(struct report *report, const struct edge_frame *frame);
void report_footer(struct report *report, const struct edge_totals *totals);
/* Returns -1 when a line could not be written. */
int report_close(struct report *report, struct err *err) MUST_USE;

/* One frame as JSON: the report's line, and what `ken edge --json` prints. */
json_t *report_frame_json(const struct edge_frame *frame);
/* Somebody enters, has a name, leaves: what `ken edge --visits --json` prints. */
json_t *report_visit_json(const struct track_event *event);

#endif
