#include "cloud/cloudwatch/expression_parts.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* The functions of metric math that take one series, or each of a list, and need no more. */

/* -- from value to value -- */

static int map_values(struct math *math, const struct math_series *in, const void *context,
                      struct math_series *out, struct err *err)
{
    double (*const *map)(double) = context;
    if (math_series_like(math, in, out, err) < 0)
        return -1;
    for (size_t i = 0; i < in->count; i++) {
        double value = (*map)(in->values[i]);
        out->values[i] = isfinite(value) ? value : NAN;
    }
    return 0;
}

/* -- from a value and the one before it -- */

typedef double step_function(double value, double before, double seconds);

static double step_diff(double value, double before, double seconds)
{
    (void)seconds;
    return value - before;
}

static double step_time(double value, double before, double seconds)
{
    (void)value;
    (void)before;
    return seconds;
}

static double step_rate(double value, double before, double seconds)
{
    return (value - before) / seconds;
}

static int map_steps(struct math *math, const struct math_series *in, const void *context,
                     struct math_series *out, struct err *err)
{
    step_function *const *step = context;
    size_t before = in->count;
    if (math_series_like(math, in, out, err) < 0)
        return -1;
    for (size_t i = 0; i < in->count; i++) {
        if (isnan(in->values[i]))
            continue;
        if (before < i)
            out->values[i] = (*step)(in->values[i], in->values[before],
                                     (double)((int64_t)(i - before) * in->period_s));
        before = i;
    }
    return 0;
}

static int running_sum(struct math *math, const struct math_series *in, const void *context,
                       struct math_series *out, struct err *err)
{
    double sum = 0;
    (void)context;
    if (math_series_like(math, in, out, err) < 0)
        return -1;
    for (size_t i = 0; i < in->count; i++)
        if (!isnan(in->values[i]))
            out->values[i] = sum += in->values[i];
    return 0;
}

/* -- from times -- */

size_t math_count_until_now(const struct math *math, const struct math_series *series)
{
    size_t count = 0;
    while (count < series->count &&
           series->start_s + (int64_t)count * series->period_s <= math->now_s)
        count++;
    return count;
}

typedef double time_function(const struct tm *tm, time_t unix_s);

static double time_minute(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_min;
}

static double time_hour(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_hour;
}

/* Monday is 1. */
static double time_day(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_wday ? tm->tm_wday : 7;
}

static double time_date(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_mday;
}

static double time_month(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_mon + 1;
}

static double time_year(const struct tm *tm, time_t unix_s)
{
    (void)unix_s;
    return tm->tm_year + 1900;
}

static double time_epoch(const struct tm *tm, time_t unix_s)
{
    (void)tm;
    return (double)unix_s;
}

static int map_times(struct math *math, const struct math_series *in, const void *context,
                     struct math_series *out, struct err *err)
{
    time_function *const *function = context;
    if (math_series_like(math, in, out, err) < 0)
        return -1;
    size_t count = math_count_until_now(math, in);
    for (size_t i = 0; i < count; i++) {
        struct tm tm;
        time_t unix_s = (time_t)(in->start_s + (int64_t)i * in->period_s);
        if (gmtime_r(&unix_s, &tm))
            out->values[i] = (*function)(&tm, unix_s);
    }
    return 0;
}

/* -- from many values to one -- */

/* Of `count` values, of which at least one is there. */
typedef double fold_function(const double *values, size_t count);

static double fold_sum(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += isnan(values[i]) ? 0 : values[i];
    return sum;
}

static double fold_count(const double *values, size_t count)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++)
        there += !isnan(values[i]);
    return (double)there;
}

static double fold_min(const double *values, size_t count)
{
    double least = NAN;
    for (size_t i = 0; i < count; i++)
        least = fmin(least, values[i]);
    return least;
}

