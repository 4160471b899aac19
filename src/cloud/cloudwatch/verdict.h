#ifndef CLOUD_CLOUDWATCH_VERDICT_H
#define CLOUD_CLOUDWATCH_VERDICT_H

#include <stddef.h>
#include <stdint.h>

/* What state a row of datapoints puts an alarm in.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html */

enum {
    ALARM_EXTRA_PERIODS = 2, /* looked at beyond the evaluation periods, when some have no data */
    ALARM_MAX_PERIODS = 1440,
};

enum alarm_state { ALARM_INSUFFICIENT, ALARM_OK, ALARM_ALARM, ALARM_KEEP };
enum alarm_missing { MISSING_MISSING, MISSING_IGNORE, MISSING_BREACHING, MISSING_NOT_BREACHING };

struct datapoint {
    double value;
    int is_there;
    int64_t time_s; /* when its period began */
    double samples; /* how many values there were; 0: it does not say */
};

struct alarm_rule {
    const char *comparison; /* "GreaterThanThreshold", ... */
    double threshold;
    size_t periods, to_alarm; /* M datapoints of N periods */
    enum alarm_missing missing;
};

int alarm_breaches(const struct alarm_rule *rule, double value);
/* `points` from old to new, `count` of them: the evaluation periods and ALARM_EXTRA_PERIODS more.
 * ALARM_KEEP: as it is. */
enum alarm_state alarm_verdict(const struct alarm_rule *rule, const struct datapoint *points,
                               size_t count);

#endif
