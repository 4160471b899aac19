#include "aws/cloudwatch.h"

#include "aws/json.h"

#include <stdlib.h>

#define TARGET "GraniteServiceVersion20100801"
enum { MINUTE_S = 60, MAX_POINTS = 1440 };

/* The shortest period of whole minutes that keeps to the limit of points in an answer. */
static int64_t period_of(int64_t seconds)
{
    int64_t period = MINUTE_S;
    while (seconds / period >= MAX_POINTS)
        period += MINUTE_S;
    return period;
}

int aws_cloudwatch_sum(struct aws_client *client, const struct cloudwatch_query *query, double *sum,
                       struct err *err)
{
    int64_t start_s = query->start_unix_s - query->start_unix_s % MINUTE_S;
    int64_t end_s = (query->end_unix_s / MINUTE_S + 1) * MINUTE_S;
    json_t *body =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:[s]}", "Namespace", query->name_space, "MetricName",
                  query->metric, "StartTime", (json_int_t)start_s, "EndTime", (json_int_t)end_s,
                  "Period", (json_int_t)period_of(end_s - start_s), "Statistics", "Sum");
    if (body && query->dimension)
        json_object_set_new(
            body, "Dimensions",
            json_pack("[{s:s, s:s}]", "Name", query->dimension, "Value", query->value));
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "GetMetricStatistics: out of memory");
    json_t *answer =
        aws_json_target(client, AWS_CLOUDWATCH, TARGET, "GetMetricStatistics", text, err);
    free(text);
    if (!answer)
        return -1;
    size_t index;
    const json_t *point;
    *sum = 0;
    json_array_foreach(json_object_get(answer, "Datapoints"), index, point)
    {
        *sum += json_number_value(json_object_get(point, "Sum"));
    }
    json_decref(answer);
    return 0;
}
