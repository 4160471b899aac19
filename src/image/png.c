#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <png.h>

enum {
    SIGNATURE_BYTES = 8,
    HEADER_BYTES = 13, /* of the IHDR chunk */
    CHUNK_EXTRA_BYTES = 12,
    FILTER_UP = 2
};

static uint32_t long_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static int check_header(const uint8_t *data, size_t size, struct err *err)
{
    if (size < SIGNATURE_BYTES + CHUNK_EXTRA_BYTES + HEADER_BYTES ||
        memcmp(data + SIGNATURE_BYTES + 4, "IHDR", 4) != 0)
        return err_set(err, ERR_INVALID, "truncated or damaged PNG: no header");
    const uint8_t *header = data + SIGNATURE_BYTES + 8;
    return image_check_size(long_at(header), long_at(header + 4), err);
}

/* libpng makes room for as much as a chunk says it has, up to 2 GB, before it looks for it. */
static int chunks_fit(const uint8_t *data, size_t size)
{
    for (size_t at = SIGNATURE_BYTES; size - at >= CHUNK_EXTRA_BYTES;) {
        size_t length = long_at(data + at);
        if (length > size - at - CHUNK_EXTRA_BYTES)
            return 0;
        if (memcmp(data + at + 4, "IEND", 4) == 0)
            return 1;
        at += CHUNK_EXTRA_BYTES + length;
    }
    return 0;
}

/* Everything that png_decode_plain() leaves: libpng knows the whole format. */
static int decode_any(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    png_color black = {0, 0, 0};
    int result = -1;
    if (png_image_begin_read_from_memory(&png, data, size)) {
        png.format = PNG_FORMAT_RGB;
        if (image_resize_buffer(image, (int)png.width, (int)png.height, err) < 0) {
            png_image_free(&png);
            return -1;
        }
        if (png_image_finish_read(&png, &black, image->pixels, (png_int_32)image->stride, NULL))
            result = 0;
    }
    if (result < 0)
        err_set(err, ERR_INVALID, "truncated or damaged PNG: %s", png.message);
    png_image_free(&png);
    return result;
}

int png_decode(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    if (check_header(data, size, err) < 0)
        return -1;
    if (png_decode_plain(image, data, size))
        return 0;
    if (!chunks_fit(data, size))
        return err_set(err, ERR_INVALID, "truncated or damaged PNG: a chunk is cut short");
    return decode_any(image, data, size, err);
}

static void put_long(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static void put_chunk(struct buf *out, const char *type, const uint8_t *data, size_t size)
{
    uint8_t length[4], sum[4];
    put_long(length, (uint32_t)size);
    uint32_t crc = libdeflate_crc32(libdeflate_crc32(0, type, 4), data, size);
    put_long(sum, crc);
    buf_append(out, length, 4);
    buf_append(out, type, 4);
    buf_append(out, data, size);
    buf_append(out, sum, 4);
}

/* Each row as the difference to the row above it: for pictures of cameras the smallest of the five
 * filters and the cheapest to make and to undo. */
static void filter_rows(uint8_t *out, const struct image *image)
{
    size_t bytes = 3 * (size_t)image->width;
    *out++ = 0;
    memcpy(out, image->pixels, bytes);
    out += bytes;
    for (int y = 1; y < image->height; y++, out += bytes) {
        const uint8_t *row = image->pixels + (size_t)y * image->stride,
                      *above = row - image->stride;
        *out++ = FILTER_UP;
        for (size_t i = 0; i < bytes; i++)
            out[i] = (uint8_t)(row[i] - above[i]);
    }
}

static int put_picture(struct buf *out, struct libdeflate_compressor *compressor,
                       const struct image *image, struct err *err)
{
    size_t rows_bytes = (3 * (size_t)image->width + 1) * (size_t)image->height;
    size_t limit = libdeflate_zlib_compress_bound(compressor, rows_bytes);
    uint8_t *rows = malloc(rows_bytes), *packed = malloc(limit);
    if (!rows || !packed) {
        free(rows);
        free(packed);
        return err_set(err, ERR_NO_MEMORY, "write PNG: no memory");
    }
    filter_rows(rows, image);
    size_t size = libdeflate_zlib_compress(compressor, rows, rows_bytes, packed, limit);
    put_chunk(out, "IDAT", packed, size);
    free(rows);
    free(packed);
    return 0;
}

int png_encode(const struct image *image, struct buf *out, struct err *err)
{
    enum { FASTEST = 1 };
    uint8_t header[HEADER_BYTES] = {[8] = 8 /* bits */, [9] = 2 /* RGB */};
    put_long(header, (uint32_t)image->width);
    put_long(header + 4, (uint32_t)image->height);
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(FASTEST);
    if (!compressor)
        return err_set(err, ERR_NO_MEMORY, "write PNG: no memory");
    buf_append(out, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES);
    put_chunk(out, "IHDR", header, sizeof header);
    int result = put_picture(out, compressor, image, err);
    libdeflate_free_compressor(compressor);
    put_chunk(out, "IEND", (const uint8_t *)"", 0); /* libdeflate takes NULL for a new sum */
    if (result == 0 && out->failed)
        return err_set(err, ERR_TOO_BIG, "write PNG: more than %zu bytes", out->limit);
    return result;
}
