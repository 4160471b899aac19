/* conv_f32 for a level. Included after the level's vec.h and TILE_ROWS, TILE_VECTORS: a tile is so
 * many pixels by so many vectors of channels, with all its sums in registers; EACH_TILE_ROWS(X) is
 * X(1) ... X(TILE_ROWS). */
#include "simd/conv.h"
#include "simd/level.h"
#include "simd/template/store.h"

enum {
    ROW_VECTORS = 8, /* of a tile of one pixel: enough sums to keep the adders busy */
    TILE_PANELS = TILE_VECTORS * WIDTH / SIMD_PANEL,
    ROW_PANELS = ROW_VECTORS * WIDTH / SIMD_PANEL,
};

/* Where vector `v` of a tile starts in a row of weights. */
INLINE size_t weights_at(const struct conv_tile *t, int v)
{
    return (size_t)(v * WIDTH / SIMD_PANEL) * t->panel_floats + (size_t)(v * WIDTH % SIMD_PANEL);
}

INLINE void store_pixel(const struct conv_tile *t, const vec *sum, int row, const int vectors)
{
    struct finish f = {.activation = t->activation};
    UNROLL
    for (int v = 0; v < vectors; v++) {
        if (t->channels <= v * WIDTH)
            return;
        f.out = t->out + (size_t)row * t->out_pitch + v * WIDTH;
        f.residual = t->residual ? t->residual + (size_t)row * t->residual_pitch + v * WIDTH : NULL;
        f.slope = t->slope ? t->slope + v * WIDTH : NULL;
        finish_store(f, sum[v], t->channels - v * WIDTH);
    }
}

INLINE void make_tile(const struct conv_tile *t, const int rows, const int vectors)
{
    vec sum[TILE_ROWS * TILE_VECTORS + ROW_VECTORS];
    UNROLL
    for (int i = 0; i < rows * vectors; i++)
        sum[i] = vec_load(t->bias + i % vectors * WIDTH);
    for (size_t s = 0; s < t->segment_count; s++) {
        /* Every third row has its own pointer: the others are one or two pitches on. */
        const size_t pitch = t->in_pitch;
        const float *in0 = t->segments[s].in + t->in_offset, *in3 = in0 + 3 * pitch,
                    *in6 = in3 + 3 * pitch, *in9 = in6 + 3 * pitch, *in12 = in9 + 3 * pitch;
        const float *w = t->segments[s].weights + t->weights_offset;
        for (size_t k = 0; k < t->length; k++) {
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
    UNROLL
    for (int r = 0; r < rows; r++)
        store_pixel(t, sum + r * vectors, r, vectors);
}

INLINE void make_rows(const struct conv_tile *t, const int rows)
{
    if (t->channels <= WIDTH)
        make_tile(t, rows, 1);
    else
        make_tile(t, rows, TILE_VECTORS);
}

#define X(rows)                                                                                    \
    static void make_rows_##rows(const struct conv_tile *t)                                        \
    {                                                                                              \
        make_rows(t, rows);                                                                        \
    }
EACH_TILE_ROWS(X)
#undef X

static void make_any_tile(const struct conv_tile *t)
{
#define X(rows) [rows] = make_rows_##rows,
    static void (*const by_rows[TILE_ROWS + 1])(const struct conv_tile *) = {EACH_TILE_ROWS(X)};
#undef X
    if (t->panels > TILE_PANELS)
        make_tile(t, 1, ROW_VECTORS);
    else
        by_rows[t->rows](t);
}

void KERNEL(conv_f32)(const struct conv *c)
{
    static const struct conv_shape shape = {TILE_ROWS, TILE_PANELS, ROW_PANELS, make_any_tile};
    conv_run(c, &shape);
}
