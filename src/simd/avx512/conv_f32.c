#define SIMD_SUFFIX avx512
#include "simd/avx512/vec.h"

/* 28 sums, 2 vectors of weights and 1 input value fill 31 of the 32 registers. */
#define TILE_ROWS 14
#define TILE_VECTORS 2
#define EACH_TILE_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#include "simd/template/conv_f32.h"
