#include "base/file.h"
#include "base/log.h"
#include "cloud/sqlite/database_parts.h"
#include "cloud/sqlite/log_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A new database is made beside its place without any sync but one at the end, and then put there:
 * table by table, each with syncs of its own, took tens of milliseconds of a first start. */
static int make_database(const char *path, const char *schema, struct err *err)
{
    char fresh[PATH_MAX];
    struct err ignored;
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.new", path) >= sizeof fresh)
        return err_set(err, ERR_TOO_BIG, "open %s: the path is too long", path);
    if (file_remove_tree(fresh, err) < 0)
        return -1;
    struct connection *connection = connection_open(fresh, 1, "OFF", err);
    int result = connection ? connection_exec(connection, schema, err) : -1;
    connection_close(connection); /* folds the log into the file */
    if (result == 0)
        result = log_file_remove(path, err);
    if (result == 0)
        result = file_move(fresh, path, err);
    if (result < 0)
        (void)!file_remove_tree(fresh, &ignored);
    return result;
}

/* -- writing -- */

static struct database_request *next_of(const struct database_request *request)
{
    return (struct database_request *)request->base.next;
}

static int run_step(struct connection *writer, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(writer, sql, err);
    return connection_run(writer, statement, err);
}

static _Thread_local struct database *at_work; /* a task is, in its transaction */

static int run_task(struct connection *writer, void *context, struct err *err)
{
    struct database_task *task = context;
    (void)writer, (void)err;
    task->work(task);
    return 0;
}

/* Each job sits in a savepoint of its own, so that one failure undoes no neighbour. */
static void run_job(struct connection *writer, struct database_request *request)
{
    request->result = run_step(writer, "SAVEPOINT job", request->err);
    if (request->result < 0)
        return;
    request->result = request->job(writer, request->context, request->err);
    struct err ignored;
    if (request->result < 0 && run_step(writer, "ROLLBACK TO job", &ignored) < 0)
        log_line(LOG_ERROR, "roll back: %s", ignored.message);
    if (run_step(writer, "RELEASE job", request->result < 0 ? &ignored : request->err) < 0)
        request->result = -1;
}

/* A job that has the transaction for itself needs no savepoint, which copies every page before it
 * changes: without it, its failure undoes the transaction. Returns -1 then. */
static int run_jobs(struct connection *writer, struct database_request *batch)
{
    if (!next_of(batch)) {
        batch->result = batch->job(writer, batch->context, batch->err);
        return batch->result;
    }
    /* A full disk may roll back everything: what is left of the batch then fails with COMMIT. */
    for (struct database_request *r = batch; r && !sqlite3_get_autocommit(writer->handle);
         r = next_of(r)) {
        if (r->job == run_task) /* its writes have savepoints */
            r->result = run_task(writer, r->context, r->err);
        else
            run_job(writer, r);
    }
    return 0;
}

static void fail_all(struct database_request *batch, const struct err *err)
{
    for (struct database_request *r = batch; r; r = next_of(r)) {
        if (r->result == 0) {
            r->result = -1;
            *r->err = *err;
        }
    }
}

/* One durable write makes all of its batch durable. */
static void choose_sync(struct database *database, const struct database_request *batch)
{
    int relaxed = 1;
    for (; batch; batch = next_of(batch))
        relaxed &= batch->relaxed;
    if (relaxed == database->relaxed)
        return;
    struct err err;
    if (connection_exec(database->writer,
                        relaxed ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL",
                        &err) == 0)
        database->relaxed = relaxed;
}

static void run_batch(struct database *database, struct database_request *batch)
{
    struct connection *writer = database->writer;
    struct err err = {0};
    choose_sync(database, batch);
    if (run_step(writer, "BEGIN IMMEDIATE", &err) < 0) {
        fail_all(batch, &err);
        return;
    }
    at_work = database;
    int result = run_jobs(writer, batch);
    at_work = NULL;
    if (result == 0) {
        if (run_step(writer, "COMMIT", &err) == 0)
            return;
        log_line(LOG_ERROR, "commit: %s", err.message);
    }
    struct err ignored;
    if (!sqlite3_get_autocommit(writer->handle) && run_step(writer, "ROLLBACK", &ignored) < 0)
        log_line(LOG_ERROR, "roll back: %s", ignored.message);
    fail_all(batch, &err);
}

/* With the first write: most services of most clouds never have one. */
static int open_writer(struct database *database, struct err *err)
{
    if (database->writer)
        return 0;
    if (!database->exists && make_database(database->path, database->schema, err) < 0)
        return -1;
    database->writer = connection_open(database->path, 1, "FULL", err);
    if (!database->writer)
        return -1;
    sqlite3_wal_hook(database->writer->handle, fold_when_due, database);
    pthread_mutex_lock(&database->lock);
    database->exists = 1;
    pthread_mutex_unlock(&database->lock);
    return 0;
}

