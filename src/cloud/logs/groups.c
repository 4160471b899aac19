#include "cloud/logs/derive.h"
#include "cloud/logs/operations.h"

#include <stdlib.h>
#include <string.h>

/* Groups and streams. */

struct change {
    const char *group, *stream;
    int64_t now_ms, days;
};

static int make_group(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    return logs_make_group(connection, change->group, change->now_ms, err) ? 0 : -1;
}

static int change(struct logs_call *call, database_job *job, struct change *change)
{
    change->now_ms = call->now_ms;
    /* What waits belongs in front: a group deleted now must not come back by an older line. */
    if (logs_flush(call->logs, &call->err) < 0)
        return -1;
    return database_write(logs_database(call->logs), job, change, &call->err);
}

int create_log_group(struct logs_call *call)
{
    struct change made = {0};
    if (call_name(call, "logGroupName", 1, &made.group) < 0)
        return -1;
    if (made.group[strspn(made.group, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789._-/#")])
        return call_invalid(call,
                            "1 validation error detected: Value '%.200s' at 'logGroupName' failed "
                            "to satisfy constraint: Member must satisfy regular expression "
                            "pattern: [\\.\\-_/#A-Za-z0-9]+",
                            made.group);
    const char *class = json_string_value(json_object_get(call->body, "logGroupClass"));
    if (class && strcmp(class, "STANDARD") != 0)
        return call_invalid(call, "ken has log groups of the class STANDARD only.");
    if (change(call, make_group, &made) < 0)
        return -1;
    return json_object_size(json_object_get(call->body, "tags")) ? tag_log_group(call) : 0;
}

/* Runs a statement for one id. */
static int run_for(struct connection *connection, const char *sql, int64_t id, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, id);
    return connection_run(connection, s, err);
}

static int remove_group(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    int64_t id = logs_find_group(connection, change->group, err);
    if (!id)
        return -1;
    if (run_for(connection, "DELETE FROM events WHERE group_id = ?1", id, err) < 0 ||
        run_for(connection, "DELETE FROM streams WHERE group_id = ?1", id, err) < 0 ||
        run_for(connection, "DELETE FROM filters WHERE group_id = ?1", id, err) < 0 ||
        run_for(connection, "DELETE FROM group_tags WHERE group_id = ?1", id, err) < 0)
        return -1;
    return run_for(connection, "DELETE FROM groups WHERE id = ?1", id, err);
}

int delete_log_group(struct logs_call *call)
{
    struct change removed = {0};
    if (call_name(call, "logGroupName", 1, &removed.group) < 0)
        return -1;
    if (change(call, remove_group, &removed) < 0)
        return -1;
    derive_remove(logs_derive(call->logs), removed.group, NULL);
    return 0;
}

static int make_stream(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    int64_t id = logs_find_group(connection, change->group, err);
    return id && logs_make_stream(connection, id, change->stream, change->now_ms, err) ? 0 : -1;
}

static int read_stream(struct logs_call *call, struct change *out)
{
    if (call_name(call, "logGroupName", 1, &out->group) < 0 ||
        call_name(call, "logStreamName", 1, &out->stream) < 0)
        return -1;
    if (strpbrk(out->stream, ":*"))
        return call_invalid(call,
                            "1 validation error detected: Value '%.200s' at 'logStreamName' failed "
                            "to satisfy constraint: Member must satisfy regular expression "
                            "pattern: [^:*]*",
                            out->stream);
    return 0;
}

int create_log_stream(struct logs_call *call)
{
    struct change made = {0};
    return read_stream(call, &made) < 0 ? -1 : change(call, make_stream, &made);
}

static int remove_stream(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    int64_t group = logs_find_group(connection, change->group, err);
    int64_t id = group ? logs_find_stream(connection, group, change->stream, err) : 0;
    if (!id || run_for(connection, "DELETE FROM events WHERE stream_id = ?1", id, err) < 0)
        return -1;
    return run_for(connection, "DELETE FROM streams WHERE id = ?1", id, err);
}

int delete_log_stream(struct logs_call *call)
{
    struct change removed = {0};
    return read_stream(call, &removed) < 0 ? -1 : change(call, remove_stream, &removed);
}

static int set_retention(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    int64_t id = logs_find_group(connection, change->group, err);
    sqlite3_stmt *s =
        id ? connection_prepare(connection, "UPDATE groups SET retention_days = ?2 WHERE id = ?1",
                                err)
           : NULL;
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, id);
    if (change->days)
        sqlite3_bind_int64(s, 2, change->days);
    return connection_run(connection, s, err);
}

int put_retention_policy(struct logs_call *call)
{
    static const int allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                  365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    struct change set = {0};
    if (call_name(call, "logGroupName", 1, &set.group) < 0 ||
        call_integer(call, "retentionInDays", &set.days) < 0)
        return -1;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] == set.days)
            return change(call, set_retention, &set) < 0 ? -1 : logs_expire(call->logs, &call->err);
    return call_invalid(call,
                        "retentionInDays must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, ...");
}

