#include "base/clock.h"
#include "cloud/sqs/sqs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* What a receiver does with a message by its receipt handle: delete it, or change when it becomes
 * visible again; and batches in general. */

/* -- batches -- */

static int is_batch_id(const char *id)
{
    size_t size = strlen(id);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)id[i]) && id[i] != '-' && id[i] != '_')
            return 0;
    return size >= 1 && size <= 80;
}

static int check_ids(struct sqs_call *call, const json_t *entries, const char *members)
{
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry)
    {
        struct wire wire = {.body = entry};
        const char *unknown = wire_unknown(&wire, members);
        if (unknown)
            return sqs_fail(call, SQS_INVALID, "An entry of %s has no parameter %s.",
                            call->wire.operation, unknown);
        const char *id = sqs_text(entry, "Id");
        if (!id || !is_batch_id(id))
            return sqs_fail(
                call, "AWS.SimpleQueueService.InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.");
        for (size_t before = 0; before < i; before++)
            if (strcmp(sqs_text(json_array_get(entries, before), "Id"), id) == 0)
                return sqs_fail(call, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
                                "Id %s repeated.", id);
    }
    return 0;
}

int sqs_check_batch(struct sqs_call *call, const json_t *entries, const char *members)
{
    size_t count = json_array_size(entries);
    if (!count)
        return sqs_fail(call, "AWS.SimpleQueueService.EmptyBatchRequest",
                        "There should be at least one %sRequestEntry in the request.",
                        call->wire.operation);
    if (count > SQS_MAX_BATCH)
        return sqs_fail(call, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                        "Maximum number of entries per request are 10. You have sent %zu.", count);
    return check_ids(call, entries, members);
}

void sqs_put_failure(json_t *failed, const char *id, const char *code, const char *message)
{
    json_array_append_new(failed, json_pack("{s:s, s:b, s:s, s:s}", "Id", id, "SenderFault",
                                            strcmp(code, "InternalError") != 0, "Code", code,
                                            "Message", message));
}

void sqs_put_batch(struct sqs_call *call, json_t *successful, json_t *failed)
{
    if (json_array_size(successful))
        json_object_set(call->answer, "Successful", successful);
    if (json_array_size(failed))
        json_object_set(call->answer, "Failed", failed);
    json_decref(successful);
    json_decref(failed);
}

/* -- one change of one message -- */

struct message_change {
    struct sqs *sqs;
    struct queue *queue;
    struct receipt receipt;
    const char *id; /* in its batch */
    const char *handle;
    int64_t now_ms, visible_ms; /* visible_ms < 0: delete */
    const char *code;           /* why it is refused */
    struct err err;
};

/* The state of a message that is still there. */
struct state {
    int64_t visible_ms, nonce;
    char group[SQS_TEXT_BYTES];
};

static int read_state(struct connection *connection, const struct message_change *change,
                      struct state *out, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(
        connection, "SELECT visible_ms, nonce, grp FROM messages WHERE id=? AND queue=?", err);
    if (!row)
        return -1;
    sqlite3_bind_int64(row, 1, change->receipt.message);
    sqlite3_bind_int64(row, 2, change->receipt.queue);
    int step = sqlite3_step(row);
    if (step == SQLITE_ROW) {
        const char *group = (const char *)sqlite3_column_text(row, 2);
        out->visible_ms = sqlite3_column_int64(row, 0);
        out->nonce = sqlite3_column_type(row, 1) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, 1);
        snprintf(out->group, sizeof out->group, "%s", group ? group : "");
    }
    connection_reset(row);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        return connection_fail(connection, "look for a message", err);
    return step == SQLITE_ROW;
}

static int refuse(struct message_change *change, const char *code, const char *reason)
{
    change->code = code;
    err_set(&change->err, ERR_INVALID,
            "Value %.100s for parameter ReceiptHandle is invalid. Reason: %s", change->handle,
            reason);
    return 0;
}

/* The nonce of a message that its receiver made visible at once: the handle is spent. One whose
 * time has run out is still its receiver's until another one comes. */
static int64_t given_back(int64_t nonce)
{
    return -1 - nonce;
}

static int run_change(struct connection *connection, const struct message_change *change,
                      struct err *err)
{
    int deletes = change->visible_ms < 0;
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           deletes ? "DELETE FROM messages WHERE id=?"
                                   : "UPDATE messages SET visible_ms=?2, nonce=?3 WHERE id=?1",
                           err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, change->receipt.message);
    if (!deletes)
        sqlite3_bind_int64(statement, 2, change->visible_ms);
    if (!deletes)
        sqlite3_bind_int64(statement, 3,
                           change->visible_ms > change->now_ms ? change->receipt.nonce
                                                               : given_back(change->receipt.nonce));
    return connection_run(connection, statement, err);
}

/* Refusals are the change's; -1 is only for the database. */
static int apply(struct connection *connection, struct message_change *change, struct err *err)
{
    struct state state;
    int deletes = change->visible_ms < 0, is_fifo = change->queue->settings.is_fifo;
    int found = read_state(connection, change, &state, err);
    if (found < 0)
        return -1;
    int is_current = found && state.nonce == change->receipt.nonce;
    if (!found && deletes)
        return 0;
    if (found && !deletes && state.nonce == given_back(change->receipt.nonce))
        return refuse(change, "AWS.SimpleQueueService.MessageNotInflight",
                      "Message is not in flight.");
    if (!found || (!deletes && !is_current))
        return refuse(change, SQS_INVALID,
                      "Message does not exist or is not available for visibility timeout change.");
    if (is_fifo && (!is_current || state.visible_ms <= change->now_ms))
        return refuse(change, SQS_INVALID, "The receipt handle has expired.");
    if (run_change(connection, change, err) < 0)
        return -1;
    return is_fifo ? fifo_refresh(connection, change->queue->id, state.group, err) : 0;
}

