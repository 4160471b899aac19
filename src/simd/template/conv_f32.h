/* conv_f32 for a level. Included after the level's vec.h and these: a tile is TILE_ROWS pixels by
 * TILE_VECTORS vectors of channels, with all its sums in registers; where there is only one vector
 * of channels it is NARROW_ROWS pixels by that vector. EACH_TILE_ROWS(X) is X(1) ... X(TILE_ROWS),
 * EACH_NARROW_ROWS(X) likewise. */
#include "simd/conv.h"
#include "simd/level.h"

#define EACH_1_TO_6(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define EACH_1_TO_12(X) EACH_1_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12)
#define EACH_1_TO_14(X) EACH_1_TO_12(X) X(13) X(14)

enum {
    ROW_VECTORS = 8, /* of a tile of one pixel: enough sums to keep the adders busy */
    TILE_PANELS = TILE_VECTORS * WIDTH / SIMD_PANEL,
    ROW_PANELS = ROW_VECTORS * WIDTH / SIMD_PANEL,
    MOST_SUMS = TILE_ROWS * TILE_VECTORS > NARROW_ROWS ? TILE_ROWS *TILE_VECTORS : NARROW_ROWS,
};

/* Where vector `v` of a tile starts in a row of weights. */
INLINE size_t weights_at(const struct conv_tile *t, int v)
{
    return (size_t)(v * WIDTH / SIMD_PANEL) * t->panel_floats + (size_t)(v * WIDTH % SIMD_PANEL);
}

/* Bias, and residual where there is one: the sums of a tile start with them. */
INLINE void start_sums(const struct conv_tile *t, vec *sum, const int rows, const int vectors)
{
    UNROLL
    for (int i = 0; i < rows * vectors; i++)
        sum[i] = vec_load(t->bias + i % vectors * WIDTH);
    if (!t->residual)
        return;
    const size_t pitch = t->residual_pitch;
    UNROLL
    for (int i = 0; i < rows * vectors; i++) {
        const float *residual = t->residual + (size_t)(i / vectors) * pitch + i % vectors * WIDTH;
        const int left = t->channels - i % vectors * WIDTH;
        if (left >= WIDTH)
            sum[i] = vec_add(sum[i], vec_load(residual));
        else if (left > 0)
            sum[i] = vec_add(sum[i], vec_load_part(residual, left));
    }
}

INLINE vec activate(vec x, const enum activation activation, const float *slope)
{
    if (activation == ACTIVATION_RELU)
        return vec_relu(x);
    return activation == ACTIVATION_PRELU ? vec_prelu(x, vec_load(slope)) : x;
}

/* A tile whose channels all exist. */
INLINE void store_sums(const struct conv_tile *t, const vec *sum, const int rows, const int vectors,
                       const enum activation activation)
{
    const float *slope = t->slope;
    const size_t pitch = t->out_pitch;
    float *out = t->out;
    UNROLL
    for (int i = 0; i < rows * vectors; i++) {
        const int channel = i % vectors * WIDTH;
        vec_store(out + (size_t)(i / vectors) * pitch + channel,
                  activate(sum[i], activation, slope + channel));
    }
}

/* A tile that has fewer channels than its vectors. */
static __attribute__((noinline)) void store_part(const struct conv_tile *t, const float *sums,
                                                 int vectors)
{
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < vectors; v++) {
            const int channel = v * WIDTH, left = t->channels - channel;
            vec x = vec_load(sums + (r * vectors + v) * WIDTH);
            float *out = t->out + (size_t)r * t->out_pitch + channel;
            if (left > 0)
                x = activate(x, t->activation, t->slope ? t->slope + channel : NULL);
            if (left >= WIDTH)
                vec_store(out, x);
            else if (left > 0)
                vec_store_part(out, x, left);
        }
}

