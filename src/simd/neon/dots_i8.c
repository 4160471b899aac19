#define SIMD_SUFFIX neon
#include "simd/inline.h"

#include <arm_neon.h>

INLINE int32x4_t multiply(int32x4_t sum, int8x16_t a, int8x16_t b)
{
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    return vpadalq_s16(sum, vmull_high_s8(a, b));
}

#include "simd/template/dots_i8_neon.h"
