#ifndef SIMD_NEON_VEC_H
#define SIMD_NEON_VEC_H

/* The vector of this level, for src/simd/template. `n` lanes means the first n, 1 to WIDTH; the
 * others are read as 0 and not written. */
#include "simd/inline.h"

#include <arm_neon.h>
#include <stdint.h>

typedef float32x4_t vec;
enum { WIDTH = 4 };

INLINE vec vec_set(float x)
{
    return vdupq_n_f32(x);
}

INLINE vec vec_load(const float *p)
{
    return vld1q_f32(p);
}

INLINE vec vec_load_part(const float *p, int n)
{
    float lanes[WIDTH] = {p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, n > 3 ? p[3] : 0};
    return vld1q_f32(lanes);
}

INLINE void vec_store(float *p, vec x)
{
    vst1q_f32(p, x);
}

INLINE void vec_store_part(float *p, vec x, int n)
{
    float lanes[WIDTH];
    vst1q_f32(lanes, x);
    for (int i = 0; i < n; i++)
        p[i] = lanes[i];
}

INLINE vec vec_add(vec a, vec b)
{
    return vaddq_f32(a, b);
}

INLINE vec vec_sub(vec a, vec b)
{
    return vsubq_f32(a, b);
}

/* a * b + c */
INLINE vec vec_fma(vec a, vec b, vec c)
{
    return vfmaq_f32(c, a, b);
}

INLINE vec vec_relu(vec x)
{
    return vmaxq_f32(vdupq_n_f32(0), x);
}

INLINE vec vec_prelu(vec x, vec slope)
{
    return vbslq_f32(vcltq_f32(x, vdupq_n_f32(0)), vmulq_f32(x, slope), x);
}

INLINE float vec_sum(vec x)
{
    return vaddvq_f32(x);
}

/* (bytes - offset) * factor */
INLINE vec vec_normalize(const uint8_t *p, vec offset, vec factor)
{
    float lanes[WIDTH] = {p[0], p[1], p[2], p[3]};
    return vmulq_f32(vsubq_f32(vld1q_f32(lanes), offset), factor);
}

#endif