INLINE void finish_tile(const struct conv_tile *t, const vec *sum, const int rows,
                        const int vectors)
{
    if (t->channels < vectors * WIDTH) {
        float sums[MOST_SUMS * WIDTH];
        UNROLL
        for (int i = 0; i < rows * vectors; i++)
            vec_store(sums + i * WIDTH, sum[i]);
        store_part(t, sums, vectors);
    } else if (t->activation == ACTIVATION_PRELU)
        store_sums(t, sum, rows, vectors, ACTIVATION_PRELU);
    else if (t->activation == ACTIVATION_RELU)
        store_sums(t, sum, rows, vectors, ACTIVATION_RELU);
    else
        store_sums(t, sum, rows, vectors, ACTIVATION_NONE);
}

/* To the second cache, the weights that are needed next at this step: a layer's weights come
 * from far away once in each run of the network. */
INLINE void prefetch_next(const struct conv_tile *t, const float *w, const int vectors)
{
    const int panels = (vectors * WIDTH + SIMD_PANEL - 1) / SIMD_PANEL;
    UNROLL
    for (int p = 0; p < panels; p++)
        __builtin_prefetch(w + (size_t)p * t->panel_floats + t->ahead, 0, 2);
}

INLINE void make_tile(const struct conv_tile *t, const int rows, const int vectors)
{
    vec sum[MOST_SUMS];
    start_sums(t, sum, rows, vectors);
    for (size_t s = 0; s < t->segment_count; s++) {
        /* Every third row has its own pointer: the others are one or two pitches on. */
        const size_t pitch = t->in_pitch;
        const float *in0 = t->segments[s].in + t->in_offset, *in3 = in0 + 3 * pitch,
                    *in6 = in3 + 3 * pitch, *in9 = in6 + 3 * pitch, *in12 = in9 + 3 * pitch;
        const float *w = t->segments[s].weights + t->weights_offset;
        for (size_t k = 0; k < t->length; k++) {
            prefetch_next(t, w, vectors);
            UNROLL
            for (int i = 0; i < rows * vectors; i++) {
                const int r = i / vectors, v = i % vectors;
                const float *in = r < 3 ? in0 : r < 6 ? in3 : r < 9 ? in6 : r < 12 ? in9 : in12;
                sum[i] = vec_fma(vec_set(in[(size_t)(r % 3) * pitch]),
                                 vec_load(w + weights_at(t, v)), sum[i]);
            }
            w += SIMD_PANEL;
            in0++, in3++, in6++, in9++, in12++;
        }
    }
    finish_tile(t, sum, rows, vectors);
}

/* The last panel of a layer may have one vector of channels only. */
INLINE void make_wide(const struct conv_tile *t, const int rows)
{
    if (t->channels <= WIDTH)
        make_tile(t, rows, 1);
    else
        make_tile(t, rows, TILE_VECTORS);
}

#define X(rows)                                                                                    \
    static void make_wide_##rows(const struct conv_tile *t)                                        \
    {                                                                                              \
        make_wide(t, rows);                                                                        \
    }
EACH_TILE_ROWS(X)
#undef X

#define X(rows)                                                                                    \
    static void make_narrow_##rows(const struct conv_tile *t)                                      \
    {                                                                                              \
        make_tile(t, rows, 1);                                                                     \
    }
EACH_NARROW_ROWS(X)
#undef X

static void make_wide_tile(const struct conv_tile *t)
{
#define X(rows) [rows] = make_wide_##rows,
    static void (*const by_rows[TILE_ROWS + 1])(const struct conv_tile *) = {EACH_TILE_ROWS(X)};
#undef X
    if (t->panels > TILE_PANELS)
        make_tile(t, 1, ROW_VECTORS);
    else
        by_rows[t->rows](t);
}

static void make_narrow_tile(const struct conv_tile *t)
{
#define X(rows) [rows] = make_narrow_##rows,
    static void (*const by_rows[NARROW_ROWS + 1])(const struct conv_tile *) = {EACH_NARROW_ROWS(X)};
#undef X
    by_rows[t->rows](t);
}

const struct conv_shape KERNEL(conv_wide) = {TILE_ROWS, TILE_PANELS, ROW_PANELS, make_wide_tile};
const struct conv_shape KERNEL(conv_narrow) = {NARROW_ROWS, 1, 1, make_narrow_tile};

static void run_conv(const struct conv *c)
{
    conv_run(c, c->out_channels <= WIDTH ? &KERNEL(conv_narrow) : &KERNEL(conv_wide));
}
