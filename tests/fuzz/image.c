#include "image/image.h"

#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIGNATURE_BYTES = 8, CHUNK_EXTRA_BYTES = 12, MAX_PIXELS = 1 << 20 };

static uint32_t long_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* Make the checksums right, so that changed chunks are read and not just refused. */
static void mend_png(uint8_t *data, size_t size)
{
    for (size_t at = SIGNATURE_BYTES;
         size >= CHUNK_EXTRA_BYTES && at <= size - CHUNK_EXTRA_BYTES;) {
        size_t length = long_at(data + at);
        if (length > size - at - CHUNK_EXTRA_BYTES)
            return;
        uint32_t sum = libdeflate_crc32(0, data + at + 4, length + 4);
        for (size_t i = 0; i < 4; i++)
            data[at + 8 + length + i] = (uint8_t)(sum >> (24 - 8 * i));
        at += length + CHUNK_EXTRA_BYTES;
    }
}

static int is_png(const uint8_t *data, size_t size)
{
    return size >= 33 && memcmp(data, "\x89PNG", 4) == 0;
}

/* Every byte of a picture that was accepted must be there to read. */
static void decode(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct image image;
    if (image_decode(&image, data, size, &err) < 0)
        return;
    unsigned sum = 0;
    for (size_t i = 0; i < image.stride * (size_t)image.height; i++)
        sum += image.pixels[i];
    uint8_t small_pixels[8 * 8 * 3];
    struct image out = {.pixels = small_pixels, .width = 8, .height = 8, .stride = 24};
    image_resize(&out, &image);
    if (sum > 0 && image.width < 1)
        abort();
    image_finish(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Large pictures are allowed, and slow: they would drown the search. */
    if (is_png(data, size) && (uint64_t)long_at(data + 16) * long_at(data + 20) > MAX_PIXELS &&
        long_at(data + 16) <= IMAGE_MAX_SIDE && long_at(data + 20) <= IMAGE_MAX_SIDE)
        return 0;
    decode(data, size);
    if (!is_png(data, size))
        return 0;
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    mend_png(copy, size);
    decode(copy, size);
    free(copy);
    return 0;
}
