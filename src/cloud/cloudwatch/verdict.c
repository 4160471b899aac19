#include "cloud/cloudwatch/verdict.h"

#include <string.h>

int alarm_breaches(const struct alarm_rule *rule, double value)
{
    if (strcmp(rule->comparison, "GreaterThanThreshold") == 0)
        return value > rule->threshold;
    if (strcmp(rule->comparison, "GreaterThanOrEqualToThreshold") == 0)
        return value >= rule->threshold;
    if (strcmp(rule->comparison, "LessThanThreshold") == 0)
        return value < rule->threshold;
    return value <= rule->threshold;
}

/* With fewer datapoints than periods; `breaching` of the `there` are. */
static enum alarm_state judge_gaps(const struct alarm_rule *rule, size_t there, size_t breaching)
{
    size_t most = breaching + rule->periods - there; /* were all that is missing breaching */
    switch (rule->missing) {
    case MISSING_BREACHING:
        return most >= rule->to_alarm ? ALARM_ALARM : ALARM_OK;
    case MISSING_NOT_BREACHING:
        return breaching >= rule->to_alarm ? ALARM_ALARM : ALARM_OK;
    case MISSING_IGNORE:
        if (breaching >= rule->to_alarm)
            return ALARM_ALARM;
        return there == 0 || most >= rule->to_alarm ? ALARM_KEEP : ALARM_OK;
    default:
        if (there == 0)
            return ALARM_INSUFFICIENT;
        return breaching && most >= rule->to_alarm ? ALARM_ALARM : ALARM_OK;
    }
}

enum alarm_state alarm_verdict(const struct alarm_rule *rule, const struct datapoint *points,
                               size_t count)
{
    size_t there = 0, breaching = 0;
    for (size_t i = count; i-- > 0 && there < rule->periods;)
        if (points[i].is_there) {
            there++;
            breaching += alarm_breaches(rule, points[i].value) != 0;
        }
    if (there < rule->periods)
        return judge_gaps(rule, there, breaching);
    return breaching >= rule->to_alarm ? ALARM_ALARM : ALARM_OK;
}
