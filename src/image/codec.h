#ifndef IMAGE_CODEC_H
#define IMAGE_CODEC_H

#include "image/image.h"

/* The file formats behind image_decode() and image_encode(). A decoder gets a picture whose memory
 * it may use again, and may leave it half filled on failure. */

int jpeg_decode(struct image *image, const uint8_t *data, size_t size, struct err *err) MUST_USE;
int jpeg_encode(const struct image *image, int quality, struct buf *out, struct err *err) MUST_USE;
int png_decode(struct image *image, const uint8_t *data, size_t size, struct err *err) MUST_USE;
int png_encode(const struct image *image, struct buf *out, struct err *err) MUST_USE;

/* The plain kind of PNG (8-bit RGB, not interlaced, no gamma, no transparency), which is what
 * png_encode() writes, at three times libpng's speed. Returns 0 for every other file, damaged ones
 * included: libpng judges those; 1 when the picture is done. */
int png_decode_plain(struct image *image, const uint8_t *data, size_t size);

/* 0, or ERR_TOO_BIG with a message, by the limits of image.h. */
int image_check_size(uint64_t width, uint64_t height, struct err *err) MUST_USE;

/* image_resize_buffer() with `bytes` of memory where that is more than the pixels take. */
int image_reserve(struct image *image, int width, int height, size_t bytes,
                  struct err *err) MUST_USE;

/* The Orientation of an EXIF block ("Exif\0\0" and a TIFF header), 1 to 8; 1 when it has none or is
 * damaged. */
int exif_orientation(const uint8_t *data, size_t size);

/* Turn and mirror the picture upright, given its EXIF orientation. */
int image_orient(struct image *image, int orientation, struct err *err) MUST_USE;

#endif
