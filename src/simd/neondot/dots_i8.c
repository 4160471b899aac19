#define SIMD_SUFFIX neondot
#include "simd/inline.h"

#include <arm_neon.h>

INLINE int32x4_t multiply(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    return vdotq_s32(sum, a, b);
}

#include "simd/template/dots_i8_neon.h"
