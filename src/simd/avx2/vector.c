#define SIMD_SUFFIX avx2
#include "simd/avx2/vec.h"

#include "simd/template/exp.h"
#include "simd/template/vector.h"
