#include "camera.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Cameras that are no device: `stream_test KEN_CAPTURE RTSP_SERVER`. Streams of the test pattern
 * come from commands, others from a server on loopback. */

static const char *rtsp_server;

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    return make_stream("bare.h264", AV_CODEC_ID_H264, 60, 0) |
           make_stream("bare.mjpeg", AV_CODEC_ID_MJPEG, 60, 0);
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

/* A server that nobody knows yet; skips where there is none. */
static pid_t serve(int *port)
{
    *port = free_port();
    pid_t server = start_server(*port);
    if (!server)
        skip();
    return server;
}

static struct source *open_stream(int port, const char *password, const char *stream)
{
    char location[96];
    snprintf(location, sizeof location, "rtsp://camera:%s@127.0.0.1:%d/%s", password, port, stream);
    return opened(location, (struct source_options){0});
}

static void streams_by_rtsp_come_back_after_the_server(void **state)
{
    (void)state;
    struct frame frame;
    int port;
    pid_t server = serve(&port);
    struct source *source = open_stream(port, "secret", "h264");
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
    struct frame frame;
    int port;
    pid_t server = serve(&port);
    struct source *source = open_stream(port, "secret", "mjpeg");
    assert_int_equal(next_frame(source, &frame, 8000), 1);
    assert_int_equal(frame.parameters->codec_id, AV_CODEC_ID_MJPEG);
    source_close(source);
    source = open_stream(port, "wrong", "mjpeg");
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
    if (argc != 3)
        return 2;
    setenv("KEN_CAPTURE", argv[1], 1);
    rtsp_server = argv[2];
    const struct CMUnitTest tests[] = {
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