int delete_retention_policy(struct logs_call *call)
{
    struct change set = {0};
    if (call_name(call, "logGroupName", 1, &set.group) < 0)
        return -1;
    return change(call, set_retention, &set);
}

static json_t *group_arn(const struct logs_call *call, const char *name, const char *end)
{
    return json_sprintf("arn:aws:logs:%s:%s:log-group:%s%s", call->region, call->account_id, name,
                        end);
}

static json_t *show_group(struct logs_call *call, sqlite3_stmt *s)
{
    const char *name = (const char *)sqlite3_column_text(s, 0);
    json_t *group = json_pack(
        "{s:s,s:I,s:i,s:i,s:s,s:o,s:o,s:b}", "logGroupName", name, "creationTime",
        (json_int_t)sqlite3_column_int64(s, 1), "metricFilterCount", sqlite3_column_int(s, 3),
        "storedBytes", 0, "logGroupClass", "STANDARD", "arn", group_arn(call, name, ":*"),
        "logGroupArn", group_arn(call, name, ""), "deletionProtectionEnabled", 0);
    if (sqlite3_column_type(s, 2) != SQLITE_NULL)
        json_object_set_new(group, "retentionInDays", json_integer(sqlite3_column_int64(s, 2)));
    return group;
}

static json_t *show_stream(struct logs_call *call, sqlite3_stmt *s, const char *group)
{
    static const char *const times[] = {"firstEventTimestamp", "lastEventTimestamp",
                                        "lastIngestionTime"};
    const char *name = (const char *)sqlite3_column_text(s, 0);
    json_t *stream = json_pack("{s:s,s:I,s:i,s:o}", "logStreamName", name, "creationTime",
                               (json_int_t)sqlite3_column_int64(s, 1), "storedBytes", 0, "arn",
                               json_sprintf("arn:aws:logs:%s:%s:log-group:%s:log-stream:%s",
                                            call->region, call->account_id, group, name));
    if (sqlite3_column_type(s, 2) != SQLITE_NULL)
        json_object_set_new(stream, "uploadSequenceToken", json_string(LOGS_SEQUENCE_TOKEN));
    for (int i = 0; i < 3; i++)
        if (sqlite3_column_type(s, 2 + i) != SQLITE_NULL)
            json_object_set_new(stream, times[i], json_integer(sqlite3_column_int64(s, 2 + i)));
    return stream;
}

/* Adds rows up to the limit; the last one shown becomes the token when there are more. */
static int list(struct logs_call *call, sqlite3_stmt *s, int64_t limit, const char *group,
                const char *member)
{
    json_t *shown = json_array();
    json_object_set_new(call->answer, member, shown);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW) {
        if (json_array_size(shown) == (size_t)limit) {
            const json_t *last = json_array_get(shown, (size_t)limit - 1);
            const char *name =
                json_string_value(json_object_get(last, group ? "logStreamName" : "logGroupName"));
            json_object_set_new(call->answer, "nextToken", json_sprintf("n/%s", name));
            return 0;
        }
        json_array_append_new(shown, group ? show_stream(call, s, group) : show_group(call, s));
    }
    return step == SQLITE_DONE ? 0 : err_set(&call->err, ERR_IO, "list log groups");
}

