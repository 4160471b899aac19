#include "cloud/cloudwatch/alarm_call.h"

#include <stdlib.h>
#include <string.h>

/* Alarms and their history, as they are shown. */

static json_t *shown(const json_t *alarm)
{
    static const char *const hidden[] = {"dimensions", "period", "seen", "tags", "pending"};
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
    const char *name = alarm_text(alarm, "AlarmName"),
               *state = alarm_text(call->body, "StateValue"),
               *prefix = alarm_text(call->body, "AlarmNamePrefix"),
               *action = alarm_text(call->body, "ActionPrefix");
    return is_named(json_object_get(call->body, "AlarmNames"), name) &&
           (!prefix || !strncmp(name, prefix, strlen(prefix))) &&
           (!state || !strcmp(alarm_text(alarm, "StateValue"), state)) &&
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
               : alarm_invalid(call, "maxRecords", "Member must have value between 1 and 100");
}

/* Without AlarmTypes those on metrics only. */
static int wants(const struct metrics_call *call, int composite)
{
    const json_t *types = json_object_get(call->body, "AlarmTypes");
    if (!json_array_size(types))
        return !composite;
    return is_named(types, composite ? "CompositeAlarm" : "MetricAlarm");
}

int describe_alarms(struct metrics_call *call)
{
    const char *token = alarm_text(call->body, "NextToken");
    double most;
    size_t i;
    json_t *alarm, *all, *lists[] = {json_array(), json_array()}, *last = NULL;
    json_object_set_new(call->answer, "MetricAlarms", lists[0]);
    json_object_set_new(call->answer, "CompositeAlarms", lists[1]);
    if (read_most(call, &most) < 0)
        return -1;
    if (json_object_get(call->body, "AlarmNames") && json_object_get(call->body, "AlarmNamePrefix"))
        return call_fail(call, "ValidationError",
                         "AlarmNamePrefix and AlarmNames cannot be specified together");
    all = alarms_all(call->alarms);
    json_array_foreach(all, i, alarm)
    {
        const char *name = alarm_text(alarm, "AlarmName");
        int composite = alarms_is_composite(alarm);
        if ((token && strcmp(name, token) <= 0) || !wants(call, composite) ||
            !is_wanted(call, alarm))
            continue;
        if (json_array_size(lists[0]) + json_array_size(lists[1]) == (size_t)most) {
            json_object_set(call->answer, "NextToken", last);
            break;
        }
        json_array_append_new(lists[composite], shown(alarm));
        last = json_object_get(alarm, "AlarmName");
    }
    json_decref(all);
    return 0;
}

static int same_text(struct metrics_call *call, const json_t *alarm, const char *name)
{
    const char *wanted = alarm_text(call->body, name), *own = alarm_text(alarm, name);
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
            same_text(call, alarm, "Unit") &&
            !strcmp(alarm_text(alarm, "dimensions"), dimensions) &&
            (has_period <= 0 || json_integer_value(json_object_get(alarm, "Period")) == period))
            json_array_append_new(out, shown(alarm));
    }
    json_decref(all);
    free(dimensions);
    return 0;
}

int describe_alarm_history(struct metrics_call *call)
{
    const char *scan = alarm_text(call->body, "ScanBy"),
               *token = alarm_text(call->body, "NextToken");
    double most, from_s = 0, until_s = 4e9;
    int present;
    size_t i;
    json_t *item;
    if (read_most(call, &most) < 0 ||
        call_time(call, call->body, "StartDate", &from_s, &present) < 0 ||
        call_time(call, call->body, "EndDate", &until_s, &present) < 0)
        return -1;
    struct alarm_search search = {.name = alarm_text(call->body, "AlarmName"),
                                  .type = alarm_text(call->body, "HistoryItemType"),
                                  .of_metrics = wants(call, 0),
                                  .of_composites = wants(call, 1),
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
