#include "cloud/cloudwatch/expression.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Series as texts: "30 - 0" has values at the first and third minute since Thursday, January 1,
 * 1970. Of the expressions m1, m2, m3 are metrics, e1 is not, h1 has another period, and l1 is an
 * array of half as many as one may hold. */

enum { MOST = 8 };
struct scene {
    const char *m1, *m2, *m3;
};

static size_t parse_series(const char *text, double values[MOST])
{
    size_t count = 0;
    while (text && *text) {
        char *end;
        values[count] = strtod(text, &end);
        if (end == text) {
            values[count] = NAN;
            end++;
        }
        count++;
        text = *end ? end + 1 : end;
    }
    return count;
}

struct context {
    struct math_series series[3];
    double values[3][MOST];
    size_t count;
};

static int find(void *opaque, const char *id, struct math_value *out, struct err *err)
{
    static double other[] = {1, 2};
    static struct math_series hourly = {other, 2, 0, 3600, "h1", 1};
    static struct math_series many[MATH_MAX_LIST / 2];
    struct context *context = opaque;
    size_t at = (size_t)(id[1] - '1');
    if (*id == 'l') {
        *out = (struct math_value){.kind = MATH_LIST, .series = many, .count = MATH_MAX_LIST / 2};
        return 0;
    }
    if (*id == 'h') {
        *out = (struct math_value){.kind = MATH_SERIES, .series = &hourly, .count = 1};
        return 0;
    }
    if (at >= context->count)
        return err_set(err, ERR_INVALID, "no %s", id);
    context->series[at].is_metric = *id == 'm';
    *out = (struct math_value){.kind = MATH_SERIES, .series = &context->series[at], .count = 1};
    return 0;
}

static int list(void *opaque, const char *part, struct math_value *out, struct err *err)
{
    struct context *context = opaque;
    (void)err;
    int is_one = *part != 0;
    *out = (struct math_value){.kind = MATH_LIST,
                               .series = context->series + (is_one ? part[0] - '1' : 0),
                               .count = is_one ? 1 : context->count};
    return 0;
}

static int frame(void *opaque, struct math_series *out, struct err *err)
{
    struct context *context = opaque;
    (void)err;
    *out = context->series[0];
    return 0;
}

/* The result as such a text, series parted by " | "; an error's message. */
static void evaluate(const struct scene *scene, const char *expression, char *text, size_t size)
{
    const char *texts[] = {scene->m1, scene->m2, scene->m3};
    static const char *const labels[] = {"m1", "m2", "m3"};
    struct context context = {0};
    struct arena arena;
    struct math_value value;
    struct err err = {0};
    while (context.count < 3 && texts[context.count]) {
        size_t at = context.count++;
        context.series[at] = (struct math_series){
            context.values[at], parse_series(texts[at], context.values[at]), 0, 60, labels[at], 1};
    }
    arena_init(&arena, MATH_MAX_BYTES);
    struct math math = {.arena = &arena,
                        .context = &context,
                        .now_s = 1000,
                        .find = find,
                        .list = list,
                        .frame = frame};
    size_t used = 0;
    text[0] = 0;
    if (math_evaluate(&math, expression, &value, &err) < 0) {
        value = (struct math_value){0};
        snprintf(text, size, "%s", err.message);
    }
    for (size_t k = 0; k < value.count; k++)
        for (size_t i = 0; i < value.series[k].count; i++) {
            double one = value.series[k].values[i];
            const char *gap = i ? " " : k ? " | " : "";
            used += (size_t)(isnan(one) ? snprintf(text + used, size - used, "%s-", gap)
                                        : snprintf(text + used, size - used, "%s%.6g", gap, one));
        }
    arena_finish(&arena);
}

struct line {
    const char *expression, *result;
};

static void check(const struct scene *scene, const struct line *lines, size_t count)
{
    char text[1024];
    for (size_t i = 0; i < count; i++) {
        evaluate(scene, lines[i].expression, text, sizeof text);
        if (strcmp(text, lines[i].result) != 0)
            fail_msg("%s is %s, not %s", lines[i].expression, text, lines[i].result);
    }
}
#define CHECK(scene, lines) check(scene, lines, sizeof(lines) / sizeof *(lines))