int describe_log_groups(struct logs_call *call)
{
    const char *prefix, *pattern, *token;
    int64_t limit = LOGS_LIST_PAGE;
    if (call_name(call, "logGroupNamePrefix", 0, &prefix) < 0 ||
        call_name(call, "logGroupNamePattern", 0, &pattern) < 0 ||
        call_limit(call, LOGS_LIST_PAGE, &limit) < 0 || call_token(call, 'n', &token) < 0)
        return -1;
    if (prefix && pattern)
        return call_invalid(call, "LogGroup name prefix and LogGroup name pattern are mutually "
                                  "exclusive parameters.");
    struct connection *connection = call_read_begin(call);
    sqlite3_stmt *s =
        connection ? connection_prepare(connection,
                                        "SELECT name, created_ms, retention_days, (SELECT "
                                        "count(*) FROM filters WHERE group_id = id) FROM groups "
                                        "WHERE "
                                        "name > ?1 AND substr(name, 1, length(?2)) = ?2 AND "
                                        "instr(name, ?3) ORDER BY name",
                                        &call->err)
                   : NULL;
    int result = -1;
    if (s) {
        sqlite3_bind_text(s, 1, token ? token : "", -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, prefix ? prefix : "", -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, pattern ? pattern : "", -1, SQLITE_STATIC);
        result = list(call, s, limit, NULL, "logGroups");
    }
    connection_reset(s);
    call_read_end(call, connection);
    return result;
}

/* By name, or by the time of the last event: there the token says how many were told. */
static int list_streams(struct logs_call *call, struct connection *connection, const char *group,
                        const char *prefix, const char *token, int64_t limit)
{
    const char *order = json_string_value(json_object_get(call->body, "orderBy"));
    int by_time = order && !strcmp(order, "LastEventTime");
    int descending = json_is_true(json_object_get(call->body, "descending"));
    int64_t id = logs_find_group(connection, group, &call->err),
            told = by_time && token ? strtoll(token, NULL, 10) : 0;
    if (!id)
        return -1;
    if (order && !by_time && strcmp(order, "LogStreamName") != 0)
        return call_invalid(call,
                            "1 validation error detected: Value '%.64s' at 'orderBy' failed to "
                            "satisfy constraint: Member must satisfy enum value set: "
                            "[LogStreamName, LastEventTime]",
                            order);
    if (by_time && prefix)
        return call_invalid(call, "Cannot order by LastEventTime with a logStreamNamePrefix.");
#define COLUMNS "SELECT name, created_ms, first_ms, last_ms, ingested_ms FROM streams WHERE "
#define OF_GROUP "group_id = ?1 AND substr(name, 1, length(?2)) = ?2 "
    const char *sql =
        by_time ? descending ? COLUMNS OF_GROUP "ORDER BY last_ms DESC, name LIMIT -1 OFFSET ?4"
                             : COLUMNS OF_GROUP "ORDER BY last_ms, name LIMIT -1 OFFSET ?4"
        : descending ? COLUMNS OF_GROUP "AND (?3 = '' OR name < ?3) ORDER BY name DESC"
                     : COLUMNS OF_GROUP "AND name > ?3 ORDER BY name";
    sqlite3_stmt *s = connection_prepare(connection, sql, &call->err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_text(s, 2, prefix ? prefix : "", -1, SQLITE_STATIC);
    if (!by_time)
        sqlite3_bind_text(s, 3, token ? token : "", -1, SQLITE_STATIC);
    else
        sqlite3_bind_int64(s, 4, told);
    int result = list(call, s, limit, group, "logStreams");
    if (by_time && json_object_get(call->answer, "nextToken"))
        json_object_set_new(call->answer, "nextToken",
                            json_sprintf("n/%lld", (long long)(told + limit)));
    connection_reset(s);
    return result;
}

/* There are none; tools ask before they remove a group. */
int describe_subscription_filters(struct logs_call *call)
{
    const char *group;
    if (call_name(call, "logGroupName", 1, &group) < 0)
        return -1;
    struct connection *connection = call_read_begin(call);
    int64_t id = connection ? logs_find_group(connection, group, &call->err) : 0;
    call_read_end(call, connection);
    return id ? json_object_set_new(call->answer, "subscriptionFilters", json_array()) : -1;
}

int describe_log_streams(struct logs_call *call)
{
    const char *group, *prefix, *token;
    int64_t limit = LOGS_LIST_PAGE;
    if (call_group(call, &group) < 0 || call_name(call, "logStreamNamePrefix", 0, &prefix) < 0 ||
        call_limit(call, LOGS_LIST_PAGE, &limit) < 0 || call_token(call, 'n', &token) < 0)
        return -1;
    struct connection *connection = call_read_begin(call);
    int result = connection ? list_streams(call, connection, group, prefix, token, limit) : -1;
    call_read_end(call, connection);
    return result;
}
