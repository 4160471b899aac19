#include "cloud/sqlite/database.h"

#include "base/file.h"
#include "base/log.h"
#include "cloud/sqlite/connection.h"
#include "cloud/sqlite/log_file.h"
#include "cloud/sqlite/writes.h"

#include <fcntl.h>

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Whenever the log has grown by so many pages it is folded into the file, beside the writer;
     * from so many on the writer has to wait for the rest, or the log would grow as long as writes
     * come without a pause. A page that is written again and again goes to the disk each time. */
    FOLD_PAGES = 6000,
    FOLD_ALL_PAGES = 12000,
    /* What was written meanwhile is folded beside the writer too, where it is more than this: each
     * time it is less, and what is left keeps the writer waiting. So many times at most. */
    FOLD_REST_PAGES = 48,
    FOLD_REST_TIMES = 3,
    /* From so many pages on a log gets room before it needs it: so many, when it has fewer than so
     * many left, up to so many. */
    ROOM_FROM_PAGES = 32,
    ROOM_PAGES = 128,
    ROOM_AHEAD_PAGES = 64,
    ROOM_MOST_PAGES = FOLD_ALL_PAGES + FOLD_PAGES / 2,
};

struct request {
    struct write_request base;
    database_job *job;
    void *context;
    struct err *err;
    int result, relaxed;
};

struct database {
    char *path, *schema;
    pthread_mutex_t lock;
    int exists;              /* the file; 0: nothing was ever written, and to readers it is empty */
    struct connection *idle; /* readers nobody holds */
    struct connection *writer; /* opened with the first write; of who writes */
    struct writes writes;
    pthread_t folder_thread;
    int folder_started, closing;
    struct connection *folder; /* folds the log into the file; opened when there is need */
    pthread_cond_t fold;
    pthread_mutex_t commits; /* held by the writer for a batch, by the folder to fold everything */
    int log_pages;           /* in the log after the last commit */
    int fold_pages;          /* in the log when it is folded next */
    int log_fd;              /* of its file; the folder's */
    int room_pages;          /* in the log's file, as far as is known */
    int relaxed;             /* the writer's next commit needs no fsync */
};

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

/* -- folding the log into the file: a thread of its own, so that no writer waits for it -- */

static int open_folder(struct database *database)
{
    struct err err = {0};
    if (!database->folder)
        database->folder = connection_open(database->path, 1, "FULL", &err);
    if (!database->folder)
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    return database->folder ? 0 : -1;
}

/* SQLite before 3.51.3 loses commits when the writer begins the log anew between two steps of a
 * checkpoint that was about to start (sqlite.org/wal.html, "The WAL-Reset Bug"). While someone
 * reads from the log the writer only appends; and who reads when nothing is left to fold keeps the
 * checkpoint from doing anything. So a reader stands by. */
