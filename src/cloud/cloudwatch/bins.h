#ifndef CLOUD_CLOUDWATCH_BINS_H
#define CLOUD_CLOUDWATCH_BINS_H

#include "cloud/cloudwatch/operations.h"

/* Sums by period, between the operations that read metrics (get.c, get_data.c). */
struct bins {
    struct statistic **values; /* NULL where there is nothing */
    size_t count;
    char unit[METRICS_TEXT_BYTES]; /* of the last value */
    int failed;
};

/* The query's sums; bins_finish() them also when it failed. */
int bins_read(struct metrics_call *call, struct metrics_query *query, struct bins *bins) MUST_USE;
void bins_finish(struct bins *bins);
int64_t bins_round_down(double value, int64_t step);

/* The member Period; StartTime and EndTime. */
int call_period(struct metrics_call *call, const json_t *from, int64_t *out) MUST_USE;
int call_span(struct metrics_call *call, double *start_s, double *end_s) MUST_USE;

#endif
