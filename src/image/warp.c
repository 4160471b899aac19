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

/* Whether a place is well inside the input. Two columns to spare: the kernel reads a byte of the
 * second. */
static int is_inside(const struct image *in, double x, double y)
{
    return x >= 0 && y >= 0 && x < in->width - 3 && y < in->height - 2;
}

/* Nearest 1/2048th, ties to even, as lrint() has it: adding 1.5 * 2^52 leaves the whole number in
 * the low bits, without a call for each. */
static uint32_t to_fixed(double value)
{
    union {
        double value;
        uint64_t bits;
    } shifted = {.value = value * ONE + 6755399441055744.0};
    return (uint32_t)shifted.bits;
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

/* A row of the output: pixel i lies at start + i * step in the input. */
struct line {
    const struct image *in;
    double start[2], step[2];
};

static double place(const struct line *line, int axis, int i)
{
    return line->step[axis] * i + line->start[axis];
}

static int pixel_is_inside(const struct line *line, int i)
{
    return is_inside(line->in, place(line, 0, i), place(line, 1, i));
}

/* Pixels from `first` until `last`, all well inside. */
static void sample_inside(uint8_t *to, const struct line *line, int first, int last)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    const uint32_t stride = (uint32_t)line->in->stride;
    struct spot spots[RUN];
    for (int count; first < last; first += count, to += 3 * count) {
        count = last - first < RUN ? last - first : RUN;
        for (int i = 0; i < count; i++) {
            uint32_t x = to_fixed(place(line, 0, first + i));
            uint32_t y = to_fixed(place(line, 1, first + i));
            spots[i] = (struct spot){(y >> FRACTION_BITS) * stride + 3 * (x >> FRACTION_BITS),
                                     (uint16_t)(x & (ONE - 1)), (uint16_t)(y & (ONE - 1))};
        }
        kernels->sample_u8(to, line->in->pixels, line->in->stride, spots, (size_t)count);
    }
}

static void sample_outside(uint8_t *to, const struct line *line, int first, int last)
{
    for (int i = first; i < last; i++, to += 3)
        sample(to, line->in, place(line, 0, i), place(line, 1, i));
}

/* One row. What is inside is in one piece, since both places only grow or only fall with i. */
static void warp_row(uint8_t *to, int width, const struct line *line)
{
    int first = 0, last = width;
    if (line->in->stride * (size_t)line->in->height > UINT32_MAX)
        last = 0; /* offsets of spots have 32 bits */
    while (first < last && !pixel_is_inside(line, first))
        first++;
    while (last > first && !pixel_is_inside(line, last - 1))
        last--;
    sample_outside(to, line, 0, first);
    sample_inside(to + 3 * first, line, first, last);
    sample_outside(to + 3 * last, line, last, width);
}

void image_warp(struct image *out, const struct image *in, const double m[2][3])
{
    for (int y = 0; y < out->height; y++) {
        const struct line line = {
            in, {m[0][1] * y + m[0][2], m[1][1] * y + m[1][2]}, {m[0][0], m[1][0]}};
        warp_row(out->pixels + (size_t)y * out->stride, out->width, &line);
    }
}
