#include "base/random.h"
#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ReceiveMessage: pick, mark, and read messages in one write job. */

enum { PICK_ROUNDS = 64 }; /* of up to SQS_MAX_RECEIVE expired or dead letters each */

/* A candidate's row. */
struct picked {
    int64_t id, sent_ms, receives;
    char group[SQS_TEXT_BYTES];
};

/* -- picking -- */

static int read_picked(struct connection *connection, sqlite3_stmt *rows, struct picked *out,
                       int *count, struct err *err)
{
    int step;
    *count = 0;
    while ((step = sqlite3_step(rows)) == SQLITE_ROW && *count < SQS_MAX_RECEIVE) {
        struct picked *picked = &out[(*count)++];
        const char *group = (const char *)sqlite3_column_text(rows, 3);
        picked->id = sqlite3_column_int64(rows, 0);
        picked->sent_ms = sqlite3_column_int64(rows, 1);
        picked->receives = sqlite3_column_int64(rows, 2);
        snprintf(picked->group, sizeof picked->group, "%s", group ? group : "");
    }
    connection_reset(rows);
    return step == SQLITE_ROW || step == SQLITE_DONE
               ? 0
               : connection_fail(connection, "pick messages", err);
}

static int pick_standard(struct connection *connection, const struct reception *r, int most,
                         struct picked *out, int *count, struct err *err)
{
    sqlite3_stmt *rows = connection_prepare(connection,
                                            "SELECT id, sent_ms, receives, grp FROM messages WHERE "
                                            "queue=? AND visible_ms<=? ORDER BY visible_ms LIMIT ?",
                                            err);
    if (!rows)
        return -1;
    sqlite3_bind_int64(rows, 1, r->queue->id);
    sqlite3_bind_int64(rows, 2, r->now_ms);
    sqlite3_bind_int(rows, 3, most);
    return read_picked(connection, rows, out, count, err);
}

/* The first of the groups that are ready. */
static int find_group(struct connection *connection, const struct reception *r,
                      char group[SQS_TEXT_BYTES], struct err *err)
{
    sqlite3_stmt *row = connection_prepare(
        connection,
        "SELECT grp FROM groups INDEXED BY groups_head WHERE queue=? AND ready_ms<=? ORDER BY head "
        "LIMIT 1",
        err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, r->queue->id);
    sqlite3_bind_int64(row, 2, r->now_ms);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW)
        snprintf(group, SQS_TEXT_BYTES, "%s", (const char *)sqlite3_column_text(row, 0));
    connection_reset(row);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return connection_fail(connection, "pick a message group", err);
    return step == SQLITE_ROW;
}

/* A run of messages from the head of one group, up to one that is in flight. */
static int pick_fifo(struct connection *connection, const struct reception *r, int most,
                     struct picked *out, int *count, struct err *err)
{
    char group[SQS_TEXT_BYTES];
    *count = 0;
    int found = find_group(connection, r, group, err);
    if (found <= 0)
        return found;
    sqlite3_stmt *rows = connection_prepare(connection,
                                            "SELECT id, sent_ms, receives, grp FROM messages WHERE "
                                            "queue=?1 AND grp=?2 AND id<coalesce((SELECT min(id) "
                                            "FROM messages WHERE queue=?1 AND grp=?2 AND "
                                            "visible_ms>?3), id+1) ORDER BY id LIMIT ?4",
                                            err);
    if (!rows)
        return -1;
    sqlite3_bind_int64(rows, 1, r->queue->id);
    sqlite3_bind_text(rows, 2, group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(rows, 3, r->now_ms);
    sqlite3_bind_int(rows, 4, most);
    return read_picked(connection, rows, out, count, err);
}

/* -- what becomes of a picked message -- */

static int delete_message(struct connection *connection, int64_t id, struct err *err)
{
    sqlite3_stmt *statement =
        connection_prepare(connection, "DELETE FROM messages WHERE id=?", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, id);
    return connection_run(connection, statement, err);
}

/* Over to the dead-letter queue, visible at once; it keeps its id, its time and its count. In a
 * FIFO queue its id is what makes it different, as two may have had one deduplication id. */
static int bury(struct connection *connection, const struct reception *r, struct queue *dead,
                const struct picked *picked, struct err *err)
{
    char arn[SQS_ARN_BYTES];
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "UPDATE messages SET queue=?, visible_ms=?, nonce=NULL, source=?, "
                           "dedup=CASE WHEN dedup IS NULL THEN NULL ELSE uuid END WHERE id=?",
                           err);
    if (!statement)
        return -1;
    queue_arn(r->sqs, r->queue, arn);
    sqlite3_bind_int64(statement, 1, dead->id);
    sqlite3_bind_int64(statement, 2, r->now_ms);
    sqlite3_bind_text(statement, 3, arn, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, picked->id);
    if (connection_run(connection, statement, err) < 0)
        return -1;
    if (dead->settings.is_fifo && fifo_refresh(connection, dead->id, picked->group, err) < 0)
        return -1;
    return messages_refresh(connection, r->sqs, dead, err);
}