static void write_batch(void *context, struct write_request *first)
{
    struct database *database = context;
    struct database_request *batch = (struct database_request *)first;
    struct err err = {0};
    pthread_mutex_lock(&database->commits);
    if (open_writer(database, &err) == 0)
        run_batch(database, batch);
    else
        fail_all(batch, &err);
    pthread_mutex_unlock(&database->commits);
}

/* -- life -- */

/* What is there is brought up to date and becomes the first reader. */
static int open_existing(struct database *database, struct err *err)
{
    struct connection *connection = connection_open(database->path, 1, "FULL", err);
    if (!connection)
        return -1;
    if (connection_exec(connection, database->schema, err) < 0 ||
        connection_exec(connection, "PRAGMA query_only=1", err) < 0) {
        connection_close(connection);
        return -1;
    }
    database->idle = connection;
    database->exists = 1;
    return 0;
}

struct database *database_open(const char *path, const char *schema, struct err *err)
{
    struct database *database = calloc(1, sizeof *database);
    if (!database || !(database->path = strdup(path)) || !(database->schema = strdup(schema))) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        free(database ? database->path : NULL);
        free(database);
        return NULL;
    }
    pthread_mutex_init(&database->lock, NULL);
    pthread_mutex_init(&database->commits, NULL);
    writes_init(&database->writes, write_batch, database);
    fold_init(database);
    int is_open =
        access(path, F_OK) == 0 ? open_existing(database, err) : file_check_writable(path, err);
    if (is_open == 0)
        return database;
    database_close(database);
    return NULL;
}

void database_close(struct database *database)
{
    if (!database)
        return;
    writes_finish(&database->writes);
    fold_stop(database);
    while (database->idle) {
        struct connection *next = database->idle->next;
        connection_close(database->idle);
        database->idle = next;
    }
    connection_close(database->writer); /* the last one folds the log into the file */
    pthread_mutex_destroy(&database->commits);
    pthread_mutex_destroy(&database->lock);
    free(database->path);
    free(database->schema);
    free(database);
}

int database_exists(struct database *database)
{
    pthread_mutex_lock(&database->lock);
    int exists = database->exists;
    pthread_mutex_unlock(&database->lock);
    return exists;
}

/* By a task, into its transaction. */
static int write_here(struct database *database, struct database_request *request)
{
    if (sqlite3_get_autocommit(database->writer->handle))
        return err_set(request->err, ERR_IO, "write: the transaction was rolled back");
    run_job(database->writer, request);
    return request->result;
}

static int write_request(struct database *database, struct database_request *request)
{
    if (at_work == database)
        return write_here(database, request);
    writes_put(&database->writes, &request->base);
    return request->result;
}

int database_write(struct database *database, database_job *job, void *context, struct err *err)
{
    struct database_request request = {.job = job, .context = context, .err = err};
    return write_request(database, &request);
}

int database_write_relaxed(struct database *database, database_job *job, void *context,
                           struct err *err)
{
    struct database_request request = {.job = job, .context = context, .err = err, .relaxed = 1};
    return write_request(database, &request);
}

static void finish_task(struct write_request *request)
{
    struct database_task *task = (struct database_task *)request;
    task->done(task, task->request.result < 0 ? &task->err : NULL);
}

int database_post(struct database *database, struct database_task *task)
{
    task->err = (struct err){0};
    task->request = (struct database_request){
        .base.finished = finish_task, .job = run_task, .context = task, .err = &task->err};
    return writes_post(&database->writes, &task->request.base);
}

/* A reader for as long as there is nothing to read. */
static struct connection *open_empty(struct database *database, struct err *err)
{
    struct connection *connection = connection_open(":memory:", 1, "OFF", err);
    if (!connection)
        return NULL;
    connection->is_memory = 1;
    if (connection_exec(connection, database->schema, err) == 0 &&
        connection_exec(connection, "PRAGMA query_only=1", err) == 0)
        return connection;
    connection_close(connection);
    return NULL;
}

/* Under the lock: readers of the empty database that was end when there is a file. */
static struct connection *take_idle(struct database *database)
{
    struct connection *connection;
    while ((connection = database->idle)) {
        database->idle = connection->next;
        if (!connection->is_memory || !database->exists)
            return connection;
        connection_close(connection);
    }
    return NULL;
}

struct connection *database_read_begin(struct database *database, struct err *err)
{
    pthread_mutex_lock(&database->lock);
    struct connection *connection = take_idle(database);
    int exists = database->exists;
    pthread_mutex_unlock(&database->lock);
    if (connection)
        return connection;
    return exists ? connection_open(database->path, 0, "FULL", err) : open_empty(database, err);
}

void database_read_end(struct database *database, struct connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&database->lock);
    connection->next = database->idle;
    database->idle = connection;
    pthread_mutex_unlock(&database->lock);
}
