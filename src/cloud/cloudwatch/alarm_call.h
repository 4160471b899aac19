#ifndef CLOUD_CLOUDWATCH_ALARM_CALL_H
#define CLOUD_CLOUDWATCH_ALARM_CALL_H

#include "cloud/cloudwatch/alarms.h"

/* Between the files of the operations on alarms. */

const char *alarm_text(const json_t *json, const char *name); /* NULL: absent */
/* A ValidationError for the member `name`; returns -1. */
int alarm_invalid(struct metrics_call *call, const char *name, const char *choices);
int alarm_is_one_of(const char *text, const char *const *choices); /* which NULL ends */
/* Adds the request's Tags to `tags`. */
int alarm_read_tags(struct metrics_call *call, json_t *tags);
/* A line of history: "created", "updated" or "deleted". */
int alarm_note_change(struct metrics_call *call, const json_t *alarm, const char *what);

/* The request's Metrics, checked, and the period of what they come to ("period"). */
int alarm_copy_metrics(struct metrics_call *call, json_t *alarm) MUST_USE;
/* What PutMetricAlarm and PutCompositeAlarm have in common: description, actions, whether they are
 * enabled; then the alarm is stored, with its state and tags when it was there. */
int alarm_copy_common(struct metrics_call *call, json_t *alarm) MUST_USE;
int alarm_store(struct metrics_call *call, const char *name, json_t *alarm) MUST_USE;
/* A new alarm of the request's AlarmName. NULL: the failure is the call's. */
json_t *alarm_begin(struct metrics_call *call, const char **name);

#endif
