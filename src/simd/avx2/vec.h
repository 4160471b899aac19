#ifndef SIMD_AVX2_VEC_H
#define SIMD_AVX2_VEC_H

/* The vector of this level, for src/simd/template. `n` lanes means the first n, 1 to WIDTH; the
 * others are read as 0 and not written. */
#include "simd/inline.h"

#include <immintrin.h>
#include <stdint.h>

typedef __m256 vec;
enum { WIDTH = 8 };

INLINE __m256i vec_mask(int n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE vec vec_set(float x)
{
    return _mm256_set1_ps(x);
}

INLINE vec vec_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

INLINE vec vec_load_part(const float *p, int n)
{
    return _mm256_maskload_ps(p, vec_mask(n));
}

INLINE void vec_store(float *p, vec x)
{
    _mm256_storeu_ps(p, x);
}

/* In pieces: a masked store is microcode on some processors. */
INLINE void vec_store_part(float *p, vec x, int n)
{
    __m128 four = _mm256_castps256_ps128(x);
    if (n & 4) {
        _mm_storeu_ps(p, four);
        four = _mm256_extractf128_ps(x, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, four);
        four = _mm_movehl_ps(four, four);
        p += 2;
    }
    if (n & 1)
        _mm_store_ss(p, four);
}

INLINE vec vec_add(vec a, vec b)
{
    return _mm256_add_ps(a, b);
}

INLINE vec vec_sub(vec a, vec b)
{
    return _mm256_sub_ps(a, b);
}

/* a * b + c */
INLINE vec vec_fma(vec a, vec b, vec c)
{
    return _mm256_fmadd_ps(a, b, c);
}

INLINE vec vec_relu(vec x)
{
    return _mm256_max_ps(_mm256_setzero_ps(), x);
}

INLINE vec vec_prelu(vec x, vec slope)
{
    return _mm256_blendv_ps(x, _mm256_mul_ps(x, slope), x);
}

INLINE float vec_sum(vec x)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* (bytes - offset) * factor */
INLINE vec vec_normalize(const uint8_t *p, vec offset, vec factor)
{
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
    return _mm256_mul_ps(_mm256_sub_ps(_mm256_cvtepi32_ps(bytes), offset), factor);
}

#endif
