#include "cloud/cloudwatch/alarms.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/cloudwatch/alarm_reason.h"
#include "cloud/cloudwatch/composite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What an alarm's metric says of it. */

struct row {
    struct statistic **values;
    size_t count;
};

static void add_to_row(void *context, size_t at, const struct statistic *values, const char *unit)
{
    struct row *row = context;
    (void)unit;
    if (at >= row->count)
        return;
    if (!row->values[at])
        row->values[at] = calloc(1, sizeof **row->values);
    if (row->values[at])
        statistic_merge(row->values[at], values);
}

static const char *statistic_of(const json_t *alarm)
{
    const char *extended = json_string_value(json_object_get(alarm, "ExtendedStatistic"));
    return extended ? extended : alarms_text(alarm, "Statistic");
}

static struct alarm_rule rule_of(const json_t *alarm)
{
    const char *missing = alarms_text(alarm, "TreatMissingData");
    struct alarm_rule rule = {
        .comparison = alarms_text(alarm, "ComparisonOperator"),
        .threshold = json_number_value(json_object_get(alarm, "Threshold")),
        .periods = (size_t)json_integer_value(json_object_get(alarm, "EvaluationPeriods")),
        .to_alarm = (size_t)json_integer_value(json_object_get(alarm, "DatapointsToAlarm")),
        .missing = !strcmp(missing, "breaching")      ? MISSING_BREACHING
                   : !strcmp(missing, "notBreaching") ? MISSING_NOT_BREACHING
                   : !strcmp(missing, "ignore")       ? MISSING_IGNORE
                                                      : MISSING_MISSING};
    if (!rule.to_alarm)
        rule.to_alarm = rule.periods;
    return rule;
}

/* Can more values only make it worse? Then a period that is not over counts already. */
static int is_final(const struct alarm_rule *rule, const char *statistic)
{
    int greater = strncmp(rule->comparison, "Greater", 7) == 0;
    return greater ? !strcmp(statistic, "Sum") || !strcmp(statistic, "SampleCount") ||
                         !strcmp(statistic, "Maximum")
                   : !strcmp(statistic, "Minimum");
}

/* The datapoints of the periods up to now, the last one not over. */
static int read_metric(struct alarms *alarms, const json_t *alarm, int64_t now_ms,
                       struct datapoint *points, size_t count, struct err *err)
{
    const char *unit = json_string_value(json_object_get(alarm, "Unit"));
    int64_t period = json_integer_value(json_object_get(alarm, "Period"));
    struct metrics_query query = {.series = {alarms_text(alarm, "Namespace"),
                                             alarms_text(alarm, "MetricName"),
                                             alarms_text(alarm, "dimensions")},
                                  .unit = unit,
                                  .period_s = period,
                                  .end_s = (now_ms / 1000 / period + 1) * period};
    struct row row = {calloc(count, sizeof(struct statistic *)), count};
    query.start_s = query.end_s - (int64_t)count * period;
    int result =
        row.values ? metrics_read(alarms_metrics(alarms), &query, add_to_row, &row, err) : -1;
    for (size_t i = 0; row.values && i < count; i++) {
        points[i] = (struct datapoint){.time_s = query.start_s + (int64_t)i * period};
        points[i].is_there =
            row.values[i] && row.values[i]->count > 0 &&
            statistic_by_name(row.values[i], statistic_of(alarm), &points[i].value) == 0;
        points[i].samples = points[i].is_there ? row.values[i]->count : 0;
        free(row.values[i]);
    }
    free(row.values);
    return result;
}

static int read_points(struct alarms *alarms, const json_t *alarm, int64_t now_ms,
                       struct datapoint *points, size_t count)
{
    struct err err = {0};
    int result =
        json_object_get(alarm, "Metrics")
            ? alarm_metrics_points(alarms_metrics(alarms), alarm, now_ms, points, count, &err)
            : read_metric(alarms, alarm, now_ms, points, count, &err);
    if (result < 0)
        log_line(LOG_ERROR, "alarms: %s", err.message);
    return result;
}

static void move_to(struct alarms *alarms, const json_t *alarm, const struct alarm_rule *rule,
                    const struct datapoint *points, size_t count)
{
    static const char *const names[] = {"INSUFFICIENT_DATA", "OK", "ALARM"};
    struct err err = {0};
    enum alarm_state state = alarm_verdict(rule, points, count);
    if (state == ALARM_KEEP || !strcmp(alarms_text(alarm, "StateValue"), names[state]))
        return;
    struct alarm_evidence evidence = {alarm, rule, points, count, clock_unix_ms()};
    json_t *reason = alarm_reason(&evidence, state), *data = alarm_reason_data(&evidence);
    char *text = json_dumps(data, JSON_COMPACT);
    struct alarm_change change = {names[state], json_string_value(reason), text, evidence.now_ms};
    if (alarms_set_state(alarms, alarms_text(alarm, "AlarmName"), &change, &err) < 0)
        log_line(LOG_ERROR, "alarms: %s", err.message);
    free(text);
    json_decref(reason);
    json_decref(data);
}

static void look_at_metric(struct alarms *alarms, const json_t *alarm)
{
    struct datapoint points[ALARM_MAX_PERIODS + ALARM_EXTRA_PERIODS + 1];
    struct alarm_rule rule = rule_of(alarm);
    size_t window = rule.periods + ALARM_EXTRA_PERIODS, count = window + 1;
    if (rule.periods && rule.periods <= ALARM_MAX_PERIODS &&
        read_points(alarms, alarm, clock_unix_ms(), points, count) == 0) {
        const struct datapoint *last = &points[count - 1];
        int counts = last->is_there && alarm_breaches(&rule, last->value) &&
                     is_final(&rule, statistic_of(alarm));
        move_to(alarms, alarm, &rule, points + (counts ? 1 : 0), window);
    }
}

void alarms_evaluate(struct alarms *alarms, const char *name)
{
    struct err err;
    alarms_lock(alarms);
    json_t *alarm = alarms_find(alarms, name);
    if (alarm && json_object_get(alarm, "pending") &&
        alarms_act(alarms, name, clock_unix_ms(), &err) < 0)
        log_line(LOG_ERROR, "alarms: %s", err.message);
    if (alarms_is_composite(alarm))
        composite_evaluate(alarms, alarm);
    else if (alarm)
        look_at_metric(alarms, alarm);
    json_decref(alarm);
    alarms_unlock(alarms);
}
