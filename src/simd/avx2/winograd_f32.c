#define SIMD_SUFFIX avx2
#include "simd/avx2/vec.h"

#include "simd/template/winograd_f32.h"
