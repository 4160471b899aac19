#include "simd/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

static size_t panels(int channels)
{
    return ((size_t)channels + SIMD_PANEL - 1) / SIMD_PANEL;
}

size_t simd_packed_floats(int out_channels, int in_channels, int kernel_height, int kernel_width)
{
    return panels(out_channels) * SIMD_PANEL * (size_t)in_channels * (size_t)kernel_height *
           (size_t)kernel_width;
}

void simd_pack_conv(float *packed, const float *weights, int out_channels, int in_channels,
                    int kernel_height, int kernel_width)
{
    size_t inputs = (size_t)in_channels;
    size_t taps = (size_t)kernel_height * (size_t)kernel_width, depth = taps * inputs;
    memset(packed, 0, panels(out_channels) * SIMD_PANEL * depth * sizeof *packed);
    for (size_t out = 0; out < (size_t)out_channels; out++) {
        float *panel = packed + out / SIMD_PANEL * SIMD_PANEL * depth + out % SIMD_PANEL;
        for (size_t in = 0; in < inputs; in++)
            for (size_t tap = 0; tap < taps; tap++) {
                float w = weights[(out * inputs + in) * taps + tap];
                panel[(tap * inputs + in) * SIMD_PANEL] = fabsf(w) < FLT_MIN ? 0.0f : w;
            }
    }
}
