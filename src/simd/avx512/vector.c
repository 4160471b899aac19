#define SIMD_SUFFIX avx512
#include "simd/avx512/vec.h"

#include "simd/template/vector.h"
