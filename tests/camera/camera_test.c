#include "camera.h"
#include "video/cameras.h"
#include "video/recorder.h"

#include <libavutil/frame.h>

#include <sys/stat.h>
#include <sys/wait.h>

/* Devices without a device: `camera_test KEN_CAPTURE SHIM`. Streams of the test pattern come from a
 * stand-in for the driver. */

static const char *shim;

static void set_fault(char letter)
{
    struct err err = {0};
    assert_int_equal(file_write(at("fault"), &letter, 1, 0600, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    setenv("KEN_SHIM_PATH", at("video7"), 1);
    setenv("KEN_SHIM_DIR", folder, 1);
    setenv("KEN_SHIM_FPS", "100", 1);
    setenv("KEN_SHIM_FAULT", at("fault"), 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    return make_stream("MJPG", AV_CODEC_ID_MJPEG, 60, 1) |
           make_stream("H264", AV_CODEC_ID_H264, 60, 1) |
           make_stream("YUYV", AV_CODEC_ID_RAWVIDEO, 20, 1);
}

/* The stand-in's, with these formats. */
static struct source *device(const char *formats, struct source_options options)
{
    char location[96];
    set_fault('o');
    setenv("KEN_SHIM_FORMATS", formats, 1);
    setenv("LD_PRELOAD", shim, 1);
    snprintf(location, sizeof location, "v4l2:%s", at("video7"));
    return opened(location, options);
}

static void closed(struct source *source)
{
    source_close(source);
    unsetenv("LD_PRELOAD");
}

/* The number in the picture, packed or planar. */
static uint64_t number_in(const AVFrame *picture)
{
    if (picture->format != AV_PIX_FMT_YUYV422)
        return pattern_read(picture);
    static uint8_t luma[640 * 480];
    AVFrame plain = {.width = 640, .height = 480, .data = {luma}, .linesize = {640}};
    for (int y = 0; y < 480; y++)
        for (int x = 0; x < 640; x++)
            luma[y * 640 + x] = picture->data[0][y * picture->linesize[0] + 2 * x];
    return pattern_read(&plain);
}

/* Frames come in order, at the camera's pace, with their own numbers in the picture. */
static void check_frames(struct source *source, int count, int in_a_circle)
{
    struct frame frame;
    uint64_t last = 0;
    for (int i = 0; i < count; i++) {
        if (!next_frame(source, &frame, 8000))
            fail_msg("frame %d: %s", i, status_of(source).reason);
        assert_int_equal(frame.number, i + 1);
        assert_int_equal(frame.width, 640);
        uint64_t shown = number_in(frame.picture);
        if (i > 0)
            assert_int_equal(shown, last % (uint64_t)in_a_circle + 1);
        last = shown;
        assert_true(frame.captured_ns <= clock_monotonic_ns());
        assert_true(clock_ms_since(frame.captured_ns) < 2000);
    }
}

static void mjpeg_from_a_device(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("YUYV MJPG", (struct source_options){0});
    check_frames(source, 70, 60);
    assert_int_equal(next_frame(source, &frame, 2000), 1);
    assert_int_equal(frame.parameters->codec_id, AV_CODEC_ID_MJPEG);
    assert_non_null(frame.packet);
    assert_string_equal(status_of(source).camera, "mjpeg 640x480 at 30");
    assert_int_equal(status_of(source).connects, 1);
    closed(source);
}

/* The stand-in gives a hundred a second, whatever it is asked for. */
static void of_a_camera_that_is_too_fast_some_pictures_are_left_out(void **state)
{
    (void)state;
    static const char *const formats[] = {"mjpeg", "yuyv"};
    for (size_t i = 0; i < 2; i++) {
        struct frame frame;
        uint64_t first_ns = 0;
        struct source *source =
            device("YUYV MJPG", (struct source_options){.format = formats[i], .fps = 20});
        for (int n = 0; n < 40; n++) {
            assert_int_equal(next_frame(source, &frame, 8000), 1);
            first_ns = n == 0 ? frame.captured_ns : first_ns;
        }
        assert_true((double)(frame.captured_ns - first_ns) / 1e9 > 38 / 20.4 - 0.05);
        assert_true(source_fps(source) <= 20);
        closed(source);
    }
}

static void yuyv_from_a_device(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("YUYV MJPG", (struct source_options){.format = "yuyv"});
    check_frames(source, 30, 20);
    assert_int_equal(next_frame(source, &frame, 2000), 1);
    assert_null(frame.packet);
    assert_int_equal(frame.picture->format, AV_PIX_FMT_YUYV422);
    closed(source);
}

static void h264_from_a_device(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("YUYV MJPG H264", (struct source_options){0});
    check_frames(source, 70, 60);
    assert_int_equal(next_frame(source, &frame, 2000), 1);
    assert_int_equal(frame.parameters->codec_id, AV_CODEC_ID_H264);
    assert_true(frame.parameters->extradata_size > 10);
    closed(source);
}

static void pictures_are_decoded_only_when_asked_for(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct source *source = device("H264", (struct source_options){.on_demand = 1, .rotate = 90});
    for (int i = 1; i <= 70; i++) {
        assert_int_equal(next_frame(source, &frame, 8000), 1);
        assert_null(frame.picture);
        assert_int_equal(frame.width, 480);
        assert_int_equal(frame.height, 640);
        if (i % 20)
            continue;
        assert_int_equal(source_picture(source, &frame, &err), SOURCE_FRAME);
        assert_int_equal(frame.picture->width, 480);
        assert_int_equal(frame.picture->height, 640);
    }
    closed(source);
    source = device("H264", (struct source_options){.on_demand = 1});
    for (int i = 1; i <= 70; i++) {
        assert_int_equal(next_frame(source, &frame, 8000), 1);
        if (i % 20)
            continue;
        assert_int_equal(source_picture(source, &frame, &err), SOURCE_FRAME);
        assert_int_equal(pattern_read(frame.picture), (i - 1) % 60 + 1);
    }
    closed(source);
}

/* Record `count` frames, none of which is decoded here, and read them back. */
static struct recorder_result recorded(struct source *source, enum recorder_codec codec, int count)
{
    struct err err = {0};
    struct frame frame;
    struct recorder_result result;
    struct recorder_options how = {.folder = folder,
                                   .fps = 30,
                                   .width = 640,
                                   .height = 480,
                                   .queue = 300,
                                   .codec = codec,
                                   .rotate = codec == RECORDER_X264 ? 0 : 180};
    struct recorder *recorder = recorder_start(&how, &err);
    if (!recorder)
        fail_msg("%s", err.message);
    for (int i = 0; i < count; i++) {
        assert_int_equal(next_frame(source, &frame, 8000), 1);
        assert_null(frame.picture);
        if (recorder_write_frame(recorder, &frame, &err) < 0)
            fail_msg("%s", err.message);
    }
    if (recorder_finish(recorder, &result, &err) < 0)
        fail_msg("%s", err.message);
    closed(source);
    assert_int_equal(result.frames, count);
    return result;
}

static void check_recording(const char *path, int count)
{
    struct err err = {0};
    struct frame frame;
    struct source *source = source_open(path, &(struct source_options){0}, &err);
    if (!source)
        fail_msg("%s", err.message);
    for (int i = 0; i < count; i++) {
        assert_int_equal(source_read(source, &frame, &err), SOURCE_FRAME);
        assert_int_equal(pattern_read(frame.picture), i % 60 + 1);
    }
    assert_int_equal(source_read(source, &frame, &err), SOURCE_END);
    source_close(source);
}

static void h264_is_recorded_as_it_is(void **state)
{
    (void)state;
    struct source *source = device("H264", (struct source_options){.on_demand = 1});
    struct recorder_result result = recorded(source, RECORDER_AUTO, 100);
    assert_string_equal(result.encoder, "copy");
    assert_int_equal(result.files, 1);
    check_recording(result.path, 100);
}

static void mjpeg_is_recorded_as_it_is_or_encoded(void **state)
{
    (void)state;
    struct source *source = device("MJPG", (struct source_options){.on_demand = 1});
    struct recorder_result result = recorded(source, RECORDER_COPY, 40);
    assert_string_equal(result.encoder, "copy");
    check_recording(result.path, 40);
    source = device("MJPG", (struct source_options){.on_demand = 1});
    result = recorded(source, RECORDER_X264, 40);
    assert_string_equal(result.encoder, "libx264");
    check_recording(result.path, 40);
}

/* The stream is cut, the camera comes back: the recording goes on at a key frame. */
static void a_recording_goes_on_when_the_camera_is_back(void **state)
{
    (void)state;
    struct err err = {0};
    struct frame frame;
    struct recorder_result result;
    struct recorder_options how = {
        .folder = folder, .fps = 30, .width = 640, .height = 480, .queue = 300};
    struct source *source = device("H264", (struct source_options){.on_demand = 1});
    struct recorder *recorder = recorder_start(&how, &err);
    assert_non_null(recorder);
    for (int i = 0; i < 60; i++) {
        if (i == 30) {
            set_fault('a');
            while (next_frame(source, &frame, 400))
                continue;
            set_fault('o');
        }
        assert_int_equal(next_frame(source, &frame, 5000), 1);
        assert_int_equal(recorder_write_frame(recorder, &frame, &err), 0);
    }
    assert_int_equal(recorder_finish(recorder, &result, &err), 0);
    assert_int_equal(result.frames, 60);
    source_close(source);
    unsetenv("LD_PRELOAD");
    source = source_open(result.path, &(struct source_options){0}, &err);
    assert_non_null(source);
    int shown = 0;
    while (source_read(source, &frame, &err) == SOURCE_FRAME)
        shown++;
    assert_true(shown >= 30);
    source_close(source);
}

static void what_a_device_lacks_is_told_with_what_it_has(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("MJPG YUYV", (struct source_options){.format = "h264"});
    assert_int_equal(next_frame(source, &frame, 1000), 0);
    assert_non_null(strstr(status_of(source).reason, "no h264 among what it offers: MJPG 640x480"));
    closed(source);
}

/* The list, asked of this program again with the stand-in preloaded. */
static void check_list(const char *json, const char *const *expected)
{
    struct err err = {0};
    struct buf text;
    char command[1024], self[256] = {0};
    set_fault('o');
    setenv("KEN_SHIM_FORMATS", "MJPG YUYV VP80", 1);
    assert_int_equal(file_write(at("video7"), "", 0, 0600, &err), 0);
    assert_int_equal(file_write(at("video8"), "", 0, 0600, &err), 0); /* no device at all */
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(command, sizeof command, "LD_PRELOAD='%s' '%s' list %s %s >%s", shim, self, folder,
             json, at("list"));
    assert_int_equal(system(command), 0);
    buf_init(&text, 65536);
    assert_int_equal(file_read(at("list"), &text, &err), 0);
    for (; *expected; expected++)
        if (!strstr(text.data, *expected))
            fail_msg("no \"%s\" in: %s", *expected, text.data);
    buf_finish(&text);
    unlink(at("video7"));
    unlink(at("video8"));
}

static void cameras_are_listed(void **state)
{
    (void)state;
    check_list("text", (const char *const[]){"video7  Ken's Stand-in (standin, platform:test)\n",
                                             "  MJPG  Stand-in 0\n", "  640x480 at 30 15\n",
                                             "  VP80  Stand-in 2  (ken reads none of it)\n", NULL});
    check_list("json", (const char *const[]){"\"name\":\"Ken's Stand-in\"", "\"format\":\"MJPG\"",
                                             "{\"width\":640,\"height\":480,\"fps\":[30.0,15.0]}",
                                             "\"usable\":false", "\"failed\":[]", NULL});
}

static void where_there_is_no_camera_libcamera_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf text;
    buf_init(&text, 65536);
    assert_int_equal(cameras_list(folder, 0, &text, &err), 0);
    assert_non_null(strstr(text.data, "rpicam-vid --list-cameras"));
    buf_finish(&text);
}

static int print_list(const char *where, int json)
{
    struct err err = {0};
    struct buf text;
    buf_init(&text, 65536);
    int count = cameras_list(where, json, &text, &err);
    fputs(text.data, stdout);
    buf_finish(&text);
    return count == 1 ? 0 : 1;
}

static void an_absent_camera_is_waited_for(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("MJPG", (struct source_options){0});
    set_fault('a');
    assert_int_equal(next_frame(source, &frame, 1500), 0);
    assert_int_equal(status_of(source).state, SOURCE_CONNECTING);
    assert_non_null(strstr(status_of(source).reason, "No such file"));
    set_fault('o');
    assert_int_equal(next_frame(source, &frame, 5000), 1);
    assert_int_equal(status_of(source).state, SOURCE_STREAMING);
    assert_string_equal(status_of(source).reason, "");
    closed(source);
}

/* Frames until none comes any more; then what the status says. */
static struct source_status run_dry(struct source *source)
{
    struct frame frame;
    for (int i = 0; i < 300 && next_frame(source, &frame, 800); i++)
        continue;
    return status_of(source);
}

static void check_recovery(char letter, const char *reason)
{
    struct frame frame;
    struct source *source = device("H264", (struct source_options){.frozen_s = 0.5});
    check_frames(source, 5, 60);
    set_fault(letter);
    uint64_t lost_ns = clock_monotonic_ns();
    struct source_status status = run_dry(source);
    while (status.state != SOURCE_LOST && clock_ms_since(lost_ns) < 5000)
        status = run_dry(source);
    assert_int_equal(status.state, SOURCE_LOST);
    if (!strstr(status.reason, reason))
        fail_msg("\"%s\" is not \"%s\"", status.reason, reason);
    assert_int_equal(next_frame(source, &frame, 1500), 0); /* it is tried, and the pauses grow */
    set_fault('o');
    assert_int_equal(next_frame(source, &frame, 9000), 1); /* 5 s, on a machine with time for it */
    assert_int_equal(frame.begins, 1);
    assert_true(frame.packet->flags & AV_PKT_FLAG_KEY);
    status = status_of(source);
    assert_int_equal(status.state, SOURCE_STREAMING);
    assert_int_equal(status.connects, 2);
    closed(source);
}

static void an_unplugged_camera_is_found_again(void **state)
{
    (void)state;
    check_recovery('a', "No such");
}

static void a_frozen_camera_is_started_again(void **state)
{
    (void)state;
    check_recovery('f', "no picture for 0.5 s");
}

static void a_driver_that_hangs_is_left_behind(void **state)
{
    (void)state;
    check_recovery('h', "frozen: nothing came for");
}

static void a_driver_that_answers_nonsense_is_no_danger(void **state)
{
    (void)state;
    check_recovery('n', "buffer 4000000000 of 4");
}

static void damaged_pictures_are_left_out(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = device("MJPG", (struct source_options){0});
    check_frames(source, 5, 60);
    set_fault('d');
    while (next_frame(source, &frame, 300))
        continue;
    assert_int_equal(status_of(source).state, SOURCE_STREAMING);
    set_fault('o');
    assert_int_equal(next_frame(source, &frame, 2000), 1);
    assert_int_equal(frame.begins, 0);
    closed(source);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "list") == 0)
        return print_list(argv[2], strcmp(argv[3], "json") == 0);
    if (argc != 3)
        return 2;
    setenv("KEN_CAPTURE", argv[1], 1);
    shim = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mjpeg_from_a_device),
        cmocka_unit_test(of_a_camera_that_is_too_fast_some_pictures_are_left_out),
        cmocka_unit_test(yuyv_from_a_device),
        cmocka_unit_test(h264_from_a_device),
        cmocka_unit_test(pictures_are_decoded_only_when_asked_for),
        cmocka_unit_test(h264_is_recorded_as_it_is),
        cmocka_unit_test(mjpeg_is_recorded_as_it_is_or_encoded),
        cmocka_unit_test(a_recording_goes_on_when_the_camera_is_back),
        cmocka_unit_test(what_a_device_lacks_is_told_with_what_it_has),
        cmocka_unit_test(cameras_are_listed),
        cmocka_unit_test(where_there_is_no_camera_libcamera_is_named),
        cmocka_unit_test(an_absent_camera_is_waited_for),
        cmocka_unit_test(an_unplugged_camera_is_found_again),
        cmocka_unit_test(a_frozen_camera_is_started_again),
        cmocka_unit_test(a_driver_that_hangs_is_left_behind),
        cmocka_unit_test(a_driver_that_answers_nonsense_is_no_danger),
        cmocka_unit_test(damaged_pictures_are_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
