#ifndef SIMD_PRODUCT_H
#define SIMD_PRODUCT_H

/* Between product_run(), which cuts a matrix product of 16-bit factors into tiles and is the same
 * at every level, and a level's two functions. Not for other modules. */
#include "simd/kernels.h"

enum {
    PRODUCT_CHUNK = 8,   /* inputs whose products are added up as integers */
    PRODUCT_PANELS = 2,  /* of a tile */
    PRODUCT_MOST = 32767 /* the largest factor */
};
/* A pixel whose largest input is smaller counts as zeros. */
static const float PRODUCT_LEAST = 0x1p-100f;

/* `rows` pixels by PRODUCT_PANELS panels of channels. */
struct product_tile {
    const int16_t *in, *weights; /* of `depth` inputs a pixel, one pixel after the other; panels */
    const float *steps;          /* what 1 of each pixel's `in` stands for */
    const float *scales, *bias;  /* of the tile's channels; what 1 of their weights stands for */
    const float *slope, *residual; /* slope of the tile's channels; both may be NULL */
    float *out;
    size_t depth, out_pitch, residual_pitch;
    int rows;
    enum activation activation;
};

struct product_shape {
    int rows; /* the most of a tile */
    /* The `depth` floats of a pixel as factors: in[i] * (PRODUCT_MOST / largest), rounded to the
     * nearest, halves to even. Returns largest / PRODUCT_MOST. */
    float (*round)(int16_t *to, const float *in, size_t depth);
    void (*tile)(const struct product_tile *tile);
};

void product_run(const struct conv *c, const struct product_shape *shape);

/* product.c's part of simd_conv_scratch_bytes(). */
size_t product_scratch_bytes(const struct conv *c);

#endif
