#include "base/clock.h"
#include "base/file.h"
#include "test_video.h"
#include "video/picture.h"
#include "video/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ken-test-XXXXXX";
static char video[64]; /* one second at 25 frames a second */

static int make_videos(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(video, sizeof video, "%s/v.mkv", folder);
    return test_video_even(video, 25, 25);
}

static int remove_videos(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static const char *write_text(const char *name, const char *text)
{
    static char path[96];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(file_write(path, text, strlen(text), 0600, &err), 0);
    return path;
}

static void refused(const char *path, struct source_options options, enum err_code code)
{
    struct err err = {0};
    assert_null(source_open(path, &options, &err));
    assert_int_equal(err.code, code);
    assert_true(strlen(err.message) > 0);
}

static void an_absent_file_is_refused(void **state)
{
    (void)state;
    refused("/tmp/ken-absent.mp4", (struct source_options){0}, ERR_NOT_FOUND);
}

static void what_is_no_video_is_refused(void **state)
{
    (void)state;
    refused(write_text("text.mp4", "no video at all"), (struct source_options){0}, ERR_INVALID);
    refused(write_text("empty.mp4", ""), (struct source_options){0}, ERR_INVALID);
}

/* They name other files and hosts. */
static void playlists_are_refused(void **state)
{
    (void)state;
    char text[200];
    snprintf(text, sizeof text,
             "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n", video);
    refused(write_text("list.m3u8", text), (struct source_options){0}, ERR_INVALID);
    snprintf(text, sizeof text, "ffconcat version 1.0\nfile %s\n", video);
    refused(write_text("list.ffconcat", text), (struct source_options){0}, ERR_INVALID);
}

static void a_file_cut_in_its_head_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf buf;
    char path[96];
    buf_init(&buf, 1 << 20);
    assert_int_equal(file_read(video, &buf, &err), 0);
    snprintf(path, sizeof path, "%s/cut.mkv", folder);
    assert_int_equal(file_write(path, buf.data, 60, 0600, &err), 0);
    buf_finish(&buf);
    refused(path, (struct source_options){0}, ERR_INVALID);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    refused(video, (struct source_options){.start_s = -1}, ERR_INVALID);
    refused(video, (struct source_options){.fps = 1e9}, ERR_INVALID);
    refused(video, (struct source_options){.seconds = -5}, ERR_INVALID);
    refused(video, (struct source_options){.start_s = 1.01}, ERR_INVALID);
}

/* Read all frames and compare each with the frame of the file that `expect` names. */
static int read_frames(const char *path, struct source_options options, int (*expect)(int))
{
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &options, &err);
    if (!source)
        fail_msg("%s", err.message);
    int count = 0, result;
    while ((result = source_read(source, &frame, &err)) == 1) {
        assert_int_equal(frame.number, count + 1);
        assert_int_equal(frame.picture->width, TEST_VIDEO_WIDTH);
        if (expect)
            assert_int_equal(frame.picture->data[0][0], test_video_luma(expect(count)));
        count++;
    }
    assert_int_equal(result, 0);
    source_close(source);
    return count;
}

static int same(int k)
{
    return k;
}

static int at_30_of_25(int k)
{
    return k * 25 / 30;
}

static int at_10_of_25(int k)
{
    return k * 25 / 10;
}

static int from_frame_10(int k)
{
    return k + 10;
}

static int looped_25(int k)
{
    return k % 25;
}

static int looped_from_20(int k)
{
    return 20 + k % 5;
}

static void without_a_rate_every_frame_comes_once(void **state)
{
    (void)state;
    assert_int_equal(read_frames(video, (struct source_options){0}, same), 25);
}

static void a_higher_rate_repeats_frames(void **state)
{
    (void)state;
    assert_int_equal(read_frames(video, (struct source_options){.fps = 30}, at_30_of_25), 30);
}

static void a_lower_rate_drops_frames(void **state)
{
    (void)state;
    assert_int_equal(read_frames(video, (struct source_options){.fps = 10}, at_10_of_25), 10);
}

static void a_path_may_say_that_it_is_a_file(void **state)
{
    (void)state;
    char location[80];
    snprintf(location, sizeof location, "file:%s", video);
    assert_int_equal(read_frames(location, (struct source_options){0}, same), 25);
    refused("gopher:", (struct source_options){0}, ERR_NOT_FOUND);
}

