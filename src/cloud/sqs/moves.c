#include "base/log.h"
#include "base/random.h"
#include "cloud/sqs/sqs.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Message move tasks: the messages of a dead-letter queue go back where they came from, or to a
 * queue that is named. The table `moves` keeps the tasks, so that they go on after a restart. */

enum { MOVE_PIECE = 100, MOVE_TICK_MS = 50, MOVE_HANDLE_BYTES = 768, MOVE_MOST_RATE = 500 };

struct task {
    int64_t id, rate, moved, started_ms;
    char source[SQS_ARN_BYTES], target[SQS_ARN_BYTES];
};

/* -- one piece of a task -- */

struct piece {
    struct sqs *sqs;
    struct task task;
    struct queue *source, *target; /* target NULL: where each came from */
    int64_t now_ms;
    int most, moved;
};

struct moved {
    int64_t id;
    char group[SQS_TEXT_BYTES], source[SQS_ARN_BYTES];
};

static int pick(struct connection *connection, const struct piece *piece, struct moved *out,
                int *count, struct err *err)
{
    sqlite3_stmt *rows = connection_prepare(connection,
                                            "SELECT id, grp, source FROM messages WHERE queue=? "
                                            "AND visible_ms<=? ORDER BY visible_ms LIMIT ?",
                                            err);
    int step;
    if (!rows)
        return -1;
    sqlite3_bind_int64(rows, 1, piece->source->id);
    sqlite3_bind_int64(rows, 2, piece->now_ms);
    sqlite3_bind_int(rows, 3, piece->most);
    *count = 0;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && *count < MOVE_PIECE) {
        const char *group = (const char *)sqlite3_column_text(rows, 1);
        const char *source = (const char *)sqlite3_column_text(rows, 2);
        out[*count].id = sqlite3_column_int64(rows, 0);
        snprintf(out[*count].group, SQS_TEXT_BYTES, "%s", group ? group : "");
        snprintf(out[*count].source, SQS_ARN_BYTES, "%s", source ? source : "");
        ++*count;
    }
    connection_reset(rows);
    return step == SQLITE_ROW || step == SQLITE_DONE
               ? 0
               : connection_fail(connection, "move messages", err);
}

/* A moved message is a new one: its own id, time and count. */
static int move_one(struct connection *connection, const struct piece *piece,
                    const struct moved *message, struct queue *target, struct err *err)
{
    char uuid[RANDOM_UUID_BYTES];
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "UPDATE messages SET queue=?, visible_ms=?2, sent_ms=?2, nonce=NULL, "
                           "receives=0, first_ms=NULL, source=NULL, uuid=?3 WHERE id=?4",
                           err);
    if (!statement)
        return -1;
    random_uuid(uuid);
    sqlite3_bind_int64(statement, 1, target->id);
    sqlite3_bind_int64(statement, 2, piece->now_ms);
    sqlite3_bind_text(statement, 3, uuid, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, message->id);
    if (connection_run(connection, statement, err) < 0)
        return -1;
    if (target->settings.is_fifo &&
        (fifo_refresh(connection, piece->source->id, message->group, err) < 0 ||
         fifo_refresh(connection, target->id, message->group, err) < 0))
        return -1;
    return messages_refresh(connection, piece->sqs, target, err);
}

static int set_status(struct connection *connection, int64_t id, const char *status,
                      const char *reason, int moved, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "UPDATE moves SET status=?, reason=?, moved=moved+? WHERE id=? AND status<>'CANCELLED'",
        err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, status, -1, SQLITE_STATIC);
    if (reason)
        sqlite3_bind_text(statement, 2, reason, -1, SQLITE_STATIC);
    sqlite3_bind_int(statement, 3, moved);
    sqlite3_bind_int64(statement, 4, id);
    return connection_run(connection, statement, err);
}

static int move_piece(struct connection *connection, void *context, struct err *err)
{
    struct piece *piece = context;
    struct moved messages[MOVE_PIECE];
    int count;
    const char *reason = NULL;
    piece->moved = 0;
    if (pick(connection, piece, messages, &count, err) < 0)
        return -1;
    for (int i = 0; i < count && !reason; i++) {
        struct queue *target =
            piece->target ? piece->target : queue_find_arn(piece->sqs, messages[i].source);
        if (!target)
            reason = "CouldNotDetermineMessageSource";
        int result = target ? move_one(connection, piece, &messages[i], target, err) : 0;
        if (!piece->target)
            queue_drop(piece->sqs, target);
        if (result < 0)
            return -1;
        piece->moved += target != NULL;
    }
    const char *status = reason ? "FAILED" : count ? "RUNNING" : "COMPLETED";
    if (set_status(connection, piece->task.id, status, reason, piece->moved, err) < 0)
        return -1;
    return messages_refresh(connection, piece->sqs, piece->source, err);
}

