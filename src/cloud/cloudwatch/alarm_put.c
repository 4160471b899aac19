#include "cloud/cloudwatch/alarm_call.h"
#include "cloud/cloudwatch/verdict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PutMetricAlarm. */

static const char *const comparisons[] = {"GreaterThanOrEqualToThreshold", "GreaterThanThreshold",
                                          "LessThanThreshold", "LessThanOrEqualToThreshold", NULL};
static const char *const treatments[] = {"breaching", "notBreaching", "ignore", "missing", NULL};
static const char *const statistics[] = {"SampleCount", "Average", "Sum",
                                         "Minimum",     "Maximum", NULL};
static const char *const low_samples[] = {"evaluate", "ignore", NULL};

/* "a, b and c" */
static void list_choices(const char *const *choices, const char *last, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; choices[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 !i               ? ""
                                 : choices[i + 1] ? ", "
                                                  : last,
                                 choices[i]);
}

/* In AWS's two ways: the operator is an enumeration of the API, the others are options. */
static int refuse_choice(struct metrics_call *call, const char *name, const char *text,
                         const char *const *choices)
{
    char list[512] = "";
    if (strcmp(name, "ComparisonOperator") == 0) {
        list_choices(choices, ", ", list, sizeof list);
        return call_fail(call, "ValidationError",
                         "1 validation error detected: Value '%.64s' at 'comparisonOperator' "
                         "failed to satisfy constraint: Member must satisfy enum value set: [%s]",
                         text, list);
    }
    list_choices(choices, " and ", list, sizeof list);
    return call_fail(call, "ValidationError",
                     "Option %.64s is not supported. Supported options for parameter %s are %s.",
                     text, name, list);
}

/* Copies a text that must be one of the choices; absent is fine. */
static int copy_choice(struct metrics_call *call, json_t *alarm, const char *name,
                       const char *const *choices)
{
    const char *text;
    if (call_text(call, call->body, name, 0, &text) < 0)
        return -1;
    if (text && !alarm_is_one_of(text, choices))
        return refuse_choice(call, name, text, choices);
    return text ? json_object_set_new(alarm, name, json_string(text)) : 0;
}

static int copy_whole(struct metrics_call *call, json_t *alarm, const char *name, double most)
{
    double value;
    int present;
    if (call_number(call, call->body, name, &value, &present) < 0)
        return -1;
    if (present && (value < 1 || value > most || value != floor(value)))
        return alarm_invalid(call, name, "Member must be a whole number within its limits");
    return present ? json_object_set_new(alarm, name, json_integer((json_int_t)value)) : 0;
}

static int copy_actions(struct metrics_call *call, json_t *alarm, const char *name)
{
    json_t *list = json_object_get(call->body, name), *arn;
    size_t i;
    if (json_array_size(list) > ALARMS_MAX_ACTIONS)
        return alarm_invalid(call, name, "Member must have at most 5 elements");
    json_array_foreach(list, i, arn)
    {
        const char *text = json_string_value(arn);
        if (!text ||
            (strncmp(text, "arn:aws:sns:", 12) != 0 && strncmp(text, "arn:aws:lambda:", 15) != 0))
            return call_fail(call, "ValidationError",
                             "Invalid %s: ken acts through topics and functions, not by %.200s",
                             name, text ? text : "what is no text");
    }
    return json_object_set_new(alarm, name, list ? json_deep_copy(list) : json_array());
}

static int copy_statistic(struct metrics_call *call, json_t *alarm)
{
    const char *plain = alarm_text(call->body, "Statistic"),
               *extended = alarm_text(call->body, "ExtendedStatistic");
    if (!plain == !extended)
        return call_fail(call, "ValidationError",
                         "Exactly one of Statistic and ExtendedStatistic must be specified");
    if (extended && (extended[0] != 'p' || !statistic_is_name(extended)))
        return call_fail(call, "InvalidParameterValue",
                         "The value %.64s for parameter ExtendedStatistic is not supported.",
                         extended);
    if (extended)
        return json_object_set_new(alarm, "ExtendedStatistic", json_string(extended));
    return copy_choice(call, alarm, "Statistic", statistics);
}

