/* Dot products of bytes for arm64's levels. Included after multiply(): 16 products added to four
 * sums. */
#include "simd/level.h"

INLINE int32_t dot(const int8_t *a, const int8_t *b, size_t n)
{
    enum { STEP = 16, SUMS = 4 };
    int32x4_t sum[SUMS];
    size_t i = 0;
    UNROLL
    for (int s = 0; s < SUMS; s++)
        sum[s] = vdupq_n_s32(0);
    for (; i + SUMS * STEP <= n; i += SUMS * STEP) {
        UNROLL
        for (int s = 0; s < SUMS; s++)
            sum[s] = multiply(sum[s], vld1q_s8(a + i + s * STEP), vld1q_s8(b + i + s * STEP));
    }
    for (; i + STEP <= n; i += STEP)
        sum[0] = multiply(sum[0], vld1q_s8(a + i), vld1q_s8(b + i));
    int32_t total = vaddvq_s32(vaddq_s32(vaddq_s32(sum[0], sum[1]), vaddq_s32(sum[2], sum[3])));
    for (; i < n; i++)
        total += a[i] * b[i];
    return total;
}

void KERNEL(dots_i8)(int32_t *out, const int8_t *query, const int8_t *rows, size_t n, size_t count)
{
    for (size_t r = 0; r < count; r++)
        out[r] = dot(query, rows + r * n, n);
}
