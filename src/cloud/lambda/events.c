#include "cloud/lambda/events.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/sqlite/database.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct waiting { /* an event of a lane, or in flight */
    struct waiting *next;
    struct lane *lane;
    struct events *events;
    struct event event;
    int64_t due_unix_ms;
    struct lambda_result result; /* copied, once it is done */
    int64_t verdict;
};

struct lane { /* of one function */
    struct lane *next;
    char *function;
    struct waiting *first, *last; /* the earliest due first */
    unsigned in_flight;
};

struct events {
    struct events_owner owner;
    struct database *database;
    pthread_t thread;
    int thread_started;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    struct lane *lanes;
    struct waiting *finished; /* results that are not settled */
    size_t count, in_flight;
    int64_t next_id;
    int is_stopping, is_closing;
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, function TEXT NOT NULL,"
    " request_id TEXT NOT NULL, payload BLOB NOT NULL, received_ms INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, refusals INTEGER NOT NULL);";

/* Lanes. All under the lock. */

static struct lane *find_lane(struct events *e, const char *function)
{
    for (struct lane *lane = e->lanes; lane; lane = lane->next)
        if (strcmp(lane->function, function) == 0)
            return lane;
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane || !(lane->function = strdup(function))) {
        free(lane);
        return NULL;
    }
    lane->next = e->lanes;
    return e->lanes = lane;
}

static void insert(struct waiting *w)
{
    struct lane *lane = w->lane;
    int is_last = lane->last && lane->last->due_unix_ms <= w->due_unix_ms; /* as new ones are */
    struct waiting **at = is_last ? &lane->last->next : &lane->first;
    while (*at && (*at)->due_unix_ms <= w->due_unix_ms)
        at = &(*at)->next;
    w->next = *at;
    *at = w;
    if (!w->next)
        lane->last = w;
}

static void drop_empty_lanes(struct events *e)
{
    for (struct lane **at = &e->lanes; *at;) {
        struct lane *lane = *at;
        if (lane->first || lane->in_flight) {
            at = &lane->next;
            continue;
        }
        *at = lane->next;
        free(lane->function);
        free(lane);
    }
}

static void free_result(struct lambda_result *result)
{
    free((char *)(uintptr_t)result->function_error);
    free((char *)(uintptr_t)result->error_type);
    free((char *)(uintptr_t)result->error_message);
    free((char *)(uintptr_t)result->executed_version);
    free((void *)(uintptr_t)result->payload);
    *result = (struct lambda_result){0};
}

static void free_waiting(struct waiting *w)
{
    free_result(&w->result);
    free(w->event.function);
    free(w->event.payload);
    free(w);
}

static struct waiting *add(struct events *e, const struct event *event, int64_t due_unix_ms)
{
    struct waiting *w = calloc(1, sizeof *w);
    struct lane *lane = find_lane(e, event->function);
    char *function = strdup(event->function);
    if (!w || !lane || !function) {
        free(w);
        free(function);
        return NULL;
    }
    *w = (struct waiting){.lane = lane, .events = e, .event = *event, .due_unix_ms = due_unix_ms};
    w->event.function = function;
    w->event.payload = NULL;
    insert(w);
    e->count++;
    return w;
}

/* The database. */

static int bind_and_insert(struct connection *connection, void *context, struct err *err)
{
    const struct event *event = context;
    sqlite3_stmt *insert =
        connection_prepare(connection, "INSERT INTO events VALUES(?, ?, ?, ?, ?, ?, 0, 0)", err);
    if (!insert)
        return -1;
    sqlite3_bind_int64(insert, 1, event->id);
    sqlite3_bind_text(insert, 2, event->function, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, event->request_id, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 4, event->payload, event->payload_bytes, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 5, event->received_unix_ms);
    sqlite3_bind_int64(insert, 6, event->received_unix_ms);
    return connection_run(connection, insert, err);
}

static int store_one(struct connection *connection, const struct waiting *w, struct err *err)
{
    sqlite3_stmt *statement;
    if (w->verdict == EVENT_FINISHED) {
        statement = connection_prepare(connection, "DELETE FROM events WHERE id = ?", err);
        if (!statement)
            return -1;
        sqlite3_bind_int64(statement, 1, w->event.id);
        return connection_run(connection, statement, err);
    }
    statement = connection_prepare(
        connection, "UPDATE events SET due_ms = ?, attempts = ?, refusals = ? WHERE id = ?", err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, w->due_unix_ms);
    sqlite3_bind_int(statement, 2, w->event.attempts);
    sqlite3_bind_int(statement, 3, w->event.refusals);
    sqlite3_bind_int64(statement, 4, w->event.id);
    return connection_run(connection, statement, err);
}

