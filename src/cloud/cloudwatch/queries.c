#include "cloud/cloudwatch/queries.h"

#include "cloud/cloudwatch/bins.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUERY_NEW, QUERY_RUNNING, QUERY_DONE };

/* -- checks -- */

struct check {
    struct metrics_call *call;
    const char *parameter;
    size_t number; /* from 1 */
};

static int invalid(const struct check *check, const char *what, const char *why)
{
    return call_fail(check->call, "ValidationError", "The parameter %s.member.%zu.%s %s",
                     check->parameter, check->number, what, why);
}

static int id_is_valid(const char *id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *id >= 'a' && *id <= 'z' && strspn(id, letters) == strlen(id) && strlen(id) <= 255;
}

static int check_query(const struct check *check, const json_t *query)
{
    const char *id = json_string_value(json_object_get(query, "Id"));
    const char *label = json_string_value(json_object_get(query, "Label"));
    const json_t *period = json_object_get(query, "Period");
    int has_metric = json_is_object(json_object_get(query, "MetricStat"));
    int has_math = json_is_string(json_object_get(query, "Expression"));
    int64_t period_s;
    if (!id)
        return invalid(check, "Id", "is required.");
    if (!id_is_valid(id))
        return call_fail(check->call, "ValidationError",
                         "The value for parameter %s.member.%zu.Id is not matching "
                         "the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
                         check->parameter, check->number);
    if (has_metric && has_math)
        return invalid(check, "Expression",
                       "and MetricStat are mutually exclusive and you have specified both.");
    if (!has_metric && !has_math)
        return invalid(check, "MetricStat", "is required.");
    if (label && strstr(label, "${"))
        return invalid(check, "Label", "is dynamic, which is not supported.");
    if (json_object_get(query, "AccountId"))
        return invalid(check, "AccountId", "is not supported.");
    return period && !json_is_null(period) ? call_period(check->call, query, &period_s) : 0;
}

/* The one of that id before `end`; `end`: none. */
static size_t find_query(const struct queries *queries, const char *id, size_t end)
{
    size_t at = 0;
    while (at < end && strcmp(queries->items[at].id, id) != 0)
        at++;
    return at;
}

static int read_queries(struct queries *out, const json_t *list, const char *parameter)
{
    size_t i;
    json_t *json;
    int returned = 0;
    json_array_foreach(list, i, json)
    {
        struct check check = {out->call, parameter, i + 1};
        if (check_query(&check, json) < 0)
            return -1;
        out->items[i] =
            (struct query){.json = json,
                           .id = json_string_value(json_object_get(json, "Id")),
                           .expression = json_string_value(json_object_get(json, "Expression"))};
        if (find_query(out, out->items[i].id, i) < i)
            return call_fail(out->call, "ValidationError",
                             "The values for parameter id in %s are not unique.", parameter);
        returned += query_is_returned(&out->items[i]);
    }
    out->count = i;
    return returned ? 0
                    : call_fail(out->call, "ValidationError",
                                "At least one element of %s should return data.", parameter);
}

int query_is_returned(const struct query *query)
{
    return wire_truth(query->json, "ReturnData", 1);
}

/* -- metrics -- */

static int read_metric(struct queries *queries, const json_t *stat, struct metrics_query *query,
                       const char **name)
{
    struct metrics_call *call = queries->call;
    const json_t *metric = json_object_get(stat, "Metric");
    if (call_text(call, metric, "Namespace", 1, &query->series.name_space) < 0 ||
        call_text(call, metric, "MetricName", 1, &query->series.name) < 0 ||
        call_text(call, stat, "Stat", 1, name) < 0 ||
        call_text(call, stat, "Unit", 0, &query->unit) < 0 ||
        call_period(call, stat, &query->period_s) < 0)
        return -1;
    query->start_s = bins_round_down(queries->start_s, query->period_s);
    query->end_s = (int64_t)ceil(queries->end_s);
    if (!statistic_is_name(*name))
        return call_fail(call, "ValidationError",
                         "The value %.64s for parameter MetricStat.Stat is not supported.", *name);
    return (query->end_s - query->start_s) / query->period_s < DATA_MAX_DATAPOINTS
               ? 0
               : call_fail(call, "ValidationError", "The query asks for too many datapoints.");
}

