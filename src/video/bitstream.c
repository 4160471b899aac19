#include "video/bitstream.h"

#include <string.h>

/* ITU-T H.264, table 7-1. */
enum { NAL_SLICE = 1, NAL_IDR = 5, NAL_SEI = 6, NAL_SPS = 7, NAL_PPS = 8, NAL_DELIMITER = 9 };

/* The next start code 00 00 01 at or after `at`; `size` where there is none. */
static size_t next_start(const uint8_t *data, size_t size, size_t at)
{
    while (at + 3 <= size) {
        const uint8_t *one = memchr(data + at + 2, 1, size - at - 2);
        if (!one)
            return size;
        size_t found = (size_t)(one - data) - 2;
        if (data[found] == 0 && data[found + 1] == 0)
            return found;
        at = found + 1;
    }
    return size;
}

/* A fourth zero in front belongs to the start code. */
static size_t with_zero(const uint8_t *data, size_t start)
{
    return start > 0 && data[start - 1] == 0 ? start - 1 : start;
}

static int is_picture(int type)
{
    return type >= NAL_SLICE && type <= NAL_IDR;
}

void h264_inspect(const uint8_t *data, size_t size, struct h264_unit *unit)
{
    const uint8_t *begin = NULL, *end = NULL;
    *unit = (struct h264_unit){0};
    for (size_t at = next_start(data, size, 0); at + 3 < size;
         at = next_start(data, size, at + 3)) {
        int type = data[at + 3] & 31;
        if (type == NAL_SPS && !begin)
            begin = data + with_zero(data, at);
        else if (begin && !end && type != NAL_SPS && type != NAL_PPS)
            end = data + with_zero(data, at); /* SEI differs from picture to picture */
        if (!is_picture(type))
            continue;
        unit->key = type == NAL_IDR;
        unit->parameters = begin;
        unit->parameter_bytes = begin ? (size_t)(end - begin) : 0;
        return;
    }
}

size_t h264_unit_end(const uint8_t *data, size_t size)
{
    int seen_picture = 0;
    for (size_t at = next_start(data, size, 0); at + 4 < size;
         at = next_start(data, size, at + 3)) {
        int type = data[at + 3] & 31;
        /* a slice's first field is first_mb_in_slice; its top bit is set where that is 0 */
        int begins = (type >= NAL_SEI && type <= NAL_DELIMITER) ||
                     (is_picture(type) && (data[at + 4] & 0x80));
        if (seen_picture && begins)
            return with_zero(data, at);
        seen_picture |= is_picture(type);
    }
    return 0;
}

/* ITU-T T.81, table B.1. */
enum {
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_SOF0 = 0xc0,
    JPEG_SOF15 = 0xcf,
    JPEG_DHT = 0xc4,
    JPEG_JPG = 0xc8,
    JPEG_DAC = 0xcc
};

/* The segment behind the one at `at`; 0 where it is damaged or cut off. */
static size_t skip_segment(const uint8_t *data, size_t size, size_t at)
{
    if (at + 4 > size || data[at] != 0xff)
        return 0;
    if (data[at + 1] == 0xff)
        return at + 1; /* a fill byte */
    size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
    return length >= 2 && length <= size - at - 2 ? at + 2 + length : 0;
}

static int is_frame_header(int marker)
{
    return marker >= JPEG_SOF0 && marker <= JPEG_SOF15 && marker != JPEG_DHT &&
           marker != JPEG_JPG && marker != JPEG_DAC;
}

int jpeg_size(const uint8_t *data, size_t size, int *width, int *height)
{
    if (size < 4 || data[0] != 0xff || data[1] != JPEG_SOI)
        return -1;
    for (size_t at = 2, next; (next = skip_segment(data, size, at)) > 0; at = next) {
        if (data[at + 1] == JPEG_SOS)
            return -1;
        if (!is_frame_header(data[at + 1]) || next - at < 9)
            continue;
        *height = data[at + 5] << 8 | data[at + 6];
        *width = data[at + 7] << 8 | data[at + 8];
        return *width > 0 && *height > 0 ? 0 : -1;
    }
    return -1;
}

static size_t find_marker(const uint8_t *data, size_t size, size_t at, int marker)
{
    while (at + 1 < size) {
        const uint8_t *found = memchr(data + at, 0xff, size - at - 1);
        if (!found)
            return size;
        at = (size_t)(found - data);
        if (data[at + 1] == marker)
            return at;
        at++;
    }
    return size;
}

size_t jpeg_end(const uint8_t *data, size_t size, size_t *start)
{
    size_t begin = find_marker(data, size, 0, JPEG_SOI);
    /* the last byte may be the first half of a marker */
    *start = begin < size ? begin : size - (size > 0 && data[size - 1] == 0xff);
    if (begin == size)
        return 0;
    for (size_t at = begin + 2, next; (next = skip_segment(data, size, at)) > 0; at = next) {
        if (data[at + 1] != JPEG_SOS)
            continue;
        /* in entropy-coded bytes 0xff is followed by 0 or a restart marker */
        size_t end = find_marker(data, size, next, JPEG_EOI);
        return end < size ? end + 2 : 0;
    }
    return 0;
}
