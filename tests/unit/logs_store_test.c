#include "base/file.h"
#include "cloud/logs/store.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What lines have told; no lines here do. */
void metrics_put(struct metrics *metrics, const struct metric_value *value)
{
    (void)metrics, (void)value;
    fail_msg("a metric came of a plain line");
}

struct fixture {
    char folder[64], path[128];
    struct logs *logs;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_logs_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/l.sqlite", f->folder);
    struct err err = {0};
    f->logs = logs_open(f->path, NULL, &err);
    assert_non_null(f->logs);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err;
    logs_close(f->logs);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static void first_message(struct fixture *f, char *out, size_t out_bytes, int *count)
{
    struct err err = {0};
    assert_int_equal(logs_flush(f->logs, &err), 0);
    struct connection *c = database_read_begin(logs_database(f->logs), &err);
    assert_non_null(c);
    sqlite3_stmt *s = connection_prepare(c, "SELECT message FROM events ORDER BY seq", &err);
    assert_non_null(s);
    for (*count = 0; sqlite3_step(s) == SQLITE_ROW; ++*count)
        if (!*count)
            snprintf(out, out_bytes, "%s", (const char *)sqlite3_column_text(s, 0));
    connection_reset(s);
    database_read_end(logs_database(f->logs), c);
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
    struct fixture *f = *state;
    static const char line[] = "a\xff"
                               "b\xc0\x80 \xc3\xa9 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82";
    logs_put(f->logs, "/g", "s", 1000, line, sizeof line - 1);
    char text[64];
    int count;
    first_message(f, text, sizeof text, &count);
    assert_string_equal(text, "a?b?? \xc3\xa9 ??? ???? ??");
}

static void a_line_too_long_is_cut(void **state)
{
    struct fixture *f = *state;
    size_t size = LOGS_MAX_EVENT_BYTES + 10;
    char *line = malloc(size), *text = malloc(size);
    memset(line, 'x', size);
    logs_put(f->logs, "/g", "s", 1000, line, size);
    int count;
    first_message(f, text, size, &count);
    assert_int_equal(strlen(text), LOGS_MAX_EVENT_BYTES);
    free(line);
    free(text);
}

static void lines_survive_a_restart(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    for (int i = 0; i < 100; i++)
        logs_put(f->logs, i % 2 ? "/g" : "/h", "s", 1000 + i, "hello", 5);
    logs_close(f->logs);
    f->logs = logs_open(f->path, NULL, &err);
    char text[64];
    int count;
    first_message(f, text, sizeof text, &count);
    assert_int_equal(count, 100);
    assert_string_equal(text, "hello");
}

static int wait_for_release(struct connection *connection, void *context, struct err *err)
{
    (void)connection, (void)err;
    pthread_mutex_lock(context);
    pthread_mutex_unlock(context);
    return 0;
}

struct blocker {
    struct database *database;
    pthread_mutex_t held;
};

static void *block(void *argument)
{
    struct blocker *b = argument;
    struct err err;
    return database_write(b->database, wait_for_release, &b->held, &err) < 0 ? argument : NULL;
}

static size_t heap_bytes(void)
{
    struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

/* A function prints short lines while the disk is slow. */
static void lines_that_wait_take_no_more_memory_than_they_may(void **state)
{
    enum { LINES = 1000000 };
    struct fixture *f = *state;
    struct blocker b = {.database = logs_database(f->logs), .held = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    void *result;
    char text[64];
    int count;
    pthread_mutex_lock(&b.held);
    assert_int_equal(pthread_create(&thread, NULL, block, &b), 0);
    size_t before = heap_bytes();
    for (int i = 0; i < LINES; i++)
        logs_put(f->logs, "/aws/lambda/one", "2026/01/01/[$LATEST]0123456789abcdef", 1000 + i, "x",
                 1);
    size_t grown = heap_bytes() - before;
    pthread_mutex_unlock(&b.held);
    pthread_join(thread, &result);
    assert_null(result);
    assert_true(grown < LOGS_MAX_PENDING_BYTES + 1024 * 1024);
    first_message(f, text, sizeof text, &count);
    assert_true(count > 100000 && count < LINES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_that_are_no_utf8_are_replaced),
        TEST(a_line_too_long_is_cut),
        TEST(lines_survive_a_restart),
        TEST(lines_that_wait_take_no_more_memory_than_they_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
