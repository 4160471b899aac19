#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloudwatch/alarms.h"
#include "cloud/deliver.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an alarm tells: a topic gets AWS's message, a function AWS's event. */

static const char *text_of(const json_t *alarm, const char *name)
{
    const char *text = json_string_value(json_object_get(alarm, name));
    return text ? text : "";
}

/* "2026-11-23T05:31:29.123+0000" */
static json_t *time_text(const json_t *alarm, const char *name)
{
    char text[CLOCK_TEXT_BYTES];
    clock_text((int64_t)(json_number_value(json_object_get(alarm, name)) * 1000), text);
    return json_sprintf("%.23s+0000", text);
}

static json_t *dimensions_of(const json_t *alarm)
{
    size_t i;
    json_t *dimension, *out = json_array();
    json_array_foreach(json_object_get(alarm, "Dimensions"), i, dimension)
    {
        json_array_append_new(out,
                              json_pack("{s:O, s:O}", "value", json_object_get(dimension, "Value"),
                                        "name", json_object_get(dimension, "Name")));
    }
    return out;
}

static void copy_member(json_t *to, const json_t *from, const char *name)
{
    json_t *value = json_object_get(from, name);
    json_object_set(to, name, value ? value : json_null());
}

/* "AVERAGE", "SAMPLE_COUNT" is written so by AWS. */
static json_t *statistic_text(const json_t *alarm)
{
    char text[32];
    snprintf(text, sizeof text, "%s", text_of(alarm, "Statistic"));
    if (!strcmp(text, "SampleCount"))
        return json_string("SAMPLE_COUNT");
    for (char *p = text; *p; p++)
        *p = (char)toupper((unsigned char)*p);
    return json_string(text);
}

/* The metrics of an alarm on metric math, with dimensions as the message has them. */
static json_t *metrics_of(const json_t *alarm)
{
    size_t i;
    json_t *query, *out = json_deep_copy(json_object_get(alarm, "Metrics"));
    json_array_foreach(out, i, query)
    {
        json_t *metric = json_object_get(json_object_get(query, "MetricStat"), "Metric");
        if (metric)
            json_object_set_new(metric, "Dimensions", dimensions_of(metric));
    }
    return out;
}

static json_t *trigger_of(const json_t *alarm)
{
    static const char *const members[] = {"EvaluationPeriods", "Threshold", "ComparisonOperator"},
                             *const own[] = {"MetricName", "Namespace", "Unit"};
    json_t *trigger = json_object(), *metrics = metrics_of(alarm);
    int extended = *text_of(alarm, "ExtendedStatistic") != 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        copy_member(trigger, alarm, members[i]);
    for (size_t i = 0; !metrics && i < sizeof own / sizeof *own; i++)
        copy_member(trigger, alarm, own[i]);
    json_object_set_new(trigger, "Period", json_integer(alarms_period(alarm)));
    if (json_object_get(alarm, "DatapointsToAlarm"))
        copy_member(trigger, alarm, "DatapointsToAlarm");
    if (metrics) {
        json_object_set_new(trigger, "Metrics", metrics);
    } else {
        json_object_set_new(trigger, "StatisticType",
                            json_string(extended ? "ExtendedStatistic" : "Statistic"));
        if (extended)
            copy_member(trigger, alarm, "ExtendedStatistic");
        else
            json_object_set_new(trigger, "Statistic", statistic_text(alarm));
        json_object_set_new(trigger, "Dimensions", dimensions_of(alarm));
    }
    json_object_set_new(trigger, "TreatMissingData",
                        json_string(text_of(alarm, "TreatMissingData")));
    json_object_set_new(trigger, "EvaluateLowSampleCountPercentile",
                        json_string(text_of(alarm, "EvaluateLowSampleCountPercentile")));
    return trigger;
}

/* The children that a composite alarm's reason names. */
static json_t *children_of(const json_t *alarm)
{
    size_t i;
    json_t *child, *out = json_array(),
                   *data = json_loads(text_of(alarm, "StateReasonData"), 0, NULL);
    json_array_foreach(json_object_get(data, "triggeringAlarms"), i, child)
    {
        json_t *state = json_object_get(child, "state");
        json_array_append_new(out, json_pack("{s:s, s:{s:s, s:s}}", "Arn", text_of(child, "arn"),
                                             "State", "Value", text_of(state, "value"), "Timestamp",
                                             text_of(state, "timestamp")));
    }
    json_decref(data);
    return out;
}

static json_t *message_of(const struct cloud *cloud, const json_t *alarm, const json_t *old_state)
{
    static const char *const members[] = {"AlarmName",    "AlarmDescription",
                                          "AlarmArn",     "OKActions",
                                          "AlarmActions", "InsufficientDataActions"};
    json_t *message = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        copy_member(message, alarm, members[i]);
    json_object_set_new(message, "AWSAccountId", json_string(cloud->account_id));
    json_object_set_new(message, "AlarmConfigurationUpdatedTimestamp",
                        time_text(alarm, "AlarmConfigurationUpdatedTimestamp"));
    json_object_set_new(message, "NewStateValue", json_string(text_of(alarm, "StateValue")));
    json_object_set_new(message, "NewStateReason", json_string(text_of(alarm, "StateReason")));
    json_object_set_new(message, "StateChangeTime", time_text(alarm, "StateUpdatedTimestamp"));
    json_object_set_new(message, "Region", json_string(cloud->region));
    json_object_set_new(message, "OldStateValue", json_string(text_of(old_state, "StateValue")));
    if (!alarms_is_composite(alarm)) {
        json_object_set_new(message, "Trigger", trigger_of(alarm));
        return message;
    }
    copy_member(message, alarm, "AlarmRule");
    json_object_set_new(message, "TriggeringChildren", children_of(alarm));
    return message;
}

