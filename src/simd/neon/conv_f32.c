#define SIMD_SUFFIX neon
#include "simd/neon/vec.h"

/* 24 sums, 4 vectors of weights and 1 input value fill 29 of the 32 registers. */
#define TILE_ROWS 6
#define TILE_VECTORS 4
#define EACH_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "simd/template/conv_f32.h"
