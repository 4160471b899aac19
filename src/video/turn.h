#ifndef VIDEO_TURN_H
#define VIDEO_TURN_H

#include "base/err.h"

struct AVFrame;

/* Turns pictures: `rotate` degrees clockwise (0, 90, 180, 270), then, with `mirror`, left and right
 * are swapped. Planar 8-bit YUV with square chroma samples stays as it is; everything else becomes
 * YUV 4:2:0. One thread at a time. */
struct turner;

struct turner *turner_create(int rotate, int mirror, struct err *err);
void turner_destroy(struct turner *turner); /* NULL is fine */

int turner_swaps_sides(const struct turner *turner); /* width becomes height; NULL is fine */

/* The turned picture: borrowed until the next call. */
int turner_run(struct turner *turner, const struct AVFrame *picture, struct AVFrame **out,
               struct err *err) MUST_USE;

#endif