static void start_and_seconds_cut_out_a_part(void **state)
{
    (void)state;
    struct source_options options = {.start_s = 0.4, .seconds = 0.2};
    assert_int_equal(read_frames(video, options, from_frame_10), 5);
    options.seconds = 9; /* more than there is */
    assert_int_equal(read_frames(video, options, from_frame_10), 15);
}

static void a_loop_starts_again_until_the_seconds_are_over(void **state)
{
    (void)state;
    struct source_options options = {.seconds = 2.4, .loop = 1};
    assert_int_equal(read_frames(video, options, looped_25), 60);
    options = (struct source_options){.start_s = 0.8, .seconds = 2, .loop = 1};
    assert_int_equal(read_frames(video, options, looped_from_20), 50);
}

static void uneven_timestamps_are_kept_to(void **state)
{
    (void)state;
    char path[96];
    const int times_ms[] = {0, 500, 600, 1000};
    snprintf(path, sizeof path, "%s/uneven.mkv", folder);
    assert_int_equal(test_video_write(path, 10, times_ms, 4), 0);
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){.fps = 10}, &err);
    assert_non_null(source);
    const int shown[] = {0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 3};
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
        assert_int_equal(source_read(source, &frame, &err), 1);
        assert_int_equal(frame.picture->data[0][0], test_video_luma(shown[k]));
    }
    assert_int_equal(source_read(source, &frame, &err), 0);
    source_close(source);
}

/* A damaged clock must not make a camera that shows one picture for days. */
static void a_leap_in_time_is_repaired(void **state)
{
    (void)state;
    char path[96];
    const int times_ms[] = {0, 100, 200, 90000000, 90000100};
    snprintf(path, sizeof path, "%s/leap.mkv", folder);
    assert_int_equal(test_video_write(path, 10, times_ms, 5), 0);
    assert_int_equal(read_frames(path, (struct source_options){.fps = 10}, same), 5);
}

static void real_time_is_kept(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct source_options options = {.fps = 50, .seconds = 0.3, .real_time = 1};
    struct source *source = source_open(video, &options, &err);
    assert_non_null(source);
    uint64_t first_ns = 0, last_ns = 0;
    while (source_read(source, &frame, &err) == 1) {
        assert_true(clock_monotonic_ns() >= frame.captured_ns);
        if (frame.number > 1)
            assert_in_range(frame.captured_ns - last_ns, 19999990, 20000010);
        else
            first_ns = frame.captured_ns;
        last_ns = frame.captured_ns;
    }
    assert_int_equal(frame.number, 15);
    assert_in_range(last_ns - first_ns, 279999900, 280000100);
    source_close(source);
}

static void pictures_become_rgb(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct image image;
    struct source *source = source_open(video, &(struct source_options){.start_s = 0.4}, &err);
    struct converter *converter = converter_create(&err);
    assert_int_equal(source_read(source, &frame, &err), 1);
    struct AVFrame *kept = picture_keep(frame.picture, &err);
    while (source_read(source, &frame, &err) == 1)
        continue;
    source_close(source);
    assert_int_equal(converter_run(converter, kept, &image, &err), 0);
    assert_int_equal(image.width, TEST_VIDEO_WIDTH);
    assert_int_equal(image.height, TEST_VIDEO_HEIGHT);
    int grey = (int)((test_video_luma(10) - 16) * 255 / 219.0 + 0.5);
    for (size_t i = 0; i < 3 * TEST_VIDEO_WIDTH; i++)
        assert_in_range(image.pixels[5 * image.stride + i], grey - 2, grey + 2);
    picture_release(kept);
    converter_destroy(converter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_absent_file_is_refused),
        cmocka_unit_test(what_is_no_video_is_refused),
        cmocka_unit_test(playlists_are_refused),
        cmocka_unit_test(a_file_cut_in_its_head_is_refused),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(without_a_rate_every_frame_comes_once),
        cmocka_unit_test(a_higher_rate_repeats_frames),
        cmocka_unit_test(a_lower_rate_drops_frames),
        cmocka_unit_test(a_path_may_say_that_it_is_a_file),
        cmocka_unit_test(start_and_seconds_cut_out_a_part),
        cmocka_unit_test(a_loop_starts_again_until_the_seconds_are_over),
        cmocka_unit_test(uneven_timestamps_are_kept_to),
        cmocka_unit_test(a_leap_in_time_is_repaired),
        cmocka_unit_test(real_time_is_kept),
        cmocka_unit_test(pictures_become_rgb),
    };
    return cmocka_run_group_tests(tests, make_videos, remove_videos);
}
