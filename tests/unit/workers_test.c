#include "cloud/workers.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { THREADS = 4, ADDERS = 3, JOBS = 2000 };

struct counted {
    struct worker_job job; /* first */
    unsigned *runs;
    sem_t *begun, *may_end; /* NULL: it does not wait */
};

static void run_counted(struct worker_job *job)
{
    struct counted *counted = (struct counted *)job;
    if (counted->begun) {
        sem_post(counted->begun);
        sem_wait(counted->may_end);
    }
    __atomic_add_fetch(counted->runs, 1, __ATOMIC_RELAXED);
}

struct adder {
    struct workers *workers;
    struct counted jobs[JOBS];
    unsigned runs[JOBS];
};

static void *add_all(void *argument)
{
    struct adder *adder = argument;
    for (size_t i = 0; i < JOBS; i++) {
        adder->jobs[i] = (struct counted){.job = {.run = run_counted}, .runs = &adder->runs[i]};
        workers_add(adder->workers, &adder->jobs[i].job);
    }
    return NULL;
}

static void each_job_of_several_adders_runs_once_before_the_end(void **state)
{
    (void)state;
    struct err err;
    struct workers *workers = workers_create(THREADS, &err);
    struct adder *adders = calloc(ADDERS, sizeof *adders);
    pthread_t threads[ADDERS];
    for (size_t i = 0; i < ADDERS; i++) {
        adders[i].workers = workers;
        assert_int_equal(pthread_create(&threads[i], NULL, add_all, &adders[i]), 0);
    }
    for (size_t i = 0; i < ADDERS; i++)
        pthread_join(threads[i], NULL);
    workers_destroy(workers);
    for (size_t i = 0; i < ADDERS; i++)
        for (size_t n = 0; n < JOBS; n++)
            assert_int_equal(adders[i].runs[n], 1);
    free(adders);
}

static void jobs_that_wait_keep_no_other_from_its_thread(void **state)
{
    (void)state;
    struct err err;
    sem_t begun, may_end;
    unsigned runs = 0;
    struct counted jobs[THREADS];
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    struct workers *workers = workers_create(THREADS, &err);
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct counted){{.run = run_counted}, &runs, &begun, &may_end};
        workers_add(workers, &jobs[i].job);
    }
    for (size_t i = 0; i < THREADS; i++)
        sem_wait(&begun); /* all of them at the same time */
    for (size_t i = 0; i < THREADS; i++)
        sem_post(&may_end);
    workers_destroy(workers);
    assert_int_equal(runs, THREADS);
    sem_destroy(&begun);
    sem_destroy(&may_end);
}

static void workers_that_had_no_job_end(void **state)
{
    (void)state;
    struct err err;
    workers_destroy(workers_create(THREADS, &err));
    workers_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_job_of_several_adders_runs_once_before_the_end),
        cmocka_unit_test(jobs_that_wait_keep_no_other_from_its_thread),
        cmocka_unit_test(workers_that_had_no_job_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
