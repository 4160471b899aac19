#include "lambda_fixture.h"

/* Failures first */

static void a_process_that_exits_fails_its_request(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    expect(&f, "\"exit 7\"", "Unhandled", "Runtime exited with error: exit status 7");
    expect(&f, "\"exit 0\"", "Unhandled", "Runtime exited without providing a reason");
    expect(&f, "\"abort\"", "Unhandled", "signal: Killed");
    expect(&f, "\"echo alive\"", "", "\"alive\"");
    assert_int_equal(told.invocations, 4);
    assert_int_equal(told.errors, 3);
    stop(&f);
}

static void a_request_past_its_timeout_is_killed(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){0}, make_function(f.folder, NULL, 1, -1, 1));
    uint64_t begun = clock_monotonic_ns();
    expect(&f, "\"sleep 60000\"", "Unhandled", "Task timed out after 1.00 seconds");
    assert_true(clock_ms_since(begun) >= 1000 && clock_ms_since(begun) < 10000);
    wait_for_counts(&f, 0, 0);
    assert_non_null(strstr(told.log, "Task timed out after 1.00 seconds\n"));
    assert_int_equal(told.errors, 1);
    stop(&f);
}

static void a_reported_error_reaches_the_caller(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    expect(&f, "\"error\"", "Unhandled", "{\"errorType\":\"Test\",\"errorMessage\":\"as asked\"}");
    expect(&f, "\"echo again\"", "", "\"again\"");
    assert_int_equal(count_started(&f), 1);
    stop(&f);
}

static void failures_of_the_initialisation_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *how, *text;
        long init_ms; /* 0: the usual, which a busy machine keeps */
    } rows[] = {{"error", "{\"errorType\":\"Init\"", 0},
                {"exit", "exit status 3", 0},
                {"hang", "Task timed out after 0.30 seconds", 300}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        prepare(&f);
        start_with(&f, &(struct manager_options){.init_ms = rows[i].init_ms},
                   make_function(f.folder, json_pack("{s:s}", "TEST_INIT", rows[i].how), 2, -1, 1));
        expect(&f, "\"echo x\"", "Unhandled", rows[i].text);
        wait_for_counts(&f, 0, 0);
        assert_int_equal(told.errors, 1);
        stop(&f);
    }
}

static void a_zip_without_bootstrap_is_told(void **state)
{
    (void)state;
    struct fixture f;
    char path[128];
    start(&f);
    snprintf(path, sizeof path, "%s/code/bootstrap", f.folder);
    assert_int_equal(unlink(path), 0);
    expect(&f, "\"echo x\"", "Unhandled", "Runtime.InvalidEntrypoint");
    stop(&f);
}

static void what_is_no_program_is_told(void **state)
{
    (void)state;
    struct fixture f;
    struct err err = {0};
    char path[128];
    start(&f);
    snprintf(path, sizeof path, "%s/code/bootstrap", f.folder);
    unlink(path);
    assert_int_equal(file_write(path,
                                "\x7f"
                                "ELF junk",
                                9, 0755, &err),
                     0);
    expect(&f, "\"echo x\"", "Unhandled", "exit status 127");
    assert_non_null(strstr(told.log, "cannot start bootstrap: Exec format error"));
    stop(&f);
}

static void beyond_the_limit_requests_wait_and_are_then_throttled(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){.instances = 2, .queue_ms = 300},
               make_function(f.folder, NULL, 5, -1, 1));
    struct outcome o[3];
    for (int i = 0; i < 3; i++)
        begin(&f, "\"sleep 1500\"", &o[i]);
    await(&o[2]);
    assert_int_equal(o[2].status, 429);
    assert_string_equal(o[2].type, "TooManyRequestsException");
    for (int i = 0; i < 2; i++) {
        await(&o[i]);
        assert_int_equal(o[i].status, 200);
    }
    for (int i = 0; i < 3; i++)
        drop(&o[i]);
    assert_int_equal(told.throttles, 1);
    assert_int_equal(told.invocations, 2);
    assert_int_equal(told.most_concurrent, 2);
    stop(&f);
}

static void reserved_concurrency_of_none_throttles(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    prepare(&f);
    start_with(&f, &(struct manager_options){0}, make_function(f.folder, NULL, 5, 0, 1));
    begin(&f, "\"echo x\"", &o);
    await(&o);
    assert_int_equal(o.status, 429);
    drop(&o);
    stop(&f);
}

