/* Kernels over plain arrays. */
#define SIMD_SUFFIX c
#include "simd/template/exp.h"

float dot_f32_c(const float *a, const float *b, size_t n)
{
    float sum[4] = {0}, rest = 0.0f;
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        rest += a[i] * b[i];
    return (sum[0] + sum[2]) + (sum[1] + sum[3]) + rest;
}

void normalize_u8_f32_c(float *out, const uint8_t *in, size_t n, float offset, float factor)
{
    for (size_t i = 0; i < n; i++)
        out[i] = ((float)in[i] - offset) * factor;
}
