#include "cloud/s3/events.h"
#include "cloud/s3/meta_rows.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/deliver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Notifications that wait for delivery. A row goes only after its target has the message, so a
 * crash may deliver twice, and never loses. */

enum {
    BATCH = 64,
    FIRST_PAUSE_MS = 500,
    LONGEST_PAUSE_MS = 60 * 1000,
    GIVE_UP_MS = 24 * 3600 * 1000,
    IDLE_MS = 60 * 1000
};

struct outbox {
    struct s3 *s3;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    int closing, is_woken;
};

struct message {
    int64_t id, created_ms, attempts;
    char *target, *bucket, *body;
    int is_done;
    int64_t next_ms;
};

struct batch {
    struct message messages[BATCH];
    size_t count;
    int64_t now_ms, next_ms; /* next_ms: when the earliest that is not due will be; 0: none */
};

static void free_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        free(batch->messages[i].target);
        free(batch->messages[i].bucket);
        free(batch->messages[i].body);
    }
    batch->count = 0;
}

static char *copy_text(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    return strdup(text ? text : "");
}

static int take_row(struct batch *batch, sqlite3_stmt *s)
{
    struct message *m = &batch->messages[batch->count];
    *m = (struct message){.id = sqlite3_column_int64(s, 0),
                          .target = copy_text(s, 1),
                          .bucket = copy_text(s, 2),
                          .body = copy_text(s, 3),
                          .created_ms = sqlite3_column_int64(s, 4),
                          .attempts = sqlite3_column_int64(s, 5),
                          .next_ms = sqlite3_column_int64(s, 6)};
    batch->count++;
    return m->target && m->bucket && m->body ? 0 : -1;
}

static int read_batch(struct s3 *s3, struct batch *batch, struct err *err)
{
    struct connection *c = database_read_begin(s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c,
                                             "SELECT id, target, bucket, body, created_ms,"
                                             " attempts, next_ms FROM outbox"
                                             " ORDER BY next_ms, id LIMIT ?",
                                             err)
                        : NULL;
    int step = SQLITE_DONE, result = s ? 0 : -1;
    batch->count = 0;
    batch->next_ms = 0;
    if (s) {
        sqlite3_bind_int(s, 1, BATCH);
        while (result == 0 && (step = sqlite3_step(s)) == SQLITE_ROW) {
            int64_t next_ms = sqlite3_column_int64(s, 6);
            if (next_ms > batch->now_ms) {
                batch->next_ms = next_ms;
                step = SQLITE_DONE;
                break;
            }
            if (take_row(batch, s) < 0)
                result = err_set(err, ERR_NO_MEMORY, "deliver notifications: out of memory");
        }
        if (result == 0 && step != SQLITE_DONE)
            result = connection_fail(c, "read the outbox", err);
        connection_reset(s);
    }
    database_read_end(s3->database, c);
    return result;
}

static void deliver(struct s3 *s3, struct message *m, int64_t now_ms)
{
    struct err err = {0};
    char arn[128];
    snprintf(arn, sizeof arn, "arn:aws:s3:::%s", m->bucket);
    struct delivery delivery = {.target_arn = m->target,
                                .source_arn = arn,
                                .body = m->body,
                                .body_bytes = strlen(m->body),
                                .subject = "Amazon S3 Notification"};
    m->is_done = cloud_deliver(s3->cloud, &delivery, &err) == 0;
    if (m->is_done)
        return;
    int64_t pause = m->attempts < 7 ? (int64_t)FIRST_PAUSE_MS << m->attempts : LONGEST_PAUSE_MS;
    m->attempts++;
    m->next_ms = now_ms + (pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS);
    m->is_done = now_ms - m->created_ms > GIVE_UP_MS;
    if (m->attempts == 1 || m->is_done)
        log_line(LOG_WARN, "s3: notify %s: %s%s", m->target, err.message,
                 m->is_done ? " (given up)" : "");
}

static int settle_row(struct connection *c, const struct message *m, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c,
                           m->is_done ? "DELETE FROM outbox WHERE id=?"
                                      : "UPDATE outbox SET attempts=?2, next_ms=?3 WHERE id=?1",
                           err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, m->id);
    if (!m->is_done) {
        sqlite3_bind_int64(s, 2, m->attempts);
        sqlite3_bind_int64(s, 3, m->next_ms);
    }
    return connection_run(c, s, err);
}

static int settle_job(struct connection *c, void *context, struct err *err)
{
    struct batch *batch = context;
    for (size_t i = 0; i < batch->count; i++)
        if (settle_row(c, &batch->messages[i], err) < 0)
            return -1;
    return 0;
}

/* When to look again: at once (0) while there was work. */
static int64_t empty_outbox(struct s3 *s3, struct batch *batch)
{
    struct err err = {0};
    batch->now_ms = clock_unix_ms();
    int result = read_batch(s3, batch, &err);
    for (size_t i = 0; result == 0 && i < batch->count; i++)
        deliver(s3, &batch->messages[i], batch->now_ms);
    if (result == 0 && batch->count)
        result = database_write(s3->database, settle_job, batch, &err);
    size_t count = batch->count;
    free_batch(batch);
    if (result < 0) {
        log_line(LOG_ERROR, "s3: %s", err.message);
        return batch->now_ms + FIRST_PAUSE_MS;
    }
    return count ? 0 : batch->next_ms ? batch->next_ms : batch->now_ms + IDLE_MS;
}

static void wait_until(struct outbox *outbox, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    while (!outbox->closing && !outbox->is_woken &&
           pthread_cond_timedwait(&outbox->wake, &outbox->lock, &until) == 0)
        ;
    outbox->is_woken = 0;
}

static void *outbox_main(void *argument)
{
    struct outbox *outbox = argument;
    struct batch *batch = calloc(1, sizeof *batch);
    pthread_mutex_lock(&outbox->lock);
    while (batch && !outbox->closing) {
        pthread_mutex_unlock(&outbox->lock);
        int64_t next_ms = empty_outbox(outbox->s3, batch);
        pthread_mutex_lock(&outbox->lock);
        if (next_ms)
            wait_until(outbox, next_ms);
    }
    pthread_mutex_unlock(&outbox->lock);
    free(batch);
    return NULL;
}

struct outbox *outbox_create(struct s3 *s3, struct err *err)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) {
        err_set(err, ERR_NO_MEMORY, "start the notifications: out of memory");
        return NULL;
    }
    outbox->s3 = s3;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_cond_init(&outbox->wake, NULL);
    if (pthread_create(&outbox->thread, NULL, outbox_main, outbox)) {
        err_set(err, ERR_NO_MEMORY, "start the notifications: no thread");
        free(outbox);
        return NULL;
    }
    return outbox;
}

void outbox_wake(struct outbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox->is_woken = 1;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_stop(struct outbox *outbox)
{
    if (!outbox)
        return;
    pthread_mutex_lock(&outbox->lock);
    int is_running = !outbox->closing;
    outbox->closing = 1;
    pthread_cond_broadcast(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    if (is_running)
        pthread_join(outbox->thread, NULL);
}

void outbox_destroy(struct outbox *outbox)
{
    if (!outbox)
        return;
    outbox_stop(outbox);
    pthread_cond_destroy(&outbox->wake);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox);
}
