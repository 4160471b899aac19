#include "cloud/access.h"
#include "cloud/cloudwatch/alarms.h"
#include "cloud/services.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define ALARM_PARAMETERS                                                                           \
    "AlarmName AlarmDescription ActionsEnabled OKActions AlarmActions InsufficientDataActions "    \
    "MetricName Namespace Statistic ExtendedStatistic Dimensions Period Unit EvaluationPeriods "   \
    "DatapointsToAlarm Threshold ComparisonOperator TreatMissingData "                             \
    "EvaluateLowSampleCountPercentile Metrics Tags ThresholdMetricId EvaluationCriteria "          \
    "EvaluationInterval"

static const struct operation {
    const char *name;
    cloudwatch_operation *run;
    const char *parameters;
} operations[] = {
    {"DeleteAlarms", delete_alarms, "AlarmNames"},
    {"DescribeAlarmHistory", describe_alarm_history,
     "AlarmName AlarmTypes HistoryItemType StartDate EndDate MaxRecords NextToken ScanBy"},
    {"DescribeAlarms", describe_alarms,
     "AlarmNames AlarmNamePrefix AlarmTypes StateValue ActionPrefix MaxRecords NextToken"},
    {"DescribeAlarmsForMetric", describe_alarms_for_metric,
     "MetricName Namespace Statistic ExtendedStatistic Dimensions Period Unit"},
    {"DisableAlarmActions", disable_alarm_actions, "AlarmNames"},
    {"EnableAlarmActions", enable_alarm_actions, "AlarmNames"},
    {"GetMetricData", get_metric_data,
     "MetricDataQueries StartTime EndTime ScanBy MaxDatapoints NextToken LabelOptions"},
    {"GetMetricStatistics", get_metric_statistics,
     "Namespace MetricName Dimensions StartTime EndTime Period Statistics ExtendedStatistics Unit"},
    {"ListMetrics", list_metrics,
     "Namespace MetricName Dimensions NextToken RecentlyActive "
     "IncludeLinkedAccounts"},
    {"ListTagsForResource", list_alarm_tags, "ResourceARN"},
    {"PutCompositeAlarm", put_composite_alarm,
     "AlarmName AlarmDescription AlarmRule ActionsEnabled OKActions AlarmActions "
     "InsufficientDataActions Tags ActionsSuppressor ActionsSuppressorWaitPeriod "
     "ActionsSuppressorExtensionPeriod"},
    {"PutMetricAlarm", put_metric_alarm, ALARM_PARAMETERS},
    {"PutMetricData", put_metric_data, "Namespace MetricData"},
    {"SetAlarmState", set_alarm_state, "AlarmName StateValue StateReason StateReasonData"},
    {"TagResource", tag_alarm, "ResourceARN Tags"},
    {"UntagResource", untag_alarm, "ResourceARN TagKeys"},
};

static const struct wire_name names[] = {
    {"ExtendedStatistics", "ExtendedStatistics", WIRE_ENTRY, "GetMetricStatistics"},
};

static const struct wire_error errors[] = {
    {"InvalidParameterValue", "InvalidParameterValueException", 400},
    {"InvalidParameterCombination", "InvalidParameterCombinationException", 400},
    {"MissingParameter", "MissingRequiredParameterException", 400},
    {"InternalServiceError", "InternalServiceFault", 500},
    {"LimitExceeded", "LimitExceededFault", 400},
    {"InvalidFormat", "InvalidFormatFault", 400},
    {"ResourceNotFound", "ResourceNotFound", 404},
    {"ResourceNotFoundException", "ResourceNotFoundException", 404},
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

struct cloudwatch {
    struct metrics *metrics;
    struct alarms *alarms;
};

/* The alarm that is named, else "*": metrics have no ARN. */
static int authorize(struct exchange *x, const struct wire *wire, const struct alarms *alarms)
{
    const struct cloud *cloud = alarms_cloud(alarms);
    const char *name = json_string_value(json_object_get(wire->body, "AlarmName"));
    const char *arn = json_string_value(json_object_get(wire->body, "ResourceARN"));
    const json_t *several = json_object_get(wire->body, "AlarmNames");
    char *action = arena_printf(&x->arena, "cloudwatch:%s", wire->operation);
    size_t count = json_array_size(several), i = 0;
    do {
        if (count)
            name = json_string_value(json_array_get(several, i));
        char *own = name ? arena_printf(&x->arena, "arn:aws:cloudwatch:%s:%s:alarm:%s",
                                        cloud->region, cloud->account_id, name)
                         : NULL;
        if (exchange_authorize(x, action ? action : "", own ? own : arn ? arn : "*") < 0)
            return -1;
    } while (++i < count);
    return 0;
}

static void run(struct exchange *x, struct wire *wire, const struct operation *operation,
                struct metrics_call *call)
{
    const char *unknown = wire_unknown(wire, operation->parameters);
    if (unknown) {
        call_fail(call, "InvalidParameterValue", "%s has no parameter %s, or ken has it not.",
                  operation->name, unknown);
        fail(x, wire, call);
    } else if (authorize(x, wire, call->alarms) < 0) {
        return;
    } else if (operation->run(call) < 0) {
        fail(x, wire, call);
    } else {
        wire_answer(x, wire, call->answer);
    }
}

static void handle(void *self, struct exchange *x)
{
    struct cloudwatch *own = self;
    struct wire wire;
    struct metrics_call call = {
        .metrics = own->metrics, .alarms = own->alarms, .now_ms = x->received_unix_ms};
    if (wire_read(x, &wire_service, &wire, &call.err) < 0) {
        wire_fail(x, &wire, "MalformedInput", call.err.message);
        return;
    }
    const struct operation *operation = find_operation(wire.operation);
    call.body = wire.body;
    call.answer = json_object();
    if (operation)
        run(x, &wire, operation, &call);
    else
        wire_fail(x, &wire, "InvalidAction",
                  arena_printf(&x->arena, "ken does not have CloudWatch's operation %s.",
                               wire.operation));
    json_decref(call.answer);
    json_decref(wire.body);
}

static int start(void *self, struct err *err)
{
    return alarms_start(((struct cloudwatch *)self)->alarms, err);
}

static void stop(void *self)
{
    alarms_stop(((struct cloudwatch *)self)->alarms);
}

static void destroy(void *self)
{
    struct cloudwatch *own = self;
    alarms_close(own->alarms);
    metrics_close(own->metrics);
    free(own);
}

int cloudwatch_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    struct cloudwatch *own = calloc(1, sizeof *own);
    if (!own)
        return err_set(err, ERR_NO_MEMORY, "start CloudWatch: out of memory");
    if (cloud_path(cloud, "metrics.sqlite", path, sizeof path, err) == 0)
        own->metrics = metrics_open(path, err);
    if (own->metrics)
        own->alarms = alarms_open(cloud, own->metrics, err);
    if (!own->alarms) {
        metrics_close(own->metrics);
        free(own);
        return -1;
    }
    cloud->metrics = own->metrics;
    struct service service = {.name = "monitoring",
                              .error_form = ERROR_FORM_QUERY,
                              .handle = handle,
                              .start = start,
                              .stop = stop,
                              .destroy = destroy,
                              .self = own};
    return cloud_add(cloud, &service, err);
}
