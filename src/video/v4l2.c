#include "video/v4l2.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 4 };

static int call(const struct v4l2_camera *camera, unsigned long request, void *argument)
{
    int result;
    do
        result = ioctl(camera->fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result;
}

int v4l2_open(struct v4l2_camera *camera, const char *path, struct err *err)
{
    *camera = (struct v4l2_camera){.path = path};
    camera->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (camera->fd < 0)
        return err_set_errno(err, "open camera %s", path);
    if (call(camera, VIDIOC_QUERYCAP, &camera->capability) < 0) {
        v4l2_close(camera);
        return err_set(err, ERR_UNSUPPORTED, "open camera %s: it is no video device", path);
    }
    uint32_t can = camera->capability.capabilities & V4L2_CAP_DEVICE_CAPS
                       ? camera->capability.device_caps
                       : camera->capability.capabilities;
    if ((can & V4L2_CAP_VIDEO_CAPTURE) && (can & V4L2_CAP_STREAMING))
        return 0;
    v4l2_close(camera);
    return err_set(err, ERR_UNSUPPORTED,
                   "open camera %s: it does not capture (ken edge --list-cameras shows those that "
                   "do)",
                   path);
}

void v4l2_close(struct v4l2_camera *camera)
{
    for (unsigned i = 0; i < camera->buffer_count; i++)
        munmap(camera->buffers[i].start, camera->buffers[i].size);
    camera->buffer_count = 0;
    if (camera->fd >= 0)
        close(camera->fd);
    camera->fd = -1;
}

int v4l2_codec_of(uint32_t pixel_format)
{
    switch (pixel_format) {
    case V4L2_PIX_FMT_H264:
        return CAPTURE_H264;
    case V4L2_PIX_FMT_MJPEG:
    case V4L2_PIX_FMT_JPEG:
        return CAPTURE_MJPEG;
    case V4L2_PIX_FMT_YUYV:
        return CAPTURE_YUYV;
    default:
        return 0;
    }
}

void v4l2_format_name(uint32_t pixel_format, char name[5])
{
    for (int i = 0; i < 4; i++) {
        char letter = (char)(pixel_format >> 8 * i & 127);
        name[i] = letter >= ' ' && letter < 127 ? letter : '?';
    }
    name[4] = '\0';
}

int v4l2_nth_format(const struct v4l2_camera *camera, unsigned n, struct v4l2_fmtdesc *format)
{
    *format = (struct v4l2_fmtdesc){.index = n, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    return n < V4L2_MAX_LISTED && call(camera, VIDIOC_ENUM_FMT, format) == 0;
}

int v4l2_nth_size(const struct v4l2_camera *camera, uint32_t pixel_format, unsigned n,
                  struct v4l2_frmsizeenum *size)
{
    *size = (struct v4l2_frmsizeenum){.index = n, .pixel_format = pixel_format};
    return n < V4L2_MAX_LISTED && call(camera, VIDIOC_ENUM_FRAMESIZES, size) == 0;
}

int v4l2_nth_rate(const struct v4l2_camera *camera, const struct v4l2_frmsizeenum *size, unsigned n,
                  double *fps)
{
    struct v4l2_frmivalenum interval = {.index = n, .pixel_format = size->pixel_format};
    int discrete = size->type == V4L2_FRMSIZE_TYPE_DISCRETE;
    interval.width = discrete ? size->discrete.width : size->stepwise.max_width;
    interval.height = discrete ? size->discrete.height : size->stepwise.max_height;
    if (n >= V4L2_MAX_LISTED || call(camera, VIDIOC_ENUM_FRAMEINTERVALS, &interval) < 0)
        return 0;
    struct v4l2_fract period =
        interval.type == V4L2_FRMIVAL_TYPE_DISCRETE ? interval.discrete : interval.stepwise.min;
    *fps = period.numerator ? (double)period.denominator / period.numerator : 0;
    return 1;
}

static int map_buffers(struct v4l2_camera *camera, struct err *err)
{
    struct v4l2_requestbuffers wanted = {
        .count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (call(camera, VIDIOC_REQBUFS, &wanted) < 0)
        return err_set_errno(err, "get buffers of camera %s", camera->path);
    if (wanted.count < 2 || wanted.count > V4L2_MAX_BUFFERS)
        return err_set(err, ERR_UNSUPPORTED, "get buffers of camera %s: it has %u", camera->path,
                       wanted.count);
    for (unsigned i = 0; i < wanted.count; i++) {
        struct v4l2_buffer buffer = {
            .index = i, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        if (call(camera, VIDIOC_QUERYBUF, &buffer) < 0)
            return err_set_errno(err, "get buffers of camera %s", camera->path);
        void *start = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, camera->fd,
                           buffer.m.offset);
        if (start == MAP_FAILED)
            return err_set_errno(err, "map buffers of camera %s", camera->path);
        camera->buffers[i].start = start;
        camera->buffers[i].size = buffer.length;
        camera->buffer_count = i + 1;
        if (v4l2_give_back(camera, i, err) < 0)
            return -1;
    }
    return 0;
}

static int set_format(struct v4l2_camera *camera, const struct v4l2_wish *wish,
                      uint32_t pixel_format, struct err *err)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    format.fmt.pix.width = (uint32_t)wish->width;
    format.fmt.pix.height = (uint32_t)wish->height;
    format.fmt.pix.pixelformat = pixel_format;
    format.fmt.pix.field = V4L2_FIELD_ANY;
    if (call(camera, VIDIOC_S_FMT, &format) < 0)
        return err_set_errno(err, "set camera %s to %dx%d", camera->path, wish->width,
                             wish->height);
    const struct v4l2_pix_format *got = &format.fmt.pix;
    int codec = v4l2_codec_of(got->pixelformat);
    if (!codec || got->width < 2 || got->height < 2 || got->width > CAPTURE_MAX_SIDE ||
        got->height > CAPTURE_MAX_SIDE) {
        char name[5];
        v4l2_format_name(got->pixelformat, name);
        return err_set(err, ERR_UNSUPPORTED, "set camera %s: it answers with %s of %ux%u pixels",
                       camera->path, name, got->width, got->height);
    }
    camera->codec = (enum capture_codec)codec;
    camera->width = (int)got->width;
    camera->height = (int)got->height;
    camera->stride = got->bytesperline > got->width * 2 ? got->bytesperline : got->width * 2;
    return 0;
}

/* Best effort: a camera without rates to choose from has its own. */
static void set_rate(struct v4l2_camera *camera, double fps)
{
    struct v4l2_streamparm parameters = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    struct v4l2_captureparm *capture = &parameters.parm.capture;
    capture->timeperframe.numerator = 1000;
    capture->timeperframe.denominator = (uint32_t)lround(fps * 1000);
    if (call(camera, VIDIOC_S_PARM, &parameters) < 0 || capture->timeperframe.numerator == 0)
        return;
    camera->fps =
        (double)capture->timeperframe.denominator / (double)capture->timeperframe.numerator;
}

/* How far a size is from the one that is wished, in pixels of both sides; a range has all. */
static double distance(const struct v4l2_frmsizeenum *size, const struct v4l2_wish *wish)
{
    if (size->type == V4L2_FRMSIZE_TYPE_DISCRETE)
        return fabs((double)size->discrete.width - wish->width) +
               fabs((double)size->discrete.height - wish->height);
    const struct v4l2_frmsize_stepwise *range = &size->stepwise;
    double w = fmin(fmax(wish->width, range->min_width), range->max_width);
    double h = fmin(fmax(wish->height, range->min_height), range->max_height);
    return fabs(w - wish->width) + fabs(h - wish->height);
}

/* What a format's nearest size lacks: pixels first, then frames a second. */
static double shortfall(const struct v4l2_camera *camera, uint32_t pixel_format,
                        const struct v4l2_wish *wish)
{
    double best = INFINITY;
    struct v4l2_frmsizeenum size;
    unsigned n = 0;
    for (; v4l2_nth_size(camera, pixel_format, n, &size); n++) {
        double fps, fastest = 0;
        for (unsigned r = 0; v4l2_nth_rate(camera, &size, r, &fps); r++)
            fastest = fmax(fastest, fps);
        double lacks = fastest > 0 && fastest < wish->fps * 0.99 ? wish->fps - fastest : 0;
        best = fmin(best, distance(&size, wish) * SHRT_MAX + lacks);
    }
    return n > 0 ? best : 0; /* it does not tell: try */
}

static void list_offers(const struct v4l2_camera *camera, struct buf *text)
{
    struct v4l2_fmtdesc format;
    struct v4l2_frmsizeenum size;
    char name[5];
    for (unsigned f = 0; v4l2_nth_format(camera, f, &format); f++) {
        v4l2_format_name(format.pixelformat, name);
        buf_printf(text, "%s%s", f ? "; " : "", name);
        for (unsigned s = 0; v4l2_nth_size(camera, format.pixelformat, s, &size); s++)
            if (size.type == V4L2_FRMSIZE_TYPE_DISCRETE)
                buf_printf(text, " %ux%u", size.discrete.width, size.discrete.height);
            else
                buf_printf(text, " up to %ux%u", size.stepwise.max_width, size.stepwise.max_height);
    }
}

static int refuse(const struct v4l2_camera *camera, const struct v4l2_wish *wish, struct err *err)
{
    struct buf offers;
    buf_init(&offers, 300);
    list_offers(camera, &offers);
    err_set(err, ERR_UNSUPPORTED, "use camera %s: no %s among what it offers: %s", camera->path,
            wish->format ? wish->format : "H.264, MJPEG or YUYV",
            offers.data ? offers.data : "nothing");
    buf_finish(&offers);
    return -1;
}

/* The most compressed format of those that come nearest. Returns 0, or -1. */
static int choose_format(const struct v4l2_camera *camera, const struct v4l2_wish *wish,
                         uint32_t *pixel_format, struct err *err)
{
    enum capture_codec only = 0;
    if (wish->format && capture_codec_parse(wish->format, &only, err) < 0)
        return -1;
    double best = INFINITY;
    int best_codec = 0;
    struct v4l2_fmtdesc format;
    for (unsigned n = 0; v4l2_nth_format(camera, n, &format); n++) {
        int codec = v4l2_codec_of(format.pixelformat);
        if (!codec || (only && codec != (int)only))
            continue;
        double lacks = shortfall(camera, format.pixelformat, wish);
        if (lacks < best || (lacks <= best && codec < best_codec)) {
            best = lacks;
            best_codec = codec;
            *pixel_format = format.pixelformat;
        }
    }
    return best_codec ? 0 : refuse(camera, wish, err);
}

int v4l2_start(struct v4l2_camera *camera, const struct v4l2_wish *wish, struct err *err)
{
    uint32_t pixel_format = 0;
    if (choose_format(camera, wish, &pixel_format, err) < 0 ||
        set_format(camera, wish, pixel_format, err) < 0)
        return -1;
    set_rate(camera, wish->fps);
    if (map_buffers(camera, err) < 0)
        return -1;
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (call(camera, VIDIOC_STREAMON, &type) < 0)
        return err_set_errno(err, "start camera %s", camera->path);
    return 0;
}

/* The driver's own time, where it counts the same clock and is not nonsense. */
static uint64_t capture_time(const struct v4l2_buffer *buffer)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t told_ns = (uint64_t)buffer->timestamp.tv_sec * 1000000000u +
                       (uint64_t)buffer->timestamp.tv_usec * 1000u;
    int monotonic =
        (buffer->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    return monotonic && told_ns <= now_ns && now_ns - told_ns < 1000000000u ? told_ns : now_ns;
}

int v4l2_take(struct v4l2_camera *camera, int timeout_ms, struct v4l2_picture *picture,
              struct err *err)
{
    struct pollfd ready = {.fd = camera->fd, .events = POLLIN};
    int result = poll(&ready, 1, timeout_ms);
    if (result < 0 && errno != EINTR)
        return err_set_errno(err, "wait for camera %s", camera->path);
    if (result <= 0)
        return 0;
    struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (call(camera, VIDIOC_DQBUF, &buffer) < 0)
        return errno == EAGAIN ? 0 : err_set_errno(err, "read camera %s", camera->path);
    if (buffer.index >= camera->buffer_count)
        return err_set(err, ERR_CORRUPT, "read camera %s: buffer %u of %u", camera->path,
                       buffer.index, camera->buffer_count);
    if ((buffer.flags & V4L2_BUF_FLAG_ERROR) || buffer.bytesused == 0 ||
        buffer.bytesused > camera->buffers[buffer.index].size)
        return v4l2_give_back(camera, buffer.index, err); /* damaged: the next one may be good */
    *picture = (struct v4l2_picture){
        .data = camera->buffers[buffer.index].start,
        .size = buffer.bytesused,
        .captured_ns = capture_time(&buffer),
        .index = buffer.index,
    };
    return 1;
}

int v4l2_give_back(struct v4l2_camera *camera, unsigned index, struct err *err)
{
    struct v4l2_buffer buffer = {
        .index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    if (call(camera, VIDIOC_QBUF, &buffer) < 0)
        return err_set_errno(err, "read camera %s", camera->path);
    return 0;
}
