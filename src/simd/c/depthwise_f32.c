#define SIMD_SUFFIX c
#include "simd/level.h"

static void add_tap(const struct conv *c, float *out, const float *weights, int in_y, int in_x)
{
    if (in_y < 0 || in_y >= c->in_height || in_x < 0 || in_x >= c->in_width)
        return;
    size_t pixel = (size_t)in_y * (size_t)c->in_width + (size_t)in_x;
    const float *in = c->in + pixel * (size_t)c->in_stride;
    for (int i = 0; i < c->out_channels; i++)
        out[i] += in[i] * weights[i];
}

static void finish_pixel(const struct conv *c, float *out, const float *residual)
{
    if (residual)
        for (int i = 0; i < c->out_channels; i++)
            out[i] += residual[i];
    if (c->activation == ACTIVATION_RELU)
        for (int i = 0; i < c->out_channels; i++)
            out[i] = out[i] < 0 ? 0.0f : out[i];
    if (c->activation == ACTIVATION_PRELU)
        for (int i = 0; i < c->out_channels; i++)
            out[i] = out[i] < 0 ? out[i] * c->slope[i] : out[i];
}

static void make_pixel(const struct conv *c, int y, int x)
{
    size_t pixel = (size_t)y * (size_t)c->out_width + (size_t)x;
    float *out = c->out + pixel * (size_t)c->out_stride;
    const float *weights = c->weights;
    for (int i = 0; i < c->out_channels; i++)
        out[i] = c->bias[i];
    for (int ky = 0; ky < c->kernel_height; ky++)
        for (int kx = 0; kx < c->kernel_width; kx++) {
            add_tap(c, out, weights, y * c->stride_y - c->pad_top + ky * c->dilation_y,
                    x * c->stride_x - c->pad_left + kx * c->dilation_x);
            weights += c->out_channels;
        }
    finish_pixel(c, out, c->residual ? c->residual + pixel * (size_t)c->residual_stride : NULL);
}

void depthwise_f32_c(const struct conv *c)
{
    for (int y = c->row_begin; y < c->row_end; y++)
        for (int x = 0; x < c->out_width; x++)
            make_pixel(c, y, x);
}
