#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <string.h>

/* FIFO queues. The table `groups` has a row for each group with messages: when it may be received
 * from, which is when its first message is visible (so not while that one is in flight or delayed),
 * and `head`, its place among the queue's groups. A group that was received from goes to the end.
 */

static int set_group(struct connection *connection, int64_t queue, const char *group,
                     int64_t ready_ms, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection,
        ready_ms ? "INSERT INTO groups(queue, grp, ready_ms, head) VALUES(?1, ?2, ?3, (SELECT "
                   "coalesce(max(head), 0) + 1 FROM groups WHERE queue=?1)) "
                   "ON CONFLICT DO UPDATE SET ready_ms=excluded.ready_ms"
                 : "DELETE FROM groups WHERE queue=? AND grp=?",
        err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, queue);
    sqlite3_bind_text(statement, 2, group, -1, SQLITE_STATIC);
    if (ready_ms)
        sqlite3_bind_int64(statement, 3, ready_ms);
    return connection_run(connection, statement, err);
}

int fifo_refresh(struct connection *connection, int64_t queue, const char *group, struct err *err)
{
    int64_t ready_ms = 0;
    sqlite3_stmt *row = connection_prepare(
        connection, "SELECT visible_ms FROM messages WHERE queue=? AND grp=? ORDER BY id LIMIT 1",
        err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, queue);
    sqlite3_bind_text(row, 2, group, -1, SQLITE_STATIC);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW)
        ready_ms = sqlite3_column_int64(row, 0);
    connection_reset(row);
    return step == SQLITE_ROW || step == SQLITE_DONE
               ? set_group(connection, queue, group, ready_ms, err)
               : connection_fail(connection, "read a message group", err);
}

int fifo_to_end(struct connection *connection, int64_t queue, const char *group, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "UPDATE groups SET head=(SELECT max(head) + 1 FROM groups WHERE queue=?1) WHERE queue=?1 "
        "AND grp=?2",
        err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, queue);
    sqlite3_bind_text(statement, 2, group, -1, SQLITE_STATIC);
    return connection_run(connection, statement, err);
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
