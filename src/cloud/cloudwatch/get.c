#include "cloud/cloudwatch/bins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* GetMetricStatistics and ListMetrics, and sums by period. */

static int bins_init(struct bins *bins, size_t count, struct err *err)
{
    *bins = (struct bins){.values = calloc(count + 1, sizeof *bins->values), .count = count};
    return bins->values ? 0 : err_set(err, ERR_NO_MEMORY, "read metrics: out of memory");
}

void bins_finish(struct bins *bins)
{
    for (size_t i = 0; bins->values && i < bins->count; i++)
        free(bins->values[i]);
    free(bins->values);
}

static void add_to_bin(void *context, size_t bin, const struct statistic *values, const char *unit)
{
    struct bins *bins = context;
    if (bin >= bins->count)
        return;
    if (!bins->values[bin])
        bins->values[bin] = calloc(1, sizeof **bins->values);
    if (!bins->values[bin]) {
        bins->failed = 1;
        return;
    }
    statistic_merge(bins->values[bin], values);
    snprintf(bins->unit, sizeof bins->unit, "%s", unit);
}

int statistic_by_name(const struct statistic *values, const char *name, double *out)
{
    char *end;
    double percent;
    if (!strcmp(name, "Sum"))
        *out = values->sum;
    else if (!strcmp(name, "Average"))
        *out = values->count > 0 ? values->sum / values->count : 0;
    else if (!strcmp(name, "Minimum"))
        *out = values->min;
    else if (!strcmp(name, "Maximum"))
        *out = values->max;
    else if (!strcmp(name, "SampleCount"))
        *out = values->count;
    else if (name[0] == 'p' && name[1] && (percent = strtod(name + 1, &end)) >= 0 &&
             percent <= 100 && !*end)
        *out = statistic_percentile(values, percent);
    else
        return -1;
    return 0;
}

int statistic_is_name(const char *name)
{
    static const struct statistic nothing = {0};
    double ignored;
    return name && statistic_by_name(&nothing, name, &ignored) == 0;
}

int call_period(struct metrics_call *call, const json_t *from, int64_t *out)
{
    double period;
    int present;
    if (call_number(call, from, "Period", &period, &present) < 0)
        return -1;
    if (!present)
        return call_fail(call, "MissingParameter", "The parameter Period is required.");
    if (period < 1 || period > 31536000 || period != floor(period) ||
        (period > 60 && fmod(period, 60) != 0) ||
        (period < 60 && period != 1 && period != 5 && period != 10 && period != 20 && period != 30))
        return call_fail(call, "InvalidParameterValue",
                         "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
    *out = (int64_t)period;
    return 0;
}

int call_span(struct metrics_call *call, double *start_s, double *end_s)
{
    int has_start, has_end;
    if (call_time(call, call->body, "StartTime", start_s, &has_start) < 0 ||
        call_time(call, call->body, "EndTime", end_s, &has_end) < 0)
        return -1;
    if (!has_start || !has_end)
        return call_fail(call, "MissingParameter", "The parameter %s is required.",
                         has_start ? "EndTime" : "StartTime");
    if (*start_s >= *end_s)
        return call_fail(call, "ValidationError",
                         *start_s == *end_s
                             ? "The parameter StartTime must not equal parameter EndTime."
                             : "The parameter StartTime must be less than the parameter EndTime.");
    return 0;
}

int64_t bins_round_down(double value, int64_t step)
{
    return (int64_t)(floor(value / (double)step) * (double)step);
}

int bins_read(struct metrics_call *call, struct metrics_query *query, struct bins *bins)
{
    size_t count =
        (size_t)((query->end_s - query->start_s + query->period_s - 1) / query->period_s);
    if (bins_init(bins, count, &call->err) < 0)
        return -1;
    if (metrics_read(call->metrics, query, add_to_bin, bins, &call->err) < 0)
        return -1;
    return bins->failed ? err_set(&call->err, ERR_NO_MEMORY, "read metrics: out of memory") : 0;
}

static int check_names(struct metrics_call *call, const json_t *names)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        if (!statistic_is_name(json_string_value(name)))
            return call_fail(call, "InvalidParameterValue",
                             "The value %.100s for parameter Statistics is not a statistic.",
                             json_string_value(name) ? json_string_value(name) : "");
    }
    return 0;
}

