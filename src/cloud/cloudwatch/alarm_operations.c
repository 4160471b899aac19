#include "cloud/cloudwatch/alarm_call.h"
#include "cloud/cloudwatch/composite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations on alarms. */

const char *alarm_text(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

int alarm_invalid(struct metrics_call *call, const char *name, const char *choices)
{
    return call_fail(call, "ValidationError",
                     "1 validation error detected: Value at '%s' failed to satisfy constraint: %s",
                     name, choices);
}

int alarm_is_one_of(const char *text, const char *const *choices)
{
    for (; *choices; choices++)
        if (!strcmp(text, *choices))
            return 1;
    return 0;
}

int alarm_read_tags(struct metrics_call *call, json_t *tags)
{
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(call->body, "Tags"), i, pair)
    {
        const char *key = alarm_text(pair, "Key"), *value = alarm_text(pair, "Value");
        if (!key || !*key || !value || strlen(key) > 128 * 4 || strlen(value) > 256 * 4)
            return call_fail(call, "InvalidParameterValue", "A tag needs a Key and a Value.");
        json_object_set_new(tags, key, json_string(value));
    }
    return json_object_size(tags) <= ALARMS_MAX_TAGS
               ? 0
               : call_fail(call, "InvalidParameterValue", "An alarm has at most 50 tags.");
}

int alarm_note_change(struct metrics_call *call, const json_t *alarm, const char *what)
{
    char summary[64];
    const char *name = alarms_text(alarm, "AlarmName");
    snprintf(summary, sizeof summary, "Alarm \"%.40s\" %s", name, what);
    json_t *data = json_pack("{s:s, s:s}", "version", "1.0", "type", what);
    alarms_mark(data, alarm);
    struct alarm_note note = {name, "ConfigurationUpdate", summary, data, call->now_ms};
    int result = alarms_note(call->alarms, &note, &call->err);
    json_decref(data);
    return result;
}

/* -- changes -- */

static int no_alarm(struct metrics_call *call, const char *name)
{
    return call_fail(call, "ResourceNotFound", "Alarm %.200s does not exist.", name);
}

int set_alarm_state(struct metrics_call *call)
{
    static const char *const states[] = {"OK", "ALARM", "INSUFFICIENT_DATA", NULL};
    const char *name, *state, *reason = alarm_text(call->body, "StateReason"),
                              *data = alarm_text(call->body, "StateReasonData");
    if (call_text(call, call->body, "AlarmName", 1, &name) < 0 ||
        call_text(call, call->body, "StateValue", 1, &state) < 0)
        return -1;
    if (!alarm_is_one_of(state, states))
        return call_fail(call, "ValidationError",
                         "1 validation error detected: Value '%.64s' at 'stateValue' failed to "
                         "satisfy constraint: Member must satisfy enum value set: "
                         "[INSUFFICIENT_DATA, ALARM, OK]",
                         state);
    if (!reason || strlen(reason) > 1023)
        return alarm_invalid(call, "stateReason", "Member must have at most 1023 characters");
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

static int delete_one(struct metrics_call *call, const json_t *alarm)
{
    const char *name = alarms_text(alarm, "AlarmName");
    int result;
    alarms_lock(call->alarms);
    if (composite_needs(call->alarms, name))
        result = call_fail(call, "ValidationError",
                           "Cannot delete %.255s as there are composite alarm(s) depending on it.",
                           name);
    else
        result = alarms_put(call->alarms, name, NULL, &call->err);
    alarms_unlock(call->alarms);
    return result < 0 ? -1 : alarm_note_change(call, alarm, "deleted");
}

/* Runs for each of AlarmNames that is there. */
static int for_each(struct metrics_call *call, int (*run)(struct metrics_call *, const json_t *))
{
    const json_t *names = json_object_get(call->body, "AlarmNames");
    size_t i;
    int result = 0;
    json_t *name;
    if (!json_array_size(names) || json_array_size(names) > ALARMS_PAGE)
        return alarm_invalid(call, "alarmNames", "Member must have 1 to 100 elements");
    json_array_foreach(names, i, name)
    {
        json_t *alarm =
            json_is_string(name) ? alarms_find(call->alarms, json_string_value(name)) : NULL;
        if (alarm && result == 0)
            result = run(call, alarm);
        json_decref(alarm);
    }
    return result;
}

int delete_alarms(struct metrics_call *call)
{
    size_t i, composites = 0;
    json_t *name;
    json_array_foreach(json_object_get(call->body, "AlarmNames"), i, name)
    {
        json_t *alarm =
            json_is_string(name) ? alarms_find(call->alarms, json_string_value(name)) : NULL;
        composites += alarms_is_composite(alarm) != 0;
        json_decref(alarm);
    }
    return composites <= 1 ? for_each(call, delete_one)
                           : call_fail(call, "ValidationError",
                                       "Only one composite alarm can be deleted in one operation.");
}

static int set_actions(struct metrics_call *call, const json_t *alarm, int enabled)
{
    const char *name = alarms_text(alarm, "AlarmName");
    alarms_lock(call->alarms);
    json_t *own = alarms_find(call->alarms, name), *changed = json_copy(own);
    json_object_set_new(changed, "ActionsEnabled", json_boolean(enabled));
    int result = changed ? alarms_put(call->alarms, name, changed, &call->err) : 0;
    alarms_unlock(call->alarms);
    json_decref(own);
    return result;
}

static int enable_one(struct metrics_call *call, const json_t *alarm)
{
    return set_actions(call, alarm, 1);
}

static int disable_one(struct metrics_call *call, const json_t *alarm)
{
    return set_actions(call, alarm, 0);
}

int enable_alarm_actions(struct metrics_call *call)
{
    return for_each(call, enable_one);
}

int disable_alarm_actions(struct metrics_call *call)
{
    return for_each(call, disable_one);
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
    if (!alarm || strcmp(alarm_text(alarm, "AlarmArn"), arn) != 0) {
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
    return alarms_put(call->alarms, alarm_text(alarm, "AlarmName"), changed, &call->err);
}

int tag_alarm(struct metrics_call *call)
{
    alarms_lock(call->alarms);
    json_t *alarm = tagged(call);
    json_t *tags = json_copy(json_object_get(alarm, "tags"));
    int result =
        alarm && alarm_read_tags(call, tags) == 0 ? put_tags(call, alarm, json_incref(tags)) : -1;
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
