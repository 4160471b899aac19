/* A stand-in for a camera's driver, preloaded into the program under test: answers open, poll and
 * ioctl for one path. By environment:
 *
 *   KEN_SHIM_PATH     the device's path
 *   KEN_SHIM_DIR      where MJPG, YUYV, H264 lie: files of pictures, each with its size in front
 *   KEN_SHIM_FORMATS  which of them it offers, in its order: "MJPG YUYV"
 *   KEN_SHIM_FPS      pictures a second (30)
 *   KEN_SHIM_FAULT    a file whose first letter says what is wrong now:
 *                     o nothing, a absent or unplugged, f frozen (no picture any more), h hangs in
 *                     the driver, d damaged pictures, n nonsense (a buffer that is none)
 *
 * Sizes offered: 640x480 and 320x240 of every format; pictures are the file's whatever was set, so
 * files for 640x480 go with tests that ask for that. */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BUFFERS = 4, BUFFER_BYTES = 1 << 20 };

int open64(const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes);

static struct {
    int fd, streaming;
    uint32_t format, width, height;
    FILE *pictures;
    unsigned queued[BUFFERS], queued_count;
    uint64_t due_ns;
    uint8_t *memory;
} device = {.fd = -1};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static char fault(void)
{
    char letter = 'o';
    const char *path = getenv("KEN_SHIM_FAULT");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (file) {
        if (fread(&letter, 1, 1, file) != 1)
            letter = 'o';
        fclose(file);
    }
    return letter;
}

static uint64_t period_ns(void)
{
    const char *fps = getenv("KEN_SHIM_FPS");
    return (uint64_t)(1e9 / (fps ? strtod(fps, NULL) : 30));
}

static int is_ours(const char *path)
{
    const char *ours = getenv("KEN_SHIM_PATH");
    return ours && strcmp(path, ours) == 0;
}

static int open_device(void)
{
    if (fault() == 'a') {
        errno = ENOENT;
        return -1;
    }
    device.fd = memfd_create("camera", MFD_CLOEXEC);
    if (device.fd < 0 || ftruncate(device.fd, BUFFERS * BUFFER_BYTES) < 0)
        return -1;
    device.memory =
        mmap(NULL, BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, device.fd, 0);
    device.queued_count = 0;
    device.streaming = 0;
    return device.memory == MAP_FAILED ? -1 : device.fd;
}