static void an_idle_instance_makes_room_for_another_function(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){.all_instances = 1, .queue_ms = 5000},
               make_function(f.folder, NULL, 5, -1, 1));
    expect(&f, "{}", "", "");
    wait_for_counts(&f, 1, 0);
    struct function *first = f.function;
    f.function = function_of(f.folder, make_record("g", NULL, 5), 2);
    uint64_t start_ns = clock_monotonic_ns();
    expect(&f, "{}", "", "");
    assert_true(clock_ms_since(start_ns) < 4000);
    function_release(first);
    stop(&f);
}

static void an_answer_to_another_request_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    expect(&f, "\"wrong-id\"", "", "\"400 403\"");
    stop(&f);
}

static void an_answer_past_six_mebibytes_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    expect(&f, "\"large 6291557\"", "Unhandled", "Function.ResponseSizeTooLarge");
    struct outcome o;
    begin(&f, "\"large 6291556\"", &o);
    await(&o);
    assert_string_equal(o.error, "");
    assert_int_equal(o.payload_bytes, 6291556);
    drop(&o);
    assert_int_equal(count_started(&f), 1);
    stop(&f);
}

static void an_end_takes_what_the_function_started_along(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    start(&f);
    begin(&f, "\"child\"", &o);
    await(&o);
    int port = (int)strtol(o.payload + 1, NULL, 10);
    drop(&o);
    assert_true(is_open(port));
    expect(&f, "\"exit 1\"", "Unhandled", "exit status 1");
    wait_until_closed(port);
    stop(&f);
}

/* What works */

static void a_warm_instance_is_reused(void **state)
{
    (void)state;
    struct fixture f;
    start(&f);
    for (int i = 0; i < 20; i++)
        expect(&f, "\"echo x\"", "", "\"x\"");
    assert_int_equal(count_started(&f), 1);
    assert_int_equal(told.invocations, 20);
    assert_int_equal(told.errors, 0);
    stop(&f);
}

static void requests_at_the_same_time_get_instances_of_their_own(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o[4];
    start(&f);
    for (int i = 0; i < 4; i++)
        begin(&f, "\"sleep 300\"", &o[i]);
    for (int i = 0; i < 4; i++) {
        await(&o[i]);
        assert_string_equal(o[i].payload, "\"slept\"");
        drop(&o[i]);
    }
    wait_for_counts(&f, 4, 0);
    assert_true(told.most_concurrent >= 2);
    stop(&f);
}

static void idle_instances_end(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f);
    start_with(&f, &(struct manager_options){.idle_ms = 50},
               make_function(f.folder, NULL, 2, -1, 1));
    expect(&f, "\"echo x\"", "", "x");
    wait_for_counts(&f, 0, 0);
    expect(&f, "\"echo x\"", "", "x");
    stop(&f);
}

static void an_update_gives_new_requests_new_instances(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome slow;
    start(&f);
    expect(&f, "\"env V\"", "", "(none)");
    wait_for_counts(&f, 1, 0);
    begin(&f, "\"sleep 300\"", &slow);
    wait_for_counts(&f, 0, 1);
    struct function *old = f.function;
    f.function = make_function(f.folder, json_pack("{s:s}", "V", "new"), 2, -1, 2);
    manager_update(f.manager, f.function);
    function_release(old);
    expect(&f, "\"env V\"", "", "\"new\"");
    await(&slow);
    assert_string_equal(slow.payload, "\"slept\"");
    drop(&slow);
    wait_for_counts(&f, 1, 0);
    stop(&f);
}

static void a_deleted_function_ends(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    start(&f);
    expect(&f, "\"echo x\"", "", "x");
    atomic_store(&f.function->is_retired, 1);
    manager_retire(f.manager, f.function);
    wait_for_counts(&f, 0, 0);
    begin(&f, "\"echo x\"", &o);
    await(&o);
    assert_int_equal(o.status, 404);
    drop(&o);
    stop(&f);
}

static void the_environment_is_lambdas(void **state)
{
    (void)state;
    struct fixture f;
    setenv("KEN_TEST_SECRET_OF_THE_CLOUD", "x", 1);
    prepare(&f);
    start_with(
        &f, &(struct manager_options){0},
        make_function(f.folder, json_pack("{s:s, s:s}", "MINE", "yes", "TZ", "CET"), 2, -1, 1));
    expect(&f, "\"env KEN_TEST_SECRET_OF_THE_CLOUD\"", "", "(none)");
    expect(&f, "\"env AWS_LAMBDA_FUNCTION_NAME\"", "", "\"f\"");
    expect(&f, "\"env AWS_LAMBDA_FUNCTION_MEMORY_SIZE\"", "", "\"128\"");
    expect(&f, "\"env AWS_SESSION_TOKEN\"", "", "\"token\"");
    expect(&f, "\"env AWS_ENDPOINT_URL\"", "", "\"http://127.0.0.1:1\"");
    expect(&f, "\"env TZ\"", "", "\"CET\"");
    expect(&f, "\"env MINE\"", "", "\"yes\"");
    expect(&f, "\"env HOME\"", "", "(none)");
    stop(&f);
}

