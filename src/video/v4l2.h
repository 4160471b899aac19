#ifndef VIDEO_V4L2_H
#define VIDEO_V4L2_H

#include "base/buf.h"
#include "base/err.h"
#include "video/capture_wire.h"

#include <linux/videodev2.h>
#include <stddef.h>
#include <stdint.h>

/* A camera of the kernel's (Linux userspace API, part I: Video for Linux), by mapped buffers. */

enum { V4L2_MAX_BUFFERS = 8, V4L2_MAX_LISTED = 64, V4L2_MAX_TRIES = 100 };

struct v4l2_camera {
    int fd;
    const char *path; /* borrowed */
    struct v4l2_capability capability;
    enum capture_codec codec;
    int width, height;
    double fps;
    size_t stride; /* bytes a row of YUYV */
    struct {
        void *start;
        size_t size;
    } buffers[V4L2_MAX_BUFFERS];
    unsigned buffer_count;
};

/* What is asked of it; it takes what is nearest. */
struct v4l2_wish {
    int width, height;
    double fps;
    const char *format; /* NULL: any, the most compressed first */
};

/* Open without changing anything. What is no camera is ERR_UNSUPPORTED. */
int v4l2_open(struct v4l2_camera *camera, const char *path, struct err *err) MUST_USE;
void v4l2_close(struct v4l2_camera *camera);

/* Agree on format, size and rate, and begin. An error says what the camera offers. */
int v4l2_start(struct v4l2_camera *camera, const struct v4l2_wish *wish, struct err *err) MUST_USE;

struct v4l2_picture {
    const uint8_t *data; /* in a mapped buffer, until it is given back */
    size_t size;
    uint64_t captured_ns;
    unsigned index;
};

/* Returns 1 with a picture, 0 when none came within `timeout_ms`, -1 when the camera is gone. */
int v4l2_take(struct v4l2_camera *camera, int timeout_ms, struct v4l2_picture *picture,
              struct err *err) MUST_USE;
int v4l2_give_back(struct v4l2_camera *camera, unsigned index, struct err *err) MUST_USE;

/* Enumerations, for negotiation and for lists; each returns 1, or 0 past the end. */
int v4l2_nth_format(const struct v4l2_camera *camera, unsigned n, struct v4l2_fmtdesc *format);
int v4l2_nth_size(const struct v4l2_camera *camera, uint32_t pixel_format, unsigned n,
                  struct v4l2_frmsizeenum *size);
/* The n-th rate of a size in frames a second; a range tells its fastest. */
int v4l2_nth_rate(const struct v4l2_camera *camera, const struct v4l2_frmsizeenum *size, unsigned n,
                  double *fps);

/* The codec of a pixel format, or 0 where ken reads none of it. */
int v4l2_codec_of(uint32_t pixel_format);
/* "MJPG" */
void v4l2_format_name(uint32_t pixel_format, char name[5]);

#endif
