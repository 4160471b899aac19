#include "cloud/cloudwatch/bins.h"
#include "cloud/cloudwatch/queries.h"

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

/* The part of a series that is in the page. */
static json_t *make_result(struct page *page, const struct math_series *series)
{
    json_t *times = json_array(), *values = json_array();
    size_t end = page->from + page->most;
    for (size_t n = 0; n < series->count; n++) {
        size_t i = page->descending ? series->count - 1 - n : n;
        if (isnan(series->values[i]))
            continue;
        if (page->at >= page->from && page->at < end) {
            int64_t time_s = series->start_s + (int64_t)i * series->period_s;
            json_array_append_new(times, json_real((double)time_s));
            json_array_append_new(values, json_real(series->values[i]));
        }
        page->at++;
    }
    return json_pack("{s:o,s:o,s:s}", "Timestamps", times, "Values", values, "StatusCode",
                     page->at > end ? "PartialData" : "Complete");
}

/* Results of earlier pages are not told again. */
static void keep(struct page *page, json_t *result, const char *id, const char *label)
{
    if (page->from && page->at <= page->from) {
        json_decref(result);
        return;
    }
    json_object_set_new(result, "Id", json_string(id));
    json_object_set_new(result, "Label", json_string(label));
    json_array_append_new(page->results, result);
}

/* Also those that are not returned are computed, so that what is wrong with them is told. */
static int run_query(struct queries *queries, size_t at, struct page *page)
{
    const struct query *query = &queries->items[at];
    struct math_value value;
    if (!query->expression && !query_is_returned(query))
        return 0;
    if (queries_value(queries, at, &value) < 0)
        return -1;
    for (size_t i = 0; query_is_returned(query) && i < value.count; i++)
        keep(page, make_result(page, &value.series[i]), query->id,
             query_label(queries, query, &value, i));
    return 0;
}

int get_metric_data(struct metrics_call *call)
{
    struct page page = {.results = json_array()};
    struct queries queries = {0};
    json_object_set_new(call->answer, "MetricDataResults", page.results);
    json_object_set_new(call->answer, "Messages", json_array());
    if (read_page(call, &page) < 0)
        return -1;
    int result = queries_init(call, json_object_get(call->body, "MetricDataQueries"),
                              "MetricDataQueries", &queries);
    queries.start_s = page.start_s;
    queries.end_s = page.end_s;
    for (size_t i = 0; result == 0 && i < queries.count; i++)
        result = run_query(&queries, i, &page);
    if (result == 0 && page.at > page.from + page.most)
        json_object_set_new(call->answer, "NextToken", json_sprintf("%zu", page.from + page.most));
    queries_finish(&queries);
    return result;
}
