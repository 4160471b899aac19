#ifndef EDGE_SAMPLES_H
#define EDGE_SAMPLES_H

#include "base/err.h"

#include <stddef.h>

/* Measured values, for their percentiles. */
struct samples {
    double *values;
    size_t count, capacity;
};

enum { SAMPLES_MAX = 16 * 1024 * 1024 };

void samples_init(struct samples *samples);
void samples_finish(struct samples *samples);
int samples_add(struct samples *samples, double value, struct err *err) MUST_USE; /* finite only */

/* The nearest-rank percentile: the smallest value that `percent` per cent of the samples (0 to 100)
 * do not exceed; 0 gives the least, 100 the greatest. Sorts the samples; 0 when there are none. */
double samples_percentile(struct samples *samples, double percent);

#endif