static int store_verdicts(struct connection *connection, void *context, struct err *err)
{
    for (const struct waiting *w = context; w; w = w->next)
        if (w->verdict != EVENT_LEFT && store_one(connection, w, err) < 0)
            return -1;
    return 0;
}

static int read_payload(struct events *e, struct event *event, struct err *err)
{
    struct connection *connection = database_read_begin(e->database, err);
    if (!connection)
        return -1;
    sqlite3_stmt *find =
        connection_prepare(connection, "SELECT payload FROM events WHERE id = ?", err);
    int result = find ? 0 : -1;
    if (find) {
        sqlite3_bind_int64(find, 1, event->id);
        if (sqlite3_step(find) != SQLITE_ROW)
            result = connection_fail(connection, "read an event", err);
    }
    if (result == 0) {
        event->payload_bytes = (size_t)sqlite3_column_bytes(find, 0);
        event->payload = malloc(event->payload_bytes + 1);
        if (!event->payload)
            result = err_set(err, ERR_NO_MEMORY, "read an event: no memory");
        else if (event->payload_bytes)
            memcpy(event->payload, sqlite3_column_blob(find, 0), event->payload_bytes);
        if (event->payload)
            event->payload[event->payload_bytes] = 0;
    }
    connection_reset(find);
    database_read_end(e->database, connection);
    return result;
}

/* Running. */

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