static void end_task(struct sqs *sqs, int64_t id, const char *reason);

/* How many may go now: the first at once, the others when their time has come. One that slept
 * (the cloud was down) catches up a second's worth. */
static int allowance(const struct task *task, int64_t now_ms)
{
    int64_t most = (now_ms - task->started_ms) * task->rate / 1000 + 1 - task->moved;
    if (!task->rate || most > MOVE_PIECE)
        most = MOVE_PIECE;
    if (task->rate && most > task->rate)
        most = task->rate;
    return most > 0 ? (int)most : 0;
}

static void run_piece(struct sqs *sqs, const struct task *task, int64_t now_ms)
{
    struct err err = {0};
    struct piece piece = {
        .sqs = sqs, .task = *task, .now_ms = now_ms, .most = allowance(task, now_ms)};
    piece.source = queue_find_arn(sqs, task->source);
    piece.target = *task->target ? queue_find_arn(sqs, task->target) : NULL;
    if (!piece.source || (*task->target && !piece.target))
        end_task(sqs, task->id, "AWS.SimpleQueueService.NonExistentQueue");
    else if (piece.most && database_write(sqs->database, move_piece, &piece, &err) < 0)
        log_line(LOG_ERROR, "sqs: %s", err.message);
    queue_drop(sqs, piece.source);
    queue_drop(sqs, piece.target);
}

struct ending {
    int64_t id;
    const char *reason;
};

static int end_job(struct connection *connection, void *context, struct err *err)
{
    const struct ending *ending = context;
    return set_status(connection, ending->id, "FAILED", ending->reason, 0, err);
}

static void end_task(struct sqs *sqs, int64_t id, const char *reason)
{
    struct err err = {0};
    struct ending ending = {id, reason};
    if (database_write(sqs->database, end_job, &ending, &err) < 0)
        log_line(LOG_ERROR, "sqs: %s", err.message);
}

/* -- the tasks that run -- */

enum { MOVE_MOST_TASKS = 64 };

static size_t running(struct sqs *sqs, struct task tasks[MOVE_MOST_TASKS])
{
    struct err err = {0};
    size_t count = 0;
    struct connection *connection = database_read_begin(sqs->database, &err);
    sqlite3_stmt *row = connection
                            ? connection_prepare(connection,
                                                 "SELECT id, source, target, rate, moved, "
                                                 "started_ms FROM moves WHERE status='RUNNING' "
                                                 "ORDER BY id",
                                                 &err)
                            : NULL;
    while (row && count < MOVE_MOST_TASKS && sqlite3_step(row) == SQLITE_ROW) {
        const char *target = (const char *)sqlite3_column_text(row, 2);
        struct task *task = &tasks[count++];
        task->id = sqlite3_column_int64(row, 0);
        snprintf(task->source, SQS_ARN_BYTES, "%s", (const char *)sqlite3_column_text(row, 1));
        snprintf(task->target, SQS_ARN_BYTES, "%s", target ? target : "");
        task->rate = sqlite3_column_int64(row, 3);
        task->moved = sqlite3_column_int64(row, 4);
        task->started_ms = sqlite3_column_int64(row, 5);
    }
    connection_reset(row);
    database_read_end(sqs->database, connection);
    return count;
}

int64_t moves_work(struct sqs *sqs, int64_t now_ms)
{
    struct task tasks[MOVE_MOST_TASKS];
    size_t count = running(sqs, tasks);
    for (size_t i = 0; i < count; i++)
        run_piece(sqs, &tasks[i], now_ms);
    return count ? now_ms + MOVE_TICK_MS : SQS_NEVER;
}

/* -- the operations -- */

struct start {
    struct sqs_call *call;
    const char *source, *target;
    char handle[MOVE_HANDLE_BYTES];
    int64_t rate, total;
    int is_running;
};

