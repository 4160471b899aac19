#include "cloud/logs/derive.h"
#include "cloud/logs/filter.h"
#include "cloud/logs/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Putting and getting events. A place in a log is the time of an event and its number, so that
 * tokens stay right whatever comes in meanwhile. */

struct place {
    int64_t unix_ms, seq;
};

struct put_job {
    const char *group, *stream;
    const json_t *events;
    int64_t now_ms;
    size_t from, until; /* the events that are neither too old nor too new */
};

static int run_put(struct connection *connection, void *context, struct err *err)
{
    const struct put_job *job = context;
    int64_t group = logs_find_group(connection, job->group, err);
    int64_t stream = group ? logs_find_stream(connection, group, job->stream, err) : 0;
    struct logs_span span = logs_span_at(job->now_ms);
    if (!stream)
        return -1;
    for (size_t i = job->from; i < job->until; i++) {
        const json_t *one = json_array_get(job->events, i), *text = json_object_get(one, "message");
        struct log_event event = {json_integer_value(json_object_get(one, "timestamp")),
                                  json_string_value(text), json_string_length(text)};
        if (logs_insert(connection, group, stream, &event, &span, err) < 0)
            return -1;
    }
    return job->from < job->until ? logs_touch(connection, stream, &span, err) : 0;
}

static int check_events(struct logs_call *call, const json_t *events)
{
    size_t i, bytes = 0;
    json_t *event;
    int64_t before = INT64_MIN;
    json_array_foreach(events, i, event)
    {
        const json_t *time = json_object_get(event, "timestamp");
        const json_t *text = json_object_get(event, "message");
        if (!json_is_integer(time) || json_integer_value(time) < 0 || !json_string_length(text))
            return call_invalid(call, "Log events need a timestamp and a message.");
        if (json_integer_value(time) < before)
            return call_invalid(call, "Log events in a single PutLogEvents request must be in "
                                      "chronological order.");
        if (json_string_length(text) > LOGS_MAX_EVENT_BYTES - LOGS_EVENT_OVERHEAD_BYTES)
            return call_invalid(call, "Log event too large: %zu bytes exceeds limit of %d",
                                json_string_length(text) + LOGS_EVENT_OVERHEAD_BYTES,
                                LOGS_MAX_EVENT_BYTES);
        before = json_integer_value(time);
        bytes += json_string_length(text) + LOGS_EVENT_OVERHEAD_BYTES;
    }
    if (bytes > LOGS_MAX_PAGE_BYTES)
        return call_invalid(call, "Upload too large: %zu bytes exceeds limit of %d", bytes,
                            LOGS_MAX_PAGE_BYTES);
    return 0;
}

static int64_t time_at(const json_t *events, size_t i)
{
    return json_integer_value(json_object_get(json_array_get(events, i), "timestamp"));
}

/* Past 14 days in the past or 2 hours in the future an event is left out, and said so. */
static void leave_out(struct logs_call *call, struct put_job *job)
{
    const int64_t oldest_ms = call->now_ms - 14LL * 86400000, newest_ms = call->now_ms + 7200000;
    size_t count = json_array_size(job->events);
    job->until = count;
    while (job->from < count && time_at(job->events, job->from) < oldest_ms)
        job->from++;
    while (job->until > job->from && time_at(job->events, job->until - 1) > newest_ms)
        job->until--;
    json_t *rejected = json_object();
    if (job->from)
        json_object_set_new(rejected, "tooOldLogEventEndIndex",
                            json_integer((json_int_t)job->from));
    if (job->until < count)
        json_object_set_new(rejected, "tooNewLogEventStartIndex",
                            json_integer((json_int_t)job->until));
    if (json_object_size(rejected))
        json_object_set(call->answer, "rejectedLogEventsInfo", rejected);
    json_decref(rejected);
}

