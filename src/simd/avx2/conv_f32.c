#define SIMD_SUFFIX avx2
#include "simd/avx2/vec.h"

/* 12 sums, 2 vectors of weights and 1 input value fill 15 of the 16 registers. */
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define LEFT_OVER 0
#define NARROW_ROWS 12
#define EACH_TILE_ROWS EACH_1_TO_6
#define EACH_NARROW_ROWS EACH_1_TO_12
#include "simd/template/conv_f32.h"

void conv_f32_avx2(const struct conv *c)
{
    run_conv(c);
}
