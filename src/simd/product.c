#include "simd/product.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK_FACTORS =
        8192,       /* 16 KB: a block's inputs stay in the first cache while all panels go by */
    MOST_ROWS = 16, /* of any level's tile */
    PANEL_CHANNELS = PRODUCT_PANELS * SIMD_PANEL
};

/* Pixels of a block; the last one may be up to a tile longer. */
static size_t block_pixels(const struct conv *c, size_t rows)
{
    size_t block = BLOCK_FACTORS / (size_t)c->in_channels / rows * rows;
    return block > rows ? block : rows;
}

static size_t most_block_pixels(const struct conv *c)
{
    return block_pixels(c, 1) + 2 * MOST_ROWS;
}

size_t product_scratch_bytes(const struct conv *c)
{
    size_t factors = most_block_pixels(c) * (size_t)c->in_channels * sizeof(int16_t);
    return (factors + 63) / 64 * 64 + most_block_pixels(c) * sizeof(float);
}

/* One pair of panels of `pixels` pixels; no tile is much smaller than the rest. */
static void run_tiles(const struct product_shape *shape, struct product_tile tile, size_t pixels)
{
    const size_t most = (size_t)shape->rows;
    while (pixels > 0) {
        size_t rows = pixels >= 2 * most ? most : pixels > most ? (pixels + 1) / 2 : pixels;
        tile.rows = (int)rows;
        shape->tile(&tile);
        pixels -= rows;
        tile.in += rows * tile.depth;
        tile.steps += rows;
        tile.out += rows * tile.out_pitch;
        if (tile.residual)
            tile.residual += rows * tile.residual_pitch;
    }
}

static void run_panels(const struct conv *c, const struct product_shape *shape,
                       struct product_tile tile, size_t pixels)
{
    for (int channel = 0; channel < c->out_channels; channel += PANEL_CHANNELS) {
        run_tiles(shape, tile, pixels);
        tile.weights += PANEL_CHANNELS * tile.depth;
        tile.scales += PANEL_CHANNELS;
        tile.bias += PANEL_CHANNELS;
        tile.out += PANEL_CHANNELS;
        if (tile.slope)
            tile.slope += PANEL_CHANNELS;
        if (tile.residual)
            tile.residual += PANEL_CHANNELS;
    }
}

void product_run(const struct conv *c, const struct product_shape *shape)
{
    const size_t depth = (size_t)c->in_channels, most = (size_t)shape->rows;
    const size_t block = block_pixels(c, most), width = (size_t)c->out_width;
    size_t pixel = (size_t)c->row_begin * width, end = (size_t)c->row_end * width;
    int16_t *factors = (int16_t *)(void *)c->scratch;
    float *steps = c->scratch + (most_block_pixels(c) * depth + 31) / 32 * 16;
    while (pixel < end) {
        size_t count = end - pixel >= block + most ? block : end - pixel;
        for (size_t i = 0; i < count; i++)
            steps[i] = shape->round(factors + i * depth, c->in + (pixel + i) * (size_t)c->in_stride,
                                    depth);
        run_panels(
            c, shape,
            (struct product_tile){
                .in = factors,
                .weights = (const int16_t *)(const void *)(c->weights + c->out_channels),
                .steps = steps,
                .scales = c->weights,
                .bias = c->bias,
                .slope = c->slope,
                .residual = c->residual ? c->residual + pixel * (size_t)c->residual_stride : NULL,
                .out = c->out + pixel * (size_t)c->out_stride,
                .depth = depth,
                .out_pitch = (size_t)c->out_stride,
                .residual_pitch = (size_t)c->residual_stride,
                .activation = c->activation,
            },
            count);
        pixel += count;
    }
}

int simd_can_product(const struct conv *c)
{
    return c->kernel_height == 1 && c->kernel_width == 1 && c->stride_y == 1 && c->stride_x == 1 &&
           c->pad_top == 0 && c->pad_left == 0 && c->out_height == c->in_height &&
           c->out_width == c->in_width && c->in_channels % SIMD_PANEL == 0 &&
           c->out_channels % PANEL_CHANNELS == 0;
}

size_t simd_product_floats(int out_channels, int in_channels)
{
    return (size_t)out_channels * (1 + (size_t)in_channels / 2);
}

/* What one channel's weights are multiplied by to become factors: no chunk's sum of products can
 * pass 31 bits, and no factor 16. 0 where there are none to speak of. */
static float factor_of(const float *weights, size_t depth)
{
    float largest = 0, most = 0;
    for (size_t i = 0; i < depth; i += PRODUCT_CHUNK) {
        float sum = 0;
        for (size_t k = i; k < i + PRODUCT_CHUNK; k++) {
            sum += fabsf(weights[k]);
            largest = fmaxf(largest, fabsf(weights[k]));
        }
        most = fmaxf(most, sum);
    }
    if (!(largest >= PRODUCT_LEAST && most < INFINITY))
        return 0;
    /* each of a chunk's weights may be rounded up by a half */
    const float sum_limit = (float)INT32_MAX / PRODUCT_MOST - PRODUCT_CHUNK;
    return fminf(sum_limit / most, PRODUCT_MOST / largest);
}

void simd_pack_product(float *packed, const float *weights, int out_channels, int in_channels)
{
    const size_t depth = (size_t)in_channels;
    int16_t *panels = (int16_t *)(void *)(packed + out_channels);
    for (size_t out = 0; out < (size_t)out_channels; out++, weights += depth) {
        const float factor = factor_of(weights, depth);
        packed[out] = factor > 0 ? 1 / factor : 0;
        int16_t *to = panels + out / SIMD_PANEL * SIMD_PANEL * depth + out % SIMD_PANEL * 2;
        for (size_t in = 0; in < depth; in++)
            to[in / 2 * 2 * SIMD_PANEL + in % 2] = (int16_t)lrintf(weights[in] * factor);
    }
}