static int mark(struct connection *connection, const struct reception *r,
                const struct picked *picked, int64_t nonce, struct err *err)
{
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           "UPDATE messages SET visible_ms=?, nonce=?, receives=receives+1, "
                           "first_ms=coalesce(first_ms, ?) WHERE id=?",
                           err);
    if (!statement)
        return -1;
    /* Not twice in one answer, so never at once. */
    sqlite3_bind_int64(statement, 1, r->now_ms + (r->visibility_ms ? r->visibility_ms : 1));
    sqlite3_bind_int64(statement, 2, nonce);
    sqlite3_bind_int64(statement, 3, r->now_ms);
    sqlite3_bind_int64(statement, 4, picked->id);
    return connection_run(connection, statement, err);
}

/* -- the job -- */

struct reception_job {
    struct reception *r;
    struct queue *dead; /* letters' queue; NULL: none */
    int64_t ids[SQS_MAX_RECEIVE];
    int received, most; /* of those that may be */
};

static int64_t new_nonce(void)
{
    uint64_t bits;
    random_bytes(&bits, sizeof bits);
    return (int64_t)(bits >> 1);
}

static int take_one(struct connection *connection, struct reception_job *job,
                    const struct picked *picked, struct err *err)
{
    struct reception *r = job->r;
    if (picked->sent_ms <= r->now_ms - (int64_t)r->settings.retention_s * 1000)
        return delete_message(connection, picked->id, err);
    if (job->dead && picked->receives >= r->settings.max_receives)
        return bury(connection, r, job->dead, picked, err);
    int64_t nonce = new_nonce();
    if (mark(connection, r, picked, nonce, err) < 0 ||
        reception_read(connection, r, picked->id, nonce, err) < 0)
        return -1;
    job->ids[job->received++] = picked->id;
    return 0;
}

static int take_round(struct connection *connection, struct reception_job *job, int *picked_count,
                      struct err *err)
{
    struct reception *r = job->r;
    struct picked picked[SQS_MAX_RECEIVE];
    int most = job->most - job->received;
    int result = r->settings.is_fifo
                     ? pick_fifo(connection, r, most, picked, picked_count, err)
                     : pick_standard(connection, r, most, picked, picked_count, err);
    for (int i = 0; result == 0 && i < *picked_count; i++)
        result = take_one(connection, job, &picked[i], err);
    if (result < 0 || !r->settings.is_fifo || !*picked_count)
        return result;
    return fifo_refresh(connection, r->queue->id, picked[0].group, err) < 0
               ? -1
               : fifo_to_end(connection, r->queue->id, picked[0].group, err);
}

