#define SIMD_SUFFIX vnni
#include "simd/inline.h"
#include "simd/level.h"

#include <immintrin.h>

enum { STEP = 64, SUMS = 4 };

INLINE __m512i load(const int8_t *p)
{
    return _mm512_loadu_si512(p);
}

/* The bytes of the last step, zeros behind. */
INLINE __m512i load_part(const int8_t *p, size_t n)
{
    return _mm512_maskz_loadu_epi8(((__mmask64)1 << n) - 1, p);
}

/* The instruction wants one factor without sign: a row is raised by 128 (a change of its top bit),
 * and `sums` start lower by 128 times the query. */
INLINE __m512i multiply(__m512i sum, __m512i row, __m512i query)
{
    return _mm512_dpbusd_epi32(sum, _mm512_xor_si512(row, _mm512_set1_epi8(-128)), query);
}

INLINE __m512i start(const int8_t *query, size_t n)
{
    __m512i sum = _mm512_setzero_si512();
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        sum = multiply(sum, _mm512_setzero_si512(), load(query + i));
    if (i < n)
        sum = multiply(sum, _mm512_setzero_si512(), load_part(query + i, n - i));
    return _mm512_sub_epi32(_mm512_setzero_si512(), sum);
}

INLINE int32_t dot(__m512i first, const int8_t *query, const int8_t *row, size_t n)
{
    __m512i sum[SUMS] = {first};
    size_t i = 0;
    UNROLL
    for (int s = 1; s < SUMS; s++)
        sum[s] = _mm512_setzero_si512();
    for (; i + SUMS * STEP <= n; i += SUMS * STEP) {
        UNROLL
        for (int s = 0; s < SUMS; s++)
            sum[s] = multiply(sum[s], load(row + i + s * STEP), load(query + i + s * STEP));
    }
    for (; i + STEP <= n; i += STEP)
        sum[1] = multiply(sum[1], load(row + i), load(query + i));
    if (i < n)
        sum[2] = multiply(sum[2], load_part(row + i, n - i), load_part(query + i, n - i));
    sum[0] = _mm512_add_epi32(sum[0], sum[1]);
    sum[2] = _mm512_add_epi32(sum[2], sum[3]);
    return _mm512_reduce_add_epi32(_mm512_add_epi32(sum[0], sum[2]));
}

void dots_i8_vnni(int32_t *out, const int8_t *query, const int8_t *rows, size_t n, size_t count)
{
    const __m512i first = start(query, n);
    for (size_t r = 0; r < count; r++)
        out[r] = dot(first, query, rows + r * n, n);
}
