#include "video/capture.h"

#include "base/buf.h"
#include "base/clock.h"
#include "video/bitstream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A command that writes a bare stream to its standard output. It is in this process's group, so
 * that it goes when this one is killed. */

enum { READ_BYTES = 128 * 1024, POLL_MS = 250 };

struct command {
    const char *name; /* in messages */
    pid_t pid;
    int fd;
};

static int start_command(struct command *command, const char *text, struct err *err)
{
    posix_spawn_file_actions_t actions;
    char shell[] = "sh", option[] = "-c", *argv[] = {shell, option, (char *)text, NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_set_errno(err, "start \"%.100s\"", command->name);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    int code = posix_spawn(&command->pid, "/bin/sh", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (code != 0) {
        close(ends[0]);
        errno = code;
        return err_set_errno(err, "start \"%.100s\"", command->name);
    }
    command->fd = ends[0];
    return 0;
}

static int ended(const struct command *command, struct err *err)
{
    int status = 0;
    waitpid(command->pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND, "run \"%.100s\": no such program", command->name);
    if (WIFEXITED(status))
        return err_set(err, ERR_UNAVAILABLE, "run \"%.100s\": it ended with code %d", command->name,
                       WEXITSTATUS(status));
    return err_set(err, ERR_UNAVAILABLE, "run \"%.100s\": it was killed", command->name);
}

/* The first whole picture in `bytes`: from *start to the result; 0 where there is none. */
static size_t find_picture(enum capture_codec codec, const struct buf *bytes, size_t from,
                           size_t *start)
{
    const uint8_t *data = (const uint8_t *)bytes->data + from;
    size_t end, skip = 0;
    if (codec == CAPTURE_H264)
        end = h264_unit_end(data, bytes->size - from);
    else
        end = jpeg_end(data, bytes->size - from, &skip);
    *start = from + skip;
    return end ? from + end : 0;
}

/* Hand over all whole pictures, and keep the rest. */
static int split(enum capture_codec codec, double fps, struct buf *bytes, struct capture_out *out,
                 struct err *err)
{
    size_t from = 0, start;
    for (size_t end; (end = find_picture(codec, bytes, from, &start)) > 0; from = end) {
        struct capture_picture picture = {
            .codec = codec,
            .data = (const uint8_t *)bytes->data + start,
            .size = end - start,
            .captured_ns = clock_monotonic_ns(),
            .fps = fps,
        };
        if (capture_out_write(out, &picture, err) < 0)
            return -1;
    }
    memmove(bytes->data, bytes->data + start, bytes->size - start);
    bytes->size -= start;
    return 0;
}

/* Returns 1 with more bytes, 0 with none yet, -1 at the end. */
static int read_more(int fd, struct buf *bytes, struct err *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int result = poll(&ready, 1, POLL_MS);
    if (result <= 0)
        return 0;
    if (buf_reserve(bytes, READ_BYTES) < 0)
        return err_set(err, ERR_TOO_BIG, "read the command: %d MiB without a picture in it",
                       CAPTURE_MAX_PACKET_BYTES >> 20);
    ssize_t size = read(fd, bytes->data + bytes->size, READ_BYTES);
    if (size < 0 && errno == EINTR)
        return 0;
    if (size <= 0)
        return -1;
    bytes->size += (size_t)size;
    return 1;
}

static int read_all(const struct capture_request *request, enum capture_codec codec, int fd,
                    struct capture_out *out, struct err *err)
{
    struct buf bytes;
    buf_init(&bytes, CAPTURE_MAX_PACKET_BYTES);
    uint64_t last_ns = clock_monotonic_ns();
    int result = 0;
    while (result == 0) {
        int more = read_more(fd, &bytes, err);
        if (more > 0) {
            last_ns = clock_monotonic_ns();
            result = split(codec, request->fps, &bytes, out, err);
        } else if (more < 0) {
            result = -1;
        } else if (clock_ms_since(last_ns) > request->silence_s * 1000) {
            result =
                err_set(err, ERR_TIMEOUT, "read the command: nothing for %g s", request->silence_s);
        } else if (capture_out_is_closed(out)) {
            result = err_set(err, ERR_UNAVAILABLE, "nobody reads");
        }
    }
    buf_finish(&bytes);
    return result;
}

static int run(const struct capture_request *request, const char *text, const char *name,
               struct capture_out *out, struct err *err)
{
    enum capture_codec codec = CAPTURE_H264;
    if (request->format && capture_codec_parse(request->format, &codec, err) < 0)
        return -1;
    if (codec == CAPTURE_YUYV)
        return err_set(err, ERR_UNSUPPORTED, "run \"%.100s\": a pipe holds h264 or mjpeg", name);
    struct command command = {.name = name};
    if (start_command(&command, text, err) < 0)
        return -1;
    err->code = ERR_NONE;
    int result = read_all(request, codec, command.fd, out, err);
    close(command.fd);
    return err->code == ERR_NONE ? ended(&command, err) : result;
}

int capture_pipe(const struct capture_request *request, const char *text, struct capture_out *out,
                 struct err *err)
{
    return run(request, text, text, out, err);
}

/* The program that comes with the system: named rpicam-vid since 2023, libcamera-vid before. */
static const char find_program[] =
    "program=$(command -v rpicam-vid || command -v libcamera-vid) || exit 127; ";

int capture_libcamera(const struct capture_request *request, const char *camera,
                      struct capture_out *out, struct err *err)
{
    char text[4096], *end;
    long index = *camera ? strtol(camera, &end, 10) : 0;
    if (*camera && (*end || index < 0 || index > 63))
        return err_set(err, ERR_INVALID, "open libcamera:%s: a camera's number is 0 to 63", camera);
    const char *format = request->format ? request->format : "h264";
    if (strcmp(format, "h264") != 0 && strcmp(format, "mjpeg") != 0)
        return err_set(err, ERR_INVALID, "open libcamera: its format is h264 or mjpeg, not \"%s\"",
                       format);
    int length = snprintf(
        text, sizeof text,
        "%sexec %s --camera %ld --timeout 0 --nopreview --flush --codec %s --inline --intra %d "
        "--width %d --height %d --framerate %g --output -",
        request->command ? "" : find_program, request->command ? request->command : "$program",
        index, format, (int)(2 * (request->fps > 0 ? request->fps : CAPTURE_DEFAULT_FPS) + 0.5),
        request->width ? request->width : CAPTURE_DEFAULT_WIDTH,
        request->height ? request->height : CAPTURE_DEFAULT_HEIGHT,
        request->fps > 0 ? request->fps : CAPTURE_DEFAULT_FPS);
    if (length < 0 || (size_t)length >= sizeof text)
        return err_set(err, ERR_TOO_BIG, "open libcamera: the command is too long");
    struct capture_request with_format = *request;
    with_format.format = format;
    return run(&with_format, text, request->command ? request->command : "rpicam-vid", out, err);
}
