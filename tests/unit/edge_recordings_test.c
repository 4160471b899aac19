#include "edge/archive.h"
#include "edge/uploads.h"
#include "edge_device.h"

/* What becomes of the recording of a run. */

static void a_full_disk_stops_the_recorder_only(void **state)
{
    (void)state;
    struct device d;
    struct rlimit all, little;
    prepare(&d);
    d.options.report = NULL;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little = (struct rlimit){300, all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int result = run(&d);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_int_equal(result, -1);
    if (!strstr(d.err.message, "recording failed"))
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.answers, 6);
    assert_int_equal(d.totals.lost, 0);
}

static struct rlimit no_limit;

static void on_notice_there_is_room(void *context, const char *text)
{
    on_notice(context, text);
    setrlimit(RLIMIT_FSIZE, &no_limit);
}

static void once_there_is_room_the_recorder_goes_on(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.report = NULL;
    d.options.source.real_time = d.options.source.loop = 1;
    d.options.source.seconds = 5;
    d.options.record_again_s = 0.1;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &no_limit), 0);
    const struct rlimit little = {300, no_limit.rlim_max};
    const struct edge_listener listener = {
        .context = &d.seen, .frame = on_frame, .notice = on_notice_there_is_room};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int result = edge_run(&d.options, &listener, &d.totals, &d.err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &no_limit), 0);
    fake_stop(&d.fake);
    assert_int_equal(result, -1);
    if (!strstr(d.err.message, "recording was interrupted"))
        fail_msg("%s", d.err.message);
    assert_int_equal(d.seen.notices, 1);
    assert_int_equal(d.totals.lost, 0);
    assert_int_equal(d.totals.stored, 1);
    assert_true(d.totals.recording.frames > 0);
}

static void segments_without_a_queue_are_all_stored(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.source.loop = 1;
    d.options.source.seconds = 12;
    d.options.recorder.segment_s = 4;
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.recording.files, 3);
    assert_int_equal(d.totals.stored, 1);
    assert_int_equal(atomic_load(&d.fake.videos), 3);
    assert_int_equal(atomic_load(&d.fake.video_bytes), (long)d.totals.recording.bytes);
}

static void segments_that_cannot_be_sent_are_told_of(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.source.loop = 1;
    d.options.source.seconds = 12;
    d.options.recorder.segment_s = 4;
    d.fake.fail_status = 403;
    d.options.every = 1000;
    atomic_store(&d.fake.fail_puts, 2);
    assert_int_equal(run(&d), -1);
    assert_non_null(strstr(d.err.message, "the recording stays in"));
    assert_true(d.seen.notices >= 1);
    assert_int_equal(d.totals.stored, 0);
    assert_int_equal(atomic_load(&d.fake.videos), 1);
}

static void without_an_event_there_is_nothing_to_store(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    d.options.recorder.events_only = 1;
    d.options.recorder.pre_roll_s = 1;
    d.options.local = &(struct local_options){.models = "/nonexistent"};
    d.options.every = 1000;
    if (run(&d) < 0)
        fail_msg("%s", d.err.message);
    assert_int_equal(d.totals.recording.files, 0);
    assert_int_equal(d.totals.stored, 0);
    assert_int_equal(atomic_load(&d.fake.videos), 0);
}

/* One file more than may wait: who looks at the end must not read that all of them are stored. */
static void one_that_there_is_no_room_for_is_told_of(void **state)
{
    (void)state;
    struct device d;
    prepare(&d);
    const struct edge_listener listener = {.context = &d.seen, .notice = on_notice};
    struct edge_run run = {.options = &d.options, .listener = &listener};
    pthread_mutex_init(&run.lock, NULL);
    d.fake.delay_puts_ms = 200;
    struct uploads *uploads = uploads_start(&run, &d.err);
    assert_non_null(uploads);
    for (int i = 0; i < UPLOADS_MAX_WAITING + 2; i++) /* one is on its way */
        uploads_add(uploads, video);
    d.fake.delay_puts_ms = 0;
    uploads_end(uploads);
    assert_int_equal(uploads_finish(uploads, &d.err), -1);
    assert_non_null(strstr(d.err.message, "stay here"));
    assert_true(d.seen.notices >= 1);
    fake_stop(&d.fake);
    pthread_mutex_destroy(&run.lock);
}

static void a_recording_from_an_engine_without_parts_comes_whole(void **state)
{
    (void)state;
    struct device d;
    struct stat about;
    char path[128];
    prepare(&d);
    d.fake.stored_bytes = 9 << 20; /* more than a part */
    snprintf(path, sizeof path, "%s/back.mp4", folder);
    alarm(60); /* it came again and again */
    assert_int_equal(archive_fetch(&d.deployment, "back.mp4", folder, &d.err), -1); /* no video */
    alarm(0);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 9 << 20);
    fake_stop(&d.fake);
}

static void a_recording_that_does_not_come_leaves_the_one_that_is_there(void **state)
{
    (void)state;
    struct device d;
    char path[128];
    prepare(&d);
    d.fake.fail_status = 403;
    atomic_store(&d.fake.fail_next, 100);
    snprintf(path, sizeof path, "%s/kept.mp4", folder);
    assert_int_equal(file_write(path, "kept", 4, 0600, &d.err), 0);
    assert_int_equal(archive_fetch(&d.deployment, "kept.mp4", folder, &d.err), -1);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(files_in(folder, ".part"), 0);
    fake_stop(&d.fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_stops_the_recorder_only),
        cmocka_unit_test(once_there_is_room_the_recorder_goes_on),
        cmocka_unit_test(segments_without_a_queue_are_all_stored),
        cmocka_unit_test(segments_that_cannot_be_sent_are_told_of),
        cmocka_unit_test(without_an_event_there_is_nothing_to_store),
        cmocka_unit_test(one_that_there_is_no_room_for_is_told_of),
        cmocka_unit_test(a_recording_from_an_engine_without_parts_comes_whole),
        cmocka_unit_test(a_recording_that_does_not_come_leaves_the_one_that_is_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
