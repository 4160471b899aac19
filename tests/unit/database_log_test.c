#include "base/file.h"
#include "cloud/sqlite/database.h"
#include "cloud/sqlite/sums.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The one moment in which SQLite before 3.51.3 loses commits (sqlite.org/wal.html, "The WAL-Reset
 * Bug"), made to happen: a checkpoint has read how long the log is, all of the log is in the file
 * meanwhile, and the writer begins it anew before the checkpoint goes on. The hooks sit where
 * SQLite calls its file system just before and after the checkpoint reads that. */

enum { ROW_BYTES = 8000, LONG_LOG_ROWS = 2600, SHORT_LOG_ROWS = 20 };

enum step { AWAIT_CHECKPOINT, PREPARE, AWAIT_HEADER, DONE };

static struct {
    sqlite3_vfs vfs;
    const sqlite3_vfs *real;
    const sqlite3_io_methods *methods;
    sqlite3_io_methods hooked;
    struct database *database;
    const char *path;
    int rows, is_armed;
    enum step step;
    pthread_mutex_t writes; /* the test's own and the hooks' do not mix */
} hook = {.writes = PTHREAD_MUTEX_INITIALIZER};

static int is_at(enum step step)
{
    return __atomic_load_n(&hook.is_armed, __ATOMIC_ACQUIRE) &&
           __atomic_load_n(&hook.step, __ATOMIC_ACQUIRE) == step;
}

static void go_to(enum step step)
{
    __atomic_store_n(&hook.step, step, __ATOMIC_RELEASE);
}

static int insert_row(struct connection *connection, void *context, struct err *err)
{
    (void)context;
    sqlite3_stmt *s = connection_prepare(connection, "INSERT INTO t(b) VALUES(randomblob(?))", err);
    if (!s)
        return -1;
    sqlite3_bind_int(s, 1, ROW_BYTES);
    return connection_run(connection, s, err);
}

static void write_rows(int count)
{
    struct err err = {0};
    pthread_mutex_lock(&hook.writes);
    for (int i = 0; i < count; i++, hook.rows++)
        assert_int_equal(database_write_relaxed(hook.database, insert_row, NULL, &err), 0);
    pthread_mutex_unlock(&hook.writes);
}

/* As one that went before would have left it. */
static void fold_whole_log(void)
{
    sqlite3 *handle;
    assert_int_equal(sqlite3_open_v2(hook.path, &handle, SQLITE_OPEN_READWRITE, SUMS_FILE_SYSTEM),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static int lock_hook(sqlite3_file *file, int offset, int count, int flags)
{
    enum { CHECKPOINT_LOCK = 1 };
    int is_checkpoint =
        offset == CHECKPOINT_LOCK && flags == (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
    if (is_checkpoint && is_at(AWAIT_CHECKPOINT)) {
        go_to(PREPARE);
        write_rows(1);
        fold_whole_log();
        go_to(AWAIT_HEADER);
    }
    return hook.methods->xShmLock(file, offset, count, flags);
}

static int unfetch_hook(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    if (is_at(AWAIT_HEADER) && !page) {
        go_to(DONE);
        write_rows(SHORT_LOG_ROWS);
    }
    return hook.methods->xUnfetch(file, offset, page);
}

static int open_hook(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    int code = hook.real->xOpen((sqlite3_vfs *)hook.real, name, file, flags, out);
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
        return code;
    if (!hook.methods) { /* the same for every file: later ones are opened beside threads that ask
                          */
        hook.methods = file->pMethods;
        hook.hooked = *file->pMethods;
        hook.hooked.xShmLock = lock_hook;
        hook.hooked.xUnfetch = unfetch_hook;
    }
    assert_ptr_equal(hook.methods, file->pMethods);
    file->pMethods = &hook.hooked;
    return code;
}

static int one_number(const char *sql)
{
    struct err err = {0};
    struct connection *c = database_read_begin(hook.database, &err);
    assert_non_null(c);
    sqlite3_stmt *s = connection_prepare(c, sql, &err);
    assert_non_null(s);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    const char *text = (const char *)sqlite3_column_text(s, 0);
    int n = strcmp(text, "ok") == 0 ? 1 : atoi(text);
    connection_reset(s);
    database_read_end(hook.database, c);
    return n;
}

static void no_commit_is_lost_when_the_log_begins_anew(void **state)
{
    (void)state;
    char folder[] = "/tmp/ken_database_XXXXXX", path[64];
    struct err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.sqlite", folder);
    hook.path = path;
    hook.database = database_open(path, "CREATE TABLE IF NOT EXISTS t(b BLOB)", &err);
    assert_non_null(hook.database);
    write_rows(1); /* makes the file, with a checkpoint of its own */
    __atomic_store_n(&hook.is_armed, 1, __ATOMIC_RELEASE);
    write_rows(LONG_LOG_ROWS);
    for (int i = 0; i < 6000 && !is_at(DONE); i++)
        usleep(10000);
    assert_true(is_at(DONE));
    write_rows(3 * LONG_LOG_ROWS);
    assert_int_equal(one_number("PRAGMA integrity_check(1)"), 1);
    assert_int_equal(one_number("SELECT count(*) FROM t"), hook.rows);
    database_close(hook.database);
    assert_int_equal(file_remove_tree(folder, &err), 0);
}

int main(void)
{
    hook.real = sqlite3_vfs_find(SUMS_BELOW);
    hook.vfs = *hook.real;
    hook.vfs.xOpen = open_hook;
    if (sqlite3_vfs_register(&hook.vfs, 1) != SQLITE_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_commit_is_lost_when_the_log_begins_anew)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