static int insert_task(struct connection *connection, void *context, struct err *err)
{
    struct start *start = context;
    sqlite3_stmt *row = connection_prepare(
        connection, "SELECT 1 FROM moves WHERE status='RUNNING' AND source=?", err);
    if (!row)
        return -1;
    sqlite3_bind_text(row, 1, start->source, -1, SQLITE_STATIC);
    start->is_running = sqlite3_step(row) == SQLITE_ROW;
    connection_reset(row);
    if (start->is_running)
        return err_set(err, ERR_EXISTS, "a task runs");
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "INSERT INTO moves(handle, source, target, status, rate, moved, total, "
                           "started_ms) VALUES(?,?,?,'RUNNING',?,0,?,?)",
                           err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, start->handle, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, start->source, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, start->target ? start->target : "", -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, start->rate);
    sqlite3_bind_int64(statement, 5, start->total);
    sqlite3_bind_int64(statement, 6, start->call->now_ms);
    return connection_run(connection, statement, err);
}

static int no_resource(struct sqs_call *call, const char *name)
{
    return sqs_fail(call, "ResourceNotFoundException",
                    "The resource that you specified for the %s parameter doesn't exist.", name);
}

static int is_dead_letter(struct sqs *sqs, const char *arn)
{
    int found = 0;
    pthread_mutex_lock(&sqs->lock);
    for (struct queue *q = queue_next(sqs, NULL); q && !found; q = queue_next(sqs, q))
        found = q->settings.max_receives && strcmp(q->settings.dead_letter, arn) == 0;
    pthread_mutex_unlock(&sqs->lock);
    return found;
}

static int check_target(struct sqs_call *call, const char *arn, int is_fifo)
{
    struct queue *queue = arn ? queue_find_arn(call->sqs, arn) : NULL;
    int same = queue && queue->settings.is_fifo == is_fifo;
    queue_drop(call->sqs, queue);
    if (arn && !queue)
        return no_resource(call, "DestinationArn");
    return !arn || same ? 0
                        : sqs_fail(call, SQS_INVALID,
                                   "The source and destination queues must be of the same type.");
}

static int check_start(struct sqs_call *call, struct start *start)
{
    int64_t range[2] = {1, MOVE_MOST_RATE};
    start->source = sqs_text(call->body, "SourceArn");
    start->target = sqs_text(call->body, "DestinationArn");
    if (!start->source)
        return sqs_fail_missing(call, "SourceArn");
    if (sqs_number(call, call->body, "MaxNumberOfMessagesPerSecond", range, &start->rate) < 0)
        return -1;
    struct queue *source = queue_find_arn(call->sqs, start->source);
    if (!source)
        return no_resource(call, "SourceArn");
    int is_fifo = source->settings.is_fifo;
    struct message_counts counts;
    int result = messages_count(call->sqs, source, call->now_ms, &counts, &call->err);
    queue_drop(call->sqs, source);
    if (result < 0)
        return -1;
    start->total = counts.visible;
    if (!is_dead_letter(call->sqs, start->source))
        return sqs_fail(call, SQS_INVALID,
                        "Source queue must be configured as a Dead Letter Queue.");
    return check_target(call, start->target, is_fifo);
}

static void make_handle(struct start *start)
{
    char uuid[RANDOM_UUID_BYTES], text[SQS_ARN_BYTES + 128];
    random_uuid(uuid);
    int size = snprintf(text, sizeof text, "{\"taskId\":\"%s\",\"sourceArn\":\"%s\"}", uuid,
                        start->source);
    EVP_EncodeBlock((unsigned char *)start->handle, (const unsigned char *)text, size);
}

int sqs_start_move(struct sqs_call *call)
{
    struct start start = {.call = call};
    if (check_start(call, &start) < 0)
        return -1;
    make_handle(&start);
    if (database_write(call->sqs->database, insert_task, &start, &call->err) < 0)
        return start.is_running
                   ? sqs_fail(call, SQS_INVALID,
                              "There is already a task running. Only one active task is allowed "
                              "for a source queue arn at a given time.")
                   : -1;
    poller_work(call->sqs);
    return json_object_set_new(call->answer, "TaskHandle", json_string(start.handle));
}

struct cancel {
    const char *handle;
    int64_t moved;
    int found;
};

static int cancel_task(struct connection *connection, void *context, struct err *err)
{
    struct cancel *cancel = context;
    sqlite3_stmt *row = connection_prepare(connection,
                                           "UPDATE moves SET status='CANCELLED' WHERE handle=? AND "
                                           "status='RUNNING' RETURNING moved",
                                           err);
    if (!row)
        return -1;
    sqlite3_bind_text(row, 1, cancel->handle, -1, SQLITE_STATIC);
    cancel->found = sqlite3_step(row) == SQLITE_ROW;
    cancel->moved = cancel->found ? sqlite3_column_int64(row, 0) : 0;
    connection_reset(row);
    return 0;
}

