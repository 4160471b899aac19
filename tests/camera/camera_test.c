#include "base/clock.h"
#include "base/file.h"
#include "stream_file.h"
#include "video/cameras.h"
#include "video/recorder.h"
#include "video/source.h"

#include <libavutil/frame.h>

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Cameras without a camera: `camera_test KEN_CAPTURE SHIM RTSP_SERVER`. Streams of the test pattern
 * come from a stand-in for the driver, and from commands; others from a server on loopback. */

static char folder[] = "/tmp/ken-test-XXXXXX";
static const char *shim, *rtsp_server;

static const char *at(const char *name)
{
    static char paths[4][96];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_stream(const char *name, enum AVCodecID codec, int count, int sizes)
{
    struct stream_file how = {.path = at(name),
                              .codec = codec,
                              .width = 640,
                              .height = 480,
                              .count = count,
                              .gop = 15,
                              .sizes = sizes,
                              .first = 1};
    return stream_file_write(&how);
}

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
           make_stream("YUYV", AV_CODEC_ID_RAWVIDEO, 20, 1) |
           make_stream("bare.h264", AV_CODEC_ID_H264, 60, 0) |
           make_stream("bare.mjpeg", AV_CODEC_ID_MJPEG, 60, 0);
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
    options.real_time = 1;
    struct source *source = source_open(location, &options, &err);
    if (!source)
        fail_msg("%s", err.message);
    return source;
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

/* The next frame, or none within `limit_ms`. */
static int next_frame(struct source *source, struct frame *frame, int limit_ms)
{
    struct err err = {0};
    uint64_t start_ns = clock_monotonic_ns();
    while (clock_ms_since(start_ns) < limit_ms) {
        uint64_t before_ns = clock_monotonic_ns();
        int result = source_read(source, frame, &err);
        if (result < 0)
            fail_msg("%s", err.message);
        assert_true(clock_ms_since(before_ns) < 1500); /* the reader is never held up */
        if (result == SOURCE_FRAME)
            return 1;
        assert_int_equal(result, SOURCE_WAITING);
    }
    return 0;
}

static struct source_status status_of(struct source *source)
{
    struct source_status status;
    source_get_status(source, &status);
    return status;
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

/* 60 pictures, the last of which a bare stream does not close. */
static void check_pipe(const char *command, const char *format)
{
    struct frame frame;
    struct source *source = opened(command, (struct source_options){.format = format});
    int from = format ? 60 : 59;
    for (int i = 1; i <= from; i++) {
        assert_int_equal(next_frame(source, &frame, 5000), 1);
        assert_int_equal(pattern_read(frame.picture), i);
    }
    for (int i = 0; i < 50 && status_of(source).state == SOURCE_STREAMING; i++)
        assert_int_equal(next_frame(source, &frame, 1), 0); /* one look: it starts again at once */
    assert_non_null(strstr(status_of(source).reason, "ended with code 0"));
    source_close(source);
}

static void h264_from_a_command(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "pipe:cat %s; sleep 1.2", at("bare.h264"));
    check_pipe(command, NULL);
}

static void mjpeg_from_a_command(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "pipe:cat %s; sleep 1.2", at("bare.mjpeg"));
    check_pipe(command, "mjpeg");
}

static void a_command_that_is_no_program_is_told(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source =
        opened("pipe:ken-absent-program 2>/dev/null", (struct source_options){0});
    assert_int_equal(next_frame(source, &frame, 1000), 0);
    assert_non_null(strstr(status_of(source).reason, "no such program"));
    source_close(source);
}

/* rpicam-vid as a script that writes down what it was asked for. */
static void libcamera_is_asked_for_what_was_asked(void **state)
{
    (void)state;
    struct err err = {0};
    struct buf text;
    struct frame frame;
    char script[512];
    snprintf(script, sizeof script, "#!/bin/sh\necho \"$@\" > %s\ncat %s\nexec sleep 60\n",
             at("asked"), at("bare.h264"));
    assert_int_equal(file_write(at("rpicam"), script, strlen(script), 0700, &err), 0);
    struct source *source = opened(
        "libcamera:1",
        (struct source_options){.command = at("rpicam"), .width = 640, .height = 480, .fps = 25});
    assert_int_equal(next_frame(source, &frame, 5000), 1);
    source_close(source);
    buf_init(&text, 4096);
    assert_int_equal(file_read(at("asked"), &text, &err), 0);
    assert_non_null(strstr(text.data, "--camera 1 "));
    assert_non_null(strstr(text.data, "--codec h264 --inline --intra 50 "));
    assert_non_null(strstr(text.data, "--width 640 --height 480 --framerate 25 --output -"));
    buf_finish(&text);
}

