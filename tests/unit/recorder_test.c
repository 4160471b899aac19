#include "base/file.h"
#include "test_video.h"
#include "video/picture.h"
#include "video/recorder.h"
#include "video/source.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static struct recorder_options usual(int width, int height)
{
    return (struct recorder_options){
        .folder = folder, .fps = 30, .width = width, .height = height, .queue = 30, .wait = 1};
}

/* Pictures that do not compress to nothing. */
static AVFrame *noisy(int width, int height, unsigned seed)
{
    AVFrame *frame = av_frame_alloc();
    assert_int_equal(test_video_fill(frame, width, height, (int)seed), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            seed = seed * 1664525u + 1013904223u;
            frame->data[0][y * frame->linesize[0] + x] = (uint8_t)(seed >> 24);
        }
    return frame;
}

/* Write `count` frames; returns how many were taken before recording failed. */
static int write_frames(struct recorder *recorder, int width, int height, int count,
                        struct err *err)
{
    for (int i = 0; i < count; i++) {
        AVFrame *frame = noisy(width, height, (unsigned)i);
        int result = recorder_write(recorder, frame, (uint64_t)i + 1, err);
        av_frame_free(&frame);
        if (result < 0)
            return i;
    }
    return count;
}

static int play(const char *path, int *width, int *height)
{
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){0}, &err);
    if (!source)
        fail_msg("%s", err.message);
    int count = 0;
    while (source_read(source, &frame, &err) == 1) {
        *width = frame.picture->width;
        *height = frame.picture->height;
        count++;
    }
    source_close(source);
    return count;
}

static void record(struct recorder_options options, int count, struct recorder_result *result)
{
    struct err err = {0};
    struct recorder *recorder = recorder_start(&options, &err);
    if (!recorder)
        fail_msg("%s", err.message);
    assert_int_equal(write_frames(recorder, options.width, options.height, count, &err), count);
    if (recorder_finish(recorder, result, &err) < 0)
        fail_msg("%s", err.message);
}

static void an_absent_folder_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_options options = usual(64, 48);
    options.folder = "/tmp/ken-absent";
    assert_null(recorder_start(&options, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_options options = usual(1, 48);
    assert_null(recorder_start(&options, &err));
    options = usual(64, 48);
    options.fps = 0;
    assert_null(recorder_start(&options, &err));
    options = usual(64, 48);
    options.preset = "nonsense";
    assert_null(recorder_start(&options, &err));
    assert_non_null(strstr(err.message, "nonsense"));
}

static void a_recording_plays_back_whole(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(64, 48), 150, &result);
    int width, height;
    assert_int_equal(result.frames, 150);
    assert_int_equal(result.dropped, 0);
    assert_int_equal(play(result.path, &width, &height), 150);
    assert_int_equal(width, 64);
    assert_int_equal(height, 48);
}

static void its_name_is_the_time_of_its_start(void **state)
{
    (void)state;
    struct recorder_result first, second;
    record(usual(64, 48), 1, &first);
    record(usual(64, 48), 1, &second);
    int day, month, year, hour, minute, s, end = 0;
    sscanf(strrchr(first.path, '/'), "/%2d_%2d_%4d_%2d_%2d_%2d.mp4%n", &day, &month, &year, &hour,
           &minute, &s, &end);
    assert_int_equal(end, 24);
    assert_string_not_equal(first.path, second.path);
}

static void odd_sizes_lose_a_row_and_a_column(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(65, 49), 10, &result);
    int width, height;
    assert_int_equal(play(result.path, &width, &height), 10);
    assert_int_equal(width, 64);
    assert_int_equal(height, 48);
}

static void a_file_cut_short_still_plays(void **state)
{
    (void)state;
    struct recorder_result result;
    record(usual(64, 48), 300, &result);
    assert_int_equal(truncate(result.path, (off_t)(result.bytes / 2)), 0);
    int width, height, frames = play(result.path, &width, &height);
    assert_in_range(frames, 60, 150);
}

static void a_full_disk_stops_the_recording_and_keeps_what_is_there(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = usual(320, 240);
    struct rlimit all, little = {400000, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    little.rlim_max = all.rlim_max;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_non_null(recorder);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int taken = write_frames(recorder, 320, 240, 400, &err);
    assert_true(taken < 400);
    assert_non_null(strstr(err.message, "File too large"));
    struct err last = {0};
    assert_int_equal(recorder_finish(recorder, &result, &last), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    assert_string_equal(err.message, last.message);
    assert_non_null(strstr(result.path, ".mp4.part"));
    int width, height;
    assert_true(play(result.path, &width, &height) > 0);
}

static void a_slow_encoder_costs_frames_that_are_counted(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    struct recorder_options options = usual(640, 480);
    options.wait = 0;
    options.queue = 2;
    struct recorder *recorder = recorder_start(&options, &err);
    assert_non_null(recorder);
    AVFrame *frame = noisy(640, 480, 1);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(recorder_write(recorder, frame, i, &err), 0);
    av_frame_free(&frame);
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_true(result.dropped > 0);
    assert_int_equal(result.frames + result.dropped, 100);
}

static void finishing_nothing_is_fine(void **state)
{
    (void)state;
    struct err err = {0};
    struct recorder_result result;
    assert_int_equal(recorder_finish(NULL, &result, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_folder_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_recording_plays_back_whole),
        cmocka_unit_test(its_name_is_the_time_of_its_start),
        cmocka_unit_test(odd_sizes_lose_a_row_and_a_column),
        cmocka_unit_test(a_file_cut_short_still_plays),
        cmocka_unit_test(a_full_disk_stops_the_recording_and_keeps_what_is_there),
        cmocka_unit_test(a_slow_encoder_costs_frames_that_are_counted),
        cmocka_unit_test(finishing_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
