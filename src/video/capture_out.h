#ifndef VIDEO_CAPTURE_OUT_H
#define VIDEO_CAPTURE_OUT_H

#include "base/err.h"
#include "video/capture_wire.h"

struct AVCodecParserContext;
struct AVCodecContext;

/* The capturing process's side of the pipe. Pictures before the first one that can be decoded by
 * itself are left out; a FORMAT goes ahead of the first, and whenever it changes. */
struct capture_out {
    int fd;
    int began;
    double max_fps;   /* of pictures that stand alone (MJPEG, YUYV) others are left out; 0: none */
    double allowance; /* how many may come now */
    uint64_t accepted_ns; /* when that was counted */
    struct capture_format format;
    uint8_t parameters[CAPTURE_MAX_PARAMETER_BYTES];
};

struct capture_picture {
    enum capture_codec codec;
    const uint8_t *data;
    size_t size;
    uint64_t captured_ns;
    double fps;        /* promised; 0: not known */
    int width, height; /* of YUYV; the others say it themselves */
};

/* A picture that is no picture is left out; the parent gone is ERR_UNAVAILABLE. */
int capture_out_write(struct capture_out *out, const struct capture_picture *picture,
                      struct err *err) MUST_USE;

/* The parent's end is closed. */
int capture_out_is_closed(const struct capture_out *out);

/* Of a device that starts; where the parent is gone, the first picture tells. */
void capture_out_alive(struct capture_out *out, enum capture_stage stage);

void capture_out_error(struct capture_out *out, const char *text);

#endif