static pid_t start_server(int port)
{
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/usr/bin/python3", "python3", rtsp_server, number, (char *)NULL);
        _exit(77); /* no Debian's Python, no server */
    }
    usleep(700000);
    int status;
    if (waitpid(pid, &status, WNOHANG) == 0)
        return pid;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 77)
        fail_msg("the RTSP server ended with status %d", status);
    return 0;
}

static void stop_server(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void streams_by_rtsp_come_back_after_the_server(void **state)
{
    (void)state;
    char location[96];
    struct frame frame;
    int port = free_port();
    pid_t server = start_server(port);
    if (!server)
        skip();
    snprintf(location, sizeof location, "rtsp://camera:secret@127.0.0.1:%d/h264", port);
    struct source *source = opened(location, (struct source_options){0});
    for (int i = 0; i < 40; i++)
        assert_int_equal(next_frame(source, &frame, 8000), 1);
    assert_int_equal(frame.width, 320);
    assert_int_equal(frame.parameters->codec_id, AV_CODEC_ID_H264);
    stop_server(server);
    while (next_frame(source, &frame, 500))
        continue;
    assert_int_equal(status_of(source).state, SOURCE_LOST);
    assert_null(strstr(status_of(source).reason, "secret"));
    usleep(2000000); /* the pauses grow */
    server = start_server(port);
    uint64_t back_ns = clock_monotonic_ns();
    assert_int_equal(next_frame(source, &frame, 8000), 1);
    assert_true(clock_ms_since(back_ns) < 5000);
    assert_int_equal(status_of(source).connects, 2);
    source_close(source);
    stop_server(server);
}

static void mjpeg_by_rtsp_and_a_wrong_password(void **state)
{
    (void)state;
    char location[96];
    struct frame frame;
    int port = free_port();
    pid_t server = start_server(port);
    if (!server)
        skip();
    snprintf(location, sizeof location, "rtsp://camera:secret@127.0.0.1:%d/mjpeg", port);
    struct source *source = opened(location, (struct source_options){0});
    assert_int_equal(next_frame(source, &frame, 8000), 1);
    assert_int_equal(frame.parameters->codec_id, AV_CODEC_ID_MJPEG);
    source_close(source);
    snprintf(location, sizeof location, "rtsp://camera:wrong@127.0.0.1:%d/mjpeg", port);
    source = opened(location, (struct source_options){0});
    assert_int_equal(next_frame(source, &frame, 1500), 0);
    assert_non_null(strstr(status_of(source).reason, "401"));
    source_close(source);
    stop_server(server);
}

static void what_no_camera_can_do_is_refused(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(source_open("rtsp://u:secret@h/", &(struct source_options){.start_s = 1}, &err));
    assert_null(strstr(err.message, "secret"));
    assert_null(source_open("/dev/video0", &(struct source_options){.loop = 1}, &err));
    assert_null(source_open("/dev/video0", &(struct source_options){.format = "vp9"}, &err));
    assert_non_null(strstr(err.message, "h264, mjpeg or yuyv"));
}

static void an_unreachable_stream_is_told_without_its_password(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source =
        opened("rtsp://user:secret@127.0.0.1:1/live", (struct source_options){0});
    assert_int_equal(next_frame(source, &frame, 1500), 0);
    struct source_status status = status_of(source);
    assert_non_null(strstr(status.reason, "rtsp://127.0.0.1:1/live: Connection refused"));
    source_close(source);
}

/* Other protocols, and playlists, would let a stream name local files. */
static void a_local_file_is_no_stream(void **state)
{
    (void)state;
    struct frame frame;
    struct source *source = opened("http:file:///etc/passwd", (struct source_options){0});
    assert_int_equal(next_frame(source, &frame, 1200), 0);
    assert_int_equal(status_of(source).state, SOURCE_CONNECTING);
    source_close(source);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    if (strcmp(argv[1], "list") == 0)
        return print_list(argv[2], strcmp(argv[3], "json") == 0);
    rtsp_server = argv[3];
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
        cmocka_unit_test(h264_from_a_command),
        cmocka_unit_test(mjpeg_from_a_command),
        cmocka_unit_test(a_command_that_is_no_program_is_told),
        cmocka_unit_test(libcamera_is_asked_for_what_was_asked),
        cmocka_unit_test(streams_by_rtsp_come_back_after_the_server),
        cmocka_unit_test(mjpeg_by_rtsp_and_a_wrong_password),
        cmocka_unit_test(what_no_camera_can_do_is_refused),
        cmocka_unit_test(an_unreachable_stream_is_told_without_its_password),
        cmocka_unit_test(a_local_file_is_no_stream),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
