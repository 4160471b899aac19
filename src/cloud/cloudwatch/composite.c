#include "cloud/cloudwatch/composite.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloudwatch/alarm_call.h"
#include "cloud/cloudwatch/alarm_rule.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* -- children -- */

struct family {
    struct alarms *alarms;
    json_t *states;  /* of the children, by name */
    json_t *newest;  /* the child whose state changed last */
    json_t *missing; /* names of those that are not there */
};

static double changed_at(const json_t *alarm)
{
    return json_number_value(json_object_get(alarm, "StateTransitionedTimestamp"));
}

static int ask_child(void *context, const char *name, const char *state, struct err *err)
{
    struct family *family = context;
    json_t *child = alarms_find(family->alarms, name);
    (void)err;
    if (!child) {
        json_array_append_new(family->missing, json_string(name));
        return 0;
    }
    int result = strcmp(alarms_text(child, "StateValue"), state) == 0;
    json_object_set(family->states, name, json_object_get(child, "StateValue"));
    if (!family->newest || changed_at(child) > changed_at(family->newest)) {
        json_decref(family->newest);
        family->newest = json_incref(child);
    }
    json_decref(child);
    return result;
}

static struct family family_of(struct alarms *alarms)
{
    return (struct family){.alarms = alarms, .states = json_object(), .missing = json_array()};
}

static void forget(struct family *family)
{
    json_decref(family->states);
    json_decref(family->newest);
    json_decref(family->missing);
}

struct search {
    const char *wanted;
    json_t *seen, *names; /* that the rules name: as a set, and in the order in which they came */
    int found;
};

static int note_child(void *context, const char *name, const char *state, struct err *err)
{
    struct search *search = context;
    (void)state;
    (void)err;
    search->found |= strcmp(name, search->wanted) == 0;
    if (json_object_get(search->seen, name))
        return 0;
    json_object_set_new(search->seen, name, json_true());
    json_array_append_new(search->names, json_string(name));
    return 0;
}

/* Does the alarm's rule, or where that is to be deep one of its children's, name that alarm? A row
 * of children may be as long as there are alarms: it is gone along, not into. */
static int rule_names(struct alarms *alarms, const json_t *alarm, const char *wanted, int is_deep)
{
    struct err err;
    struct search search = {wanted, json_object(), json_array(), 0};
    (void)rule_evaluate(alarms_text(alarm, "AlarmRule"), note_child, &search, &err);
    for (size_t i = 0; is_deep && !search.found && i < json_array_size(search.names); i++) {
        json_t *child = alarms_find(alarms, json_string_value(json_array_get(search.names, i)));
        if (alarms_is_composite(child))
            (void)rule_evaluate(alarms_text(child, "AlarmRule"), note_child, &search, &err);
        json_decref(child);
    }
    json_decref(search.seen);
    json_decref(search.names);
    return search.found;
}

int composite_needs(struct alarms *alarms, const char *name)
{
    int found = 0;
    size_t i;
    json_t *alarm, *all = alarms_all(alarms);
    json_array_foreach(all, i, alarm)
    {
        found = found || (alarms_is_composite(alarm) && rule_names(alarms, alarm, name, 0));
    }
    json_decref(all);
    return found;
}

/* -- states -- */

/* "Friday 31 July, 2020 14:09:27 UTC" */
static json_t *reason_of(const json_t *alarm, const json_t *child, const char *state)
{
    char text[64] = "";
    struct tm tm;
    time_t at = (time_t)changed_at(child);
    if (!json_object_get(alarm, "seen") || !child)
        return json_sprintf(
            "%s was %s and its alarm rule evaluates to %s", alarms_text(alarm, "AlarmArn"),
            json_object_get(alarm, "StateReasonData") ? "updated" : "created", state);
    if (gmtime_r(&at, &tm))
        strftime(text, sizeof text, "%A %d %B, %Y %H:%M:%S UTC", &tm);
    return json_sprintf("%s transitioned to %s at %s", alarms_text(child, "AlarmArn"),
                        alarms_text(child, "StateValue"), text);
}

