#ifndef CLOUD_CLOUDWATCH_ALARM_REASON_H
#define CLOUD_CLOUDWATCH_ALARM_REASON_H

#include "cloud/cloudwatch/verdict.h"

#include <jansson.h>

/* Why an alarm on a metric is in its state, in AWS's words. */

struct alarm_evidence {
    const json_t *alarm;
    const struct alarm_rule *rule;
    const struct datapoint *points; /* that the verdict was made of */
    size_t count;
    int64_t now_ms;
};

/* Its StateReason, and what its StateReasonData is the text of: new references. */
json_t *alarm_reason(const struct alarm_evidence *evidence, enum alarm_state state);
json_t *alarm_reason_data(const struct alarm_evidence *evidence);

#endif
