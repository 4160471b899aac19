#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

enum { SIGNATURE_BYTES = 8, CHUNK_HEAD_BYTES = 8, CHUNK_EXTRA_BYTES = 12 };

struct chunk {
    const uint8_t *type, *data;
    size_t size;
};

static uint32_t long_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* The chunk at `*at`, its checksum verified; moves `*at` behind it. Returns 0 at damage. */
static int next_chunk(const uint8_t *data, size_t size, size_t *at, struct chunk *chunk)
{
    if (size - *at < CHUNK_EXTRA_BYTES)
        return 0;
    size_t length = long_at(data + *at);
    if (length > size - *at - CHUNK_EXTRA_BYTES)
        return 0;
    *chunk = (struct chunk){data + *at + 4, data + *at + CHUNK_HEAD_BYTES, length};
    *at += CHUNK_EXTRA_BYTES + length;
    return libdeflate_crc32(0, chunk->type, 4 + length) == long_at(chunk->data + length);
}

static int is(const struct chunk *chunk, const char *type)
{
    return memcmp(chunk->type, type, 4) == 0;
}

/* Chunks that change no pixel value of an 8-bit RGB picture. */
static int is_harmless(const struct chunk *chunk)
{
    static const char types[][5] = {"pHYs", "tEXt", "zTXt", "iTXt", "tIME", "sRGB"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (is(chunk, types[i]))
            return 1;
    return 0;
}

/* The compressed picture: where it lies when it is in one chunk, else gathered in `*gathered`,
 * which the caller frees. */
struct packed {
    const uint8_t *data;
    size_t size;
    uint8_t *gathered;
};

static int gather(struct packed *packed, const struct chunk *chunk, size_t limit)
{
    if (!packed->data) {
        packed->data = chunk->data;
        packed->size = chunk->size;
        return 1;
    }
    if (!packed->gathered) {
        packed->gathered = malloc(limit);
        if (!packed->gathered)
            return 0;
        memcpy(packed->gathered, packed->data, packed->size);
        packed->data = packed->gathered;
    }
    memcpy(packed->gathered + packed->size, chunk->data, chunk->size);
    packed->size += chunk->size;
    return 1;
}

static int find_packed(struct packed *packed, const uint8_t *data, size_t size, size_t at)
{
    struct chunk chunk;
    for (int ended = 0; next_chunk(data, size, &at, &chunk);) {
        if (is(&chunk, "IEND"))
            return packed->data != NULL;
        if (!is(&chunk, "IDAT")) {
            if (!is_harmless(&chunk))
                return 0;
            ended = packed->data != NULL;
        } else if (ended || !gather(packed, &chunk, size)) {
            return 0;
        }
    }
    return 0;
}

static int paeth(int left, int above, int corner)
{
    int by_left = abs(above - corner), by_above = abs(left - corner);
    int by_corner = abs(left + above - 2 * corner);
    if (by_left <= by_above && by_left <= by_corner)
        return left;
    return by_above <= by_corner ? above : corner;
}

static void add_left(uint8_t *row, size_t bytes)
{
    for (size_t i = 3; i < bytes; i++)
        row[i] = (uint8_t)(row[i] + row[i - 3]);
}

static void add_above(uint8_t *restrict row, const uint8_t *restrict above, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        row[i] = (uint8_t)(row[i] + above[i]);
}

static void add_mean(uint8_t *row, const uint8_t *above, size_t bytes)
{
    for (size_t i = 0; i < 3; i++)
        row[i] = (uint8_t)(row[i] + above[i] / 2);
    for (size_t i = 3; i < bytes; i++)
        row[i] = (uint8_t)(row[i] + (row[i - 3] + above[i]) / 2);
}

static void add_paeth(uint8_t *row, const uint8_t *above, size_t bytes)
{
    for (size_t i = 0; i < 3; i++)
        row[i] = (uint8_t)(row[i] + above[i]);
    for (size_t i = 3; i < bytes; i++)
        row[i] = (uint8_t)(row[i] + paeth(row[i - 3], above[i], above[i - 3]));
}

/* Undo one row's filter; `above` is NULL for the first row. Returns 0 for an unknown filter. */
static int unfilter(uint8_t *row, const uint8_t *above, size_t bytes, int filter)
{
    switch (filter) {
    case 0:
        return 1;
    case 1:
        add_left(row, bytes);
        return 1;
    case 2:
        if (above)
            add_above(row, above, bytes);
        return 1;
    case 3:
        if (above)
            add_mean(row, above, bytes);
        return above != NULL;
    case 4:
        if (above)
            add_paeth(row, above, bytes);
        else
            add_left(row, bytes);
        return 1;
    default:
        return 0;
    }
}

/* Rows come with a filter byte in front, in the picture's own memory; each moves down over the
 * bytes saved so far. */
static int unfilter_rows(struct image *image)
{
    size_t bytes = image->stride;
    const uint8_t *from = image->pixels;
    for (int y = 0; y < image->height; y++, from += bytes + 1) {
        uint8_t *row = image->pixels + (size_t)y * bytes;
        int filter = from[0];
        memmove(row, from + 1, bytes);
        if (!unfilter(row, y ? row - bytes : NULL, bytes, filter))
            return 0;
    }
    return 1;
}

static int inflate_rows(struct image *image, const struct packed *packed, size_t size)
{
    struct libdeflate_decompressor *inflater = libdeflate_alloc_decompressor();
    if (!inflater)
        return 0;
    size_t got = 0;
    enum libdeflate_result result =
        libdeflate_zlib_decompress(inflater, packed->data, packed->size, image->pixels, size, &got);
    libdeflate_free_decompressor(inflater);
    return result == LIBDEFLATE_SUCCESS && got == size;
}

static int decode_packed(struct image *image, const uint8_t *header, const struct packed *packed)
{
    struct err err = {0};
    int width = (int)long_at(header), height = (int)long_at(header + 4);
    size_t size = (3 * (size_t)width + 1) * (size_t)height;
    return image_reserve(image, width, height, size, &err) == 0 &&
           inflate_rows(image, packed, size) && unfilter_rows(image);
}

int png_decode_plain(struct image *image, const uint8_t *data, size_t size)
{
    static const uint8_t plain[] = {8 /* bits */, 2 /* RGB */, 0, 0, 0 /* not interlaced */};
    struct chunk header;
    size_t at = SIGNATURE_BYTES;
    if (!next_chunk(data, size, &at, &header) || !is(&header, "IHDR") || header.size != 13 ||
        memcmp(header.data + 8, plain, sizeof plain) != 0)
        return 0;
    struct packed packed = {0};
    int done = find_packed(&packed, data, size, at) && decode_packed(image, header.data, &packed);
    free(packed.gathered);
    return done;
}