static struct math_series *make_series(struct queries *queries, const struct bins *bins,
                                       const char *stat)
{
    struct math_series *series = arena_new(&queries->arena, struct math_series, 1);
    double *values = series ? arena_new(&queries->arena, double, bins->count + 1) : NULL;
    if (!values) {
        call_fail(queries->call, "ValidationError", "The queries ask for too many datapoints.");
        return NULL;
    }
    for (size_t i = 0; i < bins->count; i++)
        if (!bins->values[i] || statistic_by_name(bins->values[i], stat, &values[i]) < 0)
            values[i] = NAN;
    *series = (struct math_series){.values = values, .count = bins->count, .is_metric = 1};
    return series;
}

static int run_metric(struct queries *queries, struct query *own)
{
    const json_t *stat = json_object_get(own->json, "MetricStat");
    struct metrics_query query = {0};
    struct bins bins = {0};
    struct math_series *series = NULL;
    const char *name, *label;
    if (call_text(queries->call, own->json, "Label", 0, &label) < 0 ||
        read_metric(queries, stat, &query, &name) < 0)
        return -1;
    char *dimensions = call_dimensions(queries->call, json_object_get(stat, "Metric"));
    query.series.dimensions = dimensions;
    if (dimensions && bins_read(queries->call, &query, &bins) == 0)
        series = make_series(queries, &bins, name);
    bins_finish(&bins);
    free(dimensions);
    if (!series)
        return -1;
    series->start_s = query.start_s;
    series->period_s = query.period_s;
    series->label = label ? label : query.series.name;
    own->value = (struct math_value){.kind = MATH_SERIES, .series = series, .count = 1};
    return 0;
}

/* -- expressions -- */

/* The innermost expression that fails is the one that is named. */
static int run_expression(struct queries *queries, struct query *own)
{
    struct metrics_call *call = queries->call;
    struct err err = {0};
    if (math_evaluate(&queries->math, own->expression, &own->value, &err) == 0)
        return 0;
    if (!call->code && call->err.code == ERR_NONE)
        call_fail(call, "ValidationError", "Error in expression '%.80s': %s", own->id, err.message);
    return -1;
}

static int run_query(struct queries *queries, struct query *query)
{
    if (query->state == QUERY_DONE)
        return 0;
    if (query->state == QUERY_RUNNING)
        return call_fail(queries->call, "ValidationError",
                         "Error in expression '%.80s': it depends on itself.", query->id);
    query->state = QUERY_RUNNING;
    int result = query->expression ? run_expression(queries, query) : run_metric(queries, query);
    query->state = QUERY_DONE;
    return result;
}

static int find(void *context, const char *id, struct math_value *out, struct err *err)
{
    struct queries *queries = context;
    size_t at = find_query(queries, id, queries->count);
    if (at == queries->count)
        return err_set(err, ERR_INVALID, "There is no metric or expression '%.80s'.", id);
    if (run_query(queries, &queries->items[at]) < 0)
        return -1;
    *out = queries->items[at].value;
    return 0;
}

static int list(void *context, const char *part, struct math_value *out, struct err *err)
{
    struct queries *queries = context;
    *out = (struct math_value){.kind = MATH_LIST};
    out->series = arena_new(&queries->arena, struct math_series, queries->count + 1);
    if (!out->series)
        return err_set(err, ERR_INVALID, "The expressions ask for too many datapoints.");
    for (size_t i = 0; i < queries->count; i++) {
        struct query *query = &queries->items[i];
        if (query->expression || !strstr(query->id, part))
            continue;
        if (run_query(queries, query) < 0)
            return -1;
        out->series[out->count++] = *query->value.series;
    }
    return 0;
}