static int real_open(const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...) =
        (int (*)(const char *, int, ...))(uintptr_t)dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(args, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return is_ours(path) ? open_device() : real_open(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return is_ours(path) ? open_device() : real_open(path, flags, mode);
}

int __open_2(const char *path, int flags)
{
    return is_ours(path) ? open_device() : real_open(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return is_ours(path) ? open_device() : real_open(path, flags, 0);
}

static int refuse(int code)
{
    errno = code;
    return -1;
}

static uint32_t format_number(unsigned n)
{
    const char *names = getenv("KEN_SHIM_FORMATS");
    for (names = names ? names : "MJPG"; strlen(names) >= 4; names += names[4] == ' ' ? 5 : 4)
        if (n-- == 0)
            return v4l2_fourcc(names[0], names[1], names[2], names[3]);
    return 0;
}

static int tell_format(struct v4l2_fmtdesc *format)
{
    format->pixelformat = format_number(format->index);
    snprintf((char *)format->description, sizeof format->description, "Stand-in %u", format->index);
    return format->pixelformat ? 0 : refuse(EINVAL);
}

static int tell_size(struct v4l2_frmsizeenum *size)
{
    if (size->index > 1)
        return refuse(EINVAL);
    size->type = V4L2_FRMSIZE_TYPE_DISCRETE;
    size->discrete.width = size->index ? 320 : 640;
    size->discrete.height = size->index ? 240 : 480;
    return 0;
}

static int tell_rate(struct v4l2_frmivalenum *rate)
{
    if (rate->index > 1)
        return refuse(EINVAL);
    rate->type = V4L2_FRMIVAL_TYPE_DISCRETE;
    rate->discrete = (struct v4l2_fract){1, rate->index ? 15 : 30};
    return 0;
}

static int set_format(struct v4l2_pix_format *pix)
{
    char path[512];
    device.format = pix->pixelformat;
    device.width = pix->width = pix->width > 480 ? 640 : 320;
    device.height = pix->height = pix->width == 640 ? 480 : 240;
    pix->bytesperline = pix->pixelformat == V4L2_PIX_FMT_YUYV ? pix->width * 2 : 0;
    pix->sizeimage = BUFFER_BYTES;
    snprintf(path, sizeof path, "%s/%.4s", getenv("KEN_SHIM_DIR"), (char *)&pix->pixelformat);
    device.pictures = fopen(path, "rb");
    return device.pictures ? 0 : refuse(EINVAL);
}

static size_t next_picture(uint8_t *to)
{
    uint32_t size = 0;
    if (fread(&size, sizeof size, 1, device.pictures) != 1) {
        rewind(device.pictures);
        if (fread(&size, sizeof size, 1, device.pictures) != 1)
            return 0;
    }
    return size <= BUFFER_BYTES && fread(to, size, 1, device.pictures) == 1 ? size : 0;
}

static int take_buffer(struct v4l2_buffer *buffer)
{
    if (!device.streaming || device.queued_count == 0 || now_ns() < device.due_ns)
        return refuse(EAGAIN);
    uint64_t captured_ns = device.due_ns;
    device.due_ns += period_ns();
    buffer->index = device.queued[0];
    memmove(device.queued, device.queued + 1, --device.queued_count * sizeof *device.queued);
    buffer->bytesused = (uint32_t)next_picture(device.memory + buffer->index * BUFFER_BYTES);
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = (time_t)(captured_ns / 1000000000u);
    buffer->timestamp.tv_usec = (suseconds_t)(captured_ns % 1000000000u / 1000u);
    if (fault() == 'd')
        memset(device.memory + buffer->index * BUFFER_BYTES, 0x55, buffer->bytesused);
    if (fault() == 'n')
        buffer->index = 4000000000u;
    return 0;
}

static int control(unsigned long request, void *argument)
{
    struct v4l2_buffer *buffer = argument;
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *capability = argument;
        *capability = (struct v4l2_capability){
            .driver = "standin", .card = "Ken's Stand-in", .bus_info = "platform:test"};
        capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
        return 0;
    }
    case VIDIOC_ENUM_FMT:
        return tell_format(argument);
    case VIDIOC_ENUM_FRAMESIZES:
        return tell_size(argument);
    case VIDIOC_ENUM_FRAMEINTERVALS:
        return tell_rate(argument);
    case VIDIOC_S_FMT:
        return set_format(&((struct v4l2_format *)argument)->fmt.pix);
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *parameters = argument;
        parameters->parm.capture.timeperframe = (struct v4l2_fract){1, 30};
        return 0;
    }
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)argument)->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = BUFFER_BYTES;
        buffer->m.offset = buffer->index * BUFFER_BYTES;
        return 0;
    case VIDIOC_QBUF:
        device.queued[device.queued_count++] = buffer->index;
        return 0;
    case VIDIOC_STREAMON:
        device.streaming = 1;
        device.due_ns = now_ns();
        return 0;
    case VIDIOC_DQBUF:
        return take_buffer(buffer);
    default:
        return refuse(ENOTTY);
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *argument = va_arg(args, void *);
    va_end(args);
    if (fd < 0 || fd != device.fd) {
        int (*next)(int, unsigned long, ...) =
            (int (*)(int, unsigned long, ...))(uintptr_t)dlsym(RTLD_NEXT, "ioctl");
        return next(fd, request, argument);
    }
    char letter = fault();
    while (letter == 'h')
        pause();
    return letter == 'a' ? refuse(ENODEV) : control(request, argument);
}

int close(int fd)
{
    int (*next)(int) = (int (*)(int))(uintptr_t)dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd == device.fd)
        device.fd = -1;
    return next(fd);
}

static int poll_device(struct pollfd *fds, int timeout_ms)
{
    uint64_t end_ns = now_ns() + (uint64_t)(timeout_ms < 0 ? 1000 : timeout_ms) * 1000000u;
    for (;;) {
        char letter = fault();
        fds->revents = letter == 'a' ? POLLERR : POLLIN;
        if (letter == 'a' || (letter != 'f' && device.streaming && now_ns() >= device.due_ns))
            return 1;
        if (now_ns() >= end_ns)
            return 0;
        usleep(1000);
    }
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (count == 1 && device.fd >= 0 && fds->fd == device.fd)
        return poll_device(fds, timeout_ms);
    int (*next)(struct pollfd *, nfds_t, int) =
        (int (*)(struct pollfd *, nfds_t, int))(uintptr_t)dlsym(RTLD_NEXT, "poll");
    return next(fds, count, timeout_ms);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t bytes)
{
    (void)bytes;
    return poll(fds, count, timeout_ms);
}
