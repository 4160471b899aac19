#define SIMD_SUFFIX vnni
#include "simd/avx512/vec.h"
#include "simd/level.h"
#include "simd/product.h"

#include <string.h>

/* 14 sums as floats and 14 as integers, 2 vectors of weights and 1 pair of inputs fill 31 of the 32
 * registers. What turns the integers into floats and adds them runs beside the multiplications, in
 * other units, and takes no time. */
enum { ROWS = 7, VECTORS = PRODUCT_PANELS, CHUNK_STEPS = PRODUCT_CHUNK / 2, STEP = 2 * SIMD_PANEL };
_Static_assert((int)WIDTH == (int)SIMD_PANEL, "a vector is a panel's row");

static float round_pixel(int16_t *to, const float *in, size_t depth)
{
    enum { MAX_OF_ABSOLUTES = 0xb };
    __m512 most = _mm512_setzero_ps();
    for (size_t i = 0; i < depth; i += WIDTH)
        most = _mm512_range_ps(most, _mm512_loadu_ps(in + i), MAX_OF_ABSOLUTES);
    const float largest = _mm512_reduce_max_ps(most);
    const int is_zero = largest < PRODUCT_LEAST;
    const __m512 factor = _mm512_set1_ps(is_zero ? 0 : PRODUCT_MOST / largest);
    for (size_t i = 0; i < depth; i += WIDTH) {
        __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(in + i), factor);
        __m256i factors = _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(scaled));
        _mm256_storeu_si256((__m256i *)(void *)(to + i), factors);
    }
    return is_zero ? 0 : largest / PRODUCT_MOST;
}

/* From _mm512_dpwssd_epi32() gcc 12 and clang 14 make half this speed: the sums leave their
 * registers. */
INLINE __m512i add_pairs(__m512i sum, __m512i a, __m512i b)
{
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

INLINE __m512i pair_at(const int16_t *in)
{
    int32_t pair;
    memcpy(&pair, in, sizeof pair);
    return _mm512_set1_epi32(pair);
}

/* The sums of a tile. Every third pixel has its own pointer, the others are one or two on. */
INLINE void add_products(const struct product_tile *t, __m512 *sum, const int rows)
{
    const size_t pitch = t->depth, panel = SIMD_PANEL * t->depth;
    const int16_t *weights = t->weights, *in[ROWS / 3 + 1];
    UNROLL
    for (int i = 0; i < ROWS / 3 + 1; i++)
        in[i] = t->in + (size_t)(3 * i) * pitch;
    for (size_t k = 0; k < t->depth; k += PRODUCT_CHUNK) {
        __m512i chunk[ROWS * VECTORS];
        UNROLL
        for (int step = 0; step < CHUNK_STEPS; step++, weights += STEP) {
            __m512i w[VECTORS];
            UNROLL
            for (int v = 0; v < VECTORS; v++) {
                const int16_t *from = weights + (size_t)v * panel;
                __builtin_prefetch(from + VECTORS * panel, 0,
                                   2); /* the next tile's, as in conv_f32 */
                w[v] = _mm512_loadu_si512(from);
            }
            UNROLL
            for (int r = 0; r < rows; r++) {
                const __m512i pair = pair_at(in[r / 3] + (size_t)(r % 3) * pitch + 2 * step);
                UNROLL
                for (int v = 0; v < VECTORS; v++) {
                    __m512i *at = &chunk[r * VECTORS + v];
                    *at = step ? add_pairs(*at, w[v], pair) : _mm512_madd_epi16(w[v], pair);
                }
            }
        }
        UNROLL
        for (int i = 0; i < ROWS / 3 + 1; i++)
            in[i] += PRODUCT_CHUNK;
        UNROLL
        for (int i = 0; i < rows * VECTORS; i++)
            sum[i] = _mm512_add_ps(sum[i], _mm512_cvtepi32_ps(chunk[i]));
    }
}

INLINE void make_tile(const struct product_tile *t, const int rows,
                      const enum activation activation)
{
    __m512 sum[ROWS * VECTORS];
    UNROLL
    for (int i = 0; i < rows * VECTORS; i++)
        sum[i] = _mm512_setzero_ps();
    add_products(t, sum, rows);
    const size_t out_pitch = t->out_pitch, residual_pitch = t->residual_pitch;
    const float *residual = t->residual, *steps = t->steps, *slope = t->slope;
    float *out = t->out;
    UNROLL
    for (int i = 0; i < rows * VECTORS; i++) {
        const size_t r = (size_t)(i / VECTORS), o = (size_t)(i % VECTORS * WIDTH);
        const vec scale = _mm512_mul_ps(vec_set(steps[r]), vec_load(t->scales + o));
        vec x = vec_add(_mm512_mul_ps(sum[i], scale), vec_load(t->bias + o));
        if (residual)
            x = vec_add(x, vec_load(residual + r * residual_pitch + o));
        if (activation == ACTIVATION_RELU)
            x = vec_relu(x);
        if (activation == ACTIVATION_PRELU)
            x = vec_prelu(x, vec_load(slope + o));
        vec_store(out + r * out_pitch + o, x);
    }
}

#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define X(rows)                                                                                    \
    static void make_tile_##rows(const struct product_tile *t)                                     \
    {                                                                                              \
        if (t->activation == ACTIVATION_PRELU)                                                     \
            make_tile(t, rows, ACTIVATION_PRELU);                                                  \
        else if (t->activation == ACTIVATION_RELU)                                                 \
            make_tile(t, rows, ACTIVATION_RELU);                                                   \
        else                                                                                       \
            make_tile(t, rows, ACTIVATION_NONE);                                                   \
    }
EACH_ROWS(X)
#undef X

static void make_any_tile(const struct product_tile *t)
{
#define X(rows) [rows] = make_tile_##rows,
    static void (*const by_rows[ROWS + 1])(const struct product_tile *) = {EACH_ROWS(X)};
#undef X
    by_rows[t->rows](t);
}

void product_i16_vnni(const struct conv *c)
{
    static const struct product_shape shape = {ROWS, round_pixel, make_any_tile};
    product_run(c, &shape);
}
