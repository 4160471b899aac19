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
int alarm_note_change(struct metrics_call *call, const char *name, const char *what);

#endif
