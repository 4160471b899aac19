#include "cloud/cloudwatch/alarm_reason.h"

#include "base/buf.h"
#include "base/clock.h"
#include "cloud/cloudwatch/alarms.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SHOWN_POINTS = 5, NUMBER_BYTES = 400 };

/* As Java writes it: "2.0", "21.5", "1.0E7". */
static void write_number(double value, char text[NUMBER_BYTES])
{
    int digits = 1;
    do
        snprintf(text, NUMBER_BYTES, "%.*e", digits - 1, value);
    while (strtod(text, NULL) != value && digits++ < 17);
    char *mark = strchr(text, 'e');
    int exponent = mark ? (int)strtol(mark + 1, NULL, 10) : 0;
    if (!mark)
        return;
    if (exponent >= -3 && exponent < 7) {
        int decimals = digits - 1 - exponent;
        snprintf(text, NUMBER_BYTES, "%.*f", decimals > 1 ? decimals : 1, value);
    } else {
        snprintf(mark, NUMBER_BYTES - (size_t)(mark - text), "%sE%d", digits > 1 ? "" : ".0",
                 exponent);
    }
}

/* -- what was looked at -- */

/* From the newest on: as many datapoints as the rule has periods. */
struct seen {
    const struct datapoint *points[ALARM_MAX_PERIODS];
    size_t count;
};

static struct seen look(const struct alarm_evidence *evidence, int only_there)
{
    struct seen seen = {.count = 0};
    for (size_t i = evidence->count; i-- > 0 && seen.count < evidence->rule->periods;)
        if (evidence->points[i].is_there || !only_there)
            seen.points[seen.count++] = &evidence->points[i];
    return seen;
}

/* With those that are missing only where there are too few. */
static struct seen look_at_evaluated(const struct alarm_evidence *evidence)
{
    struct seen seen = look(evidence, 1);
    return seen.count == evidence->rule->periods ? seen : look(evidence, 0);
}

/* -- the reason -- */

