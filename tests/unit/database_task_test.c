#include "database_fixture.h"

#include <semaphore.h>

enum { TASKS = 8 };

/* A task that inserts `row`, and what came of it. */
struct insertion {
    struct database_task task; /* first */
    struct fixture *f;
    sem_t *started;     /* told when it works, and then */
    sem_t *wait_for;    /* waited for before it writes; NULL: neither */
    database_job *then; /* a second job; NULL: none */
    int row, result, then_result, rows_when_done, failed;
    sem_t done;
};

static int insert(struct connection *connection, void *context, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, "INSERT INTO t(a) VALUES(?1)", err);
    if (!s)
        return -1;
    sqlite3_bind_int(s, 1, ((struct insertion *)context)->row);
    return connection_run(connection, s, err);
}

static int insert_next_and_fail(struct connection *connection, void *context, struct err *err)
{
    struct insertion next = {.row = ((struct insertion *)context)->row + 1};
    return insert(connection, &next, err) < 0 ? -1 : err_set(err, ERR_INVALID, "no");
}

/* What SQLite does on a full disk. */
static int roll_back(struct connection *connection, void *context, struct err *err)
{
    (void)context;
    return connection_exec(connection, "ROLLBACK", err) < 0
               ? -1
               : err_set(err, ERR_NO_SPACE, "the disk is full");
}

static void work(struct database_task *task)
{
    struct insertion *insertion = (struct insertion *)task;
    struct err err = {0};
    if (insertion->wait_for) {
        sem_post(insertion->started);
        sem_wait(insertion->wait_for);
    }
    insertion->result = database_write(insertion->f->database, insert, insertion, &err);
    if (insertion->then)
        insertion->then_result =
            database_write(insertion->f->database, insertion->then, insertion, &err);
}

static void done(struct database_task *task, const struct err *err)
{
    struct insertion *insertion = (struct insertion *)task;
    insertion->failed = err != NULL;
    insertion->rows_when_done = count_rows(insertion->f);
    sem_post(&insertion->done);
}

/* The others are posted while the first works: they are one batch. */
static void run(struct fixture *f, struct insertion tasks[TASKS])
{
    sem_t started, posted;
    sem_init(&started, 0, 0);
    sem_init(&posted, 0, 0);
    for (int i = 0; i < TASKS; i++) {
        tasks[i].f = f;
        tasks[i].row = 10 * i;
        tasks[i].task.work = work;
        tasks[i].task.done = done;
        tasks[i].started = &started;
        tasks[i].wait_for = i ? NULL : &posted;
        sem_init(&tasks[i].done, 0, 0);
        assert_int_equal(database_post(f->database, &tasks[i].task), 0);
        if (i == 0)
            sem_wait(&started);
    }
    sem_post(&posted);
    for (int i = 0; i < TASKS; i++)
        sem_wait(&tasks[i].done);
    for (int i = 0; i < TASKS; i++)
        sem_destroy(&tasks[i].done);
    sem_destroy(&started);
    sem_destroy(&posted);
}

static void what_tasks_write_is_there_when_they_are_done(void **state)
{
    struct insertion tasks[TASKS] = {{.row = 0}};
    run(*state, tasks);
    assert_int_equal(tasks[0].rows_when_done, 1);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(tasks[i].result, 0);
        assert_false(tasks[i].failed);
    }
    for (int i = 1; i < TASKS; i++)
        assert_int_equal(tasks[i].rows_when_done, TASKS); /* one commit for all that waited */
}

static void a_task_s_failed_write_is_undone_alone(void **state)
{
    struct fixture *f = *state;
    struct insertion tasks[TASKS] = {
        [0].then = insert_next_and_fail, [3].then = insert_next_and_fail};
    run(f, tasks);
    assert_int_equal(tasks[0].then_result, -1);
    assert_int_equal(tasks[3].then_result, -1);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(tasks[i].result, 0);
        assert_false(tasks[i].failed);
    }
    assert_int_equal(count_rows(f), TASKS);
}

static void tasks_learn_that_their_transaction_failed(void **state)
{
    struct fixture *f = *state;
    struct insertion tasks[TASKS] = {[3].then = roll_back};
    run(f, tasks);
    assert_false(tasks[0].failed); /* was one of its own */
    for (int i = 1; i < TASKS; i++)
        assert_true(tasks[i].failed);
    assert_int_equal(count_rows(f), 1);
    struct insertion again[TASKS] = {{.row = 0}};
    run(f, again); /* row 0 is there */
    assert_int_equal(again[0].result, -1);
    assert_false(again[0].failed);
    assert_int_equal(count_rows(f), TASKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_tasks_write_is_there_when_they_are_done, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_task_s_failed_write_is_undone_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tasks_learn_that_their_transaction_failed, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
