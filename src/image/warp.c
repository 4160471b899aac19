#include "image/image.h"

#include <math.h>
#include <string.h>

/* Positions between pixels are kept in 1/2048ths, so that a sample is exact integer arithmetic. */
enum { FRACTION_BITS = 11, ONE = 1 << FRACTION_BITS, HALF = 1 << (2 * FRACTION_BITS - 1) };

/* Four neighbours inside the picture. */
static void sample_inside(uint8_t *out, const uint8_t *at, size_t stride, uint32_t right,
                          uint32_t down)
{
    const uint8_t *below = at + stride;
    for (int c = 0; c < 3; c++) {
        uint32_t top = at[c] * (ONE - right) + at[c + 3] * right;
        uint32_t bottom = below[c] * (ONE - right) + below[c + 3] * right;
        out[c] = (uint8_t)((top * (ONE - down) + bottom * down + HALF) >> (2 * FRACTION_BITS));
    }
}

static uint32_t channel(const struct image *in, long x, long y, int c)
{
    if (x < 0 || y < 0 || x >= in->width || y >= in->height)
        return 0;
    return in->pixels[(size_t)y * in->stride + 3 * (size_t)x + (size_t)c];
}

static void sample_border(uint8_t *out, const struct image *in, long x, long y, uint32_t right,
                          uint32_t down)
{
    for (int c = 0; c < 3; c++) {
        uint32_t top = channel(in, x, y, c) * (ONE - right) + channel(in, x + 1, y, c) * right;
        uint32_t bottom =
            channel(in, x, y + 1, c) * (ONE - right) + channel(in, x + 1, y + 1, c) * right;
        out[c] = (uint8_t)((top * (ONE - down) + bottom * down + HALF) >> (2 * FRACTION_BITS));
    }
}

static void sample(uint8_t *out, const struct image *in, double x, double y)
{
    /* Far outside, and not-a-number, before the conversion to integers could overflow. */
    if (!(x > -1 && y > -1 && x < in->width && y < in->height)) {
        memset(out, 0, 3);
        return;
    }
    long fixed_x = lrint(x * ONE), fixed_y = lrint(y * ONE);
    long column = fixed_x >> FRACTION_BITS, row = fixed_y >> FRACTION_BITS;
    uint32_t right = (uint32_t)fixed_x & (ONE - 1), down = (uint32_t)fixed_y & (ONE - 1);
    if (column >= 0 && row >= 0 && column + 1 < in->width && row + 1 < in->height)
        sample_inside(out, in->pixels + (size_t)row * in->stride + 3 * (size_t)column, in->stride,
                      right, down);
    else
        sample_border(out, in, column, row, right, down);
}

void image_warp(struct image *out, const struct image *in, const double m[2][3])
{
    for (int y = 0; y < out->height; y++) {
        uint8_t *to = out->pixels + (size_t)y * out->stride;
        double row_x = m[0][1] * y + m[0][2], row_y = m[1][1] * y + m[1][2];
        for (int x = 0; x < out->width; x++, to += 3)
            sample(to, in, m[0][0] * x + row_x, m[1][0] * x + row_y);
    }
}
