#include "cloud/cloudwatch/bins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* GetMetricData. All datapoints of all queries, one after the other, are one row; a page is a part
 * of it, and NextToken is where the next one begins. */

struct page {
    size_t from, most; /* of the row */
    size_t at;         /* how much of the row was seen */
    double start_s, end_s;
    int descending;
    json_t *results;
};

static int invalid(struct metrics_call *call, const char *what, size_t number, const char *why)
{
    return call_fail(call, "ValidationError", "The parameter MetricDataQueries.member.%zu.%s %s",
                     number + 1, what, why);
}

/* -- checks -- */

static int id_is_valid(const char *id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    return *id >= 'a' && *id <= 'z' && strspn(id, letters) == strlen(id) && strlen(id) <= 255;
}

static int is_returned(const json_t *query)
{
    return wire_truth(query, "ReturnData", 1);
}

static int check_query(struct metrics_call *call, const json_t *query, size_t number)
{
    const char *id = json_string_value(json_object_get(query, "Id"));
    const char *label = json_string_value(json_object_get(query, "Label"));
    int has_metric = json_is_object(json_object_get(query, "MetricStat"));
    int has_math = json_is_string(json_object_get(query, "Expression"));
    if (!id)
        return invalid(call, "Id", number, "is required.");
    if (!id_is_valid(id))
        return call_fail(call, "ValidationError",
                         "The value for parameter MetricDataQueries.member.%zu.Id is not matching "
                         "the expected pattern ^[a-z][a-zA-Z0-9_]*$.",
                         number + 1);
    if (has_metric && has_math)
        return invalid(call, "Expression", number,
                       "and MetricStat are mutually exclusive and you have specified both.");
    if (has_math)
        return invalid(call, "Expression", number,
                       "is not supported: ken takes MetricStat, and no Expression.");
    if (!has_metric)
        return invalid(call, "MetricStat", number, "is required.");
    if (label && strstr(label, "${"))
        return invalid(call, "Label", number, "is dynamic, which is not supported.");
    return 0;
}

static int check_queries(struct metrics_call *call, const json_t *queries)
{
    size_t i;
    int returned = 0, result = 0;
    json_t *query, *seen = json_object();
    if (!json_array_size(queries) || json_array_size(queries) > DATA_MAX_QUERIES)
        result = call_fail(call, "ValidationError",
                           "The collection MetricDataQueries must have 1 to %d members.",
                           DATA_MAX_QUERIES);
    json_array_foreach(queries, i, query)
    {
        const char *id = json_string_value(json_object_get(query, "Id"));
        if (result == 0)
            result = check_query(call, query, i);
        if (result == 0 && json_object_get(seen, id))
            result = call_fail(call, "ValidationError",
                               "The values for parameter id in MetricDataQueries are not unique.");
        if (result == 0)
            json_object_set_new(seen, id, json_true());
        returned += is_returned(query);
    }
    json_decref(seen);
    if (result == 0 && !returned)
        return call_fail(call, "ValidationError",
                         "At least one element of MetricDataQueries should return data.");
    return result;
}

/* "+0130" */
static int is_timezone(const char *text)
{
    return strlen(text) == 5 && (*text == '+' || *text == '-') &&
           strspn(text + 1, "0123456789") == 4;
}

static int read_page(struct metrics_call *call, struct page *page)
{
    const char *scan, *token, *zone;
    char *end = NULL;
    double most = DATA_MAX_DATAPOINTS;
    int present;
    if (call_text(call, call->body, "ScanBy", 0, &scan) < 0 ||
        call_text(call, call->body, "NextToken", 0, &token) < 0 ||
        call_text(call, json_object_get(call->body, "LabelOptions"), "Timezone", 0, &zone) < 0 ||
        call_number(call, call->body, "MaxDatapoints", &most, &present) < 0 ||
        call_span(call, &page->start_s, &page->end_s) < 0)
        return -1;
    if (scan && strcmp(scan, "TimestampAscending") != 0 && strcmp(scan, "TimestampDescending") != 0)
        return call_fail(call, "ValidationError",
                         "Value '%.64s' at 'scanBy' failed to satisfy constraint: Member must "
                         "satisfy enum value set: [TimestampDescending, TimestampAscending]",
                         scan);
    if (most < 1 || most > DATA_MAX_DATAPOINTS || most != floor(most))
        return call_fail(call, "ValidationError", "MaxDatapoints must be 1 to %d.",
                         DATA_MAX_DATAPOINTS);
    if (zone && !is_timezone(zone))
        return call_fail(call, "ValidationError", "LabelOptions.Timezone is not like +0130.");
    page->from = token ? strtoull(token, &end, 10) : 0;
    if (token && (!*token || *end || strspn(token, "0123456789") != strlen(token)))
        return call_fail(call, "InvalidNextToken", "The NextToken is malformed.");
    page->most = (size_t)most;
    page->descending = !scan || strcmp(scan, "TimestampDescending") == 0;
    return 0;
}

