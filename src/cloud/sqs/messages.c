#include "base/hex.h"
#include "base/log.h"
#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Messages in the table: those waiting have no nonce; one that was received has the nonce of its
 * last time. Visible is what has visible_ms <= now. */

static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int insert_row(struct connection *connection, const struct insertion *insertion,
                      struct message *message, struct err *err)
{
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "INSERT INTO messages(queue, visible_ms, sent_ms, uuid, sender, grp, "
                           "dedup, source, attributes, trace, body) "
                           "VALUES(?,?,?,?,?,?,?,?,?,?,?) RETURNING id",
                           err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, insertion->queue->id);
    sqlite3_bind_int64(statement, 2, insertion->now_ms + message->delay_ms);
    sqlite3_bind_int64(statement, 3, insertion->now_ms);
    bind_text(statement, 4, message->uuid);
    bind_text(statement, 5, message->sender);
    bind_text(statement, 6, message->group);
    bind_text(statement, 7, message->deduplication_id);
    bind_text(statement, 8, message->source);
    bind_text(statement, 9, message->attributes);
    bind_text(statement, 10, message->trace);
    sqlite3_bind_text(statement, 11, message->body, (int)message->body_bytes, SQLITE_STATIC);
    int made = sqlite3_step(statement) == SQLITE_ROW;
    message->id = made ? sqlite3_column_int64(statement, 0) : 0;
    int result = made ? 0 : connection_fail(connection, "store a message", err);
    connection_reset(statement);
    return result;
}

static int insert_one(struct connection *connection, struct insertion *insertion, size_t at,
                      struct err *err)
{
    struct message *message = &insertion->messages[at];
    int is_fifo = insertion->settings.is_fifo;
    int duplicate =
        is_fifo ? fifo_find_duplicate(connection, insertion, message, insertion->uuids[at], err)
                : 0;
    if (duplicate)
        return duplicate < 0 ? -1 : 0;
    if (insert_row(connection, insertion, message, err) < 0)
        return -1;
    if (!is_fifo)
        return 0;
    return fifo_remember(connection, insertion, message, err) < 0
               ? -1
               : fifo_refresh(connection, insertion->queue->id, message->group, err);
}

int messages_insert(struct connection *connection, void *context, struct err *err)
{
    struct insertion *insertion = context;
    if (insertion->queue->is_deleted)
        return err_set(err, ERR_NOT_FOUND, "The specified queue does not exist.");
    for (size_t i = 0; i < insertion->count; i++)
        if (insert_one(connection, insertion, i, err) < 0)
            return -1;
    return messages_refresh(connection, insertion->sqs, insertion->queue, err);
}

int messages_refresh(struct connection *connection, struct sqs *sqs, struct queue *queue,
                     struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection,
                                           queue->settings.is_fifo
                                               ? "SELECT min(ready_ms) FROM groups WHERE queue=?"
                                               : "SELECT min(visible_ms) FROM messages WHERE "
                                                 "queue=?",
                                           err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, queue->id);
    int step = sqlite3_step(row);
    int64_t next = step == SQLITE_ROW && sqlite3_column_type(row, 0) != SQLITE_NULL
                       ? sqlite3_column_int64(row, 0)
                       : SQS_NEVER;
    connection_reset(row);
    if (step != SQLITE_ROW)
        return connection_fail(connection, "look for the next message", err);
    pthread_mutex_lock(&sqs->lock);
    if (!queue->is_deleted)
        queue->next_ms = next;
    poller_wake(sqs);
    pthread_mutex_unlock(&sqs->lock);
    return 0;
}

/* -- counts -- */

static int count(struct connection *connection, const char *sql, int64_t parameters[2],
                 int64_t *out, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection, sql, err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, parameters[0]);
    sqlite3_bind_int64(row, 2, parameters[1]);
    int step = sqlite3_step(row);
    *out = step == SQLITE_ROW ? sqlite3_column_int64(row, 0) : 0;
    connection_reset(row);
    return step == SQLITE_ROW ? 0 : connection_fail(connection, "count messages", err);
}

int messages_in_flight(struct connection *connection, const struct queue *queue, int64_t now_ms,
                       int64_t *out, struct err *err)
{
    int64_t parameters[2] = {queue->id, now_ms};
    return count(connection,
                 "SELECT count(*) FROM messages WHERE queue=? AND visible_ms>? AND nonce IS NOT "
                 "NULL",
                 parameters, out, err);
}

int messages_count(struct sqs *sqs, const struct queue *queue, int64_t now_ms,
                   struct message_counts *out, struct err *err)
{
    int64_t parameters[2] = {queue->id, now_ms};
    struct connection *connection = database_read_begin(sqs->database, err);
    if (!connection)
        return -1;
    int result =
        count(connection, "SELECT count(*) FROM messages WHERE queue=? AND visible_ms<=?",
              parameters, &out->visible, err) < 0 ||
                messages_in_flight(connection, queue, now_ms, &out->in_flight, err) < 0 ||
                count(connection,
                      "SELECT count(*) FROM messages WHERE queue=? AND visible_ms>? AND nonce IS "
                      "NULL",
                      parameters, &out->delayed, err) < 0 ||
                count(connection,
                      "SELECT coalesce(min(sent_ms), 0) FROM messages WHERE queue=? AND ? > 0",
                      parameters, &out->oldest_ms, err) < 0
            ? -1
            : 0;
    database_read_end(sqs->database, connection);
    return result;
}