int put_log_events(struct logs_call *call)
{
    struct put_job job = {.events = json_object_get(call->body, "logEvents"),
                          .now_ms = call->now_ms};
    if (call_name(call, "logGroupName", 1, &job.group) < 0 ||
        call_name(call, "logStreamName", 1, &job.stream) < 0)
        return -1;
    if (!json_array_size(job.events) || json_array_size(job.events) > LOGS_MAX_EVENTS)
        return call_invalid(call,
                            "1 validation error detected: Value at 'logEvents' failed to "
                            "satisfy constraint: Member must have length between 1 and 10000");
    if (check_events(call, job.events) < 0)
        return -1;
    leave_out(call, &job);
    if (job.from < job.until &&
        time_at(job.events, job.until - 1) - time_at(job.events, job.from) > 86400000)
        return call_invalid(call, "The batch of log events in a single PutLogEvents request cannot "
                                  "span more than 24 hours.");
    if (logs_flush(call->logs, &call->err) < 0 ||
        database_write(logs_database(call->logs), run_put, &job, &call->err) < 0)
        return -1;
    for (size_t i = job.from; i < job.until; i++) {
        const json_t *text = json_object_get(json_array_get(job.events, i), "message");
        derive_line(logs_derive(call->logs), job.group, time_at(job.events, i),
                    json_string_value(text), json_string_length(text));
    }
    return json_object_set_new(call->answer, "nextSequenceToken", json_string(LOGS_SEQUENCE_TOKEN));
}

/* "f/TIME/NUMBER" behind its first letter. */
static int read_place(struct logs_call *call, const char *text, struct place *out)
{
    int used = 0;
    if (text && sscanf(text, "%" SCNd64 ",%" SCNd64 "%n", &out->unix_ms, &out->seq, &used) == 2 &&
        !text[used])
        return 0;
    return call_invalid(call, "The specified nextToken is invalid.");
}

struct window {
    int64_t start_ms, end_ms, limit;
    struct place after, before; /* both exclusive */
    int forward;
};

static int read_window(struct logs_call *call, struct window *out)
{
    *out = (struct window){.start_ms = 0,
                           .end_ms = INT64_MAX - 1,
                           .limit = LOGS_MAX_EVENTS,
                           .after = {INT64_MIN, 0},
                           .before = {INT64_MAX, 0}};
    return call_integer(call, "startTime", &out->start_ms) < 0 ||
                   call_integer(call, "endTime", &out->end_ms) < 0
               ? -1
               : call_limit(call, LOGS_MAX_EVENTS, &out->limit);
}

static json_t *show_event(sqlite3_stmt *s)
{
    json_t *text =
        json_stringn((const char *)sqlite3_column_text(s, 3), (size_t)sqlite3_column_bytes(s, 3));
    return json_pack("{s:I,s:o,s:I}", "timestamp", (json_int_t)sqlite3_column_int64(s, 0),
                     "message", text ? text : json_string(""), "ingestionTime",
                     (json_int_t)sqlite3_column_int64(s, 2));
}

static sqlite3_stmt *prepare_window(struct connection *connection, const char *sql, int64_t id,
                                    const struct window *w, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return NULL;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, w->start_ms);
    sqlite3_bind_int64(s, 3, w->end_ms);
    sqlite3_bind_int64(s, 4, w->after.unix_ms);
    sqlite3_bind_int64(s, 5, w->after.seq);
    sqlite3_bind_int64(s, 6, w->before.unix_ms);
    sqlite3_bind_int64(s, 7, w->before.seq);
    return s;
}

#define WINDOW                                                                                     \
    "unix_ms >= ?2 AND unix_ms < ?3 AND (unix_ms, seq) > (?4, ?5) AND (unix_ms, seq) < (?6, ?7) "

static int end_reading(struct logs_call *call, struct connection *connection, sqlite3_stmt *s,
                       int step)
{
    int failed = step != SQLITE_ROW && step != SQLITE_DONE;
    if (s && failed)
        connection_fail(connection, "read log events", &call->err);
    connection_reset(s);
    return failed ? -1 : 0;
}

