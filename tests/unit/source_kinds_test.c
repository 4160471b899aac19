#include "base/file.h"
#include "image/image.h"
#include "video/pattern.h"
#include "video/source.h"
#include "video/turn.h"

#include <libavutil/frame.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The sources that need no camera and no file of video, and turning. */

static char folder[] = "/tmp/ken-test-XXXXXX";

static void write_photo(const char *name, int width, int height, int red)
{
    struct err err = {0};
    struct image image;
    struct buf bytes;
    char path[96];
    buf_init(&bytes, IMAGE_MAX_FILE_BYTES);
    assert_int_equal(image_init(&image, width, height, &err), 0);
    for (size_t i = 0; i < (size_t)height * image.stride; i += 3)
        image.pixels[i] = (uint8_t)red;
    assert_int_equal(image_encode(&image, IMAGE_PNG, 0, &bytes, &err), 0);
    snprintf(path, sizeof path, "%s/photos/%s", folder, name);
    assert_int_equal(file_write(path, bytes.data, bytes.size, 0600, &err), 0);
    image_finish(&image);
    buf_finish(&bytes);
}

static int set_up(void **state)
{
    (void)state;
    struct err err = {0};
    char path[64];
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/empty", folder);
    if (file_make_folders(path, 0700, &err) < 0)
        return -1;
    snprintf(path, sizeof path, "%s/photos", folder);
    return file_make_folders(path, 0700, &err);
}

static int tear_down(void **state)
{
    (void)state;
    struct err err;
    return file_remove_tree(folder, &err);
}

static struct source *opened(const char *location, struct source_options options)
{
    struct err err = {0};
    struct source *source = source_open(location, &options, &err);
    if (!source)
        fail_msg("%s", err.message);
    return source;
}

static void refused(const char *location, struct source_options options, const char *because)
{
    struct err err = {0};
    assert_null(source_open(location, &options, &err));
    assert_non_null(strstr(err.message, because));
}

static void options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refused("test:", (struct source_options){.rotate = 45}, "45 degrees");
    refused("test:", (struct source_options){.rotate = -90}, "-90 degrees");
    refused("test:", (struct source_options){.width = 640}, "640x0");
    refused("test:", (struct source_options){.width = 100000, .height = 2}, "100000x2");
    refused("test:", (struct source_options){.width = 32, .height = 32}, "less than");
    refused("test:", (struct source_options){.fps = 1000}, "1000 frames");
    refused("test:", (struct source_options){.frozen_s = -1}, "frozen");
    refused("test:what", (struct source_options){0}, "just \"test:\"");
}

static void the_pattern_counts_its_frames(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct source *source = opened("test:", (struct source_options){.seconds = 2, .start_s = 1});
    for (uint64_t i = 1; i <= 60; i++) {
        assert_int_equal(source_read(source, &frame, &err), SOURCE_FRAME);
        assert_int_equal(frame.number, i);
        assert_int_equal(pattern_read(frame.picture), 30 + i);
        assert_int_equal(frame.begins, i == 1);
    }
    assert_int_equal(source_read(source, &frame, &err), SOURCE_END);
    source_close(source);
}

static void the_pattern_is_the_same_every_time(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame a, b;
    struct source_options options = {.width = 98, .height = 66};
    struct source *first = opened("test:", options), *second = opened("test:", options);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(source_read(first, &a, &err), SOURCE_FRAME);
        assert_int_equal(source_read(second, &b, &err), SOURCE_FRAME);
    }
    for (int y = 0; y < 66; y++)
        assert_memory_equal(a.picture->data[0] + y * a.picture->linesize[0],
                            b.picture->data[0] + y * b.picture->linesize[0], 98);
    source_close(first);
    source_close(second);
}

static void a_folder_without_photos_is_refused(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/empty", folder);
    refused(path, (struct source_options){0}, "no .jpg or .png");
    refused("photos:/tmp/ken-absent", (struct source_options){0}, "No such file");
}

static void check_photo(struct source *source, int number, int luma)
{
    struct err err = {0};
    struct frame frame;
    assert_int_equal(source_read(source, &frame, &err), SOURCE_FRAME);
    assert_int_equal(frame.number, number);
    assert_int_equal(frame.width, 64);
    assert_int_equal(frame.height, 48);
    const AVFrame *picture = frame.picture;
    assert_in_range(picture->data[0][24 * picture->linesize[0] + 32], luma - 2, luma + 2);
}

