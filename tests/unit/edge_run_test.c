#include "edge/summary.h"
#include "edge_device.h"

static void every_frame_is_answered_and_the_video_stored(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.frames, 90);
    assert_int_equal(d.totals.sampled, 6);
    assert_int_equal(d.totals.requests, 6);
    assert_int_equal(d.totals.answers, 6);
    assert_int_equal(d.totals.lost, 0);
    assert_int_equal(d.totals.verdicts[VERDICT_RIGHT], 6);
    assert_int_equal(d.totals.recording.frames, 90);
    assert_int_equal(d.seen.notices, 0);
    assert_int_equal(atomic_load(&d.fake.puts), 6);
    assert_int_equal(atomic_load(&d.fake.gets), 6);
    assert_int_equal(atomic_load(&d.fake.videos), 1);
    assert_int_equal(atomic_load(&d.fake.video_bytes), (long)d.totals.recording.bytes);
    assert_int_equal(files_in(work, ".png"), 0);
    assert_int_equal(files_in(work, ".mp4"), 1);
    assert_non_null(strstr("15.png 30.png 45.png 60.png 75.png 90.png", d.seen.last_key));
}

static void an_interval_lies_between_all_frames(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.interval_ms = 1000;
    d.options.workers = 1;
    d.options.record = 0;
    assert_int_equal(run(&d), 0);
    assert_int_equal(d.totals.sampled, 3);
    assert_string_equal(d.seen.last_key, "61.png");
}

static void its_report_adds_up(void **state)
{
    (void)state;
    struct device d;
    struct summary summary;
    struct err err = {0};
    prepare(&d);
    assert_int_equal(run(&d), 0);
    summary_init(&summary);
    if (summary_add_report(&summary, report, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(summary.frames, 90);
    assert_int_equal(summary.requests, 6);
    assert_int_equal(summary.cold_starts, 1);
    assert_int_equal(summary.people_count, 1);
    assert_int_equal(summary.people[0].right, 6);
    assert_int_equal(summary.stages[STAGE_total].count, 6);
    double sum_ms = 0, total_ms = samples_percentile(&summary.stages[STAGE_total], 100);
    for (int i = 0; i < STAGE_total; i++)
        sum_ms += samples_percentile(&summary.stages[i], 100);
    assert_true(sum_ms > total_ms * 0.9);
    summary_finish(&summary);
}

static void the_api_key_is_sent_where_the_api_wants_it(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    strcpy(d.deployment.auth, "key");
    strcpy(d.deployment.api_key, "abc");
    assert_int_equal(run(&d), 0);
    assert_int_equal(atomic_load(&d.fake.api_keys), 6);
}

static void with_the_frame_in_the_request_nothing_is_put(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.architecture = EDGE_FRAME_IN_REQUEST;
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.answers, 6);
    assert_int_equal(atomic_load(&d.fake.puts), 0);
    assert_int_equal(atomic_load(&d.fake.posts), 6);
    assert_true(atomic_load(&d.fake.posted_bytes) > 6 * 100);
    assert_int_equal(files_in(work, ".png"), 0);
}

static void on_the_device_an_absent_network_is_told_before_the_start(void **state)
{
    (void)state;
    struct device d;
    const struct local_options local = {.models = folder, .gallery = "/tmp/ken-absent.ken"};
    prepare(&d);
    d.options.architecture = EDGE_ON_DEVICE;
    d.options.local = &local;
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.err.code, ERR_NOT_FOUND);
    assert_int_equal(access(work, F_OK), -1);
}

static void failures_that_pass_are_tried_again(void **state)
{
    (void)state;
    const int statuses[] = {500, 503, 429, 0};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct device d;
        prepare(&d);
        d.fake.fail_status = statuses[i];
        atomic_store(&d.fake.fail_next, 3);
        atomic_store(&d.fake.fail_puts, 2);
        if (run(&d) < 0)
            fail_msg("%d: %s", statuses[i], d.err.message);
        assert_int_equal(d.totals.answers, 6);
        assert_int_equal(d.totals.requests, 6);
        /* libcurl repeats a broken connection once by itself */
        assert_true(d.totals.retries >= (statuses[i] ? 3u : 1u));
    }
}

