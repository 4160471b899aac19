#define SIMD_SUFFIX c
#include "simd/level.h"
#include "simd/product.h"

#include <math.h>

static float round_pixel(int16_t *to, const float *in, size_t depth)
{
    float largest = 0;
    for (size_t i = 0; i < depth; i++)
        largest = fabsf(in[i]) > largest ? fabsf(in[i]) : largest;
    const int is_zero = largest < PRODUCT_LEAST;
    const float factor = is_zero ? 0 : PRODUCT_MOST / largest;
    for (size_t i = 0; i < depth; i++)
        to[i] = (int16_t)lrintf(in[i] * factor);
    return is_zero ? 0 : largest / PRODUCT_MOST;
}

/* One channel of one pixel. `weights` go on by a panel's row for each pair of inputs. */
static float sum_products(const int16_t *in, const int16_t *weights, size_t depth)
{
    float sum = 0;
    for (size_t i = 0; i < depth; i += PRODUCT_CHUNK) {
        uint32_t chunk = 0; /* weights that simd_pack_product() did not make may overflow */
        for (size_t k = i; k < i + PRODUCT_CHUNK; k++)
            chunk += (uint32_t)(in[k] * weights[k / 2 * 2 * SIMD_PANEL + k % 2]);
        sum += (float)(int32_t)chunk;
    }
    return sum;
}

static void make_tile(const struct product_tile *t)
{
    for (size_t r = 0; r < (size_t)t->rows; r++)
        for (size_t o = 0; o < PRODUCT_PANELS * SIMD_PANEL; o++) {
            const int16_t *weights =
                t->weights + o / SIMD_PANEL * SIMD_PANEL * t->depth + o % SIMD_PANEL * 2;
            float x = sum_products(t->in + r * t->depth, weights, t->depth);
            x = x * (t->steps[r] * t->scales[o]) + t->bias[o];
            if (t->residual)
                x += t->residual[r * t->residual_pitch + o];
            if (x < 0 && t->activation == ACTIVATION_RELU)
                x = 0;
            if (x < 0 && t->activation == ACTIVATION_PRELU)
                x *= t->slope[o];
            t->out[r * t->out_pitch + o] = x;
        }
}

void product_i16_c(const struct conv *c)
{
    static const struct product_shape shape = {8, round_pixel, make_tile};
    product_run(c, &shape);
}
