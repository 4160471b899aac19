#define SIMD_SUFFIX avx2
#include "simd/avx2/vec.h"

/* 12 sums, 2 vectors of weights and 1 input value fill 15 of the 16 registers. */
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define EACH_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#include "simd/template/conv_f32.h"
