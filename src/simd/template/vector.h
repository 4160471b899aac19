/* The kernels over plain arrays for a level. Included after the level's vec.h. */
#include "simd/level.h"

float KERNEL(dot_f32)(const float *a, const float *b, size_t n)
{
    enum { SUMS = 4 }; /* in flight at once, to hide the latency of the adders */
    vec sum[SUMS];
    size_t i = 0;
    UNROLL
    for (int s = 0; s < SUMS; s++)
        sum[s] = vec_set(0);
    for (; i + SUMS * WIDTH <= n; i += SUMS * WIDTH) {
        UNROLL
        for (int s = 0; s < SUMS; s++)
            sum[s] = vec_fma(vec_load(a + i + s * WIDTH), vec_load(b + i + s * WIDTH), sum[s]);
    }
    for (; i + WIDTH <= n; i += WIDTH)
        sum[0] = vec_fma(vec_load(a + i), vec_load(b + i), sum[0]);
    if (i < n) {
        int rest = (int)(n - i);
        sum[1] = vec_fma(vec_load_part(a + i, rest), vec_load_part(b + i, rest), sum[1]);
    }
    return vec_sum(vec_add(vec_add(sum[0], sum[1]), vec_add(sum[2], sum[3])));
}

void KERNEL(normalize_u8_f32)(float *out, const uint8_t *in, size_t n, float offset, float factor)
{
    const vec offsets = vec_set(offset), factors = vec_set(factor);
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH)
        vec_store(out + i, vec_normalize(in + i, offsets, factors));
    for (; i < n; i++)
        out[i] = ((float)in[i] - offset) * factor;
}
