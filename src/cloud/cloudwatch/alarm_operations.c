#include "base/clock.h"
#include "cloud/cloudwatch/alarms.h"
#include "cloud/cloudwatch/verdict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations on alarms. */

static const char *text_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static int invalid(struct metrics_call *call, const char *name, const char *choices)
{
    return call_fail(call, "ValidationError",
                     "1 validation error detected: Value at '%s' failed to satisfy constraint: %s",
                     name, choices);
}

static int is_one_of(const char *text, const char *const *choices)
{
    for (; *choices; choices++)
        if (!strcmp(text, *choices))
            return 1;
    return 0;
}

/* -- PutMetricAlarm -- */

static const char *const comparisons[] = {"GreaterThanOrEqualToThreshold", "GreaterThanThreshold",
                                          "LessThanThreshold", "LessThanOrEqualToThreshold", NULL};
static const char *const treatments[] = {"breaching", "notBreaching", "ignore", "missing", NULL};
static const char *const statistics[] = {"SampleCount", "Average", "Sum",
                                         "Minimum",     "Maximum", NULL};
static const char *const low_samples[] = {"evaluate", "ignore", NULL};

/* Copies a text that must be one of the choices; absent is fine. */
static int copy_choice(struct metrics_call *call, json_t *alarm, const char *name,
                       const char *const *choices)
{
    const char *text;
    if (call_text(call, call->body, name, 0, &text) < 0)
        return -1;
    if (text && !is_one_of(text, choices))
        return invalid(call, name, "Member must satisfy enum value set");
    return text ? json_object_set_new(alarm, name, json_string(text)) : 0;
}

static int copy_whole(struct metrics_call *call, json_t *alarm, const char *name, double most)
{
    double value;
    int present;
    if (call_number(call, call->body, name, &value, &present) < 0)
        return -1;
    if (present && (value < 1 || value > most || value != floor(value)))
        return invalid(call, name, "Member must be a whole number within its limits");
    return present ? json_object_set_new(alarm, name, json_integer((json_int_t)value)) : 0;
}

static int copy_actions(struct metrics_call *call, json_t *alarm, const char *name)
{
    json_t *list = json_object_get(call->body, name), *arn;
    size_t i;
    if (json_array_size(list) > ALARMS_MAX_ACTIONS)
        return invalid(call, name, "Member must have at most 5 elements");
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
    const char *plain = text_of(call->body, "Statistic"),
               *extended = text_of(call->body, "ExtendedStatistic");
    if (!plain == !extended)
        return call_fail(call, "ValidationError",
                         "Exactly one of Statistic and ExtendedStatistic must be specified");
    if (extended && (extended[0] != 'p' || !statistic_is_name(extended)))
        return call_fail(call, "ValidationError",
                         "The value %.64s for parameter ExtendedStatistic is not supported.",
                         extended);
    if (extended)
        return json_object_set_new(alarm, "ExtendedStatistic", json_string(extended));
    return copy_choice(call, alarm, "Statistic", statistics);
}

static int copy_metric(struct metrics_call *call, json_t *alarm)
{
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
        return invalid(call, "unit", "Member must satisfy enum value set");
    if (unit)
        json_object_set_new(alarm, "Unit", json_string(unit));
    char *dimensions = call_dimensions(call, call->body);
    if (!dimensions)
        return -1;
    json_object_set_new(alarm, "dimensions", json_string(dimensions));
    free(dimensions);
    json_t *list = json_object_get(call->body, "Dimensions");
    return json_object_set_new(alarm, "Dimensions", list ? json_deep_copy(list) : json_array());
}

static int check_period(struct metrics_call *call, const json_t *alarm)
{
    json_int_t period = json_integer_value(json_object_get(alarm, "Period"));
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
    if (!text_of(call->body, "ComparisonOperator"))
        return call_fail(call, "MissingParameter", "The parameter ComparisonOperator is required.");
    return copy_choice(call, alarm, "ComparisonOperator", comparisons);
}

static int refuse_others(struct metrics_call *call)
{
    static const char *const others[] = {"Metrics", "ThresholdMetricId", "EvaluationCriteria",
                                         "EvaluationInterval"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(call->body, others[i]))
            return call_fail(call, "ValidationError",
                             "ken's alarms watch one metric: the parameter %s is not supported",
                             others[i]);
    return 0;
}

