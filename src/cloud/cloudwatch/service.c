#include "cloud/cloudwatch/operations.h"
#include "cloud/services.h"

#include "base/log.h"

#include <string.h>

static const struct operation {
    const char *name;
    cloudwatch_operation *run;
} operations[] = {
    {"GetMetricData", get_metric_data},
    {"GetMetricStatistics", get_metric_statistics},
    {"ListMetrics", list_metrics},
    {"PutMetricData", put_metric_data},
};

static const struct wire_name names[] = {
    {"ExtendedStatistics", "ExtendedStatistics", WIRE_ENTRY, "GetMetricStatistics"},
};

static const struct wire_error errors[] = {
    {"InvalidParameterValue", "InvalidParameterValueException", 400},
    {"InvalidParameterCombination", "InvalidParameterCombinationException", 400},
    {"MissingParameter", "MissingRequiredParameterException", 400},
    {"InternalServiceError", "InternalServiceFault", 500},
};

static const struct wire_service wire_service = {
    .target = "GraniteServiceVersion20100801",
    .name_space = "http://monitoring.amazonaws.com/doc/2010-08-01/",
    .shape_prefix = "com.amazonaws.cloudwatch.v2010_08_01#",
    .has_times = 1,
    .names = names,
    .name_count = sizeof names / sizeof *names,
    .errors = errors,
    .error_count = sizeof errors / sizeof *errors,
};

static const struct operation *find_operation(const char *name)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(operations[i].name, name))
            return &operations[i];
    return NULL;
}

static void fail(struct exchange *x, const struct wire *wire, const struct metrics_call *call)
{
    if (call->code) {
        wire_fail(x, wire, call->code, call->err.message);
    } else if (call->err.code == ERR_INVALID) {
        wire_fail(x, wire, "InvalidParameterValue", call->err.message);
    } else {
        log_line(LOG_ERROR, "cloudwatch: %s", call->err.message);
        wire_fail(x, wire, "InternalServiceError", "The service failed.");
    }
}

static void handle(void *self, struct exchange *x)
{
    struct wire wire;
    struct metrics_call call = {.metrics = self, .now_ms = x->received_unix_ms};
    if (wire_read(x, &wire_service, &wire, &call.err) < 0) {
        wire_fail(x, &wire, "MalformedInput", call.err.message);
        return;
    }
    const struct operation *operation = find_operation(wire.operation);
    call.body = wire.body;
    call.answer = json_object();
    if (!operation)
        wire_fail(x, &wire, "InvalidAction", "ken does not have this operation of CloudWatch.");
    else if (operation->run(&call) < 0)
        fail(x, &wire, &call);
    else
        wire_answer(x, &wire, call.answer);
    json_decref(call.answer);
    json_decref(wire.body);
}

static void destroy(void *self)
{
    metrics_close(self);
}

int cloudwatch_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    if (cloud_path(cloud, "metrics.sqlite", path, sizeof path, err) < 0)
        return -1;
    struct metrics *metrics = metrics_open(path, err);
    if (!metrics)
        return -1;
    cloud->metrics = metrics;
    struct service service = {.name = "monitoring",
                              .error_form = ERROR_FORM_QUERY,
                              .handle = handle,
                              .destroy = destroy,
                              .self = metrics};
    return cloud_add(cloud, &service, err);
}
