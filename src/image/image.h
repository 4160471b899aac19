#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A picture: 8-bit RGB, rows from the top, 3 bytes a pixel, `stride` bytes a row (>= 3 * width).
 * image_init/decode own `pixels` (freed by image_finish); a view borrows them. */
struct image {
    uint8_t *pixels;
    int width, height; /* pixels, 1 to IMAGE_MAX_SIDE */
    size_t stride;     /* bytes */
    int owned;
};

/* Limits for pictures from outside, checked against the header before anything is allocated. */
enum { IMAGE_MAX_SIDE = 16384, IMAGE_MAX_PIXELS = 64 * 1024 * 1024 };
#define IMAGE_MAX_FILE_BYTES ((size_t)64 * 1024 * 1024)

enum image_format { IMAGE_PNG, IMAGE_JPEG };

int image_init(struct image *image, int width, int height, struct err *err) MUST_USE; /* black */
void image_finish(struct image *image); /* frees what it owns; all zero afterwards */

/* Decode PNG or JPEG bytes, told by their first bytes and not by a name. Greyscale, palette, alpha
 * (over black), 16-bit and CMYK become 8-bit RGB. EXIF orientation is applied. Truncated or damaged
 * data is ERR_INVALID, past the limits ERR_TOO_BIG. */
int image_decode(struct image *image, const void *data, size_t size, struct err *err) MUST_USE;
int image_read(struct image *image, const char *path, struct err *err) MUST_USE;

/* Append an encoded picture to `out`. `quality` is JPEG's, 1 to 100; ignored for PNG. */
int image_encode(const struct image *image, enum image_format format, int quality, struct buf *out,
                 struct err *err) MUST_USE;

/* Fill `out` (its size given) from `in`: area averaging when smaller, bilinear when larger. */
void image_resize(struct image *out, const struct image *in);

/* out(x, y) = in(m * (x, y, 1)): `m` maps output pixels to input pixels, both counted at pixel
 * centres from 0; bilinear; outside the picture is black. */
void image_warp(struct image *out, const struct image *in, const double m[2][3]);

#endif