/* By the shortest of the periods that the queries have. */
static int frame(void *context, struct math_series *out, struct err *err)
{
    struct queries *queries = context;
    int64_t period_s = 0, own;
    for (size_t i = 0; i < queries->count; i++) {
        const json_t *json = queries->items[i].json, *stat = json_object_get(json, "MetricStat");
        if (wire_integer(stat ? stat : json, "Period", &own) == 1 && own > 0 &&
            (!period_s || own < period_s))
            period_s = own;
    }
    if (!period_s)
        return err_set(err, ERR_INVALID, "The expression needs a Period.");
    *out = (struct math_series){
        .period_s = period_s, .start_s = bins_round_down(queries->start_s, period_s), .label = ""};
    int64_t span_s = (int64_t)ceil(queries->end_s) - out->start_s;
    out->count = (size_t)(span_s / period_s + (span_s % period_s > 0));
    return span_s / period_s < DATA_MAX_DATAPOINTS
               ? 0
               : err_set(err, ERR_INVALID, "The expressions ask for too many datapoints.");
}

/* -- from outside -- */

int queries_init(struct metrics_call *call, const json_t *list_of, const char *parameter,
                 struct queries *out)
{
    size_t count = json_array_size(list_of);
    *out = (struct queries){.call = call};
    arena_init(&out->arena, MATH_MAX_BYTES);
    if (!count || count > DATA_MAX_QUERIES)
        return call_fail(call, "ValidationError", "The collection %s must have 1 to %d members.",
                         parameter, DATA_MAX_QUERIES);
    out->items = arena_new(&out->arena, struct query, count);
    if (!out->items)
        return err_set(&call->err, ERR_NO_MEMORY, "read metrics: out of memory");
    out->math = (struct math){.arena = &out->arena,
                              .context = out,
                              .now_s = call->now_ms / 1000,
                              .find = find,
                              .list = list,
                              .frame = frame};
    return read_queries(out, list_of, parameter);
}

void queries_finish(struct queries *queries)
{
    arena_finish(&queries->arena);
}

int queries_value(struct queries *queries, size_t at, struct math_value *out)
{
    if (run_query(queries, &queries->items[at]) < 0)
        return -1;
    *out = queries->items[at].value;
    return 0;
}

/* Is that member of the metrics' MetricStat not the same in all of them? */
static int differs(const struct queries *queries, const char *member)
{
    const json_t *first = NULL;
    int64_t one, other;
    for (size_t i = 0; i < queries->count; i++) {
        const json_t *stat = json_object_get(queries->items[i].json, "MetricStat");
        if (!stat)
            continue;
        first = first ? first : stat;
        if (wire_integer(first, member, &one) == 1 && wire_integer(stat, member, &other) == 1
                ? one != other
                : !json_equal(json_object_get(first, member), json_object_get(stat, member)))
            return 1;
    }
    return 0;
}

/* The metric's name, and what tells its query from the others: "Duration Average 60". */
static const char *metric_label(struct queries *queries, const struct query *query,
                                const char *name)
{
    const json_t *stat = json_object_get(query->json, "MetricStat");
    int64_t period = 0;
    char number[24] = "";
    int by_stat = differs(queries, "Stat");
    if (differs(queries, "Period") && wire_integer(stat, "Period", &period) == 1)
        snprintf(number, sizeof number, " %lld", (long long)period);
    const char *label =
        arena_printf(&queries->arena, "%s%s%s%s", name, by_stat ? " " : "",
                     by_stat ? json_string_value(json_object_get(stat, "Stat")) : "", number);
    return label ? label : name;
}

const char *query_label(struct queries *queries, const struct query *query,
                        const struct math_value *value, size_t at)
{
    const char *label = json_string_value(json_object_get(query->json, "Label"));
    const char *own = value->series[at].label;
    if (!query->expression)
        return label ? label : metric_label(queries, query, own);
    if (value->kind == MATH_SERIES)
        return label ? label : query->id;
    const char *both = label && *label ? arena_printf(&queries->arena, "%s %s", label, own) : own;
    return both ? both : own;
}