/* -- receipt handles -- */

/* Hexadecimal of the three numbers under a mark: long enough to look like what it is. */
void receipt_write(const struct receipt *receipt, char out[SQS_HANDLE_BYTES])
{
    snprintf(out, SQS_HANDLE_BYTES, "KEN1%016llx%016llx%016llx", (unsigned long long)receipt->queue,
             (unsigned long long)receipt->message, (unsigned long long)receipt->nonce);
}

int receipt_read(const char *text, struct receipt *receipt)
{
    unsigned char bytes[24];
    int64_t *parts[3] = {&receipt->queue, &receipt->message, &receipt->nonce};
    if (strlen(text) != 52 || memcmp(text, "KEN1", 4) != 0 || hex_decode(text + 4, bytes, 24) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++) {
        uint64_t value = 0;
        for (size_t b = 0; b < 8; b++)
            value = value << 8 | bytes[i * 8 + b];
        *parts[i] = (int64_t)value;
    }
    return 0;
}

/* -- housekeeping -- */

enum { EXPIRE_MOST = 1000 };

struct expiry {
    struct sqs *sqs;
    struct queue *queue;
    int64_t before_ms;
    int is_more;
};

static int expire_job(struct connection *connection, void *context, struct err *err)
{
    struct expiry *expiry = context;
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE queue=? AND sent_ms<? "
        "LIMIT ?) RETURNING grp",
        err);
    char groups[EXPIRE_MOST][SQS_TEXT_BYTES];
    int step, deleted = 0;
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, expiry->queue->id);
    sqlite3_bind_int64(statement, 2, expiry->before_ms);
    sqlite3_bind_int64(statement, 3, EXPIRE_MOST);
    while ((step = sqlite3_step(statement)) == SQLITE_ROW && deleted < EXPIRE_MOST) {
        const char *group = (const char *)sqlite3_column_text(statement, 0);
        snprintf(groups[deleted++], SQS_TEXT_BYTES, "%s", group ? group : "");
    }
    connection_reset(statement);
    if (step != SQLITE_DONE)
        return connection_fail(connection, "delete old messages", err);
    for (int i = 0; i < deleted && expiry->queue->settings.is_fifo; i++)
        if (fifo_refresh(connection, expiry->queue->id, groups[i], err) < 0)
            return -1;
    expiry->is_more = deleted == EXPIRE_MOST;
    return messages_refresh(connection, expiry->sqs, expiry->queue, err);
}

static int forget_job(struct connection *connection, void *context, struct err *err)
{
    static const char *const statements[] = {"DELETE FROM dedup WHERE until_ms<?",
                                             "DELETE FROM attempts WHERE until_ms<?"};
    for (size_t i = 0; i < 2; i++) {
        sqlite3_stmt *statement = connection_prepare(connection, statements[i], err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, *(const int64_t *)context);
        if (connection_run(connection, statement, err) < 0)
            return -1;
    }
    return 0;
}

/* All queues, each held, and a NULL behind; free() the list. */
static struct queue **hold_all(struct sqs *sqs)
{
    size_t count = 0;
    pthread_mutex_lock(&sqs->lock);
    struct queue **all = calloc(sqs->queue_count + 1, sizeof(struct queue *));
    for (struct queue *q = queue_next(sqs, NULL); all && q; q = queue_next(sqs, q)) {
        q->holders++;
        all[count++] = q;
    }
    pthread_mutex_unlock(&sqs->lock);
    return all;
}

static int has_old(struct sqs *sqs, const struct expiry *expiry)
{
    struct err err;
    int64_t parameters[2] = {expiry->queue->id, expiry->before_ms}, found = 0;
    struct connection *connection = database_read_begin(sqs->database, &err);
    if (!connection)
        return 0;
    int result =
        count(connection, "SELECT EXISTS(SELECT 1 FROM messages WHERE queue=? AND sent_ms<?)",
              parameters, &found, &err);
    database_read_end(sqs->database, connection);
    return result == 0 && found;
}

static int expire_queue(struct sqs *sqs, struct queue *queue, int64_t now_ms, struct err *err)
{
    struct expiry expiry = {.sqs = sqs, .queue = queue};
    expiry.before_ms = now_ms - (int64_t)queue_settings(sqs, queue).retention_s * 1000;
    expiry.is_more = has_old(sqs, &expiry);
    while (expiry.is_more)
        if (database_write(sqs->database, expire_job, &expiry, err) < 0)
            return -1;
    return 0;
}

void messages_expire(struct sqs *sqs, int64_t now_ms)
{
    struct err err = {0};
    if (!database_exists(sqs->database))
        return;
    struct queue **all = hold_all(sqs);
    int result = all ? 0 : err_set(&err, ERR_NO_MEMORY, "delete old messages: out of memory");
    for (size_t i = 0; all && all[i]; i++) {
        if (result == 0)
            result = expire_queue(sqs, all[i], now_ms, &err);
        queue_drop(sqs, all[i]);
    }
    free(all);
    if (result < 0 || database_write_relaxed(sqs->database, forget_job, &now_ms, &err) < 0)
        log_line(LOG_ERROR, "sqs: %s", err.message);
}
