#define SIMD_SUFFIX avx512
#include "simd/avx512/vec.h"

/* 28 sums, 2 vectors of weights and 1 input value fill 31 of the 32 registers. */
#define TILE_ROWS 14
#define TILE_VECTORS 2
#define LEFT_OVER 2
#define NARROW_ROWS 14
#define EACH_TILE_ROWS EACH_1_TO_14
#define EACH_NARROW_ROWS EACH_1_TO_14
#include "simd/template/conv_f32.h"

/* Up to 8 channels would leave half of each vector empty. */
void conv_f32_avx512(const struct conv *c)
{
    if (c->out_channels <= WIDTH / 2)
        conv_f32_avx2(c);
    else
        run_conv(c);
}
