#ifndef CLOUD_CLOUDWATCH_STORE_H
#define CLOUD_CLOUDWATCH_STORE_H

#include "cloud/cloudwatch/statistic.h"
#include "cloud/metrics.h"

#include "base/err.h"

/* The metrics: values are summed in memory by series, unit and minute (or second), and joined into
 * a SQLite file a moment later; every read joins what is pending first, so it misses nothing.
 *
 * A series is namespace, name and dimensions. Dimensions are kept as one text, sorted by name:
 * {"Name":"Value",...}, made by metrics_dimensions(). */

enum {
    METRICS_FLUSH_DELAY_MS = 200,
    METRICS_PATIENCE_MS = 60 * 1000, /* for what may wait */
    METRICS_MAX_PENDING = 65536,     /* sums in memory; past that values are dropped and counted */
    METRICS_TEXT_BYTES = 256,        /* namespaces, names, units: 255 bytes and a 0 */
};

struct metrics *metrics_open(const char *path, struct err *err);
void metrics_close(struct metrics *metrics); /* NULL is fine; stores what is pending */

/* The sorted dimension text, from malloc(); NULL without memory. */
char *metrics_dimensions(const struct metric_dimension *dimensions, size_t count);

struct metrics_series {
    const char *name_space, *name, *dimensions; /* dimensions as metrics_dimensions() gives them */
};

/* Add values to a series at a time. Durable after the next metrics_flush(). */
struct metrics_time {
    int64_t unix_s;
    int resolution_s; /* 1 or 60 */
};
int metrics_add(struct metrics *metrics, const struct metrics_series *series, const char *unit,
                struct metrics_time time, const struct statistic *values, struct err *err) MUST_USE;
int metrics_flush(struct metrics *metrics, struct err *err) MUST_USE;

/* The values of [start_s, end_s) in bins of period_s from start_s: `add` is called for each stored
 * sum with the index of its bin. `unit` NULL: any. */
struct metrics_query {
    struct metrics_series series;
    const char *unit;
    int64_t start_s, end_s, period_s;
};
typedef void metrics_bin(void *context, size_t bin, const struct statistic *values,
                         const char *unit);
int metrics_read(struct metrics *metrics, const struct metrics_query *query, metrics_bin *add,
                 void *context, struct err *err) MUST_USE;

/* Series in order; `see` returns 0 to stop. */
struct metrics_filter {
    const char *name_space, *name; /* NULL: any */
    int64_t after_id;              /* 0: from the start */
    int64_t since_s;               /* only those with a value since then; 0: all */
};
typedef int metrics_see(void *context, int64_t id, const struct metrics_series *series);
int metrics_list(struct metrics *metrics, const struct metrics_filter *filter, metrics_see *see,
                 void *context, struct err *err) MUST_USE;

#endif
