#ifndef CLOUD_METRICS_H
#define CLOUD_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* How the services of the cloud tell CloudWatch and Logs what happened, without knowing them. Both
 * are durable when the call returns or soon after (group commit), thread safe, and never fail the
 * caller: what cannot be stored is counted and logged. */
struct metrics; /* cloud/cloudwatch/ */
struct logs;    /* cloud/logs/ */

enum { METRIC_MAX_DIMENSIONS = 30 };
struct metric_dimension {
    const char *name, *value;
};

/* One value of a metric at a time. */
struct metric_value {
    const char *name_space, *name; /* "AWS/Lambda", "Invocations" */
    const struct metric_dimension *dimensions;
    size_t dimension_count;
    double value;
    const char *unit; /* "Count" */
    int64_t unix_ms;
    /* Stored within a minute, or when somebody reads: for what comes with each message. Until then
     * it is in memory only. */
    int may_wait;
};
void metrics_put(struct metrics *metrics, const struct metric_value *value);
/* `tell` is called before metrics are read, from any thread, to put what is not counted but
 * measured. NULL: no longer, and not now either once this returns. */
void metrics_on_read(struct metrics *metrics, void (*tell)(void *self), void *self);

/* One line into a log stream; group and stream are made when absent. */
void logs_put(struct logs *logs, const char *group, const char *stream, int64_t unix_ms,
              const char *message, size_t size);

#endif