static int fold_beside_writer(struct database *database)
{
    struct err err = {0};
    struct connection *reader = database_read_begin(database, &err);
    int code = SQLITE_ERROR;
    if (reader && connection_exec(reader, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", &err) == 0)
        code = sqlite3_wal_checkpoint_v2(database->folder->handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                         NULL, NULL);
    else
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    if (reader && !sqlite3_get_autocommit(reader->handle) &&
        connection_exec(reader, "ROLLBACK", &err) < 0)
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    database_read_end(database, reader);
    return code;
}

static int fold_all(struct database *database)
{
    pthread_mutex_lock(&database->commits);
    int code = sqlite3_wal_checkpoint_v2(database->folder->handle, NULL, SQLITE_CHECKPOINT_RESTART,
                                         NULL, NULL);
    pthread_mutex_unlock(&database->commits);
    return code;
}

static int pages_in_log(struct database *database)
{
    pthread_mutex_lock(&database->lock);
    int pages = database->log_pages;
    pthread_mutex_unlock(&database->lock);
    return pages;
}

static void fold(struct database *database, int pages)
{
    if (open_folder(database) < 0)
        return;
    int code = fold_beside_writer(database), is_all = pages >= FOLD_ALL_PAGES;
    for (int i = 0, now; is_all && code == SQLITE_OK && i < FOLD_REST_TIMES; i++, pages = now) {
        now = pages_in_log(database);
        if (now < pages + FOLD_REST_PAGES)
            break;
        code = fold_beside_writer(database);
    }
    if (is_all && code == SQLITE_OK) /* also when no rest is seen: one may come meanwhile */
        code = fold_all(database);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        log_line(LOG_ERROR, "fold the log of %s: %s", database->path,
                 sqlite3_errmsg(database->folder->handle));
}

/* The log's file is there: the writer has it open. */
static int open_log(struct database *database)
{
    char path[PATH_MAX];
    if (database->log_fd < 0 &&
        (size_t)snprintf(path, sizeof path, "%s-wal", database->path) < sizeof path)
        database->log_fd = open(path, O_WRONLY | O_CLOEXEC);
    return database->log_fd < 0 ? -1 : 0;
}

/* Returns how many pages have room. Where it cannot be had, on a full disk, the log grows as it is
 * written, and tells whoever writes. */
static int make_room(struct database *database, int wanted)
{
    struct err err = {0};
    if (open_log(database) < 0)
        return ROOM_MOST_PAGES;
    pthread_mutex_lock(&database->commits);
    int pages = log_file_lengthen(database->log_fd, wanted, &err);
    pthread_mutex_unlock(&database->commits);
    if (pages >= 0 && fdatasync(database->log_fd) == 0)
        return pages;
    log_line(LOG_DEBUG, "%s: %s", database->path, pages < 0 ? err.message : "sync the log");
    return ROOM_MOST_PAGES;
}

/* Under the lock. */
static int lacks_room(const struct database *database)
{
    return database->log_pages >= ROOM_FROM_PAGES && database->room_pages < ROOM_MOST_PAGES &&
           database->log_pages + ROOM_AHEAD_PAGES > database->room_pages;
}

/* Under the lock, which it leaves for the time: what is due, if anything is. */
static int serve_log(struct database *database)
{
    int pages = database->log_pages, room = database->room_pages;
    if (lacks_room(database)) {
        pthread_mutex_unlock(&database->lock);
        room = make_room(database, pages + ROOM_PAGES);
    } else if (pages >= database->fold_pages) {
        database->fold_pages = pages + FOLD_PAGES;
        pthread_mutex_unlock(&database->lock);
        fold(database, pages);
    } else {
        return 0;
    }
    pthread_mutex_lock(&database->lock);
    database->room_pages = room;
    return 1;
}

static void *folder_main(void *argument)
{
    struct database *database = argument;
    pthread_mutex_lock(&database->lock);
    while (!database->closing)
        if (!serve_log(database))
            pthread_cond_wait(&database->fold, &database->lock);
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* Under the lock. */
static void wake_folder(struct database *database)
{
    if (!database->folder_started &&
        pthread_create(&database->folder_thread, NULL, folder_main, database) == 0)
        database->folder_started = 1;
    if (database->folder_started)
        pthread_cond_signal(&database->fold);
    else
        log_line(LOG_ERROR, "fold the log of %s: no thread to be had", database->path);
}

static int on_commit(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct database *database = context;
    (void)handle, (void)name;
    pthread_mutex_lock(&database->lock);
    if (pages < database->log_pages) /* the log began anew */
        database->fold_pages = FOLD_PAGES;
    database->log_pages = pages;
    if (pages >= database->fold_pages || lacks_room(database))
        wake_folder(database);
    pthread_mutex_unlock(&database->lock);
    return SQLITE_OK;
}

/* -- writing -- */

static struct request *next_of(const struct request *request)
{
    return (struct request *)request->base.next;
}

static int run_step(struct connection *writer, const char *sql, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(writer, sql, err);
    return connection_run(writer, statement, err);
}

/* Each job sits in a savepoint of its own, so that one failure undoes no neighbour. */
static void run_job(struct connection *writer, struct request *request)
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
static int run_jobs(struct connection *writer, struct request *batch)
{
    if (!next_of(batch)) {
        batch->result = batch->job(writer, batch->context, batch->err);
        return batch->result;
    }
    /* A full disk may roll back everything: what is left of the batch then fails with COMMIT. */
    for (struct request *r = batch; r && !sqlite3_get_autocommit(writer->handle); r = next_of(r))
        run_job(writer, r);
    return 0;
}

static void fail_all(struct request *batch, const struct err *err)
{
    for (struct request *r = batch; r; r = next_of(r)) {
        if (r->result == 0) {
            r->result = -1;
            *r->err = *err;
        }
    }
}

/* One durable write makes all of its batch durable. */
static void choose_sync(struct database *database, const struct request *batch)
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

static void run_batch(struct database *database, struct request *batch)
{
    struct connection *writer = database->writer;
    struct err err = {0};
    choose_sync(database, batch);
    if (run_step(writer, "BEGIN IMMEDIATE", &err) < 0) {
        fail_all(batch, &err);
        return;
    }
    if (run_jobs(writer, batch) == 0) {
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
    sqlite3_wal_hook(database->writer->handle, on_commit, database);
    pthread_mutex_lock(&database->lock);
    database->exists = 1;
    pthread_mutex_unlock(&database->lock);
    return 0;
}

static void write_batch(void *context, struct write_request *first)
{
    struct database *database = context;
    struct request *batch = (struct request *)first;
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
    pthread_cond_init(&database->fold, NULL);
    database->fold_pages = FOLD_PAGES;
    database->log_fd = -1;
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
    pthread_mutex_lock(&database->lock);
    database->closing = 1;
    pthread_cond_signal(&database->fold);
    pthread_mutex_unlock(&database->lock);
    if (database->folder_started)
        pthread_join(database->folder_thread, NULL);
    connection_close(database->folder);
    if (database->log_fd >= 0)
        close(database->log_fd);
    while (database->idle) {
        struct connection *next = database->idle->next;
        connection_close(database->idle);
        database->idle = next;
    }
    connection_close(database->writer); /* the last one folds the log into the file */
    pthread_cond_destroy(&database->fold);
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

int database_write(struct database *database, database_job *job, void *context, struct err *err)
{
    struct request request = {.job = job, .context = context, .err = err};
    writes_put(&database->writes, &request.base);
    return request.result;
}

int database_write_relaxed(struct database *database, database_job *job, void *context,
                           struct err *err)
{
    struct request request = {.job = job, .context = context, .err = err, .relaxed = 1};
    writes_put(&database->writes, &request.base);
    return request.result;
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
