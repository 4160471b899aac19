#include "database_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int insert(struct connection *connection, void *context, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, "INSERT INTO t(a) VALUES(?1)", err);
    if (!s)
        return -1;
    sqlite3_bind_int(s, 1, *(int *)context);
    return connection_run(connection, s, err);
}

static int insert_and_fail(struct connection *connection, void *context, struct err *err)
{
    if (insert(connection, context, err) < 0)
        return -1;
    return err_set(err, ERR_INVALID, "no");
}

static void opening_in_an_absent_folder_fails(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(database_open("/nonexistent/folder/d.sqlite", schema, &err));
    assert_non_null(strstr(err.message, "/nonexistent/folder/d.sqlite"));
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/text", f->folder);
    char junk[4096];
    memset(junk, 'x', sizeof junk);
    assert_int_equal(file_write(path, junk, sizeof junk, 0600, &err), 0);
    assert_null(database_open(path, schema, &err));
    assert_int_not_equal(err.code, ERR_NONE);
}

static void a_failed_job_is_undone(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 1;
    assert_int_equal(database_write(f->database, insert_and_fail, &a, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(count_rows(f), 0);
}

static void a_broken_constraint_is_reported(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 1;
    assert_int_equal(database_write(f->database, insert, &a, &err), 0);
    assert_int_equal(database_write(f->database, insert, &a, &err), -1);
    assert_int_equal(count_rows(f), 1);
}

static void readers_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct connection *c = database_read_begin(f->database, &err);
    assert_int_equal(connection_exec(c, "INSERT INTO t(a) VALUES(1)", &err), -1);
    database_read_end(f->database, c);
}

struct writer {
    struct fixture *fixture;
    int first;
};

static void *write_many(void *argument)
{
    struct writer *w = argument;
    struct err err = {0};
    for (int i = 0; i < 50; i++) {
        int a = w->first + i;
        /* Every third fails: it must take no neighbour of its batch with it. */
        int result =
            database_write(w->fixture->database, i % 3 == 2 ? insert_and_fail : insert, &a, &err);
        if (result != (i % 3 == 2 ? -1 : 0))
            abort();
    }
    return NULL;
}

static void writers_share_batches_and_keep_their_own_result(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[8];
    struct writer writers[8];
    for (int i = 0; i < 8; i++) {
        writers[i] = (struct writer){f, i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(count_rows(f), 8 * 34);
}

static void rows_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 7;
    assert_int_equal(database_write(f->database, insert, &a, &err), 0);
    database_close(f->database);
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
    assert_int_equal(count_rows(f), 1);
}

static void the_first_write_makes_the_file(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 7;
    assert_int_equal(count_rows(f), 0); /* leaves a reader of the empty database behind */
    assert_int_not_equal(access(f->path, F_OK), 0);
    assert_int_equal(database_write(f->database, insert, &a, &err), 0);
    assert_int_equal(access(f->path, F_OK), 0);
    assert_int_equal(count_rows(f), 1);
}

static void readers_of_what_is_not_there_yet_cannot_write(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct connection *c = database_read_begin(f->database, &err);
    assert_non_null(c);
    assert_int_equal(connection_exec(c, "INSERT INTO t VALUES(1, 'x')", &err), -1);
    database_read_end(f->database, c);
}

static void a_first_write_that_cannot_make_the_file_fails_and_the_next_tries_again(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 7;
    char away[80];
    snprintf(away, sizeof away, "%s-away", f->folder);
    assert_int_equal(rename(f->folder, away), 0);
    assert_int_equal(database_write(f->database, insert, &a, &err), -1);
    assert_int_equal(rename(away, f->folder), 0);
    assert_int_equal(database_write(f->database, insert, &a, &err), 0);
    assert_int_equal(count_rows(f), 1);
}

/* As another program sees it: SQLite's lock of who has the file open. */
static int is_locked(const char *path)
{
    enum { SHARED_FIRST = 0x40000002, SHARED_BYTES = 510 };
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = SHARED_FIRST,
                             .l_len = SHARED_BYTES};
        int fd = open(path, O_RDWR | O_CLOEXEC);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 ? lock.l_type != F_UNLCK : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

static void a_first_write_leaves_the_lock_of_those_who_read(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    int a = 7, b = 8;
    assert_int_equal(database_write(f->database, insert, &a, &err), 0);
    database_close(f->database);
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
    assert_int_equal(count_rows(f), 1);
    assert_true(is_locked(f->path));
    assert_int_equal(database_write(f->database, insert, &b, &err), 0);
    assert_true(is_locked(f->path));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_in_an_absent_folder_fails),
        TEST(a_file_that_is_no_database_is_refused),
        TEST(a_failed_job_is_undone),
        TEST(a_broken_constraint_is_reported),
        TEST(readers_cannot_write),
        TEST(writers_share_batches_and_keep_their_own_result),
        TEST(rows_survive_a_restart),
        TEST(the_first_write_makes_the_file),
        TEST(a_first_write_leaves_the_lock_of_those_who_read),
        TEST(readers_of_what_is_not_there_yet_cannot_write),
        TEST(a_first_write_that_cannot_make_the_file_fails_and_the_next_tries_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
