#include "cloud/cloudwatch/alarm_call.h"
#include "cloud/cloudwatch/queries.h"

#include <math.h>
#include <string.h>

/* Alarms on metric math: their Metrics, and what these say. */

enum { ALARM_MAX_QUERIES = 20, ALARM_MAX_METRICS = 10 };

static void copy_text(json_t *to, const json_t *from, const char *name)
{
    const char *text = alarm_text(from, name);
    if (text)
        json_object_set_new(to, name, json_string(text));
}

static void copy_period(json_t *to, const json_t *from)
{
    int64_t period;
    if (wire_integer(from, "Period", &period) == 1)
        json_object_set_new(to, "Period", json_integer(period));
}

/* With numbers and truths as such, whatever protocol brought them. */
static json_t *plain_query(const json_t *from)
{
    const json_t *stat = json_object_get(from, "MetricStat");
    json_t *out = json_object(), *dimensions;
    copy_text(out, from, "Id");
    copy_text(out, from, "Expression");
    copy_text(out, from, "Label");
    copy_period(out, from);
    json_object_set_new(out, "ReturnData", json_boolean(wire_truth(from, "ReturnData", 1)));
    if (!stat)
        return out;
    const json_t *given = json_object_get(stat, "Metric");
    json_t *metric = json_object(), *own = json_pack("{s:o}", "Metric", metric);
    copy_text(metric, given, "Namespace");
    copy_text(metric, given, "MetricName");
    dimensions = json_object_get(given, "Dimensions");
    json_object_set_new(metric, "Dimensions",
                        dimensions ? json_deep_copy(dimensions) : json_array());
    copy_period(own, stat);
    copy_text(own, stat, "Stat");
    copy_text(own, stat, "Unit");
    json_object_set_new(out, "MetricStat", own);
    return out;
}

/* The one query that the alarm watches. */
static int find_watched(struct metrics_call *call, const struct queries *queries, size_t *at)
{
    size_t returned = 0, metrics = 0;
    for (size_t i = 0; i < queries->count; i++) {
        metrics += !queries->items[i].expression;
        if (query_is_returned(&queries->items[i])) {
            returned++;
            *at = i;
        }
    }
    if (returned != 1)
        return call_fail(call, "ValidationError",
                         "Exactly one element of the metrics list should return data.");
    return metrics <= ALARM_MAX_METRICS
               ? 0
               : call_fail(call, "ValidationError", "An alarm has at most %d metrics.",
                           ALARM_MAX_METRICS);
}

/* What the alarm watches, between the two times. */
static int watch(struct metrics_call *call, struct queries *queries, struct math_value *out)
{
    size_t at = 0;
    if (find_watched(call, queries, &at) < 0 || queries_value(queries, at, out) < 0)
        return -1;
    return out->kind == MATH_SERIES
               ? 0
               : call_fail(call, "ValidationError",
                           "Error in expression '%.80s': an alarm watches a single time series.",
                           queries->items[at].id);
}

static int refuse_metric(struct metrics_call *call)
{
    static const char *const others[] = {
        "MetricName", "Namespace", "Statistic", "ExtendedStatistic",
        "Dimensions", "Period",    "Unit"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(call->body, others[i]))
            return call_fail(call, "ValidationError",
                             "The parameters Metrics and %s are mutually exclusive and you have "
                             "specified both.",
                             others[i]);
    return 0;
}

int alarm_copy_metrics(struct metrics_call *call, json_t *alarm)
{
    const json_t *given = json_object_get(call->body, "Metrics");
    struct queries queries = {0};
    struct math_value value;
    size_t i;
    json_t *query;
    if (refuse_metric(call) < 0)
        return -1;
    json_t *list = json_array();
    json_array_foreach(given, i, query)
    {
        json_array_append_new(list, plain_query(query));
    }
    json_object_set_new(alarm, "Metrics", list);
    int result = i <= ALARM_MAX_QUERIES
                     ? queries_init(call, list, "Metrics", &queries)
                     : alarm_invalid(call, "metrics", "Member must have at most 20 elements");
    queries.end_s = (double)call->now_ms / 1000;
    queries.start_s = queries.end_s - 1;
    if (result == 0)
        result = watch(call, &queries, &value);
    if (result == 0)
        json_object_set_new(alarm, "period", json_integer(value.series->period_s));
    queries_finish(&queries);
    return result;
}

int alarm_metrics_points(struct metrics *metrics, const json_t *alarm, int64_t now_ms,
                         struct datapoint *points, size_t count, struct err *err)
{
    struct metrics_call call = {.metrics = metrics, .now_ms = now_ms};
    struct queries queries;
    struct math_value value;
    int64_t period_s = json_integer_value(json_object_get(alarm, "period")),
            end_s = (now_ms / 1000 / period_s + 1) * period_s;
    int result = queries_init(&call, json_object_get(alarm, "Metrics"), "Metrics", &queries);
    queries.end_s = (double)end_s;
    queries.start_s = (double)(end_s - (int64_t)count * period_s);
    if (result == 0)
        result = watch(&call, &queries, &value);
    for (size_t i = 0; result == 0 && i < count; i++) {
        points[i] = (struct datapoint){.time_s = end_s - (int64_t)(count - i) * period_s};
        points[i].is_there = i < value.series->count && !isnan(value.series->values[i]);
        points[i].value = points[i].is_there ? value.series->values[i] : 0;
    }
    queries_finish(&queries);
    *err = call.err;
    return result;
}