/* A retry of the same attempt gets the same messages while they are all still its own. */
static int repeat_attempt(struct connection *connection, struct reception_job *job, struct err *err)
{
    struct reception *r = job->r;
    sqlite3_stmt *rows = connection_prepare(
        connection,
        "SELECT m.id, m.sent_ms, m.receives, m.grp FROM attempts a, json_each(a.messages) j, "
        "messages m WHERE a.queue=?1 AND a.id=?2 AND a.until_ms>?3 AND m.id=j.value AND "
        "m.queue=?1 AND m.visible_ms>?3 ORDER BY m.id",
        err);
    struct picked picked[SQS_MAX_RECEIVE];
    int count = 0;
    if (!rows)
        return -1;
    sqlite3_bind_int64(rows, 1, r->queue->id);
    sqlite3_bind_text(rows, 2, r->attempt, -1, SQLITE_STATIC);
    sqlite3_bind_int64(rows, 3, r->now_ms);
    if (read_picked(connection, rows, picked, &count, err) < 0)
        return -1;
    for (int i = 0; i < count; i++)
        if (take_one(connection, job, &picked[i], err) < 0 ||
            fifo_refresh(connection, r->queue->id, picked[i].group, err) < 0)
            return -1;
    return 0;
}

static int remember_attempt(struct connection *connection, const struct reception_job *job,
                            struct err *err)
{
    const struct reception *r = job->r;
    struct buf ids;
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "INSERT OR REPLACE INTO attempts(queue, id, until_ms, messages) VALUES(?,?,?,?)", err);
    if (!statement)
        return -1;
    buf_init(&ids, 512);
    for (int i = 0; i < job->received; i++)
        buf_printf(&ids, "%s%lld", i ? "," : "[", (long long)job->ids[i]);
    buf_puts(&ids, "]");
    sqlite3_bind_int64(statement, 1, r->queue->id);
    sqlite3_bind_text(statement, 2, r->attempt, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, r->now_ms + SQS_DEDUPLICATION_MS);
    sqlite3_bind_text(statement, 4, ids.data, (int)ids.size, SQLITE_TRANSIENT);
    int result = connection_run(connection, statement, err);
    buf_finish(&ids);
    return result;
}

/* Counting is dear where there are many, so it is done when the last count may be used up. */
static int check_room(struct connection *connection, struct reception_job *job, struct err *err)
{
    struct reception *r = job->r;
    int64_t in_flight;
    if (r->queue->flight_room >= r->most)
        return 0;
    if (messages_in_flight(connection, r->queue, r->now_ms, &in_flight, err) < 0)
        return -1;
    r->queue->flight_room = SQS_MAX_IN_FLIGHT - in_flight;
    r->is_over = r->queue->flight_room <= 0;
    if (!r->is_over && job->most > r->queue->flight_room)
        job->most = (int)r->queue->flight_room;
    return 0;
}

static int receive_job(struct connection *connection, void *context, struct err *err)
{
    struct reception_job *job = context;
    struct reception *r = job->r;
    int picked = 1;
    if (r->queue->is_deleted)
        return 0;
    if (r->attempt && repeat_attempt(connection, job, err) < 0)
        return -1;
    int repeated = job->received > 0;
    if (!repeated && check_room(connection, job, err) < 0)
        return -1;
    for (int round = 0;
         !repeated && !r->is_over && round < PICK_ROUNDS && picked && job->received < job->most;
         round++)
        if (take_round(connection, job, &picked, err) < 0)
            return -1;
    if (!repeated)
        r->queue->flight_room -= job->received;
    if (r->attempt && job->received && remember_attempt(connection, job, err) < 0)
        return -1;
    return messages_refresh(connection, r->sqs, r->queue, err);
}

int reception_run(struct reception *reception, struct err *err)
{
    struct reception_job job = {.r = reception, .most = reception->most};
    reception->is_over = 0;
    if (reception->settings.max_receives)
        job.dead = queue_find_arn(reception->sqs, reception->settings.dead_letter);
    int result = database_write_relaxed(reception->sqs->database, receive_job, &job, err);
    queue_drop(reception->sqs, job.dead);
    return result;
}

/* -- the operation -- */