/* The window's events in rising order, and the places of the first and the last. */
static int read_events(struct logs_call *call, struct connection *connection, int64_t stream,
                       const struct window *w, struct place *first, struct place *last)
{
    static const char *const sql[] = {
        "SELECT unix_ms, seq, ingested_ms, message FROM events WHERE stream_id = ?1 AND " WINDOW
        "ORDER BY unix_ms DESC, seq DESC",
        "SELECT unix_ms, seq, ingested_ms, message FROM events WHERE stream_id = ?1 AND " WINDOW
        "ORDER BY unix_ms, seq"};
    json_t *events = json_array();
    json_object_set_new(call->answer, "events", events);
    sqlite3_stmt *s = prepare_window(connection, sql[w->forward], stream, w, &call->err);
    size_t bytes = 0;
    int step = s ? SQLITE_ROW : SQLITE_ERROR;
    while (s && json_array_size(events) < (size_t)w->limit && bytes < LOGS_MAX_PAGE_BYTES &&
           (step = sqlite3_step(s)) == SQLITE_ROW) {
        struct place place = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
        bytes += (size_t)sqlite3_column_bytes(s, 3) + LOGS_EVENT_OVERHEAD_BYTES;
        int is_first = !json_array_size(events);
        if (w->forward || is_first)
            *last = place;
        if (!w->forward || is_first)
            *first = place;
        if (w->forward)
            json_array_append_new(events, show_event(s));
        else
            json_array_insert_new(events, 0, show_event(s));
    }
    return end_reading(call, connection, s, step);
}

static json_t *place_token(char kind, struct place place)
{
    return json_sprintf("%c/%lld,%lld", kind, (long long)place.unix_ms, (long long)place.seq);
}

static int answer_events(struct logs_call *call, struct connection *connection, const char *group,
                         const char *stream_name, const struct window *w)
{
    int64_t group_id = logs_find_group(connection, group, &call->err);
    int64_t stream = group_id ? logs_find_stream(connection, group_id, stream_name, &call->err) : 0;
    /* With nothing to show, both tokens stay where they are. */
    struct place first = w->forward && w->after.unix_ms != INT64_MIN ? w->after
                         : w->before.unix_ms != INT64_MAX            ? w->before
                                                                     : (struct place){0, 0};
    struct place last = first;
    if (!stream || read_events(call, connection, stream, w, &first, &last) < 0)
        return -1;
    json_object_set_new(call->answer, "nextForwardToken", place_token('f', last));
    json_object_set_new(call->answer, "nextBackwardToken", place_token('b', first));
    return 0;
}

int get_log_events(struct logs_call *call)
{
    const char *group, *stream,
        *token = json_string_value(json_object_get(call->body, "nextToken"));
    struct window w;
    if (call_group(call, &group) < 0 || call_name(call, "logStreamName", 1, &stream) < 0 ||
        read_window(call, &w) < 0)
        return -1;
    w.forward = json_is_true(json_object_get(call->body, "startFromHead"));
    if (token) {
        if ((token[0] != 'f' && token[0] != 'b') || token[1] != '/')
            return call_invalid(call, "The specified nextToken is invalid.");
        w.forward = token[0] == 'f';
        if (read_place(call, token + 2, w.forward ? &w.after : &w.before) < 0)
            return -1;
    }
    struct connection *connection = call_read_begin(call);
    int result = connection ? answer_events(call, connection, group, stream, &w) : -1;
    call_read_end(call, connection);
    return result;
}

struct search {
    struct filter filter;
    const json_t *names; /* NULL: all */
    const char *prefix;  /* NULL: any */
};

