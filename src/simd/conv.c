#include "simd/kernels.h"

/* Columns of input, padding included, that one row of output reads. */
static size_t padded_width(const struct conv *c)
{
    return ((size_t)c->out_width - 1) * (size_t)c->stride_x +
           ((size_t)c->kernel_width - 1) * (size_t)c->dilation_x + 1;
}

size_t simd_conv_scratch_bytes(const struct conv *c)
{
    size_t band = (size_t)c->kernel_height * padded_width(c) * (size_t)c->in_channels;
    return (band + SIMD_PANEL) * sizeof(float);
}