static void what_is_wrong_is_told(void **state)
{
    static const struct scene scene = {"1 2", "3 4", NULL};
    static const struct line lines[] = {
        {"", "Unexpected end of the expression"},
        {"m1 +", "Unexpected end of the expression"},
        {"m1 m2", "Syntax error at 'm2'"},
        {"(m1", "Unexpected end of the expression"},
        {"1.2.3", "Syntax error at '1.2.3'"},
        {"m9", "no m9"},
        {"5", "The result of an expression must be a time series or an array of them."},
        {"AVG(m1)", "The result of an expression must be a time series or an array of them."},
        {"METRICS() + METRICS()",
         "Unsupported operand type(s) for +: 'Array[TimeSeries], Array[TimeSeries]'"},
        {"METRICS() > 1", "Unsupported operand type(s) for >: 'Array[TimeSeries], Scalar'"},
        {"m1 + DESC", "Unsupported operand type(s) for +: 'TimeSeries, String'"},
        {"[1]", "An array holds time series only."},
        {"SORT([l1, l1, m1], AVG, ASC)", "An array holds at most 5000 time series."},
        {"m1 + h1", "Time series of different periods (60 and 3600 s) are not supported."},
        {"SUM([m1, h1])", "Time series of different periods (60 and 3600 s) are not supported."},
        {"SUM([])", "There is no time series in the array."},
        {"SEARCH('{a} b', 'Sum', 60)", "The function SEARCH is not supported."},
        {"ANOMALY_DETECTION_BAND(m1, 2)", "The function ANOMALY_DETECTION_BAND is not supported."},
        {"SELECT AVG(a) FROM b", "Metrics Insights queries (SELECT) are not supported."},
        {"PERIOD(e1) * m1", "PERIOD takes a metric, not another expression's result."},
        {"ABS(1)", "ABS takes one time series, or an array of them."},
        {"HOUR(METRICS())", "HOUR takes one time series."},
        {"FILL(m1)", "FILL does not take 1 arguments."},
        {"FILL(m1, ZERO)", "FILL takes a value, REPEAT or LINEAR, not ZERO."},
        {"SORT(METRICS(), P99, DESC)",
         "SORT takes AVG, MIN, MAX or SUM, then ASC or DESC, not P99, DESC."},
        {"IF(1, 2, 3)", "One of IF's arguments must be a time series."},
        {"((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((m1",
         "The expressions are nested too deep."},
    };
    (void)state;
    CHECK(&scene, lines);
}

static void operators_are_as_aws_says(void **state)
{
    static const struct scene scene = {"30 20 0 0 -", "20 - 20 - -", NULL};
    static const struct line lines[] = {
        {"m1 + m2", "50 20 20 0 -"},
        {"m1 - m2 * 2", "-10 20 -40 0 -"},
        {"(m1 - m2) * 2", "20 40 -40 0 -"},
        {"m1 / m2", "1.5 - 0 - -"},
        {"100 / m1", "3.33333 5 - - -"},
        {"-m1 ^ 2", "-900 -400 -0 -0 -"},
        {"2 ^ 3 ^ 0 * m1", "60 40 0 0 -"},
        {"m1 < m2", "0 0 1 0 -"},
        {"m1 >= 30", "1 0 0 0 -"},
        {"m1 > 15 AND m2 > 15", "1 0 0 0 -"},
        {"m1 > 25 || m2 == 20", "1 0 1 0 -"},
        {"m1 != 0 && m2 <= 20", "1 0 0 0 -"},
        {"m1 + (3 > 2)", "31 21 1 1 -"},
        {"[m1, m2] / 10", "3 2 0 0 - | 2 - 2 - -"},
        {"1 - [m1]", "-29 -19 1 1 -"},
        {"METRICS(\"2\") * m1", "600 0 0 0 -"},
    };
    (void)state;
    CHECK(&scene, lines);
}