static int is_searched(const struct search *search, const char *stream)
{
    size_t i;
    json_t *name;
    if (search->prefix && strncmp(stream, search->prefix, strlen(search->prefix)))
        return 0;
    if (!search->names)
        return 1;
    json_array_foreach(search->names, i, name)
    {
        if (!strcmp(json_string_value(name), stream))
            return 1;
    }
    return 0;
}

static void add_found(json_t *events, sqlite3_stmt *s, const char *stream)
{
    json_t *event = show_event(s);
    json_object_set_new(event, "logStreamName", json_string(stream));
    json_object_set_new(event, "eventId",
                        json_sprintf("%028lld%028lld", (long long)sqlite3_column_int64(s, 0),
                                     (long long)sqlite3_column_int64(s, 1)));
    json_array_append_new(events, event);
}

static int search_events(struct logs_call *call, struct connection *connection, int64_t group,
                         const struct window *w, const struct search *search)
{
    json_t *events = json_array();
    json_object_set_new(call->answer, "events", events);
    json_object_set_new(call->answer, "searchedLogStreams", json_array());
    sqlite3_stmt *s = prepare_window(
        connection,
        "SELECT e.unix_ms, e.seq, e.ingested_ms, e.message, (SELECT name FROM streams WHERE id = "
        "e.stream_id) FROM events e WHERE group_id = ?1 AND " WINDOW "ORDER BY unix_ms, seq",
        group, w, &call->err);
    int step = s ? SQLITE_ROW : SQLITE_ERROR;
    size_t bytes = 0;
    while (s && (step = sqlite3_step(s)) == SQLITE_ROW) {
        const char *stream = (const char *)sqlite3_column_text(s, 4);
        const char *text = (const char *)sqlite3_column_text(s, 3);
        size_t size = (size_t)sqlite3_column_bytes(s, 3);
        if (!stream || !is_searched(search, stream) || !filter_matches(&search->filter, text, size))
            continue;
        add_found(events, s, stream);
        bytes += size + LOGS_EVENT_OVERHEAD_BYTES;
        if (json_array_size(events) < (size_t)w->limit && bytes < LOGS_MAX_PAGE_BYTES)
            continue;
        struct place place = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1)};
        json_object_set_new(call->answer, "nextToken", place_token('n', place));
        break;
    }
    return end_reading(call, connection, s, step);
}

static int read_search(struct logs_call *call, struct search *out)
{
    const char *pattern = json_string_value(json_object_get(call->body, "filterPattern"));
    size_t i;
    json_t *name;
    out->names = json_object_get(call->body, "logStreamNames");
    if (call_name(call, "logStreamNamePrefix", 0, &out->prefix) < 0)
        return -1;
    if (out->names && out->prefix)
        return call_invalid(call,
                            "logStreamNamePrefix and logStreamNames cannot be used together.");
    if (json_array_size(out->names) > LOGS_MAX_STREAM_NAMES)
        return call_invalid(call, "logStreamNames has more than 100 names.");
    json_array_foreach(out->names, i, name)
    {
        if (!json_is_string(name))
            return call_invalid(call, "logStreamNames holds what is no name.");
    }
    return filter_parse(pattern ? pattern : "", &out->filter, &call->x->arena, &call->err);
}

int filter_log_events(struct logs_call *call)
{
    const char *group, *token;
    struct window w;
    struct search search = {0};
    if (call_group(call, &group) < 0 || read_window(call, &w) < 0 ||
        read_search(call, &search) < 0 || call_token(call, 'n', &token) < 0)
        return -1;
    if (token && read_place(call, token, &w.after) < 0)
        return -1;
    w.forward = 1;
    w.end_ms = w.end_ms < INT64_MAX - 1 ? w.end_ms + 1 : w.end_ms; /* here the end is included */
    struct connection *connection = call_read_begin(call);
    int64_t id = connection ? logs_find_group(connection, group, &call->err) : 0;
    int result = id ? search_events(call, connection, id, &w, &search) : -1;
    call_read_end(call, connection);
    return result;
}
