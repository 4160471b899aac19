#ifndef TEST_PICTURE_H
#define TEST_PICTURE_H

/* A picture for tests that has something everywhere, and its pixels. */

#include "base/random.h"
#include "image/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline uint8_t *pixel(const struct image *image, int x, int y)
{
    return image->pixels + (size_t)y * image->stride + 3 * (size_t)x;
}

/* Noise, the same each time. */
static inline void put_noise(uint8_t *out, size_t size)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        out[i] = (uint8_t)(state >> 24);
    }
}

/* A gradient with some texture. */
static inline struct image test_picture(int width, int height)
{
    struct err err = {0};
    struct image image;
    assert_int_equal(image_init(&image, width, height, &err), 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = pixel(&image, x, y);
            p[0] = (uint8_t)(x * 255 / width);
            p[1] = (uint8_t)(y * 255 / height);
            p[2] = (uint8_t)((x * 7 + y * 13) % 64 + 96);
        }
    return image;
}

#endif
