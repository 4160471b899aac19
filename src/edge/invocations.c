#include "edge/invocations.h"

#include "aws/client.h"
#include "aws/json.h"
#include "edge/uplink.h"

#include <stdlib.h>
#include <string.h>

enum { MINUTE_S = 60 };

static char *question(const struct deployment *deployment, int64_t from_unix_ms, int64_t to_unix_ms)
{
    json_int_t from_s = from_unix_ms / 1000 / MINUTE_S * MINUTE_S;
    json_int_t to_s = (to_unix_ms / 1000 / MINUTE_S + 1) * MINUTE_S;
    json_t *body = json_pack("{ss ss s[{ss ss}] sI sI si s[s]}", "Namespace", "AWS/Lambda",
                             "MetricName", "Invocations", "Dimensions", "Name", "FunctionName",
                             "Value", deployment->function, "StartTime", from_s, "EndTime", to_s,
                             "Period", MINUTE_S, "Statistics", "Sum");
    char *text = body ? json_dumps(body, 0) : NULL;
    json_decref(body);
    return text;
}

static int64_t add_up(const json_t *answer)
{
    double sum = 0;
    size_t i;
    const json_t *point;
    json_array_foreach(json_object_get(answer, "Datapoints"), i, point) sum +=
        json_number_value(json_object_get(point, "Sum"));
    return (int64_t)(sum + 0.5);
}

static int64_t ask(struct aws_client *client, const char *body, struct err *err)
{
    json_t *answer = aws_json_target(client, AWS_CLOUDWATCH, "GraniteServiceVersion20100801",
                                     "GetMetricStatistics", body, err);
    int64_t count = answer ? add_up(answer) : -1;
    json_decref(answer);
    return count;
}

int64_t invocations_count(const struct deployment *deployment, int64_t from_unix_ms,
                          int64_t to_unix_ms, struct err *err)
{
    struct aws_config config;
    if (uplink_config(&config, deployment, err) < 0)
        return -1;
    struct aws_client *client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    char *body = question(deployment, from_unix_ms, to_unix_ms);
    int64_t count = -1;
    if (client && body)
        count = ask(client, body, err);
    else if (client)
        err_set(err, ERR_NO_MEMORY, "ask CloudWatch");
    free(body);
    aws_client_destroy(client);
    return count;
}
