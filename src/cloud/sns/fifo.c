#include "cloud/sns/sns.h"

#include <stdio.h>
#include <string.h>

/* The order and the duplicates of FIFO topics. A message has its row in `dedup` before it goes to
 * the subscribers, and one in `unfinished` until all of them have it: when a crash comes between,
 * who publishes it again is no duplicate, and the message keeps its id and number. Subscribers that
 * have it already are FIFO queues, which know it, or may get a message twice. */

static void bind_place(sqlite3_stmt *statement, const struct fifo_place *place)
{
    sqlite3_bind_text(statement, 1, place->topic, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, place->by_group ? place->group : "", -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, place->deduplication_id, -1, SQLITE_STATIC);
}

static int find_duplicate(struct connection *connection, struct fifo_place *place, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection,
                                           "SELECT message, sequence FROM dedup WHERE topic=? AND "
                                           "scope=? AND id=? AND until_ms>?",
                                           err);
    if (!row)
        return -1;
    bind_place(row, place);
    sqlite3_bind_int64(row, 4, place->now_ms);
    int found = sqlite3_step(row) == SQLITE_ROW;
    if (found) {
        snprintf(place->message_id, sizeof place->message_id, "%s",
                 (const char *)sqlite3_column_text(row, 0));
        snprintf(place->sequence, sizeof place->sequence, "%s",
                 (const char *)sqlite3_column_text(row, 1));
    }
    connection_reset(row);
    return found;
}

static int next_sequence(struct connection *connection, struct fifo_place *place, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection,
                                           "INSERT INTO sequences(topic, last) VALUES(?, 1) ON "
                                           "CONFLICT(topic) DO UPDATE SET last=last+1 RETURNING "
                                           "last",
                                           err);
    if (!row)
        return -1;
    sqlite3_bind_text(row, 1, place->topic, -1, SQLITE_STATIC);
    int found = sqlite3_step(row) == SQLITE_ROW;
    if (found)
        snprintf(place->sequence, sizeof place->sequence, "1%019lld",
                 (long long)sqlite3_column_int64(row, 0));
    connection_reset(row);
    return found ? 0 : connection_fail(connection, "number a message", err);
}

/* Does the present message have all its subscribers? */
static int is_finished(struct connection *connection, const struct fifo_place *place,
                       struct err *err)
{
    sqlite3_stmt *row = connection_prepare(
        connection, "SELECT 1 FROM unfinished WHERE topic=? AND scope=? AND id=?", err);
    if (!row)
        return -1;
    bind_place(row, place);
    int step = sqlite3_step(row);
    connection_reset(row);
    return step == SQLITE_ROW ? 0 : step == SQLITE_DONE ? 1 : -1;
}

/* What is older than five minutes. */
static int forget_old(struct connection *connection, int64_t now_ms, struct err *err)
{
    sqlite3_stmt *statement =
        connection_prepare(connection, "DELETE FROM dedup WHERE until_ms<=?", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, now_ms);
    return connection_run(connection, statement, err);
}

static int remember(struct connection *connection, const struct fifo_place *place, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection,
                                           "INSERT OR REPLACE INTO dedup(topic, scope, id, "
                                           "until_ms, message, sequence) VALUES(?,?,?,?,?,?)",
                                           err);
    if (!row)
        return -1;
    bind_place(row, place);
    sqlite3_bind_int64(row, 4, place->now_ms + SNS_DEDUPLICATION_MS);
    sqlite3_bind_text(row, 5, place->message_id, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 6, place->sequence, -1, SQLITE_STATIC);
    if (connection_run(connection, row, err) < 0)
        return -1;
    row = connection_prepare(
        connection, "INSERT OR REPLACE INTO unfinished(topic, scope, id) VALUES(?,?,?)", err);
    if (!row)
        return -1;
    bind_place(row, place);
    return connection_run(connection, row, err);
}

struct place_job {
    struct fifo_place *place;
    int is_duplicate;
};

static int place_job(struct connection *connection, void *context, struct err *err)
{
    struct place_job *job = context;
    struct fifo_place *place = job->place;
    if (forget_old(connection, place->now_ms, err) < 0)
        return -1;
    int found = find_duplicate(connection, place, err);
    job->is_duplicate = found == 1 ? is_finished(connection, place, err) : 0;
    if (found < 0 || job->is_duplicate < 0)
        return -1;
    if (found)
        return 0;
    return next_sequence(connection, place, err) < 0 ? -1 : remember(connection, place, err);
}

static int finish_job(struct connection *connection, void *context, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection, "DELETE FROM unfinished WHERE topic=? AND scope=? AND id=?", err);
    if (!statement)
        return -1;
    bind_place(statement, context);
    return connection_run(connection, statement, err);
}

/* -- one at a time -- */

static void key_of(const struct fifo_place *place, char out[FIFO_KEY_BYTES])
{
    snprintf(out, FIFO_KEY_BYTES, "%s\n%s\n%s", place->topic, place->by_group ? place->group : "",
             place->deduplication_id);
}

/* The same message from two clients at once: the second waits until the first one's is out. */
static void enter(struct sns *sns, const char *key)
{
    pthread_mutex_lock(&sns->lock);
    while (json_object_get(sns->placing, key))
        pthread_cond_wait(&sns->placed, &sns->lock);
    json_object_set_new(sns->placing, key, json_true());
    pthread_mutex_unlock(&sns->lock);
}

static void leave(struct sns *sns, const char *key)
{
    pthread_mutex_lock(&sns->lock);
    json_object_del(sns->placing, key);
    pthread_cond_broadcast(&sns->placed);
    pthread_mutex_unlock(&sns->lock);
}

int sns_fifo_begin(struct sns *sns, struct fifo_place *place, struct err *err)
{
    struct place_job job = {place, 0};
    char key[FIFO_KEY_BYTES];
    key_of(place, key);
    enter(sns, key);
    int result = database_write(sns->database, place_job, &job, err);
    if (result == 0 && !job.is_duplicate)
        return 0;
    leave(sns, key);
    return result < 0 ? -1 : 1;
}

int sns_fifo_end(struct sns *sns, struct fifo_place *place, int is_out, struct err *err)
{
    char key[FIFO_KEY_BYTES];
    key_of(place, key);
    /* Lost in a power cut it costs at most a message that comes twice. */
    int result = is_out ? database_write_relaxed(sns->database, finish_job, place, err) : 0;
    leave(sns, key);
    return result;
}
