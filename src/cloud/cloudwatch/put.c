#include "cloud/cloudwatch/operations.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const units[] = {"Seconds",
                                    "Microseconds",
                                    "Milliseconds",
                                    "Bytes",
                                    "Kilobytes",
                                    "Megabytes",
                                    "Gigabytes",
                                    "Terabytes",
                                    "Bits",
                                    "Kilobits",
                                    "Megabits",
                                    "Gigabits",
                                    "Terabits",
                                    "Percent",
                                    "Count",
                                    "Bytes/Second",
                                    "Kilobytes/Second",
                                    "Megabytes/Second",
                                    "Gigabytes/Second",
                                    "Terabytes/Second",
                                    "Bits/Second",
                                    "Kilobits/Second",
                                    "Megabits/Second",
                                    "Gigabits/Second",
                                    "Terabits/Second",
                                    "Count/Second",
                                    "None"};

int unit_is_name(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(units[i], name))
            return 1;
    return 0;
}

static int read_unit(struct metrics_call *call, const json_t *datum, const char **out)
{
    if (call_text(call, datum, "Unit", 0, out) < 0)
        return -1;
    if (!*out)
        *out = "None";
    if (unit_is_name(*out))
        return 0;
    return call_fail(call, "InvalidParameterValue",
                     "The parameter Unit must be one of CloudWatch's units.");
}

static int read_set(struct metrics_call *call, const json_t *set, struct statistic *out)
{
    static const char *const names[] = {"SampleCount", "Sum", "Minimum", "Maximum"};
    double values[4];
    for (size_t i = 0; i < 4; i++) {
        int present;
        if (call_number(call, set, names[i], &values[i], &present) < 0)
            return -1;
        if (!present)
            return call_fail(call, "MissingParameter", "StatisticValues needs %s.", names[i]);
    }
    if (values[0] <= 0 || values[2] > values[3])
        return call_fail(call, "InvalidParameterValue",
                         "StatisticValues: SampleCount must be positive, Minimum at most Maximum.");
    statistic_add_set(out, values[0], values[1], values[2], values[3]);
    return 0;
}

/* An element of a list of numbers, under the name that messages use. */
static int element(struct metrics_call *call, const json_t *list, size_t at, const char *name,
                   double *out)
{
    int present;
    json_t *wrapped = json_pack("{s:O}", name, json_array_get(list, at));
    int result = wrapped ? call_number(call, wrapped, name, out, &present) : -1;
    json_decref(wrapped);
    return result;
}

static int read_values(struct metrics_call *call, const json_t *datum, size_t number,
                       struct statistic *out)
{
    const json_t *values = json_object_get(datum, "Values"),
                 *counts = json_object_get(datum, "Counts");
    size_t size = json_array_size(values);
    if (counts && json_array_size(counts) != size)
        return call_fail(call, "InvalidParameterValue",
                         "The parameters MetricData.member.%zu.Values and MetricData.member.%zu."
                         "Counts must be of the same size.",
                         number, number);
    if (!size || size > PUT_MAX_VALUES)
        return call_fail(call, "InvalidParameterValue", "Values must have 1 to %d numbers.",
                         PUT_MAX_VALUES);
    for (size_t i = 0; i < size; i++) {
        double value, count = 1;
        if (element(call, values, i, "Values", &value) < 0 ||
            (counts && element(call, counts, i, "Counts", &count) < 0))
            return -1;
        statistic_add(out, value, count);
    }
    return 0;
}

static int read_datum(struct metrics_call *call, const json_t *datum, size_t number,
                      struct statistic *out)
{
    double value;
    int present;
    const json_t *set = json_object_get(datum, "StatisticValues");
    if (json_is_object(set))
        return read_set(call, set, out);
    if (json_is_array(json_object_get(datum, "Values")))
        return read_values(call, datum, number, out);
    if (call_number(call, datum, "Value", &value, &present) < 0)
        return -1;
    if (!present)
        return call_fail(call, "MissingParameter",
                         "At least one of the parameters must be specified.");
    statistic_add(out, value, 1);
    return 0;
}

/* A datum has one of them; which is told by AWS's words for two. */
static int check_forms(struct metrics_call *call, const json_t *datum, size_t number)
{
    static const char *const forms[] = {"Value", "Values", "StatisticValues"};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (!json_object_get(datum, forms[i]))
            continue;
        if (first)
            return call_fail(call, "InvalidParameterCombination",
                             "The parameters MetricData.member.%zu.%s and MetricData.member.%zu.%s "
                             "are mutually exclusive and you have specified both.",
                             number, first, number, forms[i]);
        first = forms[i];
    }
    return 0;
}

/* Two weeks back and two hours ahead, as AWS takes them. */
static int check_time(struct metrics_call *call, double time_s, size_t number)
{
    double now_s = (double)call->now_ms / 1000;
    if (time_s < now_s - 14 * 86400)
        return call_fail(call, "InvalidParameterValue",
                         "The parameter MetricData.member.%zu.Timestamp must specify a time no "
                         "more than two weeks in the past.",
                         number);
    if (time_s > now_s + 2 * 3600)
        return call_fail(call, "InvalidParameterValue",
                         "The parameter MetricData.member.%zu.Timestamp must specify a time no "
                         "more than two hours in the future.",
                         number);
    return 0;
}

static int put_one(struct metrics_call *call, const char *name_space, const json_t *datum,
                   size_t number)
{
    struct metrics_series series = {.name_space = name_space};
    struct statistic values = {0};
    const char *unit;
    double time_s = (double)call->now_ms / 1000, resolution = 60;
    int present;
    if (call_text(call, datum, "MetricName", 1, &series.name) < 0 ||
        read_unit(call, datum, &unit) < 0 ||
        call_time(call, datum, "Timestamp", &time_s, &present) < 0 ||
        call_number(call, datum, "StorageResolution", &resolution, &present) < 0 ||
        check_time(call, time_s, number) < 0 || check_forms(call, datum, number) < 0 ||
        read_datum(call, datum, number, &values) < 0)
        return -1;
    if (resolution != 1 && resolution != 60)
        return call_fail(call, "InvalidParameterValue",
                         "The parameter MetricData.member.%zu.StorageResolution must be 1 or 60.",
                         number);
    char *dimensions = call_dimensions(call, datum);
    if (!dimensions)
        return -1;
    series.dimensions = dimensions;
    struct metrics_time time = {(int64_t)floor(time_s), resolution < 60 ? 1 : 60};
    int result = metrics_add(call->metrics, &series, unit, time, &values, &call->err);
    free(dimensions);
    return result;
}

int put_metric_data(struct metrics_call *call)
{
    const char *name_space;
    size_t i;
    json_t *datum;
    const json_t *data = json_object_get(call->body, "MetricData");
    if (call_text(call, call->body, "Namespace", 1, &name_space) < 0)
        return -1;
    if (*name_space == ':')
        return call_fail(call, "InvalidParameterValue",
                         "The value for parameter Namespace must not begin with a colon.");
    if (!json_array_size(data))
        return call_fail(call, "MissingParameter", "The parameter MetricData is required.");
    if (json_array_size(data) > PUT_MAX_METRICS)
        return call_fail(call, "InvalidParameterValue", "MetricData has at most %d metrics.",
                         PUT_MAX_METRICS);
    json_array_foreach(data, i, datum)
    {
        if (put_one(call, name_space, datum, i + 1) < 0)
            return -1;
    }
    return metrics_flush(call->metrics, &call->err);
}