static int copy_metric(struct metrics_call *call, json_t *alarm)
{
    if (json_object_get(call->body, "Metrics"))
        return alarm_copy_metrics(call, alarm);
    static const char *const names[] = {"MetricName", "Namespace"};
    const char *text, *unit;
    for (size_t i = 0; i < 2; i++) {
        if (call_text(call, call->body, names[i], 1, &text) < 0)
            return -1;
        json_object_set_new(alarm, names[i], json_string(text));
    }
    if (call_text(call, call->body, "Unit", 0, &unit) < 0)
        return -1;
    if (unit && !unit_is_name(unit))
        return alarm_invalid(call, "unit", "Member must satisfy enum value set");
    if (unit)
        json_object_set_new(alarm, "Unit", json_string(unit));
    char *dimensions = call_dimensions(call, call->body);
    if (!dimensions)
        return -1;
    json_object_set_new(alarm, "dimensions", json_string(dimensions));
    free(dimensions);
    json_t *list = json_object_get(call->body, "Dimensions");
    json_object_set_new(alarm, "Dimensions", list ? json_deep_copy(list) : json_array());
    return copy_statistic(call, alarm) < 0 || copy_whole(call, alarm, "Period", 604800) < 0 ? -1
                                                                                            : 0;
}

static int check_period(struct metrics_call *call, const json_t *alarm)
{
    json_int_t period = alarms_period(alarm);
    json_int_t periods = json_integer_value(json_object_get(alarm, "EvaluationPeriods"));
    json_int_t to_alarm = json_integer_value(json_object_get(alarm, "DatapointsToAlarm"));
    if (!period || !periods)
        return call_fail(call, "ValidationError", "Period and EvaluationPeriods are required");
    if (period != 10 && period != 20 && period != 30 && period % 60 != 0)
        return call_fail(call, "ValidationError", "Period must be 10, 20, 30 or a multiple of 60");
    if (period * periods > (period >= 3600 ? 604800 : 86400))
        return call_fail(call, "ValidationError",
                         "Metrics cannot be checked across more than a day (EvaluationPeriods * "
                         "Period must be <= 86400).");
    return to_alarm <= periods ? 0
                               : call_fail(call, "ValidationError",
                                           "DatapointsToAlarm must be at most EvaluationPeriods");
}

static int copy_threshold(struct metrics_call *call, json_t *alarm)
{
    double threshold;
    int present;
    if (call_number(call, call->body, "Threshold", &threshold, &present) < 0)
        return -1;
    if (!present)
        return call_fail(call, "ValidationError", "Threshold is required");
    json_object_set_new(alarm, "Threshold", json_real(threshold));
    if (!alarm_text(call->body, "ComparisonOperator"))
        return call_fail(call, "MissingParameter", "The parameter ComparisonOperator is required.");
    return copy_choice(call, alarm, "ComparisonOperator", comparisons);
}

static int refuse_others(struct metrics_call *call)
{
    static const char *const others[] = {"ThresholdMetricId", "EvaluationCriteria",
                                         "EvaluationInterval"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(call->body, others[i]))
            return call_fail(call, "ValidationError", "The parameter %s is not supported.",
                             others[i]);
    return 0;
}

static int copy_description(struct metrics_call *call, json_t *alarm)
{
    const char *text = alarm_text(call->body, "AlarmDescription");
    if (text && strlen(text) > 1024)
        return alarm_invalid(call, "alarmDescription",
                             "Member must have length less than or equal to 1024");
    return text ? json_object_set_new(alarm, "AlarmDescription", json_string(text)) : 0;
}

int alarm_copy_common(struct metrics_call *call, json_t *alarm)
{
    if (copy_description(call, alarm) < 0 || copy_actions(call, alarm, "OKActions") < 0 ||
        copy_actions(call, alarm, "AlarmActions") < 0 ||
        copy_actions(call, alarm, "InsufficientDataActions") < 0)
        return -1;
    return json_object_set_new(alarm, "ActionsEnabled",
                               json_boolean(wire_truth(call->body, "ActionsEnabled", 1)));
}