static int copy_description(struct metrics_call *call, json_t *alarm)
{
    const char *text = text_of(call->body, "AlarmDescription");
    if (text && strlen(text) > 1024)
        return invalid(call, "alarmDescription",
                       "Member must have length less than or equal to 1024");
    return text ? json_object_set_new(alarm, "AlarmDescription", json_string(text)) : 0;
}

static int read_tags(struct metrics_call *call, json_t *tags)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(call->body, "Tags"), i, pair)
    {
        const char *key = text_of(pair, "Key"), *value = text_of(pair, "Value");
        if (!key || !*key || !value || strlen(key) > 128 * 4 || strlen(value) > 256 * 4)
            return call_fail(call, "InvalidParameterValue", "A tag needs a Key and a Value.");
        json_object_set_new(tags, key, json_string(value));
    }
    return json_object_size(tags) <= ALARMS_MAX_TAGS
               ? 0
               : call_fail(call, "InvalidParameterValue", "An alarm has at most 50 tags.");
}

static int fill_alarm(struct metrics_call *call, json_t *alarm)
{
    if (refuse_others(call) < 0 || copy_metric(call, alarm) < 0 ||
        copy_statistic(call, alarm) < 0 || copy_threshold(call, alarm) < 0 ||
        copy_description(call, alarm) < 0 ||
        copy_whole(call, alarm, "EvaluationPeriods", ALARM_MAX_PERIODS) < 0 ||
        copy_whole(call, alarm, "DatapointsToAlarm", ALARM_MAX_PERIODS) < 0 ||
        copy_whole(call, alarm, "Period", 604800) < 0 || check_period(call, alarm) < 0 ||
        copy_choice(call, alarm, "TreatMissingData", treatments) < 0 ||
        copy_choice(call, alarm, "EvaluateLowSampleCountPercentile", low_samples) < 0 ||
        copy_actions(call, alarm, "OKActions") < 0 ||
        copy_actions(call, alarm, "AlarmActions") < 0 ||
        copy_actions(call, alarm, "InsufficientDataActions") < 0)
        return -1;
    return json_object_set_new(alarm, "ActionsEnabled",
                               json_boolean(wire_truth(call->body, "ActionsEnabled", 1)));
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

static int note_change(struct metrics_call *call, const char *name, const char *what)
{
    char summary[64];
    snprintf(summary, sizeof summary, "Alarm \"%.40s\" %s", name, what);
    json_t *data = json_pack("{s:s, s:s}", "version", "1.0", "type", what);
    struct alarm_note note = {name, "ConfigurationUpdate", summary, data, call->now_ms};
    int result = alarms_note(call->alarms, &note, &call->err);
    json_decref(data);
    return result;
}

static int store_alarm(struct metrics_call *call, const char *name, json_t *alarm)
{
    json_t *old = alarms_find(call->alarms, name), *all = alarms_all(call->alarms);
    size_t count = json_array_size(all);
    int is_new = !old, result = 0;
    json_decref(all);
    keep_state(call, alarm, old);
    json_decref(old);
    if (is_new) {
        json_t *tags = json_object();
        result = read_tags(call, tags);
        json_object_set_new(alarm, "tags", tags);
    }
    if (result == 0 && is_new && count >= ALARMS_MAX)
        result = call_fail(call, "LimitExceeded", "There are too many alarms.");
    if (result == 0)
        result = alarms_put(call->alarms, name, json_incref(alarm), &call->err);
    return result < 0 ? -1 : note_change(call, name, is_new ? "created" : "updated");
}

int put_metric_alarm(struct metrics_call *call)
{
    const char *name;
    const struct cloud *cloud = alarms_cloud(call->alarms);
    if (call_text(call, call->body, "AlarmName", 1, &name) < 0)
        return -1;
    json_t *alarm = json_pack(
        "{s:s, s:o}", "AlarmName", name, "AlarmArn",
        json_sprintf("arn:aws:cloudwatch:%s:%s:alarm:%s", cloud->region, cloud->account_id, name));
    int result = alarm ? fill_alarm(call, alarm) : -1;
    if (result == 0) {
        alarms_lock(call->alarms);
        result = store_alarm(call, name, alarm);
        alarms_unlock(call->alarms);
    }
    json_decref(alarm);
    return result;
}

/* -- describe -- */

static json_t *shown(const json_t *alarm)
{
    static const char *const hidden[] = {"dimensions", "tags", "pending"};
    json_t *copy = json_copy((json_t *)alarm);
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        json_object_del(copy, hidden[i]);
    return copy;
}

static int is_named(const json_t *names, const char *name)
{
    size_t i;
    json_t *one;
    json_array_foreach(names, i, one)
    {
        if (json_is_string(one) && !strcmp(json_string_value(one), name))
            return 1;
    }
    return !json_array_size(names);
}

static int has_action(const json_t *alarm, const char *prefix)
{
    static const char *const kinds[] = {"AlarmActions", "OKActions", "InsufficientDataActions"};
    size_t i;
    json_t *arn;
    for (size_t k = 0; k < 3; k++)
        json_array_foreach(json_object_get(alarm, kinds[k]), i, arn)
        {
            if (!strncmp(json_string_value(arn), prefix, strlen(prefix)))
                return 1;
        }
    return 0;
}

static int is_wanted(struct metrics_call *call, const json_t *alarm)
{
    const char *name = text_of(alarm, "AlarmName"), *state = text_of(call->body, "StateValue"),
               *prefix = text_of(call->body, "AlarmNamePrefix"),
               *action = text_of(call->body, "ActionPrefix");
    return is_named(json_object_get(call->body, "AlarmNames"), name) &&
           (!prefix || !strncmp(name, prefix, strlen(prefix))) &&
           (!state || !strcmp(text_of(alarm, "StateValue"), state)) &&
           (!action || has_action(alarm, action));
}

static int read_most(struct metrics_call *call, double *most)
{
    int present;
    *most = ALARMS_PAGE;
    if (call_number(call, call->body, "MaxRecords", most, &present) < 0)
        return -1;
    return *most >= 1 && *most <= ALARMS_PAGE
               ? 0
               : invalid(call, "maxRecords", "Member must have value between 1 and 100");
}

static int wants_metric_alarms(const struct metrics_call *call)
{
    return is_named(json_object_get(call->body, "AlarmTypes"), "MetricAlarm");
}

int describe_alarms(struct metrics_call *call)
{
    const char *token = text_of(call->body, "NextToken");
    double most;
    size_t i;
    json_t *alarm, *all, *out = json_array();
    json_object_set_new(call->answer, "MetricAlarms", out);
    json_object_set_new(call->answer, "CompositeAlarms", json_array());
    if (read_most(call, &most) < 0)
        return -1;
    if (json_object_get(call->body, "AlarmNames") && json_object_get(call->body, "AlarmNamePrefix"))
        return call_fail(call, "ValidationError",
                         "AlarmNamePrefix and AlarmNames cannot be specified together");
    all = wants_metric_alarms(call) ? alarms_all(call->alarms) : json_array();
    json_array_foreach(all, i, alarm)
    {
        const char *name = text_of(alarm, "AlarmName");
        if ((token && strcmp(name, token) <= 0) || !is_wanted(call, alarm))
            continue;
        if (json_array_size(out) == (size_t)most) {
            json_object_set(call->answer, "NextToken",
                            json_object_get(json_array_get(out, (size_t)most - 1), "AlarmName"));
            break;
        }
        json_array_append_new(out, shown(alarm));
    }
    json_decref(all);
    return 0;
}

static int same_text(struct metrics_call *call, const json_t *alarm, const char *name)
{
    const char *wanted = text_of(call->body, name), *own = text_of(alarm, name);
    return !wanted || (own && !strcmp(wanted, own));
}

int describe_alarms_for_metric(struct metrics_call *call)
{
    const char *text;
    int64_t period = 0;
    size_t i;
    json_t *alarm, *out = json_array();
    json_object_set_new(call->answer, "MetricAlarms", out);
    if (call_text(call, call->body, "MetricName", 1, &text) < 0 ||
        call_text(call, call->body, "Namespace", 1, &text) < 0)
        return -1;
    char *dimensions = call_dimensions(call, call->body);
    if (!dimensions)
        return -1;
    int has_period = wire_integer(call->body, "Period", &period);
    json_t *all = alarms_all(call->alarms);
    json_array_foreach(all, i, alarm)
    {
        if (same_text(call, alarm, "MetricName") && same_text(call, alarm, "Namespace") &&
            same_text(call, alarm, "Statistic") && same_text(call, alarm, "ExtendedStatistic") &&
            same_text(call, alarm, "Unit") && !strcmp(text_of(alarm, "dimensions"), dimensions) &&
            (has_period <= 0 || json_integer_value(json_object_get(alarm, "Period")) == period))
            json_array_append_new(out, shown(alarm));
    }
    json_decref(all);
    free(dimensions);
    return 0;
}

int describe_alarm_history(struct metrics_call *call)
{
    const char *scan = text_of(call->body, "ScanBy"), *token = text_of(call->body, "NextToken");
    double most, from_s = 0, until_s = 4e9;
    int present;
    size_t i;
    json_t *item;
    if (read_most(call, &most) < 0 ||
        call_time(call, call->body, "StartDate", &from_s, &present) < 0 ||
        call_time(call, call->body, "EndDate", &until_s, &present) < 0)
        return -1;
    if (!wants_metric_alarms(call))
        return json_object_set_new(call->answer, "AlarmHistoryItems", json_array());
    struct alarm_search search = {.name = text_of(call->body, "AlarmName"),
                                  .type = text_of(call->body, "HistoryItemType"),
                                  .from_ms = (int64_t)(from_s * 1000),
                                  .until_ms = (int64_t)(until_s * 1000),
                                  .after = token ? strtoll(token, NULL, 10) : 0,
                                  .most = (int64_t)most,
                                  .ascending = scan && !strcmp(scan, "TimestampAscending")};
    json_t *items = alarms_history(call->alarms, &search, &call->err), *last = NULL;
    json_array_foreach(items, i, item)
    {
        last = json_object_get(item, "id");
        if (json_array_size(items) == (size_t)most && i + 1 == (size_t)most)
            json_object_set_new(call->answer, "NextToken",
                                json_sprintf("%lld", (long long)json_integer_value(last)));
        json_object_del(item, "id");
    }
    return json_object_set_new(call->answer, "AlarmHistoryItems", items);
}

/* -- changes -- */

static int no_alarm(struct metrics_call *call, const char *name)
{
    return call_fail(call, "ResourceNotFound", "Alarm %.200s does not exist.", name);
}

int set_alarm_state(struct metrics_call *call)
{
    static const char *const states[] = {"OK", "ALARM", "INSUFFICIENT_DATA", NULL};
    const char *name, *state, *reason = text_of(call->body, "StateReason"),
                              *data = text_of(call->body, "StateReasonData");
    if (call_text(call, call->body, "AlarmName", 1, &name) < 0 ||
        call_text(call, call->body, "StateValue", 1, &state) < 0)
        return -1;
    if (!is_one_of(state, states))
        return invalid(call, "stateValue",
                       "Member must satisfy enum value set: [INSUFFICIENT_DATA, ALARM, OK]");
    if (!reason || strlen(reason) > 1023)
        return invalid(call, "stateReason", "Member must have at most 1023 characters");
    json_t *json = data ? json_loads(data, JSON_DECODE_ANY, NULL) : NULL;
    if (data && !json)
        return call_fail(call, "InvalidFormat", "StateReasonData was not valid JSON");
    json_decref(json);
    struct alarm_change change = {state, reason, data, call->now_ms};
    alarms_lock(call->alarms);
    int result = alarms_set_state(call->alarms, name, &change, &call->err);
    alarms_unlock(call->alarms);
    return result < 0 && call->err.code == ERR_NOT_FOUND ? no_alarm(call, name) : result;
}

static int delete_one(struct metrics_call *call, const char *name)
{
    alarms_lock(call->alarms);
    int result = alarms_put(call->alarms, name, NULL, &call->err);
    alarms_unlock(call->alarms);
    return result < 0 ? -1 : note_change(call, name, "deleted");
}

/* Runs for each of AlarmNames, all of which must be there where that is asked for. */
static int for_each(struct metrics_call *call, int (*run)(struct metrics_call *, const char *),
                    int must_be_there)
{
    const json_t *names = json_object_get(call->body, "AlarmNames");
    size_t i;
    json_t *name;
    if (!json_array_size(names) || json_array_size(names) > ALARMS_PAGE)
        return invalid(call, "alarmNames", "Member must have 1 to 100 elements");
    json_array_foreach(names, i, name)
    {
        json_t *alarm =
            json_is_string(name) ? alarms_find(call->alarms, json_string_value(name)) : NULL;
        json_decref(alarm);
        if (!alarm && must_be_there)
            return call_fail(call, "ResourceNotFound", "%.200s does not exist.",
                             json_is_string(name) ? json_string_value(name) : "");
        if (alarm && run(call, json_string_value(name)) < 0)
            return -1;
    }
    return 0;
}

int delete_alarms(struct metrics_call *call)
{
    return for_each(call, delete_one, 0);
}

static int set_actions(struct metrics_call *call, const char *name, int enabled)
{
    alarms_lock(call->alarms);
    json_t *alarm = alarms_find(call->alarms, name), *changed = json_copy(alarm);
    json_object_set_new(changed, "ActionsEnabled", json_boolean(enabled));
    int result = changed ? alarms_put(call->alarms, name, changed, &call->err) : 0;
    alarms_unlock(call->alarms);
    json_decref(alarm);
    return result;
}

static int enable_one(struct metrics_call *call, const char *name)
{
    return set_actions(call, name, 1);
}

static int disable_one(struct metrics_call *call, const char *name)
{
    return set_actions(call, name, 0);
}

int enable_alarm_actions(struct metrics_call *call)
{
    return for_each(call, enable_one, 0);
}

int disable_alarm_actions(struct metrics_call *call)
{
    return for_each(call, disable_one, 0);
}

/* -- tags -- */

/* The alarm that ResourceARN names: a reference. */
static json_t *tagged(struct metrics_call *call)
{
    const char *arn;
    if (call_text(call, call->body, "ResourceARN", 1, &arn) < 0)
        return NULL;
    const char *name = strstr(arn, ":alarm:");
    json_t *alarm = name ? alarms_find(call->alarms, name + 7) : NULL;
    if (!alarm || strcmp(text_of(alarm, "AlarmArn"), arn) != 0) {
        json_decref(alarm);
        call_fail(call, "ResourceNotFoundException", "There is no resource %.300s", arn);
        return NULL;
    }
    return alarm;
}

/* Takes `tags`. */
static int put_tags(struct metrics_call *call, const json_t *alarm, json_t *tags)
{
    json_t *changed = json_copy((json_t *)alarm);
    json_object_set_new(changed, "tags", tags);
    return alarms_put(call->alarms, text_of(alarm, "AlarmName"), changed, &call->err);
}

int tag_alarm(struct metrics_call *call)
{
    alarms_lock(call->alarms);
    json_t *alarm = tagged(call);
    json_t *tags = json_copy(json_object_get(alarm, "tags"));
    int result =
        alarm && read_tags(call, tags) == 0 ? put_tags(call, alarm, json_incref(tags)) : -1;
    alarms_unlock(call->alarms);
    json_decref(tags);
    json_decref(alarm);
    return result;
}

int untag_alarm(struct metrics_call *call)
{
    size_t i;
    json_t *key;
    alarms_lock(call->alarms);
    json_t *alarm = tagged(call);
    json_t *tags = json_copy(json_object_get(alarm, "tags"));
    json_array_foreach(json_object_get(call->body, "TagKeys"), i, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    int result = alarm ? put_tags(call, alarm, json_incref(tags)) : -1;
    alarms_unlock(call->alarms);
    json_decref(tags);
    json_decref(alarm);
    return result;
}

int list_alarm_tags(struct metrics_call *call)
{
    const char *key;
    json_t *value, *list = json_array(), *alarm = tagged(call);
    json_object_set_new(call->answer, "Tags", list);
    json_object_foreach(json_object_get(alarm, "tags"), key, value)
    {
        json_array_append_new(list, json_pack("{s:s, s:O}", "Key", key, "Value", value));
    }
    json_decref(alarm);
    return alarm ? 0 : -1;
}