static int check_names(struct sqs_call *call)
{
    static const char known[] =
        " All SenderId SentTimestamp ApproximateReceiveCount ApproximateFirstReceiveTimestamp "
        "SequenceNumber MessageDeduplicationId MessageGroupId AWSTraceHeader "
        "DeadLetterQueueSourceArn ";
    static const char *const members[] = {"AttributeNames", "MessageSystemAttributeNames"};
    char word[64];
    size_t i;
    json_t *name;
    for (size_t m = 0; m < 2; m++)
        json_array_foreach(json_object_get(call->body, members[m]), i, name)
        {
            const char *text = json_string_value(name);
            if (!text || !*text || strchr(text, ' ') ||
                snprintf(word, sizeof word, " %s ", text) >= (int)sizeof word ||
                !strstr(known, word))
                return sqs_fail(call, "InvalidAttributeName", "Unknown Attribute %s.",
                                text ? text : "");
        }
    return 0;
}

static int read_limits(struct sqs_call *call, struct reception *r, int64_t *wait_s)
{
    int64_t most = 1, visibility_s = call->settings.visibility_s;
    int64_t waits[2] = {0, SQS_MAX_WAIT_S}, visible[2] = {0, SQS_MAX_VISIBILITY_S};
    int given = wire_integer(call->body, "MaxNumberOfMessages", &most);
    *wait_s = call->settings.wait_s;
    if (given < 0 || most < 1 || most > SQS_MAX_RECEIVE)
        return sqs_fail(call, SQS_INVALID,
                        "Value %lld for parameter MaxNumberOfMessages is invalid. Reason: Must be "
                        "between 1 and 10, if provided.",
                        (long long)most);
    if (sqs_number(call, call->body, "WaitTimeSeconds", waits, wait_s) < 0 ||
        sqs_number(call, call->body, "VisibilityTimeout", visible, &visibility_s) < 0)
        return -1;
    r->most = (int)most;
    r->visibility_ms = visibility_s * 1000;
    return 0;
}

static int read_attempt(struct sqs_call *call, struct reception *r)
{
    r->attempt = sqs_text(call->body, "ReceiveRequestAttemptId");
    if (!r->attempt)
        return 0;
    if (!call->settings.is_fifo)
        return sqs_fail(call, SQS_INVALID,
                        "The request include parameter that is not valid for this queue type");
    return *r->attempt && strlen(r->attempt) < SQS_TEXT_BYTES
               ? 0
               : sqs_fail(call, SQS_INVALID,
                          "Value for parameter ReceiveRequestAttemptId is invalid. Reason: 1 to "
                          "128 in length.");
}

static int may_have(struct sqs_call *call)
{
    pthread_mutex_lock(&call->sqs->lock);
    int may = call->queue->next_ms <= call->now_ms;
    pthread_mutex_unlock(&call->sqs->lock);
    return may;
}

int sqs_receive(struct sqs_call *call)
{
    int64_t wait_s;
    struct reception r = {.sqs = call->sqs,
                          .queue = call->queue,
                          .settings = call->settings,
                          .body = call->body,
                          .now_ms = call->now_ms};
    if (check_names(call) < 0 || read_limits(call, &r, &wait_s) < 0 || read_attempt(call, &r) < 0)
        return -1;
    r.messages = json_array();
    int result = may_have(call) || r.attempt ? reception_run(&r, &call->err) : 0;
    if (result == 0 && !json_array_size(r.messages) && wait_s &&
        poller_wait(call, &r, call->now_ms + wait_s * 1000) == 0)
        return 0;
    if (result == 0 && r.is_over && !call->settings.is_fifo && !wait_s)
        result = sqs_fail(call, "OverLimit", "Too many messages are in flight: at most %d may be.",
                          SQS_MAX_IN_FLIGHT);
    else if (result == 0)
        sqs_count_received(&r);
    if (json_array_size(r.messages))
        json_object_set(call->answer, "Messages", r.messages);
    json_decref(r.messages);
    return result;
}
