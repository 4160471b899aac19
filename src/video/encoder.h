#ifndef VIDEO_ENCODER_H
#define VIDEO_ENCODER_H

#include "base/err.h"

#include <stdint.h>

struct AVCodecParameters;
struct AVFrame;
struct AVPacket;

/* Pictures of one size to H.264; inside the video module only. Times are in 1/RECORDER_TICKS. */
struct encoder;

struct encoder_options {
    int width, height; /* an odd last column or row is left out */
    double fps;
    const char *preset;     /* x264's */
    int hardware, software; /* which may be used: the hardware's is tried first */
};

struct encoder *encoder_create(const struct encoder_options *options, struct err *err);
void encoder_destroy(struct encoder *encoder); /* NULL is fine */

const char *encoder_name(const struct encoder *encoder);
const struct AVCodecParameters *encoder_parameters(const struct encoder *encoder);
int encoder_fits(const struct encoder *encoder, const struct AVFrame *picture);

/* A picture, or NULL for the end. */
int encoder_send(struct encoder *encoder, struct AVFrame *picture, int64_t ticks,
                 struct err *err) MUST_USE;
/* Returns 1 with a packet, 0 when there is none yet, -1. */
int encoder_receive(struct encoder *encoder, struct AVPacket *packet, struct err *err) MUST_USE;

#endif