static json_t *make_datapoint(const struct statistic *values, const json_t *plain,
                              const json_t *extended, const char *unit, double time_s)
{
    json_t *point = json_pack("{s:f,s:s}", "Timestamp", time_s, "Unit", unit);
    json_t *more = json_object(), *name;
    size_t i;
    double value;
    json_array_foreach(plain, i, name)
    {
        if (statistic_by_name(values, json_string_value(name), &value) == 0)
            json_object_set_new(point, json_string_value(name), json_real(value));
    }
    json_array_foreach(extended, i, name)
    {
        if (statistic_by_name(values, json_string_value(name), &value) == 0)
            json_object_set_new(more, json_string_value(name), json_real(value));
    }
    if (json_object_size(more))
        json_object_set(point, "ExtendedStatistics", more);
    json_decref(more);
    return point;
}

struct statistics_request {
    struct metrics_query query;
    const json_t *plain, *extended;
    char *dimensions;
};

/* 1440 as "1,440" */
static const char *with_commas(int64_t value, char text[32])
{
    int size = snprintf(text, 24, "%lld", (long long)value);
    for (int at = size - 3; at > 0; at -= 3, size++) {
        memmove(text + at + 1, text + at, (size_t)(size - at) + 1);
        text[at] = ',';
    }
    return text;
}

static int read_statistics_request(struct metrics_call *call, struct statistics_request *out)
{
    double start_s, end_s;
    char text[32];
    struct metrics_query *query = &out->query;
    out->plain = json_object_get(call->body, "Statistics");
    out->extended = json_object_get(call->body, "ExtendedStatistics");
    if (call_text(call, call->body, "Namespace", 1, &query->series.name_space) < 0 ||
        call_text(call, call->body, "MetricName", 1, &query->series.name) < 0 ||
        call_text(call, call->body, "Unit", 0, &query->unit) < 0 ||
        call_period(call, call->body, &query->period_s) < 0 ||
        call_span(call, &start_s, &end_s) < 0)
        return -1;
    if (!json_array_size(out->plain) && !json_array_size(out->extended))
        return call_fail(call, "InvalidParameterCombination",
                         "Must specify either Statistics or ExtendedStatistics");
    if (check_names(call, out->plain) < 0 || check_names(call, out->extended) < 0)
        return -1;
    query->start_s = bins_round_down(start_s, query->period_s < 60 ? query->period_s : 60);
    query->end_s = (int64_t)ceil(end_s);
    int64_t points = (query->end_s - query->start_s + query->period_s - 1) / query->period_s;
    if (points > STATISTICS_MAX_DATAPOINTS)
        return call_fail(call, "InvalidParameterCombination",
                         "You have requested up to %s datapoints, which exceeds the limit of "
                         "1,440. You may reduce the datapoints requested by increasing Period, or "
                         "decreasing the time range.",
                         with_commas(points, text));
    out->dimensions = call_dimensions(call, call->body);
    query->series.dimensions = out->dimensions;
    return out->dimensions ? 0 : -1;
}

static void see_unit(void *context, size_t bin, const struct statistic *values, const char *unit)
{
    (void)bin;
    (void)values;
    json_object_set_new(context, unit, json_true());
}

/* The datapoints of the query's unit. */
static int add_datapoints(struct metrics_call *call, struct statistics_request *request,
                          json_t *points)
{
    struct bins bins = {0};
    int result = bins_read(call, &request->query, &bins);
    for (size_t i = 0; result == 0 && i < bins.count; i++) {
        double time_s = (double)(request->query.start_s + (int64_t)i * request->query.period_s);
        if (bins.values[i])
            json_array_append_new(points, make_datapoint(bins.values[i], request->plain,
                                                         request->extended, bins.unit, time_s));
    }
    bins_finish(&bins);
    return result;
}

