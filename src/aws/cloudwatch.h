#ifndef AWS_CLOUDWATCH_H
#define AWS_CLOUDWATCH_H

#include "aws/client.h"

#include <stdint.h>

/* Reading metrics. JSON 1.0, one of the protocols CloudWatch speaks.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html */

struct cloudwatch_query {
    const char *name_space, *metric; /* "AWS/Lambda", "Invocations" */
    const char *dimension, *value;   /* "FunctionName", "ken-function"; NULL for none */
    int64_t start_unix_s, end_unix_s;
};

/* The sum of a metric's values over the time, 0 when there are none. */
int aws_cloudwatch_sum(struct aws_client *client, const struct cloudwatch_query *query, double *sum,
                       struct err *err) MUST_USE;

#endif
