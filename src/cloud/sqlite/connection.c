#include "cloud/sqlite/connection.h"

#include "cloud/sqlite/sums.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUSY_TIMEOUT_MS = 10000 };

/* Of the file, without its folder: clients may read it. */
static const char *name_of(sqlite3 *handle)
{
    const char *path = sqlite3_db_filename(handle, "main");
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : "the database";
}

int connection_fail(struct connection *connection, const char *what, struct err *err)
{
    int code = sqlite3_errcode(connection->handle);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB ||
        sqlite3_extended_errcode(connection->handle) == SQLITE_IOERR_DATA)
        return err_set(err, ERR_CORRUPT, "%s: %s is damaged", what, name_of(connection->handle));
    enum err_code kind = code == SQLITE_FULL    ? ERR_NO_SPACE
                         : code == SQLITE_NOMEM ? ERR_NO_MEMORY
                                                : ERR_IO;
    return err_set(err, kind, "%s: %s", what, sqlite3_errmsg(connection->handle));
}

int connection_exec(struct connection *connection, const char *sql, struct err *err)
{
    if (sqlite3_exec(connection->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return connection_fail(connection, "run SQL", err);
    return 0;
}

static void forget_statements(struct connection *connection)
{
    for (size_t i = 0; i < connection->cached; i++) {
        sqlite3_finalize(connection->cache[i].statement);
        free(connection->cache[i].sql);
    }
}

void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    forget_statements(connection);
    sqlite3_close(connection->handle);
    free(connection);
}

/* SQLite would make it readable for all; its log gets the mode of the file. One that is there is
 * not opened: closing it would end this process's locks on it, and the next program that looks into
 * it would fold and remove the log under the others here. */
static void make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static int open_file(struct connection *connection, const char *path, int writer, struct err *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (writer ? SQLITE_OPEN_CREATE : 0);
    if (sums_prepare(err) < 0)
        return -1;
    if (writer && strcmp(path, ":memory:") != 0)
        make_file(path);
    if (sqlite3_open_v2(path, &connection->handle, flags, SUMS_FILE_SYSTEM) != SQLITE_OK)
        return err_set(err, ERR_IO, "open %s: %s", path, sqlite3_errmsg(connection->handle));
    if (writer)
        sums_want(connection->handle);
    sqlite3_busy_timeout(connection->handle, BUSY_TIMEOUT_MS);
    return 0;
}

struct connection *connection_open(const char *path, int writer, const char *synchronous,
                                   struct err *err)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        return NULL;
    }
    if (open_file(connection, path, writer, err) < 0) {
        connection_close(connection);
        return NULL;
    }
    char setup[256];
    sqlite3_snprintf(sizeof setup, setup,
                     "PRAGMA synchronous=%s; PRAGMA page_size=%d; PRAGMA journal_mode=WAL; "
                     "PRAGMA wal_autocheckpoint=0; PRAGMA temp_store=MEMORY; PRAGMA query_only=%d;",
                     synchronous, DATABASE_PAGE_BYTES, !writer);
    if (connection_exec(connection, setup, err) < 0) {
        err_wrap(err, "open %s", path);
        connection_close(connection);
        return NULL;
    }
    return connection;
}

sqlite3_stmt *connection_prepare(struct connection *connection, const char *sql, struct err *err)
{
    for (size_t i = 0; i < connection->cached; i++) {
        if (strcmp(connection->cache[i].sql, sql))
            continue;
        sqlite3_reset(connection->cache[i].statement);
        sqlite3_clear_bindings(connection->cache[i].statement);
        return connection->cache[i].statement;
    }
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v3(connection->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement,
                           NULL) != SQLITE_OK) {
        connection_fail(connection, "prepare SQL", err);
        return NULL;
    }
    char *copy = strdup(sql);
    if (!copy) {
        sqlite3_finalize(statement);
        err_set(err, ERR_NO_MEMORY, "prepare SQL: out of memory");
        return NULL;
    }
    size_t slot = connection->cached;
    if (slot == CONNECTION_STATEMENTS) {
        slot = connection->next_victim++ % CONNECTION_STATEMENTS;
        sqlite3_finalize(connection->cache[slot].statement);
        free(connection->cache[slot].sql);
    } else {
        connection->cached++;
    }
    connection->cache[slot].sql = copy;
    connection->cache[slot].statement = statement;
    return statement;
}

void connection_reset(sqlite3_stmt *statement)
{
    if (statement) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
}

int connection_run(struct connection *connection, sqlite3_stmt *statement, struct err *err)
{
    if (!statement)
        return -1;
    int result = sqlite3_step(statement) == SQLITE_DONE
                     ? 0
                     : connection_fail(connection, "write to the database", err);
    connection_reset(statement);
    return result;
}
