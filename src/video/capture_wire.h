#ifndef VIDEO_CAPTURE_WIRE_H
#define VIDEO_CAPTURE_WIRE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What the capturing process (ken-capture) writes to the pipe that its parent reads: messages of a
 * header and a payload, integers little-endian. First, of a device, signs of life while it starts;
 * then a FORMAT, then PACKETs; another FORMAT when the camera changes; an ERROR, if there is one,
 * last.
 *
 * header  "KCAP", u32 kind, u32 flags, u32 payload bytes, u64 captured (monotonic ns)
 * FORMAT  u32 codec, u32 width, u32 height, u32 frames in 1000 s, then H.264's parameter sets
 * PACKET  one picture: an H.264 access unit (Annex B), a JPEG, or rows of YUYV
 * ERROR   why there is no camera, as text
 * ALIVE   how far a device has come, one byte: a driver that hangs does not come so far */

enum {
    CAPTURE_HEADER_BYTES = 24,
    CAPTURE_FORMAT_BYTES = 16,
    CAPTURE_MAX_PARAMETER_BYTES = 16 * 1024,
    CAPTURE_MAX_PACKET_BYTES = 32 * 1024 * 1024, /* YUYV of 4096x4096 */
    CAPTURE_MAX_ERROR_BYTES = 255,
    CAPTURE_MAX_SIDE = 8192,
};

enum capture_kind { CAPTURE_FORMAT = 1, CAPTURE_PACKET = 2, CAPTURE_ERROR = 3, CAPTURE_ALIVE = 4 };
enum capture_stage { CAPTURE_OPENED = 1, CAPTURE_STARTED = 2 }; /* of ALIVE */
enum capture_codec { CAPTURE_H264 = 1, CAPTURE_MJPEG = 2, CAPTURE_YUYV = 3 };
enum { CAPTURE_KEY = 1 }; /* flag of a packet that can be decoded by itself */

struct capture_header {
    enum capture_kind kind;
    uint32_t flags, size;
    uint64_t captured_ns;
};

struct capture_format {
    enum capture_codec codec;
    int width, height;
    double fps;
    const uint8_t *parameters; /* borrowed from the payload */
    size_t parameter_bytes;
};

/* Of the kernel: its driver may hang, so its process tells how far it has come. */
int capture_is_device(const char *location);

void capture_header_write(const struct capture_header *header, uint8_t out[CAPTURE_HEADER_BYTES]);

/* A header that is none, or whose size is past its kind's limit, is ERR_CORRUPT. */
int capture_header_read(struct capture_header *header, const uint8_t in[CAPTURE_HEADER_BYTES],
                        struct err *err) MUST_USE;

/* The fixed part; the parameter sets follow it. */
void capture_format_write(const struct capture_format *format, uint8_t out[CAPTURE_FORMAT_BYTES]);
int capture_format_read(struct capture_format *format, const uint8_t *in, size_t size,
                        struct err *err) MUST_USE;

/* "h264", "mjpeg", "yuyv"; of a name 0 when it is none. */
const char *capture_codec_name(enum capture_codec codec);
int capture_codec_parse(const char *name, enum capture_codec *codec, struct err *err) MUST_USE;

#endif
