#ifndef VIDEO_DECODER_H
#define VIDEO_DECODER_H

#include "base/err.h"

struct AVCodecParameters;
struct AVFrame;
struct AVPacket;

/* A camera's packets to pictures, only as many as must be: packets are kept, as references, from
 * the last key frame on, and decoded when a picture is asked for. One thread at a time. */
struct decoder;

/* What may wait; past it packets are decoded although nobody asks. */
enum { DECODER_MAX_WAITING = 600, DECODER_MAX_WAITING_BYTES = 16 * 1024 * 1024 };

struct decoder *decoder_create(const struct AVCodecParameters *parameters, struct err *err);
void decoder_destroy(struct decoder *decoder); /* NULL is fine */

int decoder_push(struct decoder *decoder, const struct AVPacket *packet, struct err *err) MUST_USE;

/* The picture of the packet pushed last, borrowed until the next call. Returns 1, 0 where it cannot
 * be shown (damaged, or no key frame yet), -1 for want of memory. */
int decoder_picture(struct decoder *decoder, struct AVFrame **picture, struct err *err) MUST_USE;

#endif