/* From any thread: keep the result for the queue's own. */
static void on_done(void *context, const struct lambda_result *result)
{
    struct waiting *w = context;
    struct events *e = w->events;
    void *payload = malloc(result->payload_bytes + 1);
    w->result = (struct lambda_result){.status = payload ? result->status : 503,
                                       .function_error = copy_text(result->function_error),
                                       .error_type = copy_text(result->error_type),
                                       .error_message = copy_text(result->error_message),
                                       .executed_version = copy_text(result->executed_version),
                                       .payload = payload,
                                       .payload_bytes = payload ? result->payload_bytes : 0};
    if (payload) {
        if (result->payload_bytes)
            memcpy(payload, result->payload, result->payload_bytes);
        ((char *)payload)[result->payload_bytes] = 0;
    }
    pthread_mutex_lock(&e->lock);
    w->next = e->finished;
    e->finished = w;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void launch(struct events *e, struct waiting *w)
{
    struct err err = {0};
    if (read_payload(e, &w->event, &err) < 0) {
        log_line(LOG_ERROR, "lambda: %s", err.message);
        on_done(w, &(struct lambda_result){.status = 503, .error_type = "ServiceException"});
        return;
    }
    e->owner.launch(e->owner.self, &w->event, on_done, w);
}

/* Under the lock: an event that may run now, unlinked; NULL for none. `next_ms` gets the earliest
 * time at which another is due, 0 for none. */
static struct waiting *take_due(struct events *e, int64_t now_ms, int64_t *next_ms)
{
    *next_ms = 0;
    if (e->is_stopping || e->in_flight >= EVENTS_MAX_IN_FLIGHT)
        return NULL;
    for (struct lane *lane = e->lanes; lane; lane = lane->next) {
        struct waiting *w = lane->first;
        if (!w || lane->in_flight >= EVENTS_LANE_IN_FLIGHT)
            continue;
        if (w->due_unix_ms <= now_ms) {
            lane->first = w->next;
            if (!lane->first)
                lane->last = NULL;
            w->next = NULL;
            lane->in_flight++;
            e->in_flight++;
            return w;
        }
        if (!*next_ms || w->due_unix_ms < *next_ms)
            *next_ms = w->due_unix_ms;
    }
    return NULL;
}

static void settle(struct events *e, struct waiting *list)
{
    struct err err = {0};
    for (struct waiting *w = list; w; w = w->next) {
        w->verdict = e->owner.settle(e->owner.self, &w->event, &w->result);
        if (w->verdict >= 0)
            w->due_unix_ms = clock_unix_ms() + w->verdict;
        free_result(&w->result);
        free(w->event.payload);
        w->event.payload = NULL;
    }
    if (database_write(e->database, store_verdicts, list, &err) < 0) /* they will run again */
        log_line(LOG_ERROR, "lambda: settle events: %s", err.message);
}

/* Under the lock. */
static void put_back(struct events *e, struct waiting *list)
{
    while (list) {
        struct waiting *w = list;
        list = w->next;
        w->lane->in_flight--;
        e->in_flight--;
        if (w->verdict >= 0) {
            insert(w);
            continue;
        }
        e->count--;
        free_waiting(w);
    }
    drop_empty_lanes(e);
}

static void wait_until(struct events *e, int64_t unix_ms)
{
    struct timespec until = {.tv_sec = (time_t)(unix_ms / 1000),
                             .tv_nsec = (long)(unix_ms % 1000) * 1000000};
    if (unix_ms)
        pthread_cond_timedwait(&e->changed, &e->lock, &until);
    else
        pthread_cond_wait(&e->changed, &e->lock);
}

static void *run(void *self)
{
    struct events *e = self;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        int64_t next_ms;
        struct waiting *finished = e->finished;
        e->finished = NULL;
        struct waiting *due = finished ? NULL : take_due(e, clock_unix_ms(), &next_ms);
        if (!finished && !due) {
            if (e->is_closing)
                break;
            wait_until(e, next_ms);
            continue;
        }
        pthread_mutex_unlock(&e->lock);
        if (finished)
            settle(e, finished);
        else
            launch(e, due);
        pthread_mutex_lock(&e->lock);
        put_back(e, finished);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* Life. */

static int load_row(struct events *e, sqlite3_stmt *row, struct err *err)
{
    struct event event = {.id = sqlite3_column_int64(row, 0),
                          .function = (char *)(uintptr_t)sqlite3_column_text(row, 1),
                          .received_unix_ms = sqlite3_column_int64(row, 3),
                          .attempts = sqlite3_column_int(row, 5),
                          .refusals = sqlite3_column_int(row, 6)};
    const char *request_id = (const char *)sqlite3_column_text(row, 2);
    snprintf(event.request_id, sizeof event.request_id, "%s", request_id ? request_id : "");
    if (!event.function || !add(e, &event, sqlite3_column_int64(row, 4)))
        return err_set(err, ERR_NO_MEMORY, "read events: no memory");
    if (event.id >= e->next_id)
        e->next_id = event.id + 1;
    return 0;
}

static int load(struct events *e, struct err *err)
{
    struct connection *connection = database_read_begin(e->database, err);
    if (!connection)
        return -1;
    sqlite3_stmt *rows = connection_prepare(connection,
                                            "SELECT id, function, request_id, received_ms, due_ms,"
                                            " attempts, refusals FROM events ORDER BY due_ms DESC",
                                            err); /* the lists are short at their front */
    int step = SQLITE_DONE, result = rows ? 0 : -1;
    while (result == 0 && (step = sqlite3_step(rows)) == SQLITE_ROW)
        result = load_row(e, rows, err);
    if (result == 0 && step != SQLITE_DONE)
        result = connection_fail(connection, "read events", err);
    connection_reset(rows);
    database_read_end(e->database, connection);
    return result;
}

struct events *events_open(const char *path, const struct events_owner *owner, struct err *err)
{
    struct events *e = calloc(1, sizeof *e);
    if (!e) {
        err_set(err, ERR_NO_MEMORY, "open %s: no memory", path);
        return NULL;
    }
    e->owner = *owner;
    e->next_id = 1;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->changed, NULL);
    e->database = database_open(path, schema, err);
    if (e->database && load(e, err) == 0)
        return e;
    events_close(e);
    return NULL;
}

int events_start(struct events *e, struct err *err)
{
    errno = pthread_create(&e->thread, NULL, run, e);
    if (errno)
        return err_set_errno(err, "start asynchronous invocations");
    e->thread_started = 1;
    return 0;
}

void events_stop(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    e->is_stopping = 1;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void free_lanes(struct events *e)
{
    for (struct lane *lane = e->lanes; lane; lane = lane->next)
        while (lane->first) {
            struct waiting *w = lane->first;
            lane->first = w->next;
            free_waiting(w);
        }
    drop_empty_lanes(e);
}

void events_close(struct events *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->is_stopping = e->is_closing = 1;
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (e->thread_started)
        pthread_join(e->thread, NULL);
    free_lanes(e);
    database_close(e->database);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* Under the lock. */
static int reserve(struct events *e, struct event *event, struct err *err)
{
    if (e->count >= EVENTS_MAX_WAITING)
        return err_set(err, ERR_BUSY, "more than %d events wait", EVENTS_MAX_WAITING);
    event->id = e->next_id++;
    return 0;
}

int events_put(struct events *e, const struct event *given, struct err *err)
{
    struct event event = *given;
    pthread_mutex_lock(&e->lock);
    int result = reserve(e, &event, err);
    pthread_mutex_unlock(&e->lock);
    if (result < 0 || database_write(e->database, bind_and_insert, &event, err) < 0)
        return -1;
    pthread_mutex_lock(&e->lock);
    if (!add(e, &event, event.received_unix_ms)) /* it is on the disk: the next start finds it */
        log_line(LOG_ERROR, "lambda: no memory: an event waits for the next start");
    pthread_cond_signal(&e->changed);
    pthread_mutex_unlock(&e->lock);
    return 0;
}

size_t events_count(struct events *e)
{
    pthread_mutex_lock(&e->lock);
    size_t count = e->count;
    pthread_mutex_unlock(&e->lock);
    return count;
}