static void functions_are_as_aws_says(void **state)
{
    static const struct scene scene = {"1 - 4 -2.5 -", "3 5 - 7 -", NULL};
    static const struct line lines[] = {
        {"ABS(m1)", "1 - 4 2.5 -"},
        {"CEIL(m1)", "1 - 4 -2 -"},
        {"FLOOR(m1)", "1 - 4 -3 -"},
        {"LOG10(m1 * 10)", "1 - 1.60206 - -"},
        {"m2 - AVG(m2)", "-2 0 - 2 -"},
        {"m2 * MAX(m1) + MIN(m1)", "9.5 17.5 - 25.5 -"},
        {"m2 / SUM(m2) * DATAPOINT_COUNT(m2)", "0.6 1 - 1.4 -"},
        {"SUM([m1, m2])", "4 5 4 4.5 -"},
        {"AVG(METRICS())", "2 2.5 2 2.25 -"},
        {"MIN(METRICS())", "1 5 4 -2.5 -"},
        {"MAX(METRICS())", "3 5 4 7 -"},
        {"DATAPOINT_COUNT(METRICS())", "2 1 1 2 -"},
        {"m2 * METRIC_COUNT(METRICS())", "6 10 - 14 -"},
        {"DIFF(m1)", "- - 3 -6.5 -"},
        {"DIFF_TIME(m1)", "- - 120 60 -"},
        {"RATE(m2) * 60", "- 2 - 1 -"},
        {"RUNNING_SUM(m2)", "3 8 - 15 -"},
        {"FILL(m1, 9)", "1 9 4 -2.5 9"},
        {"FILL(m1, REPEAT)", "1 1 4 -2.5 -2.5"},
        {"FILL(m1, LINEAR)", "1 2.5 4 -2.5 -"},
        {"FILL(METRICS(), m2)", "1 5 4 -2.5 - | 3 5 - 7 -"},
        {"FIRST(SORT(METRICS(), AVG, DESC))", "3 5 - 7 -"},
        {"LAST(SORT(METRICS(), MAX, DESC))", "1 - 4 -2.5 -"},
        {"SORT(METRICS(), SUM, DESC, 1)", "3 5 - 7 -"},
        {"SLICE(METRICS(), 1)", "3 5 - 7 -"},
        {"SLICE(METRICS(), 0, 1)", "1 - 4 -2.5 -"},
        {"REMOVE_EMPTY([IF(m1 > 9, m1), m2])", "3 5 - 7 -"},
        {"m2 / PERIOD(m2) * 60", "3 5 - 7 -"},
        {"TIME_SERIES(2 * 3)", "6 6 6 6 6"},
        {"MINUTE(m1)", "0 1 2 3 4"},
        {"HOUR(m1) + DAY(m1) * 10 + DATE(m1) * 100 + MONTH(m1) * 1000 + YEAR(m1) * 10000",
         "1.97011e+07 1.97011e+07 1.97011e+07 1.97011e+07 1.97011e+07"},
        {"EPOCH(m1)", "0 60 120 180 240"},
    };
    (void)state;
    CHECK(&scene, lines);
}

static void conditions_are_as_aws_says(void **state)
{
    static const struct scene scene = {"1 1 0 0 -", "30 - 0 0 30", "0 0 20 - 20"};
    static const struct line lines[] = {
        {"IF(m1, m2, m3)", "30 0 20 - -"},     {"IF(m1, 5, m3)", "5 5 20 - -"},
        {"IF(m1, m2, 5)", "30 0 5 5 -"},       {"IF(m1, m2)", "30 0 - - -"},
        {"IF(m2 < 10, 10, 2)", "2 - 10 10 2"}, {"IF(1, m2, m3)", "30 - 0 0 30"},
        {"IF(0, m2, m3)", "0 0 20 - 20"},      {"IF(0, m2)", "- - - - -"},
    };
    (void)state;
    CHECK(&scene, lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(operators_are_as_aws_says),
        cmocka_unit_test(functions_are_as_aws_says),
        cmocka_unit_test(conditions_are_as_aws_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
