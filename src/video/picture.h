#ifndef VIDEO_PICTURE_H
#define VIDEO_PICTURE_H

#include "base/err.h"
#include "image/image.h"

/* Pictures as a decoder or a camera makes them (mostly planar YUV), shared by counting references:
 * keeping one copies no pixels, so the capturing thread never waits for it. */
struct AVFrame;

struct AVFrame *picture_keep(const struct AVFrame *picture, struct err *err);
void picture_release(struct AVFrame *picture);                             /* NULL is fine */
void picture_size(const struct AVFrame *picture, int *width, int *height); /* pixels */

/* 8-bit RGB from a picture. A converter keeps its tables between pictures; one thread at a time. */
struct converter;
struct converter *converter_create(struct err *err);
void converter_destroy(struct converter *converter); /* NULL is fine */

/* Fills `out` with the converter's own image: borrowed until the next call. */
int converter_run(struct converter *converter, const struct AVFrame *picture, struct image *out,
                  struct err *err) MUST_USE;

#endif