static void the_output_goes_to_the_log_and_the_tail(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o;
    start(&f);
    expect(&f, "\"print before\"", "", "printed");
    begin(&f, "\"print hello log\"", &o);
    await(&o);
    assert_non_null(strstr(o.tail, "START RequestId: "));
    assert_non_null(strstr(o.tail, "\nhello log\n"));
    assert_non_null(strstr(o.tail, "\nEND RequestId: "));
    assert_non_null(strstr(o.tail, "\tMax Memory Used: "));
    assert_null(strstr(o.tail, "before"));
    assert_null(strstr(o.tail, "Init Duration"));
    assert_non_null(strstr(told.log, "before\n"));
    assert_non_null(strstr(told.log, "\tInit Duration: "));
    drop(&o);
    stop(&f);
}

static void stopping_answers_what_runs(void **state)
{
    (void)state;
    struct fixture f;
    struct outcome o[6];
    start(&f);
    for (int i = 0; i < 6; i++)
        begin(&f, "\"sleep 1900\"", &o[i]);
    usleep(100000);
    stop(&f);
    for (int i = 0; i < 6; i++) {
        await(&o[i]);
        assert_true(o[i].status == 200 || o[i].status == 503);
        drop(&o[i]);
    }
}

static void a_killed_cloud_leaves_no_process(void **state)
{
    (void)state;
    int ends[2];
    struct fixture f;
    struct err err;
    assert_int_equal(pipe(ends), 0);
    prepare(&f);
    pid_t cloud = fork();
    if (cloud == 0) { /* a cloud that is killed with an instance and its child running */
        struct outcome o;
        start_with(&f, &(struct manager_options){0}, make_function(f.folder, NULL, 2, -1, 1));
        begin(&f, "\"child\"", &o);
        await(&o);
        if (write(ends[1], o.payload + 1, strlen(o.payload) - 2) < 0)
            _exit(1);
        raise(SIGKILL);
    }
    char text[32] = "";
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    waitpid(cloud, NULL, 0);
    int port = (int)strtol(text, NULL, 10);
    assert_true(port > 0);
    wait_until_closed(port);
    assert_int_equal(file_remove_tree(f.folder, &err), 0);
}

static void the_way_through_adds_little(void **state)
{
    (void)state;
    enum { ROUNDS = 300 };
    double best = 1e9, total = 0;
    struct fixture f;
    start(&f);
    expect(&f, "\"echo x\"", "", "x");
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begun = clock_monotonic_ns();
        expect(&f, "\"echo x\"", "", "x");
        double ms = clock_ms_since(begun);
        total += ms;
        best = ms < best ? ms : best;
    }
    print_message("invoke: best %.3f ms, mean %.3f ms\n", best, total / ROUNDS);
    assert_true(best < 5); /* a coarse net for stalls such as delayed acknowledgements (40 ms) */
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_exits_fails_its_request),
        cmocka_unit_test(a_request_past_its_timeout_is_killed),
        cmocka_unit_test(a_reported_error_reaches_the_caller),
        cmocka_unit_test(failures_of_the_initialisation_are_told),
        cmocka_unit_test(a_zip_without_bootstrap_is_told),
        cmocka_unit_test(what_is_no_program_is_told),
        cmocka_unit_test(beyond_the_limit_requests_wait_and_are_then_throttled),
        cmocka_unit_test(reserved_concurrency_of_none_throttles),
        cmocka_unit_test(an_idle_instance_makes_room_for_another_function),
        cmocka_unit_test(an_answer_to_another_request_is_refused),
        cmocka_unit_test(an_answer_past_six_mebibytes_is_refused),
        cmocka_unit_test(an_end_takes_what_the_function_started_along),
        cmocka_unit_test(a_warm_instance_is_reused),
        cmocka_unit_test(requests_at_the_same_time_get_instances_of_their_own),
        cmocka_unit_test(idle_instances_end),
        cmocka_unit_test(an_update_gives_new_requests_new_instances),
        cmocka_unit_test(a_deleted_function_ends),
        cmocka_unit_test(the_environment_is_lambdas),
        cmocka_unit_test(the_output_goes_to_the_log_and_the_tail),
        cmocka_unit_test(stopping_answers_what_runs),
        cmocka_unit_test(a_killed_cloud_leaves_no_process),
        cmocka_unit_test(the_way_through_adds_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
