#ifndef VIDEO_BITSTREAM_H
#define VIDEO_BITSTREAM_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What has to be known of H.264 (Annex B) and JPEG bytes without decoding them. All of it may come
 * from anybody. */

/* Facts about one access unit. */
struct h264_unit {
    int key;                   /* holds an IDR picture */
    const uint8_t *parameters; /* the first SPS with those and the PPS that follow it */
    size_t parameter_bytes;    /* 0: no SPS before the first picture */
};
void h264_inspect(const uint8_t *data, size_t size, struct h264_unit *unit);

/* The end of the first complete access unit of a stream that begins at `data`, or 0 where the next
 * one does not begin within `size` bytes. */
size_t h264_unit_end(const uint8_t *data, size_t size);

/* The size in pixels from the frame header. Returns 0, or -1 where there is none. */
int jpeg_size(const uint8_t *data, size_t size, int *width, int *height);

/* The end of the first JPEG, or 0 where it is not complete. `start` is set to its first byte, or to
 * where to look on (no JPEG begins before it). */
size_t jpeg_end(const uint8_t *data, size_t size, size_t *start);

#endif
