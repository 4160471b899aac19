#ifndef SIMD_CONV_H
#define SIMD_CONV_H

/* Between conv_run(), which cuts a convolution into tiles and is the same at every level, and a
 * level's tile function, which is where the time goes. Not for other modules. */
#include "simd/kernels.h"

/* A stretch of input that lies in one piece (a row of the filter, or one tap of it) and the weights
 * that belong to it, for the first pixel of a row and the first panel. */
struct conv_segment {
    const float *in, *weights;
};

/* `rows` output pixels by `panels` panels of channels, over every segment. */
struct conv_tile {
    const struct conv_segment *segments;
    size_t segment_count, length;         /* floats of input a segment and pixel */
    size_t in_offset, weights_offset;     /* of this tile, added to a segment's pointers */
    size_t in_pitch, panel_floats;        /* from pixel to pixel, from panel to panel */
    size_t ahead;                         /* from these weights to those that are needed next */
    float *out;                           /* first pixel, first channel of the tile */
    const float *residual, *bias, *slope; /* residual and slope may be NULL */
    size_t out_pitch, residual_pitch;
    int rows, panels, channels; /* channels of the tile that exist: the last panel may be part */
    enum activation activation;
};

/* What a level's tile function can take: up to `rows` pixels by `panels` panels, or one pixel by
 * `row_panels` panels (a fully connected layer has one pixel). Fewer of each must work too. */
struct conv_shape {
    int rows, panels, row_panels;
    void (*tile)(const struct conv_tile *tile);
};

void conv_run(const struct conv *c, const struct conv_shape *shape);

/* The same panels of `pixels` pixels, tile by tile. */
void conv_run_tiles(const struct conv_shape *shape, struct conv_tile tile, size_t pixels);

/* winograd.c's part of simd_conv_scratch_bytes(). */
size_t winograd_scratch_bytes(const struct conv *c);

#endif
