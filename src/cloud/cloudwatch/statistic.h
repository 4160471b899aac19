#ifndef CLOUD_CLOUDWATCH_STATISTIC_H
#define CLOUD_CLOUDWATCH_STATISTIC_H

#include <stddef.h>

/* The values of a metric in one period: count, sum, extremes, and a bounded histogram for
 * percentiles. Up to STATISTIC_MAX_POINTS different values are kept exactly; past that the two that
 * are nearest to each other (relative to their size) become one. */
enum { STATISTIC_MAX_POINTS = 100 };

struct statistic_point {
    double value, count;
};

struct statistic {
    double count, sum, min, max;
    size_t point_count;
    struct statistic_point points[STATISTIC_MAX_POINTS + 1]; /* by rising value */
};

void statistic_add(struct statistic *statistic, double value, double count);
/* A set of values of which only the summary is known: their mean stands for each in the histogram.
 */
void statistic_add_set(struct statistic *statistic, double count, double sum, double min,
                       double max);
void statistic_merge(struct statistic *into, const struct statistic *from);
/* The value below which `percent` (0..100) of the values lie; 0 when there are none. */
double statistic_percentile(const struct statistic *statistic, double percent);

#endif