static int fill_alarm(struct metrics_call *call, json_t *alarm)
{
    if (refuse_others(call) < 0 || copy_metric(call, alarm) < 0 ||
        copy_threshold(call, alarm) < 0 ||
        copy_whole(call, alarm, "EvaluationPeriods", ALARM_MAX_PERIODS) < 0 ||
        copy_whole(call, alarm, "DatapointsToAlarm", ALARM_MAX_PERIODS) < 0 ||
        check_period(call, alarm) < 0 ||
        copy_choice(call, alarm, "TreatMissingData", treatments) < 0 ||
        copy_choice(call, alarm, "EvaluateLowSampleCountPercentile", low_samples) < 0)
        return -1;
    return alarm_copy_common(call, alarm);
}

/* A new alarm starts unchecked; a changed one keeps its state and tags. */
static void keep_state(struct metrics_call *call, json_t *alarm, const json_t *old)
{
    static const char *const members[] = {"StateValue",
                                          "StateReason",
                                          "StateReasonData",
                                          "StateUpdatedTimestamp",
                                          "StateTransitionedTimestamp",
                                          "tags",
                                          "pending"};
    double now_s = (double)call->now_ms / 1000;
    for (size_t i = 0; old && i < sizeof members / sizeof *members; i++)
        if (json_object_get(old, members[i]))
            json_object_set(alarm, members[i], json_object_get(old, members[i]));
    json_object_set_new(alarm, "AlarmConfigurationUpdatedTimestamp", json_real(now_s));
    if (old)
        return;
    json_object_set_new(alarm, "StateValue", json_string("INSUFFICIENT_DATA"));
    json_object_set_new(alarm, "StateReason", json_string("Unchecked: Initial alarm creation"));
    json_object_set_new(alarm, "StateUpdatedTimestamp", json_real(now_s));
    json_object_set_new(alarm, "StateTransitionedTimestamp", json_real(now_s));
}

/* An alarm of the other kind may have that name: names are of both. */
static int check_kind(struct metrics_call *call, const json_t *old, const json_t *alarm)
{
    int is_composite = alarms_is_composite(old);
    return !old || is_composite == alarms_is_composite(alarm)
               ? 0
               : call_fail(call, "ValidationError", "A %s alarm of that name exists already.",
                           is_composite ? "composite" : "metric");
}

static int store(struct metrics_call *call, const char *name, json_t *alarm)
{
    json_t *old = alarms_find(call->alarms, name), *all = alarms_all(call->alarms);
    size_t count = json_array_size(all);
    int is_new = !old, result = check_kind(call, old, alarm);
    json_decref(all);
    keep_state(call, alarm, old);
    json_decref(old);
    if (is_new) {
        json_t *tags = json_object();
        result = alarm_read_tags(call, tags);
        json_object_set_new(alarm, "tags", tags);
    }
    if (result == 0 && is_new && count >= ALARMS_MAX)
        result = call_fail(call, "LimitExceeded", "There are too many alarms.");
    if (result == 0)
        result = alarms_put(call->alarms, name, json_incref(alarm), &call->err);
    return result < 0 ? -1 : alarm_note_change(call, alarm, is_new ? "created" : "updated");
}

int alarm_store(struct metrics_call *call, const char *name, json_t *alarm)
{
    alarms_lock(call->alarms);
    int result = store(call, name, alarm);
    alarms_unlock(call->alarms);
    return result;
}

json_t *alarm_begin(struct metrics_call *call, const char **name)
{
    const struct cloud *cloud = alarms_cloud(call->alarms);
    if (call_text(call, call->body, "AlarmName", 1, name) < 0)
        return NULL;
    return json_pack(
        "{s:s, s:o}", "AlarmName", *name, "AlarmArn",
        json_sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", cloud->region, cloud->account_id, *name));
}

int put_metric_alarm(struct metrics_call *call)
{
    const char *name;
    json_t *alarm = alarm_begin(call, &name);
    int result = alarm ? fill_alarm(call, alarm) : -1;
    if (result == 0)
        result = alarm_store(call, name, alarm);
    json_decref(alarm);
    return result;
}
