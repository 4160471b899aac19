#ifndef CLOUD_CLOUDWATCH_ALARMS_H
#define CLOUD_CLOUDWATCH_ALARMS_H

#include "cloud/cloud.h"
#include "cloud/cloudwatch/operations.h"
#include "cloud/cloudwatch/verdict.h"

#include <jansson.h>
#include <stdint.h>

/* Alarms. An alarm is a document: what DescribeAlarms shows, and beside it "dimensions" (the
 * series' text) or "period" (of metric math), "tags", and "pending", the state before, while its
 * actions have not been told of the new one. A composite alarm has an AlarmRule, and "seen", which
 * states it last judged. Documents are replaced, never changed, and lie in DIR/alarms.sqlite with
 * the history.
 *
 * A thread looks at every alarm once a second (with many alarms less often). Whole periods count;
 * the one that is not over counts once nothing that may still come can undo what it shows. */

enum {
    ALARMS_MAX = 10000,
    ALARMS_TICK_MS = 1000,
    ALARMS_HISTORY_DAYS = 30,
    ALARMS_MAX_ACTIONS = 5, /* of each kind */
    ALARMS_PAGE = 100,
    ALARMS_MAX_TAGS = 50,
    ALARM_ARN_BYTES = 512,
};

struct alarms *alarms_open(struct cloud *cloud, struct metrics *metrics, struct err *err);
int alarms_start(struct alarms *alarms, struct err *err) MUST_USE;
void alarms_stop(struct alarms *alarms);
void alarms_close(struct alarms *alarms); /* NULL is fine */

const struct cloud *alarms_cloud(const struct alarms *alarms);
/* A reference; NULL: there is none. */
json_t *alarms_find(struct alarms *alarms, const char *name);
json_t *alarms_all(struct alarms *alarms); /* a new list, by name */
/* Whoever changes an alarm holds this from reading it to alarms_put(). */
void alarms_lock(struct alarms *alarms);
void alarms_unlock(struct alarms *alarms);
/* Takes `document`; NULL takes the alarm away. ERR_TOO_BIG: too many. */
int alarms_put(struct alarms *alarms, const char *name, json_t *document, struct err *err) MUST_USE;
/* Sets the state, writes it down and, when it is another, runs the actions. Under the lock. */
struct alarm_change {
    const char *state, *reason, *reason_data; /* reason_data may be NULL */
    int64_t now_ms;
};
int alarms_set_state(struct alarms *alarms, const char *name, const struct alarm_change *change,
                     struct err *err) MUST_USE;

/* Says in a line's data that it is of a composite alarm, when it is. */
void alarms_mark(json_t *data, const json_t *alarm);
/* A line of history: type "ConfigurationUpdate", "StateUpdate" or "Action". */
struct alarm_note {
    const char *name, *type, *summary;
    const json_t *data;
    int64_t now_ms;
};
int alarms_note(struct alarms *alarms, const struct alarm_note *note, struct err *err) MUST_USE;
/* History lines, newest first unless `ascending`; NULL name or type: any. A new list of objects. */
struct alarm_search {
    const char *name, *type;
    int of_metrics, of_composites; /* lines of which kinds of alarms */
    int64_t from_ms, until_ms, after, most;
    int ascending;
};
json_t *alarms_history(struct alarms *alarms, const struct alarm_search *search, struct err *err);

/* -- between alarms.c and alarm_watch.c -- */

const char *alarms_text(const json_t *alarm, const char *name); /* "" when absent */
int64_t alarms_period(const json_t *alarm);
int alarms_is_composite(const json_t *alarm); /* NULL: 0 */
struct metrics *alarms_metrics(const struct alarms *alarms);
/* The datapoints of an alarm on metric math, by its "period": `count` up to now, of which the last
 * one is not over (alarm_metrics.c). */
int alarm_metrics_points(struct metrics *metrics, const json_t *alarm, int64_t now_ms,
                         struct datapoint *points, size_t count, struct err *err) MUST_USE;
/* Looks at the alarm's metric and sets its state; tells what is pending. */
void alarms_evaluate(struct alarms *alarms, const char *name);
/* Tells the actions of a pending state, then forgets that they had to be told. Under the lock. */
int alarms_act(struct alarms *alarms, const char *name, int64_t now_ms, struct err *err) MUST_USE;

/* Tells an alarm's actions of its state: SNS topics and functions by ARN (alarm_action.c). Returns
 * how many were reached. */
int alarm_act(const struct cloud *cloud, const json_t *alarm, const json_t *old_state);

#endif