/* Red of 0, 100, 200 is luma 16, 42, 67. */
static void photos_come_by_name_in_one_size_and_bad_ones_are_left_out(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    char location[64], bad[64];
    write_photo("1.png", 64, 48, 0);
    write_photo("2.png", 48, 64, 100);
    write_photo("10.PNG", 640, 480, 200);
    snprintf(bad, sizeof bad, "%s/photos/3.jpg", folder);
    assert_int_equal(file_write(bad, "bad", 3, 0600, &err), 0);
    snprintf(location, sizeof location, "%s/photos", folder);
    struct source *source = opened(location, (struct source_options){0});
    check_photo(source, 1, 16);
    check_photo(source, 2, 42);
    check_photo(source, 3, 67);
    assert_int_equal(source_read(source, &frame, &err), SOURCE_END);
    source_close(source);
    source = opened(location, (struct source_options){.loop = 1, .seconds = 5});
    const int lumas[] = {16, 42, 67, 16, 42};
    for (int i = 0; i < 5; i++)
        check_photo(source, i + 1, lumas[i]);
    assert_int_equal(source_read(source, &frame, &err), SOURCE_END);
    source_close(source);
}

/* Where the top left corner of a 4x2 picture goes, clockwise; then swapped left and right. */
static void pictures_are_turned_and_mirrored(void **state)
{
    (void)state;
    const struct {
        int rotate, mirror, x, y;
    } cases[] = {{0, 1, 3, 0},  {90, 0, 1, 0},  {180, 0, 3, 1}, {270, 0, 0, 3},
                 {90, 1, 0, 0}, {180, 1, 0, 1}, {270, 1, 1, 3}};
    AVFrame *in = av_frame_alloc(), *out;
    in->format = AV_PIX_FMT_YUV444P;
    in->width = 4;
    in->height = 2;
    assert_int_equal(av_frame_get_buffer(in, 0), 0);
    for (int plane = 0; plane < 3; plane++)
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 4; x++)
                in->data[plane][y * in->linesize[plane] + x] =
                    (uint8_t)(x == 0 && y == 0 ? 200 : 9);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = {0};
        struct turner *turner = turner_create(cases[i].rotate, cases[i].mirror, &err);
        assert_int_equal(turner_run(turner, in, &out, &err), 0);
        assert_int_equal(out->width, turner_swaps_sides(turner) ? 2 : 4);
        for (int plane = 0; plane < 3; plane++)
            for (int y = 0; y < out->height; y++)
                for (int x = 0; x < out->width; x++)
                    assert_int_equal(out->data[plane][y * out->linesize[plane] + x],
                                     x == cases[i].x && y == cases[i].y ? 200 : 9);
        turner_destroy(turner);
    }
    av_frame_free(&in);
}

static void turned_frames_have_their_sides_swapped(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct source *source = opened("test:", (struct source_options){.rotate = 90});
    assert_int_equal(source_read(source, &frame, &err), SOURCE_FRAME);
    assert_int_equal(frame.width, 480);
    assert_int_equal(frame.height, 640);
    assert_int_equal(frame.picture->width, 480);
    source_close(source);
}

static void what_needs_no_camera_is_streaming(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct source_status status;
    struct source *source = opened("test:", (struct source_options){0});
    source_get_status(source, &status);
    assert_string_equal(source_state_name(status.state), "streaming");
    assert_int_equal(status.last_unix_ms, 0);
    assert_int_equal(source_read(source, &frame, &err), SOURCE_FRAME);
    source_get_status(source, &status);
    assert_true(status.last_unix_ms >= status.since_unix_ms);
    source_close(source);
}

static void a_label_holds_no_password(void **state)
{
    (void)state;
    char label[SOURCE_LABEL_BYTES];
    source_label("rtsp://user:p@ss/w@host:554/live?token=abc", label);
    assert_null(strstr(label, "p@ss"));
    source_label("rtsp://user:secret@host:554/live?token=abc", label);
    assert_string_equal(label, "rtsp://host:554/live");
    source_label("rtsp://host/a@b", label);
    assert_string_equal(label, "rtsp://host/a@b");
    source_label("/dev/video0", label);
    assert_string_equal(label, "/dev/video0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_make_no_sense_are_refused),
        cmocka_unit_test(the_pattern_counts_its_frames),
        cmocka_unit_test(the_pattern_is_the_same_every_time),
        cmocka_unit_test(a_folder_without_photos_is_refused),
        cmocka_unit_test(photos_come_by_name_in_one_size_and_bad_ones_are_left_out),
        cmocka_unit_test(pictures_are_turned_and_mirrored),
        cmocka_unit_test(turned_frames_have_their_sides_swapped),
        cmocka_unit_test(what_needs_no_camera_is_streaming),
        cmocka_unit_test(a_label_holds_no_password),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