static double fold_max(const double *values, size_t count)
{
    double most = NAN;
    for (size_t i = 0; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

static double fold_average(const double *values, size_t count)
{
    return fold_sum(values, count) / fold_count(values, count);
}

/* Across series a missing value is 0. */
static double fold_average_of_all(const double *values, size_t count)
{
    return fold_sum(values, count) / (double)count;
}

static int fold_list(struct math *math, const struct math_value *list, fold_function *fold,
                     struct math_value *out, struct err *err)
{
    double *column = arena_new(math->arena, double, list->count + 1);
    struct math_series *made = arena_new(math->arena, struct math_series, 1);
    if (!list->count)
        return err_set(err, ERR_INVALID, "There is no time series in the array.");
    if (!column || !made)
        return math_fail_memory(err);
    for (size_t k = 1; k < list->count; k++)
        if (math_check_same(&list->series[0], &list->series[k], err) < 0)
            return -1;
    if (math_series_like(math, &list->series[0], made, err) < 0)
        return -1;
    for (size_t i = 0; i < made->count; i++) {
        for (size_t k = 0; k < list->count; k++)
            column[k] = list->series[k].values[i];
        if (fold_count(column, list->count) > 0)
            made->values[i] = fold(column, list->count);
    }
    *out = (struct math_value){.kind = MATH_SERIES, .series = made, .count = 1};
    return 0;
}

/* Of no values: of AVG, MAX and MIN nothing. */
static double fold_series(const struct math_series *series, fold_function *fold)
{
    if (fold == fold_sum || fold == fold_count || fold_count(series->values, series->count) > 0)
        return fold(series->values, series->count);
    return NAN;
}

/* -- the table -- */

/* One of the four ways each. */
static const struct row {
    const char *name;
    double (*map)(double);
    step_function *step;
    time_function *time; /* takes no list */
    struct {
        fold_function *series, *list;
    } folds;
} rows[] = {
    {"ABS", .map = fabs},
    {"AVG", .folds = {fold_average, fold_average_of_all}},
    {"CEIL", .map = ceil},
    {"DATAPOINT_COUNT", .folds = {fold_count, fold_count}},
    {"DATE", .time = time_date},
    {"DAY", .time = time_day},
    {"DIFF", .step = step_diff},
    {"DIFF_TIME", .step = step_time},
    {"EPOCH", .time = time_epoch},
    {"FLOOR", .map = floor},
    {"HOUR", .time = time_hour},
    {"LOG", .map = log},
    {"LOG10", .map = log10},
    {"MAX", .folds = {fold_max, fold_max}},
    {"MIN", .folds = {fold_min, fold_min}},
    {"MINUTE", .time = time_minute},
    {"MONTH", .time = time_month},
    {"RATE", .step = step_rate},
    {"RUNNING_SUM"},
    {"SUM", .folds = {fold_sum, fold_sum}},
    {"YEAR", .time = time_year},
};

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

double math_fold(const struct math_series *series, const char *name)
{
    return fold_series(series, find_row(name)->folds.series);
}

static int run(struct math *math, const struct row *row, const struct math_value *in,
               struct math_value *out, struct err *err)
{
    if (row->map)
        return math_for_each(math, in, map_values, &row->map, out, err);
    if (row->step)
        return math_for_each(math, in, map_steps, &row->step, out, err);
    if (row->time)
        return math_for_each(math, in, map_times, &row->time, out, err);
    if (!row->folds.series)
        return math_for_each(math, in, running_sum, NULL, out, err);
    if (in->kind == MATH_LIST)
        return fold_list(math, in, row->folds.list, out, err);
    *out = (struct math_value){.scalar = fold_series(in->series, row->folds.series)};
    return 0;
}

int math_call_map(struct math *math, const struct math_call *call, struct math_value *out,
                  struct err *err)
{
    const struct row *row = find_row(call->name);
    if (!row)
        return 0;
    int takes = call->count == 1 && (call->arguments[0].kind == MATH_SERIES ||
                                     (call->arguments[0].kind == MATH_LIST && !row->time));
    if (!takes)
        return err_set(err, ERR_INVALID, "%s takes one time series%s.", call->name,
                       row->time ? "" : ", or an array of them");
    return run(math, row, &call->arguments[0], out, err) < 0 ? -1 : 1;
}
