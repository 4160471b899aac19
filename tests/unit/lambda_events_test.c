#include "base/clock.h"
#include "base/file.h"
#include "cloud/lambda/events.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* An owner that runs events as it is told: a function whose name begins with "fail" fails, "busy"
 * has no room, "never" answers nothing until the end. */

enum { MOST = 64 };

static struct {
    pthread_mutex_t lock;
    int launched, finished, attempts, refusals;
    lambda_done *held_done[MOST];
    void *held[MOST];
    int held_count;
    int is_stopping;
    char last_payload[64], last_id[37];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void launch(void *self, const struct event *event, lambda_done *done, void *context)
{
    (void)self;
    struct lambda_result result = {.status = 200, .payload = "1", .payload_bytes = 1};
    pthread_mutex_lock(&seen.lock);
    seen.launched++;
    int holds = strncmp(event->function, "never", 5) == 0;
    if (!holds)
        snprintf(seen.last_payload, sizeof seen.last_payload, "%s", event->payload);
    snprintf(seen.last_id, sizeof seen.last_id, "%s", event->request_id);
    if (holds) {
        assert_true(seen.held_count < MOST);
        seen.held_done[seen.held_count] = done;
        seen.held[seen.held_count++] = context;
    }
    pthread_mutex_unlock(&seen.lock);
    if (strncmp(event->function, "fail", 4) == 0)
        result.function_error = "Unhandled";
    if (strncmp(event->function, "busy", 4) == 0)
        result.status = 429;
    if (!holds)
        done(context, &result);
}

static int64_t settle(void *self, struct event *event, const struct lambda_result *result)
{
    (void)self;
    int64_t verdict = EVENT_FINISHED;
    pthread_mutex_lock(&seen.lock);
    if (seen.is_stopping)
        verdict = EVENT_LEFT;
    else if (result->status != 200 && ++event->refusals < 3)
        verdict = 10;
    else if (result->function_error && ++event->attempts < 3)
        verdict = 10;
    seen.finished += verdict == EVENT_FINISHED;
    seen.attempts = event->attempts;
    seen.refusals = event->refusals;
    pthread_mutex_unlock(&seen.lock);
    return verdict;
}

struct fixture {
    char folder[64], path[96];
    struct events *events;
};

static void reopen(struct fixture *f)
{
    struct err err = {0};
    f->events = events_open(f->path, &(struct events_owner){launch, settle, NULL}, &err);
    if (!f->events)
        fail_msg("%s", err.message);
}

static void start(struct fixture *f)
{
    struct err err = {0};
    assert_int_equal(events_start(f->events, &err), 0);
}

static void open_new(struct fixture *f)
{
    seen.launched = seen.finished = seen.attempts = seen.refusals = seen.held_count = 0;
    seen.is_stopping = 0;
    strcpy(f->folder, "/tmp/ken-events-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/events.sqlite", f->folder);
    reopen(f);
}

static void finish(struct fixture *f)
{
    struct err err = {0};
    events_stop(f->events);
    for (int i = 0; i < seen.held_count; i++)
        seen.held_done[i](seen.held[i], &(struct lambda_result){.status = 503});
    seen.held_count = 0;
    events_close(f->events);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
}

static void put(struct fixture *f, const char *function, const char *payload)
{
    struct err err = {0};
    struct event event = {.function = (char *)(uintptr_t)function,
                          .request_id = "01234567-89ab-cdef-0123-456789abcdef",
                          .received_unix_ms = clock_unix_ms(),
                          .payload = (char *)(uintptr_t)payload,
                          .payload_bytes = strlen(payload)};
    assert_int_equal(events_put(f->events, &event, &err), 0);
}

static int read_count(const int *count)
{
    pthread_mutex_lock(&seen.lock);
    int value = *count;
    pthread_mutex_unlock(&seen.lock);
    return value;
}

static void await(const int *count, int wanted)
{
    for (int i = 0; i < 2000 && read_count(count) < wanted; i++)
        usleep(5000);
    assert_int_equal(read_count(count), wanted);
}

/* A finished event is told before its row is gone. */
static void await_left(struct fixture *f, size_t wanted)
{
    for (int i = 0; i < 2000 && events_count(f->events) != wanted; i++)
        usleep(5000);
    assert_int_equal(events_count(f->events), wanted);
}

static void what_fails_is_tried_again(void **state)
{
    (void)state;
    struct fixture f;
    open_new(&f);
    start(&f);
    put(&f, "fails", "\"x\"");
    await(&seen.finished, 1);
    assert_int_equal(seen.launched, 3);
    assert_int_equal(seen.attempts, 3);
    assert_int_equal(seen.refusals, 0);
    finish(&f);
}

static void what_finds_no_room_is_not_an_attempt(void **state)
{
    (void)state;
    struct fixture f;
    open_new(&f);
    start(&f);
    put(&f, "busy", "\"x\"");
    await(&seen.finished, 1);
    assert_int_equal(seen.refusals, 3);
    assert_int_equal(seen.attempts, 0);
    finish(&f);
}

static void a_stuck_function_holds_up_no_other(void **state)
{
    (void)state;
    struct fixture f;
    open_new(&f);
    start(&f);
    for (int i = 0; i < EVENTS_LANE_IN_FLIGHT + 5; i++)
        put(&f, "never", "\"x\"");
    put(&f, "other", "\"here\"");
    await(&seen.finished, 1);
    await(&seen.held_count, EVENTS_LANE_IN_FLIGHT);
    assert_string_equal(seen.last_payload, "\"here\"");
    await_left(&f, EVENTS_LANE_IN_FLIGHT + 5);
    pthread_mutex_lock(&seen.lock);
    seen.is_stopping = 1;
    pthread_mutex_unlock(&seen.lock);
    finish(&f);
}

static void what_waits_is_there_after_a_restart(void **state)
{
    (void)state;
    struct fixture f;
    open_new(&f);
    for (int i = 0; i < 50; i++)
        put(&f, i % 2 ? "one" : "two", "\"kept\"");
    events_close(f.events); /* none was launched */
    assert_int_equal(seen.launched, 0);
    reopen(&f);
    assert_int_equal(events_count(f.events), 50);
    start(&f);
    await(&seen.finished, 50);
    assert_string_equal(seen.last_payload, "\"kept\"");
    assert_string_equal(seen.last_id, "01234567-89ab-cdef-0123-456789abcdef");
    events_close(f.events);
    reopen(&f);
    assert_int_equal(events_count(f.events), 0);
    finish(&f);
}

static void what_is_left_keeps_its_attempts(void **state)
{
    (void)state;
    struct fixture f;
    open_new(&f);
    start(&f);
    put(&f, "never", "\"x\"");
    await(&seen.held_count, 1);
    pthread_mutex_lock(&seen.lock);
    seen.is_stopping = 1;
    pthread_mutex_unlock(&seen.lock);
    events_stop(f.events);
    seen.held_done[0](seen.held[0], &(struct lambda_result){.status = 503});
    seen.held_count = 0;
    events_close(f.events);
    reopen(&f);
    assert_int_equal(events_count(f.events), 1);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_is_tried_again),
        cmocka_unit_test(what_finds_no_room_is_not_an_attempt),
        cmocka_unit_test(a_stuck_function_holds_up_no_other),
        cmocka_unit_test(what_waits_is_there_after_a_restart),
        cmocka_unit_test(what_is_left_keeps_its_attempts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
