#include "base/file.h"
#include "cloud/sqlite/database.h"
#include "cloud/sqlite/log_file.h"
#include "cloud/sqlite/sums.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* What the writer waits for on the disk: never for much that was folded beside it, and not for a
 * log that grows commit by commit. The hooks count what goes to the file between two syncs. */

enum {
    ROW_BYTES = 8000,
    LOG_ROWS = 3000,      /* enough to be folded: more than 4,000 pages */
    SHORT_LOG_ROWS = 100, /* not enough for that */
    UNSYNCED_BYTES = 2 << 20
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b BLOB)";

static struct {
    sqlite3_vfs vfs;
    const sqlite3_vfs *real;
    const sqlite3_io_methods *methods;
    sqlite3_io_methods hooked;
    pthread_mutex_t lock;
    sqlite3_int64 written, unsynced, most_unsynced;
} hook = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct fixture {
    char folder[64], path[128], log[140];
    struct database *database;
};

static int write_hook(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    pthread_mutex_lock(&hook.lock);
    hook.written += size;
    hook.unsynced += size;
    if (hook.unsynced > hook.most_unsynced)
        hook.most_unsynced = hook.unsynced;
    pthread_mutex_unlock(&hook.lock);
    return hook.methods->xWrite(file, data, size, at);
}

static int sync_hook(sqlite3_file *file, int flags)
{
    pthread_mutex_lock(&hook.lock);
    hook.unsynced = 0;
    pthread_mutex_unlock(&hook.lock);
    return hook.methods->xSync(file, flags);
}

static int open_hook(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    int code = hook.real->xOpen((sqlite3_vfs *)hook.real, name, file, flags, out);
    if (code != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
        return code;
    hook.methods = file->pMethods;
    hook.hooked = *file->pMethods;
    hook.hooked.xWrite = write_hook;
    hook.hooked.xSync = sync_hook;
    file->pMethods = &hook.hooked;
    return code;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err = {0};
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_database_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/d.sqlite", f->folder);
    snprintf(f->log, sizeof f->log, "%s-wal", f->path);
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
    hook.written = hook.unsynced = hook.most_unsynced = 0;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    database_close(f->database);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
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

static void write_rows(struct fixture *f, int count)
{
    struct err err = {0};
    for (int i = 0; i < count; i++)
        assert_int_equal(database_write_relaxed(f->database, insert_row, NULL, &err), 0);
}

static int count_rows(struct fixture *f)
{
    struct err err = {0};
    struct connection *c = database_read_begin(f->database, &err);
    assert_non_null(c);
    sqlite3_stmt *s = connection_prepare(c, "SELECT count(*) FROM t WHERE length(b) = 8000", &err);
    assert_non_null(s);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int n = sqlite3_column_int(s, 0);
    connection_reset(s);
    database_read_end(f->database, c);
    return n;
}

static sqlite3_int64 get(const sqlite3_int64 *counter)
{
    pthread_mutex_lock(&hook.lock);
    sqlite3_int64 n = *counter;
    pthread_mutex_unlock(&hook.lock);
    return n;
}

static off_t size_of(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? about.st_size : -1;
}

static void what_is_folded_goes_to_the_disk_in_small_pieces(void **state)
{
    struct fixture *f = *state;
    write_rows(f, LOG_ROWS);
    for (int i = 0; i < 3000 && get(&hook.written) < (sqlite3_int64)LOG_ROWS * ROW_BYTES / 2; i++)
        usleep(10000);
    assert_true(get(&hook.written) >= (sqlite3_int64)LOG_ROWS * ROW_BYTES / 2);
    assert_in_range(get(&hook.most_unsynced), 1, UNSYNCED_BYTES);
}

/* A row goes into a page of its own; its leaf's parent changes with it. */
static void a_log_has_room_before_it_is_needed(void **state)
{
    struct fixture *f = *state;
    off_t used = (off_t)SHORT_LOG_ROWS * 2 * LOG_FRAME_BYTES;
    write_rows(f, SHORT_LOG_ROWS);
    for (int i = 0; i < 3000 && size_of(f->log) < used + SHORT_LOG_ROWS * LOG_FRAME_BYTES; i++)
        usleep(10000);
    assert_true(size_of(f->log) >= used + SHORT_LOG_ROWS * LOG_FRAME_BYTES);
    assert_int_equal(count_rows(f), SHORT_LOG_ROWS);
}

static void open_again(struct fixture *f)
{
    struct err err = {0};
    database_close(f->database);
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
}

static void a_long_log_is_kept_and_written_over(void **state)
{
    struct fixture *f = *state;
    write_rows(f, SHORT_LOG_ROWS * 2);
    database_close(f->database);
    f->database = NULL;
    off_t kept = size_of(f->log);
    assert_true(kept > SHORT_LOG_ROWS * 2 * LOG_FRAME_BYTES);
    open_again(f);
    assert_int_equal(count_rows(f), SHORT_LOG_ROWS * 2);
    write_rows(f, SHORT_LOG_ROWS);
    assert_int_equal(size_of(f->log), kept);
    open_again(f);
    assert_int_equal(size_of(f->log), kept);
    assert_int_equal(count_rows(f), SHORT_LOG_ROWS * 3);
}

static void a_short_log_is_removed(void **state)
{
    struct fixture *f = *state;
    write_rows(f, 5);
    database_close(f->database);
    f->database = NULL;
    assert_int_equal(size_of(f->log), -1);
}

static void copy_header(const char *log, char header[LOG_HEADER_BYTES], int back)
{
    int fd = open(log, O_RDWR | O_CLOEXEC);
    ssize_t done =
        back ? pwrite(fd, header, LOG_HEADER_BYTES, 0) : pread(fd, header, LOG_HEADER_BYTES, 0);
    assert_int_equal(done, LOG_HEADER_BYTES);
    close(fd);
}

/* What goes unsynced when a log is kept. */
static void a_power_cut_may_bring_back_a_kept_log(void **state)
{
    struct fixture *f = *state;
    char header[LOG_HEADER_BYTES];
    write_rows(f, SHORT_LOG_ROWS * 2);
    copy_header(f->log, header, 0);
    database_close(f->database);
    f->database = NULL;
    copy_header(f->log, header, 1);
    open_again(f);
    assert_int_equal(count_rows(f), SHORT_LOG_ROWS * 2);
    write_rows(f, SHORT_LOG_ROWS);
    open_again(f);
    assert_int_equal(count_rows(f), SHORT_LOG_ROWS * 3);
}

/* A damaged file may be moved away, and its log forgotten. */
static void a_new_file_has_nothing_of_the_log_of_another(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    char aside[160];
    snprintf(aside, sizeof aside, "%s/aside", f->folder);
    write_rows(f, 5);
    assert_int_equal(link(f->log, aside), 0); /* closing removes the name */
    database_close(f->database);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(rename(aside, f->log), 0);
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
    write_rows(f, 1);
    assert_int_equal(count_rows(f), 1);
    open_again(f);
    assert_int_equal(count_rows(f), 1);
}

int main(void)
{
    hook.real = sqlite3_vfs_find(SUMS_BELOW);
    hook.vfs = *hook.real;
    hook.vfs.xOpen = open_hook;
    if (sqlite3_vfs_register(&hook.vfs, 1) != SQLITE_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_folded_goes_to_the_disk_in_small_pieces, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_log_has_room_before_it_is_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_log_is_kept_and_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_short_log_is_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_file_has_nothing_of_the_log_of_another, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_power_cut_may_bring_back_a_kept_log, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
