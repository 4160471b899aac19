#include "base/queue.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include <cmocka.h>

static struct queue *make(size_t capacity)
{
    struct err err = {0};
    struct queue *queue = queue_create(capacity, &err);
    assert_non_null(queue);
    return queue;
}

static void a_size_out_of_range_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(queue_create(0, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_null(queue_create((size_t)QUEUE_MAX_ITEMS + 1, &err));
}

static void a_full_queue_refuses_without_waiting(void **state)
{
    (void)state;
    int items[3];
    struct queue *queue = make(2);
    assert_int_equal(queue_try_push(queue, &items[0]), 0);
    assert_int_equal(queue_try_push(queue, &items[1]), 0);
    assert_int_equal(queue_try_push(queue, &items[2]), -1);
    assert_ptr_equal(queue_pop(queue), &items[0]);
    assert_int_equal(queue_try_push(queue, &items[2]), 0);
    assert_ptr_equal(queue_pop(queue), &items[1]);
    assert_ptr_equal(queue_pop(queue), &items[2]);
    queue_destroy(queue);
}

static void a_closed_queue_gives_what_it_holds_and_takes_no_more(void **state)
{
    (void)state;
    int item;
    struct queue *queue = make(2);
    assert_int_equal(queue_push(queue, &item), 0);
    queue_close(queue);
    assert_int_equal(queue_try_push(queue, &item), -1);
    assert_int_equal(queue_push(queue, &item), -1);
    assert_ptr_equal(queue_pop(queue), &item);
    assert_null(queue_pop(queue));
    queue_destroy(queue);
}

enum { ITEMS = 5000, CONSUMERS = 3 };

struct load {
    struct queue *queue;
    atomic_int seen[ITEMS];
};

static void *consume(void *argument)
{
    struct load *load = argument;
    for (atomic_int *item; (item = queue_pop(load->queue));)
        atomic_fetch_add(item, 1);
    return NULL;
}

static void every_item_arrives_once(void **state)
{
    (void)state;
    static struct load load;
    load.queue = make(4);
    pthread_t ids[CONSUMERS];
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&ids[i], NULL, consume, &load), 0);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(queue_push(load.queue, &load.seen[i]), 0);
    queue_close(load.queue);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(ids[i], NULL);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(atomic_load(&load.seen[i]), 1);
    queue_destroy(load.queue);
}

static void *push_late(void *argument)
{
    static int item;
    return queue_push(argument, &item) < 0 ? argument : NULL;
}

static void closing_wakes_a_push_that_waits(void **state)
{
    (void)state;
    int item;
    pthread_t id;
    void *refused;
    struct queue *queue = make(1);
    assert_int_equal(queue_push(queue, &item), 0);
    assert_int_equal(pthread_create(&id, NULL, push_late, queue), 0);
    queue_close(queue);
    pthread_join(id, &refused);
    assert_ptr_equal(refused, queue);
    queue_destroy(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_out_of_range_is_refused),
        cmocka_unit_test(a_full_queue_refuses_without_waiting),
        cmocka_unit_test(a_closed_queue_gives_what_it_holds_and_takes_no_more),
        cmocka_unit_test(every_item_arrives_once),
        cmocka_unit_test(closing_wakes_a_push_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
