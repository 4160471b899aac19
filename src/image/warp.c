#include "image/image.h"
#include "simd/kernels.h"

#include <math.h>
#include <string.h>

/* Positions between pixels are kept in 1/2048ths, so that a sample is exact integer arithmetic. */
enum {
    FRACTION_BITS = 11,
    ONE = 1 << FRACTION_BITS,
    HALF = 1 << (2 * FRACTION_BITS - 1),
    RUN = 256, /* pixels sampled by one call of the kernel */
};

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

/* Where one output pixel lies in the input; 0: outside, or near its border. */
static int find_spot(struct spot *spot, const struct image *in, double x, double y)
{
    /* Two columns to spare: the kernel reads a byte of the second. */
    if (!(x >= 0 && y >= 0 && x < in->width - 3 && y < in->height - 2))
        return 0;
    uint32_t fixed_x = (uint32_t)(int32_t)lrint(x * ONE),
             fixed_y = (uint32_t)(int32_t)lrint(y * ONE);
    size_t at = (fixed_y >> FRACTION_BITS) * in->stride + 3 * (size_t)(fixed_x >> FRACTION_BITS);
    *spot = (struct spot){(uint32_t)at, fixed_x & (ONE - 1), fixed_y & (ONE - 1)};
    return at <= UINT32_MAX;
}

static void sample(uint8_t *out, const struct image *in, double x, double y)
{
    /* Far outside, and not-a-number, before the conversion to integers could overflow. */
    if (!(x > -1 && y > -1 && x < in->width && y < in->height)) {
        memset(out, 0, 3);
        return;
    }
    long fixed_x = lrint(x * ONE), fixed_y = lrint(y * ONE);
    sample_border(out, in, fixed_x >> FRACTION_BITS, fixed_y >> FRACTION_BITS,
                  (uint32_t)fixed_x & (ONE - 1), (uint32_t)fixed_y & (ONE - 1));
}

/* One row: runs of pixels well inside the input by the kernel, the others one by one. */
static void warp_row(uint8_t *to, int width, const struct image *in, const double start[2],
                     const double step[2])
{
    const struct kernels *kernels = simd_kernels(simd_best());
    struct spot spots[RUN];
    size_t run = 0;
    for (int i = 0; i < width; i++) {
        double x = step[0] * i + start[0], y = step[1] * i + start[1];
        int inside = find_spot(&spots[run], in, x, y);
        run += (size_t)inside;
        if (run > 0 && (!inside || run == RUN || i + 1 == width)) {
            kernels->sample_u8(to, in->pixels, in->stride, spots, run);
            to += 3 * run;
            run = 0;
        }
        if (!inside) {
            sample(to, in, x, y);
            to += 3;
        }
    }
}

void image_warp(struct image *out, const struct image *in, const double m[2][3])
{
    for (int y = 0; y < out->height; y++) {
        const double start[2] = {m[0][1] * y + m[0][2], m[1][1] * y + m[1][2]};
        warp_row(out->pixels + (size_t)y * out->stride, out->width, in, start,
                 (const double[2]){m[0][0], m[1][0]});
    }
}