static void a_refusal_is_not_repeated_and_the_frame_is_kept(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.fake.fail_status = 403;
    d.fake.fail_body = "{\"message\": \"Forbidden\"}";
    atomic_store(&d.fake.fail_next, 1);
    assert_int_equal(run(&d), -1);
    assert_non_null(strstr(d.err.message, "1 of 6 frames"));
    assert_non_null(strstr(d.err.message, "Forbidden"));
    assert_int_equal(d.totals.lost, 1);
    assert_int_equal(d.totals.kept, 1);
    assert_int_equal(d.totals.retries, 0);
    assert_int_equal(files_in(work, ".png"), 1);
    assert_int_equal(d.totals.stored, 1);
}

/* Keys that were changed, a policy that is repaired: nothing is lost meanwhile. */
static void with_a_queue_on_the_disk_what_is_refused_is_sent_later(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.queue_bytes = 100 * 1000 * 1000;
    d.fake.fail_status = 403;
    atomic_store(&d.fake.fail_puts, 2);
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.lost, 0);
    assert_true(d.totals.queued >= 1);
    assert_int_equal(d.totals.answers, 6);
    assert_int_equal(d.totals.waiting, 0);
    assert_int_equal(files_in(work, ".png"), 0);
}

static int items_aside(void)
{
    char aside[128];
    snprintf(aside, sizeof aside, "%s/queue/aside", work);
    return files_in(aside, ".item");
}

/* Too large for a proxy on the way, say: S3 is asked for the others, too. */
static void a_frame_that_is_refused_for_ever_holds_up_no_other(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.queue_bytes = 100 * 1000 * 1000;
    d.options.workers = 1;
    d.fake.fail_status = 413;
    d.fake.refused = "/15.png";
    assert_int_equal(run(&d), -1);
    assert_non_null(strstr(d.err.message, "1 items of the queue can never be sent"));
    assert_int_equal(d.totals.answers, 5);
    assert_int_equal(d.totals.lost, 0);
    assert_int_equal(d.totals.waiting, 0);
    assert_int_equal(d.totals.aside, 1);
    assert_int_equal(d.totals.stored, 1);
    assert_int_equal(items_aside(), 1);
    assert_non_null(strstr(d.seen.last_notice, "/queue/aside now"));
}

/* A policy without the right to put frames refuses them all: that may be mended. */
static void where_all_are_refused_all_wait(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.queue_bytes = 100 * 1000 * 1000;
    d.options.retry_s = 1;
    d.fake.fail_status = 403;
    d.fake.refused = ".png";
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.totals.waiting, 6);
    assert_int_equal(d.totals.aside, 0);
    assert_int_equal(items_aside(), 0);
    assert_int_equal(d.totals.stored, 1); /* behind them in the queue */
}

static void with_the_cloud_gone_everything_stays_here(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    fake_stop(&d.fake);
    d.options.retry_s = 0.2;
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.err.code, ERR_UNAVAILABLE);
    assert_null(strchr(d.err.message, '\n'));
    assert_non_null(strstr(d.err.message, d.totals.frames_folder));
    assert_int_equal(d.totals.frames, 90);
    assert_int_equal(d.totals.lost, 6);
    assert_int_equal(d.totals.kept, 6);
    assert_int_equal(d.seen.notices, 1);
    assert_int_equal(d.seen.lost, 6);
    assert_int_equal(files_in(work, ".png"), 6);
    assert_int_equal(files_in(work, ".mp4"), 1);
    assert_int_equal(d.totals.stored, 0);
}

static void without_cloud_and_recorder_nothing_is_left_to_do(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    fake_stop(&d.fake);
    d.options.record = 0;
    d.options.retry_s = 0;
    d.options.source.loop = 1;
    d.options.source.seconds = 3600;
    assert_int_equal(run(&d), -1);
    assert_true(d.totals.frames < 3600 * 30);
}

static void a_full_queue_is_counted_not_waited_for(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.source.real_time = 1;
    d.options.every = 1;
    d.options.workers = 1;
    d.options.queue = 2;
    d.options.record = 0;
    d.options.source.seconds = 1;
    d.fake.delay_ms = 150;
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.totals.frames, 30);
    assert_int_equal(d.totals.sampled, 30);
    assert_true(d.totals.dropped >= 10);
    assert_int_equal(d.totals.lost, d.totals.dropped);
    assert_int_equal(d.totals.answers + d.totals.lost, 30);
    assert_int_equal(d.seen.notices, 1);
    assert_non_null(strstr(d.seen.last_notice, "queue"));
    assert_true(d.totals.seconds < 2.5);
}

