#ifndef CLOUD_CLOUDWATCH_QUERIES_H
#define CLOUD_CLOUDWATCH_QUERIES_H

#include "cloud/cloudwatch/expression.h"
#include "cloud/cloudwatch/operations.h"

/* A list of MetricDataQueries: metrics, and expressions over them. Each is read or computed when
 * it is first asked for. */
struct query {
    const json_t *json;
    const char *id, *expression; /* expression NULL: a metric */
    int state;
    struct math_value value;
};

struct queries {
    struct metrics_call *call;
    struct query *items; /* as many as there are */
    size_t count;
    double start_s, end_s;
    struct arena arena;
    struct math math;
};

/* Checks `list`, which the parameter `parameter` is, and fills `out`; the call says what is wrong.
 * queries_finish() it also then. */
int queries_init(struct metrics_call *call, const json_t *list, const char *parameter,
                 struct queries *out) MUST_USE;
void queries_finish(struct queries *queries);
/* One's value between start_s and end_s, which are to be set: a series, or a list of them. */
int queries_value(struct queries *queries, size_t at, struct math_value *out) MUST_USE;
int query_is_returned(const struct query *query);
/* What a series of the query's value is called. */
const char *query_label(struct queries *queries, const struct query *query,
                        const struct math_value *value, size_t at);

#endif