/* What a task's handle holds, or NULL. */
static json_t *read_handle(const char *text)
{
    unsigned char bytes[MOVE_HANDLE_BYTES];
    size_t size = strlen(text);
    int got = size && size % 4 == 0 && size < MOVE_HANDLE_BYTES
                  ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)size)
                  : -1;
    return got > 2 ? json_loadb((const char *)bytes, (size_t)got, JSON_DISABLE_EOF_CHECK, NULL)
                   : NULL;
}

static int check_handle(struct sqs_call *call, const char *handle)
{
    json_t *parts = read_handle(handle);
    const char *source = sqs_text(parts, "sourceArn");
    struct queue *queue = source ? queue_find_arn(call->sqs, source) : NULL;
    int is_handle = source && sqs_text(parts, "taskId"), is_there = queue != NULL;
    queue_drop(call->sqs, queue);
    json_decref(parts);
    if (!is_handle)
        return sqs_fail(call, SQS_INVALID, "Value for parameter TaskHandle is invalid.");
    return is_there ? 0 : no_resource(call, "SourceArn");
}

int sqs_cancel_move(struct sqs_call *call)
{
    struct cancel cancel = {.handle = sqs_text(call->body, "TaskHandle")};
    if (!cancel.handle)
        return sqs_fail_missing(call, "TaskHandle");
    if (check_handle(call, cancel.handle) < 0)
        return -1;
    if (database_write(call->sqs->database, cancel_task, &cancel, &call->err) < 0)
        return -1;
    if (!cancel.found)
        return sqs_fail(call, "ResourceNotFoundException", "Task does not exist.");
    return json_object_set_new(call->answer, "ApproximateNumberOfMessagesMoved",
                               json_integer(cancel.moved));
}

static json_t *task_json(sqlite3_stmt *row)
{
    static const char *const texts[] = {"TaskHandle", "Status", "SourceArn", "DestinationArn",
                                        "FailureReason"};
    static const char *const numbers[] = {"MaxNumberOfMessagesPerSecond",
                                          "ApproximateNumberOfMessagesMoved",
                                          "ApproximateNumberOfMessagesToMove", "StartedTimestamp"};
    json_t *task = json_object();
    const char *status = (const char *)sqlite3_column_text(row, 1);
    for (int i = 0; i < 5; i++) {
        const char *text = (const char *)sqlite3_column_text(row, i);
        if (text && *text && (i || strcmp(status, "RUNNING") == 0))
            json_object_set_new(task, texts[i], json_string(text));
    }
    for (int i = 0; i < 4; i++)
        if (i || sqlite3_column_int64(row, 5))
            json_object_set_new(task, numbers[i], json_integer(sqlite3_column_int64(row, 5 + i)));
    return task;
}

static int list_tasks(struct sqs_call *call, const char *source, int64_t most, json_t *out)
{
    struct connection *connection = database_read_begin(call->sqs->database, &call->err);
    sqlite3_stmt *row =
        connection ? connection_prepare(connection,
                                        "SELECT handle, status, source, target, reason, rate, "
                                        "moved, total, started_ms FROM moves WHERE source=? ORDER "
                                        "BY id DESC LIMIT ?",
                                        &call->err)
                   : NULL;
    int step = SQLITE_ERROR;
    if (row) {
        sqlite3_bind_text(row, 1, source, -1, SQLITE_STATIC);
        sqlite3_bind_int64(row, 2, most);
        while ((step = sqlite3_step(row)) == SQLITE_ROW)
            json_array_append_new(out, task_json(row));
        connection_reset(row);
    }
    database_read_end(call->sqs->database, connection);
    return step == SQLITE_DONE ? 0 : -1;
}

int sqs_list_moves(struct sqs_call *call)
{
    const char *source = sqs_text(call->body, "SourceArn");
    int64_t most = 1, range[2] = {1, 10};
    if (!source)
        return sqs_fail_missing(call, "SourceArn");
    if (sqs_number(call, call->body, "MaxResults", range, &most) < 0)
        return -1;
    struct queue *queue = queue_find_arn(call->sqs, source);
    queue_drop(call->sqs, queue);
    if (!queue)
        return no_resource(call, "SourceArn");
    json_t *results = json_array();
    json_object_set_new(call->answer, "Results", results);
    return list_tasks(call, source, most, results);
}
