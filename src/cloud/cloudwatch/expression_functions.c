#include "cloud/cloudwatch/expression_parts.h"

#include <math.h>
#include <string.h>

/* The functions of metric math that take more than a series, and the way to all. */

static int function_metrics(struct math *math, const struct math_call *call, struct math_value *out,
                            struct err *err)
{
    return math->list(math->context, call->count ? call->arguments[0].word : "", out, err);
}

static int function_metric_count(struct math *math, const struct math_call *call,
                                 struct math_value *out, struct err *err)
{
    (void)math;
    (void)err;
    *out = (struct math_value){.scalar = (double)call->arguments[0].count};
    return 0;
}

static int function_period(struct math *math, const struct math_call *call, struct math_value *out,
                           struct err *err)
{
    (void)math;
    if (!call->arguments[0].series->is_metric)
        return err_set(err, ERR_INVALID, "PERIOD takes a metric, not another expression's result.");
    *out = (struct math_value){.scalar = (double)call->arguments[0].series->period_s};
    return 0;
}

static int function_time_series(struct math *math, const struct math_call *call,
                                struct math_value *out, struct err *err)
{
    struct math_series frame = {0}, *made = arena_new(math->arena, struct math_series, 1);
    if (!made)
        return math_fail_memory(err);
    if (math->frame(math->context, &frame, err) < 0 ||
        math_series_like(math, &frame, made, err) < 0)
        return -1;
    for (size_t i = math_count_until_now(math, made); i-- > 0;)
        made->values[i] = call->arguments[0].scalar;
    *out = (struct math_value){.kind = MATH_SERIES, .series = made, .count = 1};
    return 0;
}

/* Straight lines between the values on both sides of a gap. */
static void fill_lines(struct math_series *series)
{
    size_t before = series->count;
    for (size_t i = 0; i < series->count; i++) {
        if (isnan(series->values[i]))
            continue;
        double width = (double)(i - before);
        for (size_t k = before + 1; before < i && k < i; k++)
            series->values[k] =
                series->values[before] +
                (series->values[i] - series->values[before]) * (double)(k - before) / width;
        before = i;
    }
}

static int fill_series(struct math *math, const struct math_series *in, const void *context,
                       struct math_series *out, struct err *err)
{
    const struct math_value *filler = context;
    const struct math_series *other = filler->kind == MATH_SERIES ? filler->series : NULL;
    int repeats = filler->word && !strcmp(filler->word, "REPEAT");
    if (filler->word && !repeats && strcmp(filler->word, "LINEAR") != 0)
        return err_set(err, ERR_INVALID, "FILL takes a value, REPEAT or LINEAR, not %.40s.",
                       filler->word);
    if ((other && math_check_same(in, other, err) < 0) || math_series_like(math, in, out, err) < 0)
        return -1;
    memcpy(out->values, in->values, in->count * sizeof *out->values);
    size_t count = math_count_until_now(math, in);
    for (size_t i = 0; i < count; i++)
        if (isnan(out->values[i]) && other)
            out->values[i] = other->values[i];
        else if (isnan(out->values[i]) && repeats && i)
            out->values[i] = out->values[i - 1];
        else if (isnan(out->values[i]) && filler->kind == MATH_SCALAR)
            out->values[i] = filler->scalar;
    if (filler->word && !repeats)
        fill_lines(out);
    return 0;
}

static int function_fill(struct math *math, const struct math_call *call, struct math_value *out,
                         struct err *err)
{
    return math_for_each(math, &call->arguments[0], fill_series, &call->arguments[1], out, err);
}

/* Takes part of a list without a copy. */
static int function_slice(struct math *math, const struct math_call *call, struct math_value *out,
                          struct err *err)
{
    double size = (double)call->arguments[0].count, from = call->arguments[1].scalar,
           until = call->count > 2 ? call->arguments[2].scalar : size;
    (void)math;
    if (!(from >= 0 && until >= 0))
        return err_set(err, ERR_INVALID, "SLICE takes places from 0 on.");
    size_t first = (size_t)fmin(from, size), end = (size_t)fmin(until, size);
    *out = call->arguments[0];
    out->series += first;
    out->count = end > first ? end - first : 0;
    return 0;
}

static int function_first(struct math *math, const struct math_call *call, struct math_value *out,
                          struct err *err)
{
    (void)math;
    if (!call->arguments[0].count)
        return err_set(err, ERR_INVALID, "There is no time series in the array.");
    *out =
        (struct math_value){.kind = MATH_SERIES, .series = call->arguments[0].series, .count = 1};
    return 0;
}

static int function_last(struct math *math, const struct math_call *call, struct math_value *out,
                         struct err *err)
{
    if (function_first(math, call, out, err) < 0)
        return -1;
    out->series += call->arguments[0].count - 1;
    return 0;
}

static int function_remove_empty(struct math *math, const struct math_call *call,
                                 struct math_value *out, struct err *err)
{
    struct math_series *kept =
        arena_new(math->arena, struct math_series, call->arguments[0].count + 1);
    if (!kept)
        return math_fail_memory(err);
    *out = (struct math_value){.kind = MATH_LIST, .series = kept};
    for (size_t i = 0; i < call->arguments[0].count; i++)
        if (math_fold(&call->arguments[0].series[i], "DATAPOINT_COUNT") > 0)
            kept[out->count++] = call->arguments[0].series[i];
    return 0;
}

