#ifndef CLOUD_CLOUDWATCH_OPERATIONS_H
#define CLOUD_CLOUDWATCH_OPERATIONS_H

#include "cloud/cloudwatch/store.h"
#include "cloud/wire.h"

/* CloudWatch's operations, from JSON to JSON. */
struct alarms; /* cloud/cloudwatch/alarms.h */
struct metrics_call {
    struct metrics *metrics;
    struct alarms *alarms;
    const json_t *body;
    json_t *answer;   /* an object to fill */
    const char *code; /* of a failure, when err.code does not say it */
    struct err err;
    int64_t now_ms;
};
typedef int cloudwatch_operation(struct metrics_call *call);
cloudwatch_operation put_metric_data, get_metric_statistics, get_metric_data, list_metrics;
cloudwatch_operation put_metric_alarm, put_composite_alarm, describe_alarms,
    describe_alarms_for_metric, describe_alarm_history, set_alarm_state, delete_alarms,
    enable_alarm_actions, disable_alarm_actions, tag_alarm, untag_alarm, list_alarm_tags;

enum {
    LIST_METRICS_PAGE = 500,
    STATISTICS_MAX_DATAPOINTS = 1440,
    DATA_MAX_DATAPOINTS = 100800,
    DATA_MAX_QUERIES = 500,
    PUT_MAX_METRICS = 1000,
    PUT_MAX_VALUES = 150,
};

/* "Sum", "p99", ...: -1 for an unknown name. */
int statistic_by_name(const struct statistic *values, const char *name, double *out);
int statistic_is_name(const char *name);
/* Is that one of CloudWatch's units? */
int unit_is_name(const char *name);

/* Parameters, as JSON numbers or as the query protocol's strings. */
int call_fail(struct metrics_call *call, const char *code, const char *format, ...) PRINTF(3, 4);
int call_text(struct metrics_call *call, const json_t *from, const char *name, int required,
              const char **out) MUST_USE;
int call_number(struct metrics_call *call, const json_t *from, const char *name, double *out,
                int *present) MUST_USE;
/* Seconds since 1970. */
int call_time(struct metrics_call *call, const json_t *from, const char *name, double *out,
              int *present) MUST_USE;
/* The dimensions of `from` as metrics_dimensions() has them, from malloc(). */
char *call_dimensions(struct metrics_call *call, const json_t *from);

#endif