static char *reason_data_of(const json_t *child)
{
    char time[CLOCK_TEXT_BYTES];
    if (!child)
        return NULL;
    clock_text((int64_t)(changed_at(child) * 1000), time);
    json_t *data =
        json_pack("{s:[{s:s, s:{s:s, s:o}}]}", "triggeringAlarms", "arn",
                  alarms_text(child, "AlarmArn"), "state", "value",
                  alarms_text(child, "StateValue"), "timestamp", json_sprintf("%.23s+0000", time));
    char *text = json_dumps(data, JSON_COMPACT);
    json_decref(data);
    return text;
}

static int judge(struct alarms *alarms, const json_t *alarm, const struct family *family,
                 const char *state, struct err *err)
{
    const char *name = alarms_text(alarm, "AlarmName");
    json_t *judged = json_copy((json_t *)(uintptr_t)alarm);
    json_object_set(judged, "seen", family->states);
    if (alarms_put(alarms, name, judged, err) < 0)
        return -1;
    if (!strcmp(alarms_text(alarm, "StateValue"), state))
        return 0;
    json_t *reason = reason_of(alarm, family->newest, state);
    char *data = reason_data_of(family->newest);
    struct alarm_change change = {state, json_string_value(reason), data, clock_unix_ms()};
    int result = alarms_set_state(alarms, name, &change, err);
    free(data);
    json_decref(reason);
    return result;
}

void composite_evaluate(struct alarms *alarms, const json_t *alarm)
{
    struct err err;
    struct family family = family_of(alarms);
    int verdict = rule_evaluate(alarms_text(alarm, "AlarmRule"), ask_child, &family, &err);
    if (verdict >= 0 && !json_equal(family.states, json_object_get(alarm, "seen")) &&
        !rule_names(alarms, alarm, alarms_text(alarm, "AlarmName"), 1) &&
        judge(alarms, alarm, &family, verdict ? "ALARM" : "OK", &err) < 0)
        verdict = -1;
    if (verdict < 0)
        log_line(LOG_ERROR, "alarms: %s", err.message);
    forget(&family);
}

/* -- PutCompositeAlarm -- */

static int refuse_suppressor(struct metrics_call *call)
{
    static const char *const others[] = {"ActionsSuppressor", "ActionsSuppressorWaitPeriod",
                                         "ActionsSuppressorExtensionPeriod"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (json_object_get(call->body, others[i]))
            return call_fail(call, "ValidationError", "The parameter %s is not supported.",
                             others[i]);
    return 0;
}

static int check_rule(struct metrics_call *call, const char *rule)
{
    struct err err;
    struct family family = family_of(call->alarms);
    int result = rule_evaluate(rule, ask_child, &family, &err);
    if (result < 0) {
        result = call_fail(call, "ValidationError", "%s", err.message);
    } else if (json_array_size(family.missing)) {
        result = call_fail(call, "ValidationError",
                           "Could not save the composite alarm as alarms [%.255s] in the alarm "
                           "rule do not exist",
                           json_string_value(json_array_get(family.missing, 0)));
    }
    forget(&family);
    return result < 0 ? -1 : 0;
}

int put_composite_alarm(struct metrics_call *call)
{
    const char *name, *rule = alarm_text(call->body, "AlarmRule");
    if (!rule)
        return call_fail(call, "MissingParameter", "The parameter AlarmRule is required.");
    if (refuse_suppressor(call) < 0 || check_rule(call, rule) < 0)
        return -1;
    json_t *alarm = alarm_begin(call, &name);
    int result = -1;
    if (alarm) {
        json_object_set_new(alarm, "AlarmRule", json_string(rule));
        result = alarm_copy_common(call, alarm);
    }
    if (result == 0)
        result = alarm_store(call, name, alarm);
    json_decref(alarm);
    return result;
}