/* Of an event: dimensions as a map, and names as JSON usually has them. */
static json_t *event_metric(const json_t *from, int64_t period_s, const char *stat)
{
    size_t i;
    json_t *dimension, *dimensions = json_object();
    json_array_foreach(json_object_get(from, "Dimensions"), i, dimension)
    {
        json_object_set(dimensions, text_of(dimension, "Name"),
                        json_object_get(dimension, "Value"));
    }
    return json_pack("{s:{s:s, s:s, s:o}, s:I, s:s}", "metric", "namespace",
                     text_of(from, "Namespace"), "name", text_of(from, "MetricName"), "dimensions",
                     dimensions, "period", (json_int_t)period_s, "stat", stat);
}

static json_t *event_query(const json_t *query)
{
    const json_t *stat = json_object_get(query, "MetricStat");
    json_t *out = json_pack("{s:s, s:O}", "id", text_of(query, "Id"), "returnData",
                            json_object_get(query, "ReturnData"));
    if (stat)
        json_object_set_new(out, "metricStat",
                            event_metric(json_object_get(stat, "Metric"), alarms_period(stat),
                                         text_of(stat, "Stat")));
    else
        json_object_set(out, "expression", json_object_get(query, "Expression"));
    if (*text_of(query, "Label"))
        json_object_set(out, "label", json_object_get(query, "Label"));
    return out;
}

static json_t *configuration_of(const json_t *alarm)
{
    size_t i;
    json_t *query, *metrics = json_array(),
                   *out = json_pack("{s:s}", "description", text_of(alarm, "AlarmDescription"));
    const char *extended = text_of(alarm, "ExtendedStatistic");
    if (alarms_is_composite(alarm)) {
        json_decref(metrics);
        json_object_set(out, "alarmRule", json_object_get(alarm, "AlarmRule"));
        return out;
    }
    json_array_foreach(json_object_get(alarm, "Metrics"), i, query)
    {
        json_array_append_new(metrics, event_query(query));
    }
    if (!json_object_get(alarm, "Metrics"))
        json_array_append_new(
            metrics, json_pack("{s:s, s:o, s:b}", "id", "m1", "metricStat",
                               event_metric(alarm, alarms_period(alarm),
                                            *extended ? extended : text_of(alarm, "Statistic")),
                               "returnData", 1));
    json_object_set_new(out, "metrics", metrics);
    return out;
}

static json_t *event_state(const json_t *alarm)
{
    json_t *state = json_pack("{s:s, s:s, s:o}", "value", text_of(alarm, "StateValue"), "reason",
                              text_of(alarm, "StateReason"), "timestamp",
                              time_text(alarm, "StateUpdatedTimestamp"));
    const char *data = text_of(alarm, "StateReasonData");
    if (*data)
        json_object_set_new(state, "reasonData", json_string(data));
    return state;
}

static json_t *event_of(const struct cloud *cloud, const json_t *alarm, const json_t *old_state)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s, s:{s:s, s:o, s:o, s:o}}", "source",
                     "aws.cloudwatch", "alarmArn", text_of(alarm, "AlarmArn"), "accountId",
                     cloud->account_id, "time", time_text(alarm, "StateUpdatedTimestamp"), "region",
                     cloud->region, "alarmData", "alarmName", text_of(alarm, "AlarmName"), "state",
                     event_state(alarm), "previousState", event_state(old_state), "configuration",
                     configuration_of(alarm));
}

static const char *actions_of(const char *state)
{
    return !strcmp(state, "ALARM") ? "AlarmActions"
           : !strcmp(state, "OK")  ? "OKActions"
                                   : "InsufficientDataActions";
}

static int tell(const struct cloud *cloud, const json_t *alarm, const json_t *old_state,
                const char *arn)
{
    struct err err = {0};
    char subject[101];
    int is_function = !strncmp(arn, "arn:aws:lambda:", 15);
    json_t *json =
        is_function ? event_of(cloud, alarm, old_state) : message_of(cloud, alarm, old_state);
    char *text = json_dumps(json, JSON_COMPACT);
    /* SNS allows 100 characters. */
    snprintf(subject, sizeof subject, "%s: \"%.60s\" in %s", text_of(alarm, "StateValue"),
             text_of(alarm, "AlarmName"), cloud->region);
    struct delivery delivery = {.target_arn = arn,
                                .source_arn = text_of(alarm, "AlarmArn"),
                                .body = text,
                                .body_bytes = text ? strlen(text) : 0,
                                .subject = subject};
    int result = text ? cloud_deliver((struct cloud *)(uintptr_t)cloud, &delivery, &err) : -1;
    if (result < 0)
        log_line(LOG_WARN, "alarm %s: %s", text_of(alarm, "AlarmName"), err.message);
    free(text);
    json_decref(json);
    return result == 0;
}

int alarm_act(const struct cloud *cloud, const json_t *alarm, const json_t *old_state)
{
    size_t i;
    json_t *arn;
    int reached = 0;
    if (!json_is_true(json_object_get(alarm, "ActionsEnabled")))
        return 0;
    json_array_foreach(json_object_get(alarm, actions_of(text_of(alarm, "StateValue"))), i, arn)
    {
        reached += tell(cloud, alarm, old_state, json_string_value(arn));
    }
    return reached;
}
