#define SIMD_SUFFIX c
#include "simd/level.h"
#include "simd/winograd.h"

/* The matrices as they are written. */
static const float in_two[4][6] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}};
static const float in_four[6][6] = {{4, 0, -5, 0, 1, 0},  {0, -4, -4, 1, 1, 0},
                                    {0, 4, -4, -1, 1, 0}, {0, -2, -1, 2, 1, 0},
                                    {0, 2, -1, -2, 1, 0}, {0, 4, 0, -5, 0, 1}};
static const float out_two[2][6] = {{1, 1, 1, 0}, {0, 1, -1, -1}};
static const float out_four[4][6] = {
    {1, 1, 1, 1, 1, 0}, {0, 1, -1, 2, -2, 0}, {0, 1, 1, 4, 4, 0}, {0, 1, -1, 8, -8, 1}};

/* `rows` x `rows` values: m * x * m transposed, m of `rows` x `side`. */
static void turn(const float (*m)[6], int rows, int side, const float *x, float *turned)
{
    float half[WINOGRAD_MOST][WINOGRAD_MOST] = {{0}};
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < side; j++)
            for (int k = 0; k < side; k++)
                half[i][j] += m[i][k] * x[k * side + j];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++) {
            turned[i * rows + j] = 0;
            for (int k = 0; k < side; k++)
                turned[i * rows + j] += half[i][k] * m[j][k];
        }
}

/* Each input channel of the tile at y, x into the scratch: [channel][place]. */
static void turn_inputs(const struct conv *c, int y, int x)
{
    static const float zero = 0;
    const int side = winograd_side(c->winograd), all = side * side;
    const float *taps[WINOGRAD_MOST * WINOGRAD_MOST];
    winograd_taps(c, y, x, &zero, taps);
    for (int i = 0; i < c->in_channels; i++) {
        float values[WINOGRAD_MOST * WINOGRAD_MOST];
        for (int p = 0; p < all; p++)
            values[p] = taps[p] == &zero ? 0 : taps[p][i];
        turn(c->winograd == 2 ? in_two : in_four, side, side, values,
             c->scratch + (size_t)i * (size_t)all);
    }
}

static float activate(const struct conv *c, float x, int channel)
{
    if (x >= 0 || c->activation == ACTIVATION_NONE)
        return x;
    return c->activation == ACTIVATION_PRELU ? x * c->slope[channel] : 0.0f;
}

static void make_channel(const struct conv *c, int y, int x, int channel)
{
    const int tile = c->winograd, side = winograd_side(tile), all = side * side;
    const size_t ins = (size_t)c->in_channels;
    const float *weights = c->weights +
                           (size_t)(channel / SIMD_PANEL) * (size_t)all * ins * SIMD_PANEL +
                           channel % SIMD_PANEL;
    float sums[WINOGRAD_MOST * WINOGRAD_MOST] = {0}, out[4 * 4];
    for (size_t p = 0; p < (size_t)all; p++)
        for (size_t i = 0; i < ins; i++)
            sums[p] += c->scratch[i * (size_t)all + p] * weights[(p * ins + i) * SIMD_PANEL];
    turn(tile == 2 ? out_two : out_four, tile, side, sums, out);
    for (int i = 0; i < tile * tile; i++) {
        int to_y = y + i / tile * c->dilation_y, to_x = x + i % tile * c->dilation_x;
        if (to_y >= c->row_end || to_x >= c->out_width)
            continue;
        size_t pixel = (size_t)to_y * (size_t)c->out_width + (size_t)to_x;
        float sum = out[i] + c->bias[channel];
        if (c->residual)
            sum += c->residual[pixel * (size_t)c->residual_stride + (size_t)channel];
        c->out[pixel * (size_t)c->out_stride + (size_t)channel] = activate(c, sum, channel);
    }
}

void winograd_f32_c(const struct conv *c)
{
    for (int y = c->row_begin; y < c->row_end;
         y = winograd_next(c->winograd, c->dilation_y, c->row_begin, c->row_end, y))
        for (int x = 0; x < c->out_width;
             x = winograd_next(c->winograd, c->dilation_x, 0, c->out_width, x)) {
            turn_inputs(c, y, x);
            for (int channel = 0; channel < c->out_channels; channel++)
                make_channel(c, y, x, channel);
        }
}
