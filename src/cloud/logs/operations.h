#ifndef CLOUD_LOGS_OPERATIONS_H
#define CLOUD_LOGS_OPERATIONS_H

#include "cloud/exchange.h"
#include "cloud/logs/store.h"

#include <jansson.h>

/* The operations of CloudWatch Logs, from JSON to JSON. */
struct logs_call {
    struct logs *logs;
    struct exchange *x;
    const json_t *body;
    json_t *answer;   /* an object to fill */
    const char *code; /* of a failure, when err.code does not say it */
    struct err err;
    int64_t now_ms;
    const char *region, *account_id;
};
typedef int logs_operation(struct logs_call *call);
logs_operation create_log_group, delete_log_group, describe_log_groups, create_log_stream,
    delete_log_stream, describe_log_streams, put_retention_policy, delete_retention_policy,
    put_log_events, get_log_events, filter_log_events, put_metric_filter, delete_metric_filter,
    describe_metric_filters, describe_subscription_filters, test_metric_filter, tag_log_group,
    untag_log_group, list_tags_log_group;

enum {
    LOGS_MAX_EVENTS = 10000,
    LOGS_MAX_PAGE_BYTES = 1024 * 1024,
    LOGS_EVENT_OVERHEAD_BYTES = 26,
    LOGS_LIST_PAGE = 50,
    LOGS_MAX_STREAM_NAMES = 100,
};

/* Events need none since 2023, but clients show it: 56 digits, as AWS's have. */
#define LOGS_SEQUENCE_TOKEN "49590302938162193103000000000000000000000000000000000000"

int call_invalid(struct logs_call *call, const char *format, ...) PRINTF(2, 3);
/* A name of 1 to 512 characters; NULL when absent and not required. */
enum { METRIC_MAX_NAME = 255 };
int call_too_long(struct logs_call *call, const char *name, const char *value, int most);
int call_name(struct logs_call *call, const char *name, int required, const char **out) MUST_USE;
/* logGroupName, or the name in logGroupIdentifier (a name or an ARN). */
int call_group(struct logs_call *call, const char **out) MUST_USE;
int call_integer(struct logs_call *call, const char *name, int64_t *out) MUST_USE; /* as it was */
int call_limit(struct logs_call *call, int64_t most, int64_t *out) MUST_USE;
struct connection *call_read_begin(struct logs_call *call); /* with everything flushed */
void call_read_end(struct logs_call *call, struct connection *connection);
/* A token is "N/text": NULL text when absent. Malformed: -1. */
int call_token(struct logs_call *call, char kind, const char **out) MUST_USE;

#endif
