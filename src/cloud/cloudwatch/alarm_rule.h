#ifndef CLOUD_CLOUDWATCH_ALARM_RULE_H
#define CLOUD_CLOUDWATCH_ALARM_RULE_H

#include "base/err.h"

/* The AlarmRule of a composite alarm: ALARM(name), OK(name), INSUFFICIENT_DATA(name), TRUE, FALSE,
 * AND, OR, NOT and parentheses. A name may be an ARN, with or without quotes.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html */

enum {
    RULE_MAX_BYTES = 10240,
    RULE_MAX_CHILDREN = 100, /* different or not */
    RULE_MAX_ELEMENTS = 500, /* children, truths, pairs of parentheses */
    RULE_MAX_DEPTH = 64,
    RULE_NAME_BYTES = 512,
};

/* Is the alarm in that state ("ALARM", ...)? Asked for every child, in order; -1 ends it. */
typedef int rule_ask(void *context, const char *name, const char *state, struct err *err);

/* 1: true, 0: false. */
int rule_evaluate(const char *rule, rule_ask *ask, void *context, struct err *err);

#endif
