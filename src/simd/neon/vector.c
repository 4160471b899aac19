#define SIMD_SUFFIX neon
#include "simd/neon/vec.h"

#include "simd/template/exp.h"
#include "simd/template/vector.h"
