#define SIMD_SUFFIX avx512
#include "simd/avx512/vec.h"

#include "simd/template/winograd_f32.h"
