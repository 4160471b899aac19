#ifndef SIMD_AVX512_VEC_H
#define SIMD_AVX512_VEC_H

/* The vector of this level, for src/simd/template. `n` lanes means the first n, 1 to WIDTH; the
 * others are read as 0 and not written. */
#include "simd/inline.h"

#include <immintrin.h>

typedef __m512 vec;
enum { WIDTH = 16 };

INLINE __mmask16 vec_mask(int n)
{
    return (__mmask16)((1u << n) - 1);
}

INLINE vec vec_set(float x)
{
    return _mm512_set1_ps(x);
}

INLINE vec vec_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

INLINE vec vec_load_part(const float *p, int n)
{
    return _mm512_maskz_loadu_ps(vec_mask(n), p);
}

INLINE void vec_store(float *p, vec x)
{
    _mm512_storeu_ps(p, x);
}

INLINE void vec_store_part(float *p, vec x, int n)
{
    _mm512_mask_storeu_ps(p, vec_mask(n), x);
}

INLINE vec vec_add(vec a, vec b)
{
    return _mm512_add_ps(a, b);
}

INLINE vec vec_sub(vec a, vec b)
{
    return _mm512_sub_ps(a, b);
}

/* a * b + c */
INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm512_fmadd_ps(a, b, c);
}

INLINE vec vec_relu(vec x)
{
    return _mm512_max_ps(_mm512_setzero_ps(), x);
}

INLINE vec vec_prelu(vec x, vec slope)
{
    __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_mask_mul_ps(x, negative, x, slope);
}

#endif