/* Twelve frames, which all have room in memory where the disk is slow as well. */
static void prepare_slow(struct device *d, uint64_t queue_bytes)
{
    prepare(d);
    d->options.source.real_time = 1;
    d->options.source.fps = 10;
    d->options.source.seconds = 1.2;
    d->options.every = 1;
    d->options.workers = 1;
    d->options.queue = 2;
    d->options.record = 0;
    d->options.queue_bytes = queue_bytes;
    d->fake.delay_ms = 400;
}

static void with_a_queue_on_the_disk_a_slow_network_loses_nothing(void **state)
{
    (void)state;
    struct device d;
    prepare_slow(&d, 100 * 1000 * 1000);
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.sampled, 12);
    assert_int_equal(d.totals.dropped, 0);
    assert_int_equal(d.totals.lost, 0);
    assert_true(d.totals.queued >= 3);
    assert_int_equal(d.totals.late, d.totals.queued);
    assert_int_equal(d.totals.answers, 12);
    assert_int_equal(d.totals.waiting, 0);
}

static void what_does_not_fit_into_the_queue_on_the_disk_is_told(void **state)
{
    (void)state;
    struct device d;
    prepare_slow(&d, 900); /* one or two frames */
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.totals.dropped, 0);
    assert_int_equal(d.totals.waiting, 0);
    assert_true(d.totals.evicted + d.totals.lost > 0);
    assert_int_equal(d.totals.answers + d.totals.evicted + d.totals.lost, 12);
    assert_non_null(strstr(d.err.message, "queue"));
}

static void stopping_finishes_what_was_begun(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.source.real_time = 1;
    d.seen.stop_after = 31;
    assert_int_equal(run(&d), 0);
    assert_int_equal(d.totals.frames, 31);
    assert_int_equal(d.totals.answers, 2);
    assert_int_equal(d.totals.stored, 1);
}

static void wrong_options_are_refused_before_anything_happens(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.prefix = "../x y";
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.err.code, ERR_INVALID);
    prepare(&d);
    d.options.every = 0;
    assert_int_equal(run(&d), -1);
    prepare(&d);
    d.options.video = "/tmp/ken-absent.mp4";
    assert_int_equal(run(&d), -1);
    assert_int_equal(d.err.code, ERR_NOT_FOUND);
    assert_int_equal(access(work, F_OK), -1);
}

static void absent_credentials_are_told_before_the_start(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    unsetenv("AWS_ACCESS_KEY_ID");
    setenv("AWS_SHARED_CREDENTIALS_FILE", "/tmp/ken-absent", 1);
    int result = run(&d);
    setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    assert_int_equal(result, -1);
    assert_non_null(strstr(d.err.message, "AWS_ACCESS_KEY_ID"));
    assert_int_equal(d.totals.frames, 0);
    assert_int_equal(access(work, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_is_answered_and_the_video_stored),
        cmocka_unit_test(an_interval_lies_between_all_frames),
        cmocka_unit_test(its_report_adds_up),
        cmocka_unit_test(the_api_key_is_sent_where_the_api_wants_it),
        cmocka_unit_test(with_the_frame_in_the_request_nothing_is_put),
        cmocka_unit_test(on_the_device_an_absent_network_is_told_before_the_start),
        cmocka_unit_test(failures_that_pass_are_tried_again),
        cmocka_unit_test(a_refusal_is_not_repeated_and_the_frame_is_kept),
        cmocka_unit_test(with_a_queue_on_the_disk_what_is_refused_is_sent_later),
        cmocka_unit_test(a_frame_that_is_refused_for_ever_holds_up_no_other),
        cmocka_unit_test(where_all_are_refused_all_wait),
        cmocka_unit_test(with_the_cloud_gone_everything_stays_here),
        cmocka_unit_test(without_cloud_and_recorder_nothing_is_left_to_do),
        cmocka_unit_test(a_full_queue_is_counted_not_waited_for),
        cmocka_unit_test(with_a_queue_on_the_disk_a_slow_network_loses_nothing),
        cmocka_unit_test(what_does_not_fit_into_the_queue_on_the_disk_is_told),
        cmocka_unit_test(stopping_finishes_what_was_begun),
        cmocka_unit_test(absent_credentials_are_told_before_the_start),
        cmocka_unit_test(wrong_options_are_refused_before_anything_happens),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
