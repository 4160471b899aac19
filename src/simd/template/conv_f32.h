/* conv_f32 for a level. Included after the level's vec.h and these: a tile is TILE_ROWS pixels by
 * TILE_VECTORS vectors of channels, with all its sums in registers; where there is only one vector
 * of channels it is NARROW_ROWS pixels by that vector. EACH_TILE_ROWS(X) is X(1) ... X(TILE_ROWS),
 * EACH_NARROW_ROWS(X) likewise. LEFT_OVER, 2 or 0: see left_over(). */
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

/* To the second cache, the weights that are needed next at this step: a layer's weights come
 * from far away once in each run of the network. */
INLINE void prefetch_next(const struct conv_tile *t, const float *w, const int vectors)
{
    const int panels = (vectors * WIDTH + SIMD_PANEL - 1) / SIMD_PANEL;
    UNROLL
    for (int p = 0; p < panels; p++)
        __builtin_prefetch(w + (size_t)p * t->panel_floats + t->ahead, 0, 2);
}

/* Where a tile has got to: every third row has its own pointer, the others are one or two pitches
 * on.
 */
struct cursor {
    const float *in[(TILE_ROWS > NARROW_ROWS ? TILE_ROWS : NARROW_ROWS) / 3 + 1], *weights;
};

INLINE struct cursor cursor_at(const struct conv_tile *t, const struct conv_segment *segment)
{
    struct cursor at = {.weights = segment->weights + t->weights_offset};
    UNROLL
    for (int i = 0; i < (int)(sizeof at.in / sizeof at.in[0]); i++)
        at.in[i] = segment->in + t->in_offset + (size_t)(3 * i) * t->in_pitch;
    return at;
}

/* The next input value, from row `r`. */
INLINE const float *input_at(const struct conv_tile *t, const struct cursor *at, const int r)
{
    return at->in[r / 3] + (size_t)(r % 3) * t->in_pitch;
}

INLINE void advance(struct cursor *at)
{
    UNROLL
    for (int i = 0; i < (int)(sizeof at->in / sizeof at->in[0]); i++)
        at->in[i]++;
    at->weights += SIMD_PANEL;
}

/* `steps` input values of each row. */
INLINE void add_products(const struct conv_tile *t, struct cursor *at, size_t steps, vec *sum,
                         const int rows, const int vectors)
{
    for (size_t k = 0; k < steps; k++) {
        prefetch_next(t, at->weights, vectors);
        UNROLL
        for (int i = 0; i < rows * vectors; i++) {
            const float *weights = at->weights + weights_at(t, i % vectors);
            sum[i] = vec_fma(vec_set(*input_at(t, at, i / vectors)), vec_load(weights), sum[i]);
        }
        advance(at);
    }
}

/* How many input values of each row are left to end_tile(). A sum that is stored as soon as it is
 * made costs nothing; one that waits for its turn is read from the registers again, and meanwhile
 * the adders wait (on Zen 4, 50 cycles for 28 sums). With one vector a row there are too few sums
 * between two stores to gain from it, and with 16 registers it costs more than it saves. */
INLINE size_t left_over(const int vectors)
{
    return vectors > 1 ? LEFT_OVER : 0;
}

/* The values that are left; then, row by row, activation and store. */
INLINE void end_tile(const struct conv_tile *t, const struct cursor *at, const vec *sum,
                     const int rows, const int vectors, const enum activation activation)
{
    const size_t out_pitch = t->out_pitch, in_pitch = t->in_pitch; /* a store might change t's */
    const float *slope = t->slope, *weights[ROW_VECTORS];
    float *out = t->out;
    UNROLL
    for (int v = 0; v < vectors; v++)
        weights[v] = at->weights + weights_at(t, v);
    UNROLL
    for (int k = 0; k < (int)left_over(vectors); k++)
        prefetch_next(t, at->weights + k * SIMD_PANEL, vectors);
    UNROLL
    for (int r = 0; r < rows; r++, out += out_pitch) {
        const float *in = at->in[r / 3] + (size_t)(r % 3) * in_pitch;
        vec next = vec_set(0), last = next;
        if (left_over(vectors)) {
            next = vec_set(in[0]);
            last = vec_set(in[1]);
        }
        UNROLL
        for (int v = 0; v < vectors; v++) {
            vec x = sum[r * vectors + v];
            if (left_over(vectors)) {
                x = vec_fma(next, vec_load(weights[v]), x);
                x = vec_fma(last, vec_load(weights[v] + SIMD_PANEL), x);
            }
            vec_store(out + v * WIDTH, activate(x, activation, slope + v * WIDTH));
        }
    }
}

INLINE void end_part(const struct conv_tile *t, const vec *sum, const int rows, const int vectors)
{
    float sums[MOST_SUMS * WIDTH];
    UNROLL
    for (int i = 0; i < rows * vectors; i++)
        vec_store(sums + i * WIDTH, sum[i]);
    store_part(t, sums, vectors);
}

INLINE void make_tile(const struct conv_tile *t, const int rows, const int vectors)
{
    const size_t left = left_over(vectors);
    const int whole = t->segment_count > 0 && t->length >= left && t->channels >= vectors * WIDTH;
    vec sum[MOST_SUMS];
    struct cursor at = {0};
    start_sums(t, sum, rows, vectors);
    for (size_t s = 0; s < t->segment_count; s++) {
        const int is_last = s + 1 == t->segment_count;
        at = cursor_at(t, &t->segments[s]);
        add_products(t, &at, t->length - (whole && is_last ? left : 0), sum, rows, vectors);
    }
    if (!whole)
        end_part(t, sum, rows, vectors);
    else if (t->activation == ACTIVATION_PRELU)
        end_tile(t, &at, sum, rows, vectors, ACTIVATION_PRELU);
    else if (t->activation == ACTIVATION_RELU)
        end_tile(t, &at, sum, rows, vectors, ACTIVATION_RELU);
    else
        end_tile(t, &at, sum, rows, vectors, ACTIVATION_NONE);
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
