#define SIMD_SUFFIX neon
#include "simd/neon/vec.h"

#include "simd/template/depthwise_f32.h"
