#include "base/file.h"
#include "cloud/sqlite/sums.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What a kill leaves in SQLite's log: copies of the files as they lie on the disk. */

enum { ROWS = 300, MAX_FILE_BYTES = 64 * 1024 * 1024 };

static char folder[] = "/tmp/ken-test-XXXXXX";

static sqlite3 *opened(const char *path)
{
    struct err err = {0};
    sqlite3 *handle;
    assert_int_equal(sums_prepare(&err), 0);
    assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     SUMS_FILE_SYSTEM),
                     SQLITE_OK);
    return handle;
}

static void run(sqlite3 *handle, const char *sql)
{
    if (sqlite3_exec(handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(handle));
}

static int number(sqlite3 *handle, const char *sql)
{
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int result = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return result;
}

static void copy(const char *from, const char *to, const char *suffix)
{
    struct err err = {0};
    struct buf all;
    char source[200], target[200];
    snprintf(source, sizeof source, "%s%s", from, suffix);
    snprintf(target, sizeof target, "%s%s", to, suffix);
    buf_init(&all, MAX_FILE_BYTES);
    assert_int_equal(file_read(source, &all, &err), 0);
    assert_int_equal(file_write(target, all.data, all.size, 0600, &err), 0);
    buf_finish(&all);
}

/* Pages that did not fit into the cache are in the log already when they change again: SQLite
 * writes them over and then the sums in the headers of all frames behind. */
static void a_commit_that_wrote_pages_twice_outlives_a_kill(void **state)
{
    (void)state;
    char path[100], left[100];
    snprintf(path, sizeof path, "%s/a", folder);
    snprintf(left, sizeof left, "%s/b", folder);
    sqlite3 *handle = opened(path);
    run(handle, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=10;"
                "CREATE TABLE t(a INTEGER PRIMARY KEY, n INT, b BLOB)");
    run(handle, "BEGIN");
    for (int i = 0; i < ROWS; i++)
        run(handle, "INSERT INTO t(n, b) VALUES(1, zeroblob(3000))");
    run(handle, "COMMIT; BEGIN; UPDATE t SET n = 2; UPDATE t SET n = 3; COMMIT");
    copy(path, left, "");
    copy(path, left, "-wal");
    sqlite3 *after = opened(left);
    assert_int_equal(number(after, "SELECT count(*) FROM t WHERE n = 3"), ROWS);
    sqlite3_close(after);
    sqlite3_close(handle);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_that_wrote_pages_twice_outlives_a_kill),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
