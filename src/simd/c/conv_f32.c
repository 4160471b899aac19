#define SIMD_SUFFIX c
#include "simd/level.h"

static float activate(const struct conv *c, float x, int channel)
{
    if (x >= 0 || c->activation == ACTIVATION_NONE)
        return x;
    return c->activation == ACTIVATION_PRELU ? x * c->slope[channel] : 0.0f;
}

/* sum += the products of one pixel with its rows of a panel. */
static void add_pixel(float sum[SIMD_PANEL], const float *pixel, const float *panel, int channels)
{
    for (int i = 0; i < channels; i++, panel += SIMD_PANEL)
        for (int j = 0; j < SIMD_PANEL; j++)
            sum[j] += pixel[i] * panel[j];
}

static void convolve(const struct conv *c, float sum[SIMD_PANEL], const float *panel, int y, int x)
{
    for (int ky = 0; ky < c->kernel_height; ky++) {
        int in_y = y * c->stride_y - c->pad_top + ky * c->dilation_y;
        if (in_y < 0 || in_y >= c->in_height)
            continue;
        for (int kx = 0; kx < c->kernel_width; kx++) {
            int in_x = x * c->stride_x - c->pad_left + kx * c->dilation_x;
            if (in_x < 0 || in_x >= c->in_width)
                continue;
            size_t pixel = (size_t)in_y * (size_t)c->in_width + (size_t)in_x;
            size_t tap = (size_t)ky * (size_t)c->kernel_width + (size_t)kx;
            add_pixel(sum, c->in + pixel * (size_t)c->in_stride,
                      panel + tap * (size_t)c->in_channels * SIMD_PANEL, c->in_channels);
        }
    }
}

/* Channels `first`.. of the output pixel at y, x. */
static void make_panel(const struct conv *c, const float *panel, int first, int y, int x)
{
    size_t pixel = (size_t)y * (size_t)c->out_width + (size_t)x;
    float *out = c->out + pixel * (size_t)c->out_stride + first;
    const float *residual =
        c->residual ? c->residual + pixel * (size_t)c->residual_stride + first : NULL;
    float sum[SIMD_PANEL];
    for (int j = 0; j < SIMD_PANEL; j++)
        sum[j] = c->bias[first + j];
    convolve(c, sum, panel, y, x);
    for (int j = 0; j < SIMD_PANEL && first + j < c->out_channels; j++)
        out[j] = activate(c, sum[j] + (residual ? residual[j] : 0.0f), first + j);
}

void conv_f32_c(const struct conv *c)
{
    size_t panel_floats =
        simd_packed_floats(SIMD_PANEL, c->in_channels, c->kernel_height, c->kernel_width);
    for (int y = c->row_begin; y < c->row_end; y++)
        for (int x = 0; x < c->out_width; x++) {
            const float *panel = c->weights;
            for (int first = 0; first < c->out_channels; first += SIMD_PANEL) {
                make_panel(c, panel, first, y, x);
                panel += panel_floats;
            }
        }
}
