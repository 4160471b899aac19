#define SIMD_SUFFIX neon
#include "simd/neon/vec.h"

/* 24 sums, 4 vectors of weights and 1 input value fill 29 of the 32 registers. */
#define TILE_ROWS 6
#define TILE_VECTORS 4
#define LEFT_OVER 0
#define NARROW_ROWS 12
#define EACH_TILE_ROWS EACH_1_TO_6
#define EACH_NARROW_ROWS EACH_1_TO_12
#include "simd/template/conv_f32.h"

void conv_f32_neon(const struct conv *c)
{
    run_conv(c);
}