static const char *comparison_text(const char *comparison)
{
    static const char *const texts[][2] = {
        {"GreaterThanThreshold", "greater than"},
        {"GreaterThanOrEqualToThreshold", "greater than or equal to"},
        {"LessThanThreshold", "less than"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strcmp(texts[i][0], comparison))
            return texts[i][1];
    return "less than or equal to";
}

/* "[21.5 (26/10/23 16:42:00), ...]", of the datapoints that breach, or of those that do not. */
static size_t put_points(struct buf *out, const struct alarm_evidence *evidence,
                         const struct seen *seen, int breaching)
{
    char number[NUMBER_BYTES], at[72];
    size_t count = 0;
    buf_puts(out, "[");
    for (size_t i = 0; i < seen->count; i++) {
        const struct datapoint *point = seen->points[i];
        if ((alarm_breaches(evidence->rule, point->value) != 0) != breaching ||
            count++ >= SHOWN_POINTS)
            continue;
        struct tm tm;
        time_t time_s = (time_t)point->time_s;
        write_number(point->value, number);
        gmtime_r(&time_s, &tm);
        snprintf(at, sizeof at, "%02d/%02d/%02d %02d:%02d:%02d", tm.tm_mday, tm.tm_mon + 1,
                 tm.tm_year % 100, tm.tm_hour, tm.tm_min, tm.tm_sec);
        buf_printf(out, "%s%s (%s)", count > 1 ? ", " : "", number, at);
    }
    buf_puts(out, count > SHOWN_POINTS ? ", ...]" : "]");
    return count;
}

static void put_threshold(struct buf *out, const struct alarm_evidence *evidence, int breaching,
                          int several)
{
    char number[NUMBER_BYTES];
    write_number(evidence->rule->threshold, number);
    buf_printf(out, " %s%s %s the threshold (%s)", several ? "were" : "was",
               breaching ? "" : " not", comparison_text(evidence->rule->comparison), number);
}

static const char *treatment(const struct alarm_rule *rule)
{
    return rule->missing == MISSING_BREACHING       ? "Breaching"
           : rule->missing == MISSING_NOT_BREACHING ? "NonBreaching"
                                                    : NULL;
}

static void put_missing(struct buf *out, const struct alarm_rule *rule, size_t missing)
{
    if (missing && treatment(rule))
        buf_printf(out, " and %zu missing datapoint%s treated as [%s]", missing,
                   missing == 1 ? " was" : "s were", treatment(rule));
}

/* What M of N asks for, where the alarm has such a number. */
static void put_minimum(struct buf *out, const struct alarm_evidence *evidence, int breaching)
{
    const struct alarm_rule *rule = evidence->rule;
    size_t least = breaching ? rule->to_alarm : rule->periods - rule->to_alarm + 1;
    buf_printf(out, " (minimum %zu datapoint%s for %s transition)", least, least == 1 ? "" : "s",
               breaching ? "OK -> ALARM" : "ALARM -> OK");
}

static void put_crossing(struct buf *out, const struct alarm_evidence *evidence,
                         const struct seen *seen, int breaching)
{
    struct buf points;
    int is_m_of_n = json_object_get(evidence->alarm, "DatapointsToAlarm") != NULL;
    buf_init(&points, 8192);
    size_t count = put_points(&points, evidence, seen, breaching);
    buf_puts(out, "Threshold Crossed: ");
    if (is_m_of_n)
        buf_printf(out, "%zu out of the last %zu datapoints ", count, evidence->rule->periods);
    else
        buf_printf(out, "%zu datapoint%s ", count, count == 1 ? "" : "s");
    buf_puts(out, points.data);
    put_threshold(out, evidence, breaching, count != 1);
    put_missing(out, evidence->rule, evidence->rule->periods - seen->count);
    if (is_m_of_n)
        put_minimum(out, evidence, breaching);
    buf_puts(out, ".");
    buf_finish(&points);
}

json_t *alarm_reason(const struct alarm_evidence *evidence, enum alarm_state state)
{
    struct buf text;
    struct seen seen = look(evidence, 1);
    size_t periods = evidence->rule->periods;
    buf_init(&text, 16384);
    if (state == ALARM_INSUFFICIENT) {
        buf_printf(&text, "Insufficient Data: %zu datapoint%s unknown.", periods,
                   periods == 1 ? " was" : "s were");
    } else if (!seen.count) {
        buf_printf(&text, "Threshold Crossed: no datapoints were received for %zu period%s",
                   periods, periods == 1 ? "" : "s");
        put_missing(&text, evidence->rule, periods);
        buf_puts(&text, ".");
    } else {
        put_crossing(&text, evidence, &seen, state == ALARM_ALARM);
    }
    json_t *reason = json_string(text.data ? text.data : "");
    buf_finish(&text);
    return reason;
}

/* -- its data -- */

static json_t *time_text(int64_t unix_ms)
{
    char text[CLOCK_TEXT_BYTES];
    clock_text(unix_ms, text);
    return json_sprintf("%.23s+0000", text);
}

static void put_statistic(json_t *data, const json_t *alarm)
{
    const char *extended = alarms_text(alarm, "ExtendedStatistic"),
               *plain = alarms_text(alarm, "Statistic");
    if (json_object_get(alarm, "Unit"))
        json_object_set(data, "unit", json_object_get(alarm, "Unit"));
    if (*extended || *plain)
        json_object_set_new(data, "statistic", json_string(*extended ? extended : plain));
}

json_t *alarm_reason_data(const struct alarm_evidence *evidence)
{
    struct seen seen = look_at_evaluated(evidence);
    json_t *recent = json_array(), *evaluated = json_array(),
           *data =
               json_pack("{s:s, s:o}", "version", "1.0", "queryDate", time_text(evidence->now_ms));
    const struct datapoint *oldest = NULL;
    for (size_t i = 0; i < seen.count; i++) {
        const struct datapoint *point = seen.points[i];
        json_t *one = json_pack("{s:o}", "timestamp", time_text(point->time_s * 1000));
        if (point->is_there) {
            oldest = point;
            if (point->samples > 0)
                json_object_set_new(one, "sampleCount", json_real(point->samples));
            json_object_set_new(one, "value", json_real(point->value));
            json_array_insert_new(recent, 0, json_real(point->value));
        }
        json_array_append_new(evaluated, one);
    }
    if (oldest)
        json_object_set_new(data, "startDate", time_text(oldest->time_s * 1000));
    put_statistic(data, evidence->alarm);
    json_object_set_new(data, "period", json_integer(alarms_period(evidence->alarm)));
    json_object_set_new(data, "recentDatapoints", recent);
    json_object_set(data, "threshold", json_object_get(evidence->alarm, "Threshold"));
    json_object_set_new(data, "evaluatedDatapoints", evaluated);
    return data;
}
