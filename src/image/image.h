#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A picture: 8-bit RGB, rows from the top, 3 bytes a pixel, `stride` bytes a row (>= 3 * width).
 * image_init/decode own `pixels` (freed by image_finish); a view borrows them and has owned == 0.
 */
struct image {
    uint8_t *pixels;
    int width, height; /* pixels, 1 to IMAGE_MAX_SIDE */
    size_t stride;     /* bytes */
    int owned;
    size_t capacity; /* bytes behind `pixels`, where owned */
};

/* Limits for pictures from outside, checked against the header before anything is allocated. */
enum { IMAGE_MAX_SIDE = 16384, IMAGE_MAX_PIXELS = 64 * 1024 * 1024 };
#define IMAGE_MAX_FILE_BYTES ((size_t)64 * 1024 * 1024)

enum image_format { IMAGE_PNG, IMAGE_JPEG };

int image_init(struct image *image, int width, int height, struct err *err) MUST_USE; /* black */
void image_finish(struct image *image); /* frees what it owns; all zero afterwards */

/* Give a picture (or an all-zero struct) another size, keeping its memory where that is large
 * enough: a loop over frames allocates once. What it shows afterwards is undefined. On failure the
 * picture is finished. */
int image_resize_buffer(struct image *image, int width, int height, struct err *err) MUST_USE;

/* Decode PNG or JPEG bytes, told by their first bytes and not by a name. Greyscale, palette, alpha
 * (over black), 16-bit and CMYK become 8-bit RGB. EXIF orientation is applied. Truncated or damaged
 * data is ERR_INVALID, past the limits ERR_TOO_BIG. */
int image_decode(struct image *image, const void *data, size_t size, struct err *err) MUST_USE;
/* The same into a picture that has been used before (or an all-zero struct), keeping its memory
 * where that is large enough. On failure the picture is finished. */
int image_decode_again(struct image *image, const void *data, size_t size,
                       struct err *err) MUST_USE;
int image_read(struct image *image, const char *path, struct err *err) MUST_USE;

/* Append an encoded picture to `out`. `quality` is JPEG's, 1 to 100; ignored for PNG, which is
 * written for speed (docs/recognition.md has the figures). */
int image_encode(const struct image *image, enum image_format format, int quality, struct buf *out,
                 struct err *err) MUST_USE;

/* Fill `out` (its size given) from `in`: area averaging when smaller, bilinear when larger. */
void image_resize(struct image *out, const struct image *in);

/* The same from a part of `in`: `box` is x, y, w, h in pixels, may be fractional and may reach
 * outside, where the border pixels are repeated. */
void image_resize_part(struct image *out, const struct image *in, const double box[4]);

/* out(x, y) = in(m * (x, y, 1)): `m` maps output pixels to input pixels, both counted at pixel
 * centres from 0; bilinear; outside the picture is black. */
void image_warp(struct image *out, const struct image *in, const double m[2][3]);

#endif