/* Without a Unit there are datapoints of each unit, as nothing is converted. */
int get_metric_statistics(struct metrics_call *call)
{
    struct statistics_request request = {0};
    json_t *points = json_array(), *units = json_object(), *seen;
    const char *unit;
    int result = read_statistics_request(call, &request);
    if (result == 0 && request.query.unit)
        json_object_set_new(units, request.query.unit, json_true());
    else if (result == 0)
        result = metrics_read(call->metrics, &request.query, see_unit, units, &call->err);
    json_object_foreach(units, unit, seen)
    {
        request.query.unit = unit;
        if (result == 0)
            result = add_datapoints(call, &request, points);
    }
    if (result == 0) {
        json_object_set_new(call->answer, "Label", json_string(request.query.series.name));
        json_object_set(call->answer, "Datapoints", points);
    }
    json_decref(units);
    json_decref(points);
    free(request.dimensions);
    return result;
}

struct listing {
    const json_t *dimensions; /* filters */
    json_t *metrics;
    int64_t last_id;
    int more;
};

static int has_dimensions(const json_t *own, const json_t *filters)
{
    size_t i;
    json_t *filter;
    json_array_foreach(filters, i, filter)
    {
        const char *name = json_string_value(json_object_get(filter, "Name"));
        const char *wanted = json_string_value(json_object_get(filter, "Value"));
        const char *value = name ? json_string_value(json_object_get(own, name)) : NULL;
        if (!value || (wanted && strcmp(value, wanted)))
            return 0;
    }
    return 1;
}

static int see_series(void *context, int64_t id, const struct metrics_series *series)
{
    struct listing *listing = context;
    json_t *own = json_loads(series->dimensions, 0, NULL), *list = json_array(), *value;
    const char *name;
    if (!has_dimensions(own, listing->dimensions)) {
        json_decref(own);
        json_decref(list);
        return 1;
    }
    if (json_array_size(listing->metrics) == LIST_METRICS_PAGE) {
        listing->more = 1;
        json_decref(own);
        json_decref(list);
        return 0;
    }
    json_object_foreach(own, name, value)
    {
        json_array_append_new(list, json_pack("{s:s,s:O}", "Name", name, "Value", value));
    }
    json_decref(own);
    json_array_append_new(listing->metrics,
                          json_pack("{s:s,s:s,s:o}", "Namespace", series->name_space, "MetricName",
                                    series->name, "Dimensions", list));
    listing->last_id = id;
    return 1;
}

int list_metrics(struct metrics_call *call)
{
    struct metrics_filter filter = {0};
    struct listing listing = {.dimensions = json_object_get(call->body, "Dimensions"),
                              .metrics = json_array()};
    const char *token, *active;
    char *end = NULL;
    json_object_set_new(call->answer, "Metrics", listing.metrics);
    if (call_text(call, call->body, "Namespace", 0, &filter.name_space) < 0 ||
        call_text(call, call->body, "MetricName", 0, &filter.name) < 0 ||
        call_text(call, call->body, "RecentlyActive", 0, &active) < 0 ||
        call_text(call, call->body, "NextToken", 0, &token) < 0)
        return -1;
    if (active && strcmp(active, "PT3H") != 0)
        return call_fail(call, "ValidationError",
                         "1 validation error detected: Value '%.64s' at 'recentlyActive' failed to "
                         "satisfy constraint: Member must satisfy enum value set: [PT3H]",
                         active);
    filter.after_id = token ? strtoll(token, &end, 10) : 0;
    if (token && (*end || filter.after_id < 0))
        return call_fail(call, "InvalidParameterValue", "Request parameter NextToken is invalid");
    filter.since_s = active ? call->now_ms / 1000 - 3 * 3600 : 0;
    if (metrics_list(call->metrics, &filter, see_series, &listing, &call->err) < 0)
        return -1;
    if (listing.more)
        json_object_set_new(call->answer, "NextToken",
                            json_sprintf("%lld", (long long)listing.last_id));
    return 0;
}