/* A series of nothing comes last. */
static int comes_before(double value, double other, int descending)
{
    if (isnan(value) || isnan(other))
        return !isnan(value);
    return descending ? value > other : value < other;
}

static int function_sort(struct math *math, const struct math_call *call, struct math_value *out,
                         struct err *err)
{
    const char *by = call->arguments[1].word, *order = call->arguments[2].word;
    const struct math_value *in = &call->arguments[0];
    int descending = !strcmp(order, "DESC");
    if ((!descending && strcmp(order, "ASC") != 0) ||
        (strcmp(by, "AVG") && strcmp(by, "MIN") && strcmp(by, "MAX") && strcmp(by, "SUM")))
        return err_set(err, ERR_INVALID,
                       "SORT takes AVG, MIN, MAX or SUM, then ASC or DESC, not %.40s, %.40s.", by,
                       order);
    *out = *in;
    out->series = arena_new(math->arena, struct math_series, in->count + 1);
    double *keys = arena_new(math->arena, double, in->count + 1);
    if (!out->series || !keys)
        return math_fail_memory(err);
    for (size_t i = 0; i < in->count; i++) {
        double key = math_fold(&in->series[i], by);
        size_t at = i;
        for (; at > 0 && comes_before(key, keys[at - 1], descending); at--) {
            out->series[at] = out->series[at - 1];
            keys[at] = keys[at - 1];
        }
        out->series[at] = in->series[i];
        keys[at] = key;
    }
    if (call->count > 3 && call->arguments[3].scalar >= 0)
        out->count = (size_t)fmin(call->arguments[3].scalar, (double)in->count);
    return 0;
}

/* -- IF -- */

struct choice {
    const struct math_value *condition, *yes, *no; /* `no` NULL: nothing */
};

/* The value of a series or scalar at `i`; NAN where there is none. */
static double value_at(const struct math_value *value, size_t i)
{
    if (!value)
        return NAN;
    return value->kind == MATH_SERIES ? value->series->values[i] : value->scalar;
}

static double choose(const struct choice *choice, size_t i)
{
    double condition = value_at(choice->condition, i);
    if (isnan(condition))
        return NAN;
    if (condition == 0.0)
        return value_at(choice->no, i);
    double value = value_at(choice->yes, i);
    return isnan(value) && choice->condition->kind == MATH_SERIES ? 0 : value;
}

static int function_if(struct math *math, const struct math_call *call, struct math_value *out,
                       struct err *err)
{
    const struct math_series *like = NULL;
    const struct choice choice = {&call->arguments[0], &call->arguments[1],
                                  call->count > 2 ? &call->arguments[2] : NULL};
    struct math_series *made = arena_new(math->arena, struct math_series, 1);
    for (size_t i = 0; i < call->count; i++) {
        if (call->arguments[i].kind != MATH_SERIES)
            continue;
        if (like && math_check_same(like, call->arguments[i].series, err) < 0)
            return -1;
        like = like ? like : call->arguments[i].series;
    }
    if (!like)
        return err_set(err, ERR_INVALID, "One of IF's arguments must be a time series.");
    if (!made)
        return math_fail_memory(err);
    if (math_series_like(math, like, made, err) < 0)
        return -1;
    for (size_t i = 0; i < made->count; i++)
        made->values[i] = choose(&choice, i);
    *out = (struct math_value){.kind = MATH_SERIES, .series = made, .count = 1};
    return 0;
}

/* -- the table -- */

/* What an argument may be: n scalar, t time series, l list, w word; ? before those that may be
 * left out. */
static const struct row {
    const char *name;
    int (*run)(struct math *math, const struct math_call *call, struct math_value *out,
               struct err *err);
    const char *takes[5];
} rows[] = {
    {"FILL", function_fill, {"tl", "ntw"}},       {"FIRST", function_first, {"l"}},
    {"IF", function_if, {"nt", "nt", "?nt"}},     {"LAST", function_last, {"l"}},
    {"METRICS", function_metrics, {"?w"}},        {"METRIC_COUNT", function_metric_count, {"l"}},
    {"PERIOD", function_period, {"t"}},           {"REMOVE_EMPTY", function_remove_empty, {"l"}},
    {"SLICE", function_slice, {"l", "n", "?n"}},  {"SORT", function_sort, {"l", "w", "w", "?n"}},
    {"TIME_SERIES", function_time_series, {"n"}},
};

static int check_arguments(const struct row *row, const struct math_call *call, struct err *err)
{
    static const char letters[] = "ntlw"; /* as enum math_kind has them */
    size_t i = 0;
    for (; row->takes[i] && i < call->count; i++)
        if (!strchr(row->takes[i], letters[call->arguments[i].kind]))
            return err_set(err, ERR_INVALID, "%s does not take what is its argument %zu.",
                           row->name, i + 1);
    if (i < call->count || (row->takes[i] && *row->takes[i] != '?'))
        return err_set(err, ERR_INVALID, "%s does not take %zu arguments.", row->name, call->count);
    return 0;
}

int math_call_function(struct math *math, const struct math_call *call, struct math_value *out,
                       struct err *err)
{
    int result = math_call_map(math, call, out, err);
    if (result)
        return result < 0 ? -1 : 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, call->name) == 0)
            return check_arguments(&rows[i], call, err) < 0 ? -1
                                                            : rows[i].run(math, call, out, err);
    return err_set(err, ERR_INVALID, "The function %.40s is not supported.", call->name);
}
