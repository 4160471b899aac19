#include "edge/invocations.h"

#include "aws/cloudwatch.h"
#include "edge/uplink.h"

#include <string.h>

int64_t invocations_count(const struct deployment *deployment, int64_t from_unix_ms,
                          int64_t to_unix_ms, struct err *err)
{
    struct aws_config config;
    const struct cloudwatch_query query = {
        .name_space = "AWS/Lambda",
        .metric = "Invocations",
        .dimension = "FunctionName",
        .value = deployment->function,
        .start_unix_s = from_unix_ms / 1000,
        .end_unix_s = to_unix_ms / 1000,
    };
    double sum = 0;
    if (uplink_config(&config, deployment, err) < 0)
        return -1;
    struct aws_client *client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    int result = client ? aws_cloudwatch_sum(client, &query, &sum, err) : -1;
    aws_client_destroy(client);
    return result < 0 ? -1 : (int64_t)(sum + 0.5);
}
