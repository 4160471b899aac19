#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <string.h>

/* FIFO queues. The table `groups` has a row for each group with messages: its first message and
 * when the group may be received from: not while one of its messages is in flight, nor before its
 * first message's delay is over. */

static int64_t number(sqlite3_stmt *row, int column, int64_t otherwise)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? otherwise
                                                           : sqlite3_column_int64(row, column);
}

/* One number of the group; `otherwise` when there is none. */
static int group_number(struct connection *connection, const char *sql, int64_t queue,
                        const char *group, int64_t *out, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection, sql, err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, queue);
    sqlite3_bind_text(row, 2, group, -1, SQLITE_STATIC);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW)
        *out = number(row, 0, *out);
    connection_reset(row);
    return step == SQLITE_ROW || step == SQLITE_DONE
               ? 0
               : connection_fail(connection, "read a message group", err);
}

static int set_group(struct connection *connection, int64_t queue, const char *group, int64_t head,
                     int64_t ready_ms, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection,
        head ? "INSERT OR REPLACE INTO groups(queue, grp, head, ready_ms) VALUES(?,?,?,?)"
             : "DELETE FROM groups WHERE queue=? AND grp=?",
        err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, queue);
    sqlite3_bind_text(statement, 2, group, -1, SQLITE_STATIC);
    if (head) {
        sqlite3_bind_int64(statement, 3, head);
        sqlite3_bind_int64(statement, 4, ready_ms);
    }
    return connection_run(connection, statement, err);
}

int fifo_refresh(struct connection *connection, int64_t queue, const char *group, struct err *err)
{
    int64_t head = 0, first_ms = 0, flight_ms = 0;
    if (group_number(connection, "SELECT min(id) FROM messages WHERE queue=? AND grp=?", queue,
                     group, &head, err) < 0 ||
        group_number(connection,
                     "SELECT visible_ms FROM messages WHERE queue=? AND grp=? ORDER BY id LIMIT 1",
                     queue, group, &first_ms, err) < 0 ||
        group_number(connection,
                     "SELECT max(visible_ms) FROM messages WHERE queue=? AND grp=? AND nonce IS "
                     "NOT NULL",
                     queue, group, &flight_ms, err) < 0)
        return -1;
    return set_group(connection, queue, group, head, first_ms > flight_ms ? first_ms : flight_ms,
                     err);
}

static void bind_deduplication(sqlite3_stmt *statement, const struct insertion *insertion,
                               const struct message *message)
{
    sqlite3_bind_int64(statement, 1, insertion->queue->id);
    sqlite3_bind_text(statement, 2, insertion->settings.group_deduplication ? message->group : "",
                      -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, message->deduplication_id, -1, SQLITE_STATIC);
}

int fifo_find_duplicate(struct connection *connection, const struct insertion *insertion,
                        struct message *message, char uuid[37], struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection,
                                           "SELECT message, uuid FROM dedup WHERE queue=? AND "
                                           "scope=? AND id=? AND until_ms>?",
                                           err);
    if (!row)
        return -1;
    bind_deduplication(row, insertion, message);
    sqlite3_bind_int64(row, 4, insertion->now_ms);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW) {
        message->id = sqlite3_column_int64(row, 0);
        snprintf(uuid, 37, "%s", (const char *)sqlite3_column_text(row, 1));
    }
    connection_reset(row);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return connection_fail(connection, "look for a duplicate", err);
    return step == SQLITE_ROW;
}

int fifo_remember(struct connection *connection, const struct insertion *insertion,
                  const struct message *message, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(connection,
                                                 "INSERT OR REPLACE INTO dedup(queue, scope, id, "
                                                 "until_ms, message, uuid) VALUES(?,?,?,?,?,?)",
                                                 err);
    if (!statement)
        return -1;
    bind_deduplication(statement, insertion, message);
    sqlite3_bind_int64(statement, 4, insertion->now_ms + SQS_DEDUPLICATION_MS);
    sqlite3_bind_int64(statement, 5, message->id);
    sqlite3_bind_text(statement, 6, message->uuid, -1, SQLITE_STATIC);
    return connection_run(connection, statement, err);
}

/* 20 digits that grow, as AWS's do. */
void fifo_sequence_number(int64_t id, char out[24])
{
    snprintf(out, 24, "188%017lld", (long long)id);
}
