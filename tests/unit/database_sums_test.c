#include "base/file.h"
#include "cloud/sqlite/connection.h"
#include "cloud/sqlite/sums.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* What the disk changes is found, wherever in the file it is. */

enum { ROWS = 60, ROW_BYTES = 3000, LONG_EVERY = 10, LONG_BYTES = 40000 };

static const char schema[] = "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b BLOB);"
                             "CREATE INDEX IF NOT EXISTS i ON t(substr(b, 1, 9))";

struct fixture {
    char folder[64], path[128];
};

static struct database *open_database(struct fixture *f)
{
    struct err err = {0};
    struct database *database = database_open(f->path, schema, &err);
    if (!database)
        print_message("%s\n", err.message);
    return database;
}

/* Row n holds nothing but bytes n. */
static int put_rows(struct connection *c, void *context, struct err *err)
{
    for (int n = 0; n < ROWS; n++) {
        char data[LONG_BYTES];
        sqlite3_stmt *s = connection_prepare(c, "REPLACE INTO t VALUES(?1, ?2)", err);
        memset(data, n, sizeof data);
        sqlite3_bind_int(s, 1, n);
        sqlite3_bind_blob(s, 2, data, n % LONG_EVERY ? ROW_BYTES : LONG_BYTES, SQLITE_TRANSIENT);
        if (connection_run(c, s, err) < 0)
            return -1;
    }
    (void)context;
    return 0;
}

static int remove_some(struct connection *c, void *context, struct err *err)
{
    (void)context;
    return connection_exec(c, "DELETE FROM t WHERE a % 3 = 0", err);
}

static int set_up(void **state)
{
    struct err err = {0};
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_database_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/d.sqlite", f->folder);
    struct database *database = open_database(f);
    assert_non_null(database);
    for (int i = 0; i < 3; i++) { /* pages come, go, and come again */
        assert_int_equal(database_write(database, put_rows, NULL, &err), 0);
        assert_int_equal(database_write(database, remove_some, NULL, &err), 0);
    }
    assert_int_equal(database_write(database, put_rows, NULL, &err), 0);
    database_close(database);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err;
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static int is_right(sqlite3_stmt *s)
{
    int n = sqlite3_column_int(s, 0), size = sqlite3_column_bytes(s, 1);
    const unsigned char *data = sqlite3_column_blob(s, 1);
    if (size != (n % LONG_EVERY ? ROW_BYTES : LONG_BYTES))
        return 0;
    for (int i = 0; i < size; i++)
        if (data[i] != n)
            return 0;
    return 1;
}

/* How many rows `sql` gives before the end or an error; each of them must be right. */
static int count_rows(struct database *database, const char *sql, struct err *err)
{
    struct connection *c = database_read_begin(database, err);
    sqlite3_stmt *s = c ? connection_prepare(c, sql, err) : NULL;
    int rows = 0, code = s ? sqlite3_step(s) : SQLITE_ERROR;
    for (; code == SQLITE_ROW; code = sqlite3_step(s), rows++)
        assert_true(is_right(s));
    if (s && code != SQLITE_DONE)
        connection_fail(c, "read", err);
    connection_reset(s);
    database_read_end(database, c);
    return rows;
}

static int read_all(struct fixture *f, struct err *err)
{
    *err = (struct err){0};
    struct database *database = database_open(f->path, schema, err);
    int rows = database ? count_rows(database, "SELECT a, b FROM t", err) : -1;
    if (database && err->code == ERR_NONE)
        rows = count_rows(database, "SELECT a, b FROM t INDEXED BY i WHERE substr(b, 1, 9) >= x''",
                          err);
    database_close(database);
    return rows;
}

static off_t size_of(const struct fixture *f)
{
    struct stat about;
    assert_int_equal(stat(f->path, &about), 0);
    return about.st_size;
}

static void flip(const struct fixture *f, off_t at, unsigned char bits)
{
    unsigned char byte;
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void what_is_whole_is_read(void **state)
{
    struct err err;
    assert_int_equal(read_all(*state, &err), ROWS);
    assert_int_equal(err.code, ERR_NONE);
}

static void a_turned_bit_of_any_page_is_found(void **state)
{
    struct fixture *f = *state;
    int found = 0, pages = 0;
    for (off_t page = 0; page < size_of(f); page += DATABASE_PAGE_BYTES, pages++) {
        struct err err;
        off_t at = page + 100 + (page / DATABASE_PAGE_BYTES * 977) % (DATABASE_PAGE_BYTES - 100);
        flip(f, at, 0x10);
        int rows = read_all(f, &err); /* which looks at each row that it got */
        if (err.code == ERR_CORRUPT)
            found++;
        else if (rows != ROWS)
            fail_msg("page %d: %d rows, %s", pages, rows, err.message);
        flip(f, at, 0x10);
    }
    print_message("%d of %d pages were read\n", found, pages);
    assert_true(found > pages * 3 / 4); /* the rest is free */
}

static void a_page_in_the_place_of_another_is_found(void **state)
{
    struct fixture *f = *state;
    struct err err;
    unsigned char page[DATABASE_PAGE_BYTES];
    int fd = open(f->path, O_RDWR | O_CLOEXEC);
    off_t last = size_of(f) - DATABASE_PAGE_BYTES;
    assert_int_equal(pread(fd, page, sizeof page, last - DATABASE_PAGE_BYTES), sizeof page);
    assert_int_equal(pwrite(fd, page, sizeof page, last), sizeof page);
    close(fd);
    assert_true(read_all(f, &err) < ROWS);
    assert_int_equal(err.code, ERR_CORRUPT);
}

static void the_rest_can_still_be_read_and_written(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    flip(f, size_of(f) - 2000, 1);
    struct database *database = open_database(f);
    assert_int_equal(count_rows(database, "SELECT a, b FROM t WHERE a = 1", &err), 1);
    assert_true(count_rows(database, "SELECT a, b FROM t", &err) < ROWS);
    assert_int_equal(err.code, ERR_CORRUPT);
    err = (struct err){0};
    assert_int_equal(count_rows(database, "SELECT a, b FROM t WHERE a = 1", &err), 1);
    assert_int_equal(err.code, ERR_NONE);
    database_close(database);
}

static void a_file_without_sums_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    sqlite3 *handle;
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(sqlite3_open(f->path, &handle), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(handle, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, schema, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
    struct database *database = open_database(f);
    assert_int_equal(database_write(database, put_rows, NULL, &err), 0);
    database_close(database);
    assert_int_equal(read_all(f, &err), ROWS);
    assert_int_equal(err.code, ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_whole_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_turned_bit_of_any_page_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_page_in_the_place_of_another_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_rest_can_still_be_read_and_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_without_sums_stays_as_it_is, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