/* -- results -- */

/* The part of a query's datapoints that is in the page. */
static json_t *make_result(struct page *page, const struct bins *bins,
                           const struct metrics_query *query, const char *stat)
{
    json_t *times = json_array(), *values = json_array();
    size_t end = page->from + page->most;
    for (size_t n = 0; n < bins->count; n++) {
        size_t i = page->descending ? bins->count - 1 - n : n;
        double value;
        if (!bins->values[i] || statistic_by_name(bins->values[i], stat, &value) < 0)
            continue;
        if (page->at >= page->from && page->at < end) {
            int64_t time_s = query->start_s + (int64_t)i * query->period_s;
            json_array_append_new(times, json_real((double)time_s));
            json_array_append_new(values, json_real(value));
        }
        page->at++;
    }
    return json_pack("{s:o,s:o,s:s}", "Timestamps", times, "Values", values, "StatusCode",
                     page->at > end ? "PartialData" : "Complete");
}

static int read_metric(struct metrics_call *call, const json_t *stat, const struct page *page,
                       struct metrics_query *query, const char **name)
{
    const json_t *metric = json_object_get(stat, "Metric");
    if (call_text(call, metric, "Namespace", 1, &query->series.name_space) < 0 ||
        call_text(call, metric, "MetricName", 1, &query->series.name) < 0 ||
        call_text(call, stat, "Stat", 1, name) < 0 ||
        call_text(call, stat, "Unit", 0, &query->unit) < 0 ||
        call_period(call, stat, &query->period_s) < 0)
        return -1;
    query->start_s = bins_round_down(page->start_s, query->period_s);
    query->end_s = (int64_t)ceil(page->end_s);
    if (!statistic_is_name(*name))
        return call_fail(call, "ValidationError",
                         "The value %.64s for parameter MetricStat.Stat is not supported.", *name);
    return (query->end_s - query->start_s) / query->period_s < DATA_MAX_DATAPOINTS
               ? 0
               : call_fail(call, "ValidationError", "The query asks for too many datapoints.");
}

/* Results of earlier pages are not told again. */
static void keep(struct page *page, const json_t *from, json_t *result, const char *label)
{
    int is_over = page->from && page->at <= page->from;
    if (!is_returned(from) || is_over) {
        json_decref(result);
        return;
    }
    json_object_set(result, "Id", json_object_get(from, "Id"));
    json_object_set_new(result, "Label", json_string(label));
    json_array_append_new(page->results, result);
}

static int run_query(struct metrics_call *call, const json_t *from, struct page *page)
{
    const json_t *stat = json_object_get(from, "MetricStat");
    struct metrics_query query = {0};
    struct bins bins = {0};
    const char *name, *label;
    if (call_text(call, from, "Label", 0, &label) < 0 ||
        read_metric(call, stat, page, &query, &name) < 0)
        return -1;
    char *dimensions = call_dimensions(call, json_object_get(stat, "Metric"));
    query.series.dimensions = dimensions;
    int result = dimensions ? 0 : -1;
    if (result == 0 && is_returned(from))
        result = bins_read(call, &query, &bins);
    if (result == 0)
        keep(page, from, make_result(page, &bins, &query, name), label ? label : query.series.name);
    bins_finish(&bins);
    free(dimensions);
    return result;
}

int get_metric_data(struct metrics_call *call)
{
    const json_t *queries = json_object_get(call->body, "MetricDataQueries");
    struct page page = {.results = json_array()};
    size_t i;
    json_t *query;
    json_object_set_new(call->answer, "MetricDataResults", page.results);
    json_object_set_new(call->answer, "Messages", json_array());
    if (read_page(call, &page) < 0 || check_queries(call, queries) < 0)
        return -1;
    json_array_foreach(queries, i, query)
    {
        if (run_query(call, query, &page) < 0)
            return -1;
    }
    if (page.at > page.from + page.most)
        json_object_set_new(call->answer, "NextToken", json_sprintf("%zu", page.from + page.most));
    return 0;
}
