#ifndef CLOUD_SQLITE_DATABASE_H
#define CLOUD_SQLITE_DATABASE_H

#include "base/err.h"
#include "cloud/sqlite/writes.h"

#include <sqlite3.h>

/* A SQLite file with many readers and one writer at a time. A write that meets no other is made on
 * its caller's thread; those that wait queue up, and a thread takes all of them into one
 * transaction, so that their acknowledgements share one fsync (WAL, synchronous=FULL). Reads use
 * connections of their own and never wait for writes. Thread safe. */
struct database;

/* One connection with its prepared statements. */
struct connection;

enum { DATABASE_PAGE_BYTES = 8192 };

/* Opens the file and runs `schema` (CREATE ... IF NOT EXISTS ...). One that is not there is made by
 * the first write; until then readers see empty tables. */
struct database *database_open(const char *path, const char *schema, struct err *err);
void database_close(struct database *database); /* NULL is fine; waits for queued writes */

/* Whether anything was ever written: what only looks after old rows need not make a file. */
int database_exists(struct database *database);

/* Runs `job`, on this thread or the writer's, and waits until its changes are durable. A job that
 * returns -1 has its own changes undone, and no other's. */
typedef int database_job(struct connection *connection, void *context, struct err *err);
int database_write(struct database *database, database_job *job, void *context,
                   struct err *err) MUST_USE;

/* The same for changes that may be lost in a power cut, though not when the process dies, such as
 * that a message was handed out: what waits together with no other write needs no fsync. */
int database_write_relaxed(struct database *database, database_job *job, void *context,
                           struct err *err) MUST_USE;

/* Work on the writer's own thread, within its transaction: what it writes to the same database by
 * database_write() is done there at once, and nobody is woken for it. `done` is called on that
 * thread, once, when all of that is durable, or, with `err`, when nothing of it is; until then
 * nobody may be told. `work` holds up all other writers, so it must not wait: not for a lock that
 * is held while someone writes to the database either. */
struct database_task {
    struct database_request {
        struct write_request base;
        database_job *job;
        void *context;
        struct err *err;
        int result, relaxed;
    } request; /* the database's */
    struct err err;
    void (*work)(struct database_task *task);
    void (*done)(struct database_task *task, const struct err *err); /* may free it */
};
/* -1: there is no thread for it, and nothing is done. */
int database_post(struct database *database, struct database_task *task) MUST_USE;

/* Borrow a connection for reading; what it reads is durable. Give it back in the same thread. */
struct connection *database_read_begin(struct database *database, struct err *err);
void database_read_end(struct database *database, struct connection *connection);

/* The statement for `sql`, reset and unbound, prepared once a connection; NULL on failure. Valid
 * until the next call for the same text. Call connection_reset() when done with it. */
sqlite3_stmt *connection_prepare(struct connection *connection, const char *sql, struct err *err);
void connection_reset(sqlite3_stmt *statement); /* NULL is fine */
/* Run a statement that gives no rows and reset it. */
int connection_run(struct connection *connection, sqlite3_stmt *statement,
                   struct err *err) MUST_USE;
int connection_exec(struct connection *connection, const char *sql, struct err *err) MUST_USE;
/* Record the connection's last error, after sqlite3_step() gave neither ROW nor DONE. Returns -1.
 */
int connection_fail(struct connection *connection, const char *what, struct err *err);

#endif