struct change_job {
    struct sqs *sqs;
    struct queue *queue;
    struct message_change *changes;
    size_t count;
};

static int change_job(struct connection *connection, void *context, struct err *err)
{
    struct change_job *job = context;
    for (size_t i = 0; i < job->count; i++)
        if (!job->changes[i].code && apply(connection, &job->changes[i], err) < 0)
            return -1;
    return messages_refresh(connection, job->sqs, job->queue, err);
}

static int delete_all(struct change_job *job, struct err *err)
{
    size_t deleted = 0;
    if (database_write(job->sqs->database, change_job, job, err) < 0)
        return -1;
    for (size_t i = 0; i < job->count; i++)
        deleted += !job->changes[i].code;
    sqs_count_deleted(job->sqs, job->queue, deleted);
    return 0;
}

/* A delete must be on the disk; a visibility lost in a power cut only makes a message come again.
 */
static int run_changes(struct sqs_call *call, struct message_change *changes, size_t count)
{
    struct change_job job = {call->sqs, call->queue, changes, count};
    if (changes[0].visible_ms >= 0)
        return database_write_relaxed(call->sqs->database, change_job, &job, &call->err);
    return delete_all(&job, &call->err);
}

int messages_delete(struct sqs *sqs, struct queue *queue, const char *const *handles, size_t count,
                    struct err *err)
{
    struct message_change changes[SQS_MAX_BATCH];
    struct change_job job = {sqs, queue, changes, 0};
    int64_t now_ms = clock_unix_ms();
    for (size_t i = 0; i < count && job.count < SQS_MAX_BATCH; i++) {
        struct message_change *change = &changes[job.count];
        *change = (struct message_change){
            .sqs = sqs, .queue = queue, .handle = handles[i], .now_ms = now_ms, .visible_ms = -1};
        if (receipt_read(handles[i], &change->receipt) == 0 && change->receipt.queue == queue->id)
            job.count++;
    }
    return job.count ? delete_all(&job, err) : 0;
}

/* -- reading requests -- */

static void read_handle(struct sqs_call *call, struct message_change *change, const json_t *from)
{
    *change = (struct message_change){.sqs = call->sqs,
                                      .queue = call->queue,
                                      .id = sqs_text(from, "Id"),
                                      .handle = sqs_text(from, "ReceiptHandle"),
                                      .now_ms = call->now_ms,
                                      .visible_ms = -1};
    if (!change->handle) {
        change->code = SQS_MISSING;
        err_set(&change->err, ERR_INVALID, "The request must contain the parameter ReceiptHandle.");
    } else if (receipt_read(change->handle, &change->receipt) < 0 ||
               change->receipt.queue != call->queue->id) {
        change->code = "ReceiptHandleIsInvalid";
        err_set(&change->err, ERR_INVALID,
                "The input receipt handle \"%.100s\" is not a valid receipt handle.",
                change->handle);
    }
}

static void read_visibility(struct sqs_call *call, struct message_change *change,
                            const json_t *from)
{
    int64_t visibility_s = 0;
    read_handle(call, change, from);
    int given = wire_integer(from, "VisibilityTimeout", &visibility_s);
    change->visible_ms = call->now_ms + visibility_s * 1000;
    if (change->code)
        return;
    if (given == 0) {
        change->code = SQS_MISSING;
        err_set(&change->err, ERR_INVALID,
                "The request must contain the parameter VisibilityTimeout.");
    } else if (given < 0 || visibility_s < 0 || visibility_s > SQS_MAX_VISIBILITY_S) {
        change->code = SQS_INVALID;
        err_set(&change->err, ERR_INVALID,
                "Value %lld for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout "
                "must be an integer between 0 and 43200.",
                (long long)visibility_s);
    }
}

typedef void read_change(struct sqs_call *call, struct message_change *change, const json_t *from);

static int run_one(struct sqs_call *call, read_change *read)
{
    struct message_change change;
    read(call, &change, call->body);
    if (!change.code && run_changes(call, &change, 1) < 0)
        return -1;
    return change.code ? sqs_fail(call, change.code, "%s", change.err.message) : 0;
}

static int run_batch(struct sqs_call *call, read_change *read)
{
    struct message_change changes[SQS_MAX_BATCH];
    const json_t *entries = json_object_get(call->body, "Entries");
    size_t count = json_array_size(entries);
    if (sqs_check_batch(call, entries, "Id ReceiptHandle VisibilityTimeout") < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        read(call, &changes[i], json_array_get(entries, i));
    if (run_changes(call, changes, count) < 0)
        return -1;
    json_t *done = json_array(), *failed = json_array();
    for (size_t i = 0; i < count; i++)
        if (changes[i].code)
            sqs_put_failure(failed, changes[i].id, changes[i].code, changes[i].err.message);
        else
            json_array_append_new(done, json_pack("{s:s}", "Id", changes[i].id));
    sqs_put_batch(call, done, failed);
    return 0;
}

int sqs_delete(struct sqs_call *call)
{
    return run_one(call, read_handle);
}

int sqs_delete_batch(struct sqs_call *call)
{
    return run_batch(call, read_handle);
}

int sqs_change_visibility(struct sqs_call *call)
{
    return run_one(call, read_visibility);
}

int sqs_change_visibility_batch(struct sqs_call *call)
{
    return run_batch(call, read_visibility);
}
