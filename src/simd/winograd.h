#ifndef SIMD_WINOGRAD_H
#define SIMD_WINOGRAD_H

/* Between winograd_run(), which cuts a 3x3 convolution into tiles and is the same at every level,
 * and a level's transforms. Not for other modules.
 *
 * A tile of m x m outputs (m: 2 or 4) reads a x a inputs, a = m + 2. Both sides of the convolution
 * are turned into a x a values, multiplied there one by one, and the products, summed over the
 * input channels, turned back: a^2 multiplications where the direct way has 9 m^2, that is 2.25
 * (m = 2) or 4 times fewer. Lavin and Gray, "Fast algorithms for convolutional neural networks",
 * 2015. At each of the a^2 places, the sums over channels for many tiles are one matrix product. */
#include "simd/conv.h"

enum { WINOGRAD_MOST = 6 }; /* values along a tile's side */

/* Values along the side of a tile that makes `tile` outputs. */
static inline int winograd_side(int tile)
{
    return tile + 2;
}

/* A tile's sums on their way back to outputs. */
struct winograd_out {
    const float *sums; /* place p, channel c at sums[p * pitch + c] */
    size_t pitch;
    float *out;                                                /* first output */
    const float *residual, *bias, *slope;                      /* residual and slope may be NULL */
    size_t out_row, out_column, residual_row, residual_column; /* floats from output to output */
    int rows, columns;                                         /* outputs of the tile that exist */
    int channels;
    enum activation activation;
};

struct winograd_shape {
    const struct conv_shape *wide, *narrow;
    int narrow_channels; /* narrow: for up to so many */
    /* taps[i * side + j]: the pixel under input row i, column j; place p, channel c of the result
     * goes to out[p * pitch + c]. */
    void (*in)(int tile, const float *const *taps, int channels, float *out, size_t pitch);
    void (*out)(int tile, const struct winograd_out *out);
};

void winograd_run(const struct conv *c, const struct winograd_shape *shape);

/* The input pixels of the tile whose first output is at y, x; `zeros` stands for the padding. */
void winograd_taps(const struct conv *c, int y, int x, const float *zeros, const float **taps);

/* The first output rows (or columns) of the tiles between `begin` and `end`, in order: walks each
 * of the `dilation` interleaved pictures. Start with at = begin; returns `end` after the last. */
int winograd_next(int tile, int dilation, int begin, int end, int at);

#endif
