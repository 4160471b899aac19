/* exp_f32 for a level. Plain C without a branch or a call: the compiler makes vectors of it. */
#include "simd/level.h"

#include <math.h>

/* 2^n * e^r with n whole and r within ln(2) / 2; the polynomial is Cephes'. */
static inline float exponential(float x)
{
    enum { ROUNDER_BITS = 0x4b400000, EXPONENT_BIAS = 127, EXPONENT_SHIFT = 23 };
    const float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves a whole number behind */
    const float least = -87.33654f, most = 88.72283f;
    float bounded = x < least ? least : x > most ? most : x;
    union {
        float value;
        uint32_t bits;
    } sum = {bounded * log2e + rounder}, power;
    sum.value = sum.value > rounder + 127.0f ? rounder + 127.0f : sum.value;
    float whole = sum.value - rounder;
    float r = bounded - whole * ln2_high - whole * ln2_low;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    power.bits = (sum.bits - ROUNDER_BITS + EXPONENT_BIAS) << EXPONENT_SHIFT;
    float result = p * power.value;
    return x < least ? 0.0f : x > most ? INFINITY : result;
}

void KERNEL(exp_f32)(float *out, const float *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = exponential(in[i]);
}
