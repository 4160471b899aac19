#ifndef EDGE_SUMMARY_H
#define EDGE_SUMMARY_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/samples.h"
#include "edge/stage.h"

#include <jansson.h>
#include <stdint.h>

/* Several runs' reports as one: counts, who was recognised, latencies by stage. */

enum { SUMMARY_MAX_PEOPLE = 1000, SUMMARY_MAX_LINE_BYTES = 1024 * 1024 };
#define SUMMARY_ORIGINAL_MS 2230.0 /* the original system's mean, capture to answer */

struct summary_person {
    char name[128]; /* who was expected */
    uint64_t right, wrong, unknown;
};

struct summary {
    uint64_t runs, frames, requests, retries, answers, lost, dropped, cold_starts;
    int64_t invocations; /* CloudWatch's count; -1: not asked */
    struct samples stages[STAGE_COUNT];
    struct summary_person *people;
    size_t people_count;
    int64_t started_unix_ms, ended_unix_ms; /* of the first and the last */
    char function[256];                     /* the same in all reports */
    uint64_t frame_lines, answer_lines;     /* of the report being read */
    int ended;
};

void summary_init(struct summary *summary);
void summary_finish(struct summary *summary);

/* A report that does not end with its footer, or whose lines contradict it, is ERR_CORRUPT. */
int summary_add_report(struct summary *summary, const char *path, struct err *err) MUST_USE;
/* One line of it; `what` names it in errors. */
int summary_add_line(struct summary *summary, const char *line, size_t size, const char *what,
                     struct err *err) MUST_USE;

uint64_t summary_wrong(const struct summary *summary);
/* Nothing lost, nobody mistaken, and every request invoked the function once (each repeated one at
 * most once more). Returns 0, or -1 with what is not so. */
int summary_check(const struct summary *summary, struct err *err) MUST_USE;

json_t *summary_json(struct summary *summary); /* NULL: no memory */
void summary_table(struct summary *summary, struct buf *out);

#endif
