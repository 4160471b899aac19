#ifndef CLOUD_LOGS_STORE_H
#define CLOUD_LOGS_STORE_H

#include "base/err.h"
#include "cloud/metrics.h"
#include "cloud/sqlite/database.h"

/* Log groups, streams and events in one SQLite file. Lines of the cloud's own services
 * (logs_put()) wait in memory for LOGS_FLUSH_DELAY_MS at most and are stored together; every read
 * calls logs_flush() first, so that it misses nothing. */

enum {
    LOGS_FLUSH_DELAY_MS = 200,
    LOGS_MAX_EVENT_BYTES = 256 * 1024,         /* longer lines are cut */
    LOGS_MAX_PENDING_BYTES = 32 * 1024 * 1024, /* memory; past that, lines are dropped, counted */
    LOGS_MAX_NAME_BYTES = 512,
};

/* `metrics` gets what lines say in the Embedded Metric Format and what metric filters find. */
struct logs *logs_open(const char *path, struct metrics *metrics, struct err *err);
void logs_close(struct logs *logs); /* NULL is fine; stores what is pending */
struct database *logs_database(struct logs *logs);
struct derive *logs_derive(struct logs *logs);
/* Events past their group's retention are deleted once an hour, and by this. */
int logs_expire(struct logs *logs, struct err *err) MUST_USE;
int logs_flush(struct logs *logs, struct err *err) MUST_USE;

/* Inside a write job. Ids are > 0; 0 with ERR_NOT_FOUND or another failure. */
int64_t logs_find_group(struct connection *connection, const char *group, struct err *err);
int64_t logs_find_stream(struct connection *connection, int64_t group, const char *stream,
                         struct err *err);
int64_t logs_make_group(struct connection *connection, const char *group, int64_t unix_ms,
                        struct err *err); /* ERR_EXISTS */
int64_t logs_make_stream(struct connection *connection, int64_t group, const char *stream,
                         int64_t unix_ms, struct err *err); /* ERR_EXISTS */

struct log_event {
    int64_t unix_ms;
    const char *message;
    size_t size;
};
/* The times of what was inserted into a stream, for logs_touch() after the last. */
struct logs_span {
    int64_t first_ms, last_ms, ingested_ms;
};
static inline struct logs_span logs_span_at(int64_t now_ms)
{
    return (struct logs_span){INT64_MAX, INT64_MIN, now_ms};
}
int logs_insert(struct connection *connection, int64_t group, int64_t stream,
                const struct log_event *event, struct logs_span *span, struct err *err) MUST_USE;
int logs_touch(struct connection *connection, int64_t stream, const struct logs_span *span,
               struct err *err) MUST_USE;

#endif
