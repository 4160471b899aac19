#define SIMD_SUFFIX neon
#include "simd/neon/vec.h"

#include "simd/template/winograd_f32.h"
