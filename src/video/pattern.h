#ifndef VIDEO_PATTERN_H
#define VIDEO_PATTERN_H

#include <stdint.h>

struct AVFrame;

/* A moving test picture: a ramp that drifts, a square that bounces, the frame's number in digits
 * for people, and as 32 light or dark blocks along the bottom for programs (it survives lossy
 * coding). The same number gives the same picture. Writable YUV 4:2:0, PATTERN_MIN_SIDE or more. */
enum { PATTERN_MIN_SIDE = 64, PATTERN_BITS = 32 };

void pattern_draw(struct AVFrame *picture, uint64_t number);

/* The number in a picture whose first plane is 8-bit luma. */
uint64_t pattern_read(const struct AVFrame *picture);

#endif
