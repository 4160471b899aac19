/* winograd_f32 for a level. Included after the level's vec.h. The transforms are the transposed
 * matrices of Lavin and Gray. Values come in pairs that share most of their arithmetic; a pass over
 * the tile makes two rows, which stay in registers, where a whole tile would not. */
#include "simd/level.h"
#include "simd/template/store.h"
#include "simd/winograd.h"

/* The values in pair `which` along a side of a tile's inputs: the first and the last; 1 and 2; 3
 * and 4. */
INLINE int in_row(const int tile, const int which, const int i)
{
    return which == 0 ? i * (tile + 1) : 2 * which - 1 + i;
}

INLINE void turn_in(const vec *x, vec pair[2], const int tile, const int which)
{
    if (tile == 2 && which == 0) {
        pair[0] = vec_sub(x[0], x[2]);
        pair[1] = vec_sub(x[1], x[3]);
    } else if (tile == 2) {
        pair[0] = vec_add(x[1], x[2]);
        pair[1] = vec_sub(x[2], x[1]);
    } else if (which == 0) {
        pair[0] = vec_fma(vec_set(4), x[0], vec_fma(vec_set(-5), x[2], x[4]));
        pair[1] = vec_fma(vec_set(4), x[1], vec_fma(vec_set(-5), x[3], x[5]));
    } else if (which == 1) {
        vec even = vec_fma(vec_set(-4), x[2], x[4]), odd = vec_fma(vec_set(-4), x[1], x[3]);
        pair[0] = vec_add(even, odd);
        pair[1] = vec_sub(even, odd);
    } else {
        vec apart = vec_sub(x[4], x[2]), step = vec_sub(x[3], x[1]);
        pair[0] = vec_fma(vec_set(2), step, apart);
        pair[1] = vec_fma(vec_set(-2), step, apart);
    }
}

/* The outputs in pair `which` along a side: 0 and 1 of two; 0 and 2, 1 and 3 of four. */
INLINE int out_row(const int tile, const int which, const int i)
{
    return tile == 2 ? i : which + 2 * i;
}

INLINE void turn_out(const vec *x, vec pair[2], const int tile, const int which)
{
    if (tile == 2) {
        pair[0] = vec_add(x[0], vec_add(x[1], x[2]));
        pair[1] = vec_sub(vec_sub(x[1], x[2]), x[3]);
    } else if (which == 0) {
        vec near = vec_add(x[1], x[2]), far = vec_add(x[3], x[4]);
        pair[0] = vec_add(x[0], vec_add(near, far));
        pair[1] = vec_fma(vec_set(4), far, near);
    } else {
        vec near = vec_sub(x[1], x[2]), far = vec_sub(x[3], x[4]);
        pair[0] = vec_fma(vec_set(2), far, near);
        pair[1] = vec_fma(vec_set(8), far, vec_add(near, x[5]));
    }
}

INLINE void store_lanes(float *p, vec x, int n)
{
    if (n >= WIDTH)
        vec_store(p, x);
    else
        vec_store_part(p, x, n);
}

/* Two rows of a tile's input, `n` channels; n may be above WIDTH. */
INLINE void make_in(const float *const *taps, size_t channel, int n, float *out, size_t pitch,
                    const int tile, const int which)
{
    const int side = tile + 2;
    vec x[WINOGRAD_MOST], rows[2][WINOGRAD_MOST], pair[2];
    UNROLL
    for (int j = 0; j < side; j++) {
        UNROLL
        for (int i = 0; i < side; i++) {
            const float *tap = taps[i * side + j] + channel;
            x[i] = n >= WIDTH ? vec_load(tap) : vec_load_part(tap, n);
        }
        turn_in(x, pair, tile, which);
        rows[0][j] = pair[0];
        rows[1][j] = pair[1];
    }
    UNROLL
    for (int i = 0; i < 2; i++) {
        float *to = out + (size_t)(in_row(tile, which, i) * side) * pitch + channel;
        UNROLL
        for (int k = 0; k <= tile / 2; k++) {
            turn_in(rows[i], pair, tile, k);
            store_lanes(to + (size_t)in_row(tile, k, 0) * pitch, pair[0], n);
            store_lanes(to + (size_t)in_row(tile, k, 1) * pitch, pair[1], n);
        }
    }
}

INLINE void make_all_in(const float *const *taps, int channels, float *out, size_t pitch,
                        const int tile)
{
    int c = 0;
    for (; c + WIDTH <= channels; c += WIDTH) {
        UNROLL
        for (int which = 0; which <= tile / 2; which++)
            make_in(taps, (size_t)c, WIDTH, out, pitch, tile, which);
    }
    if (c == channels)
        return;
    UNROLL
    for (int which = 0; which <= tile / 2; which++)
        make_in(taps, (size_t)c, channels - c, out, pitch, tile, which);
}

static void winograd_in(int tile, const float *const *taps, int channels, float *out, size_t pitch)
{
    if (tile == 2)
        make_all_in(taps, channels, out, pitch, 2);
    else
        make_all_in(taps, channels, out, pitch, 4);
}

/* The output in row i, column j of a tile; `o` and `f` are its first one's. */
INLINE void finish_output(const struct winograd_out *o, struct finish f, vec x, const int i,
                          const int j, int n)
{
    if (j >= o->columns)
        return;
    f.out += (size_t)i * o->out_row + (size_t)j * o->out_column;
    if (f.residual)
        f.residual += (size_t)i * o->residual_row + (size_t)j * o->residual_column;
    finish_store(f, x, n);
}

/* Two rows of one vector of channels of a tile's outputs. */
INLINE void make_out(const struct winograd_out *o, int channel, const int tile, const int which)
{
    const int side = tile + 2, n = o->channels - channel;
    vec x[WINOGRAD_MOST], rows[2][WINOGRAD_MOST], pair[2];
    const vec bias = vec_load(o->bias + channel);
    UNROLL
    for (int j = 0; j < side; j++) {
        UNROLL
        for (int i = 0; i < side; i++)
            x[i] = vec_load(o->sums + (size_t)(i * side + j) * o->pitch + channel);
        turn_out(x, pair, tile, which);
        rows[0][j] = pair[0];
        rows[1][j] = pair[1];
    }
    const struct finish f = {.out = o->out + channel,
                             .residual = o->residual ? o->residual + channel : NULL,
                             .slope = o->slope ? o->slope + channel : NULL,
                             .activation = o->activation};
    UNROLL
    for (int r = 0; r < 2; r++) {
        const int i = out_row(tile, which, r);
        if (i >= o->rows)
            return;
        UNROLL
        for (int k = 0; k < tile / 2; k++) {
            turn_out(rows[r], pair, tile, k);
            finish_output(o, f, vec_add(pair[0], bias), i, out_row(tile, k, 0), n);
            finish_output(o, f, vec_add(pair[1], bias), i, out_row(tile, k, 1), n);
        }
    }
}

INLINE void make_all_out(const struct winograd_out *o, const int tile)
{
    for (int channel = 0; channel < o->channels; channel += WIDTH) {
        UNROLL
        for (int which = 0; which < tile / 2; which++)
            make_out(o, channel, tile, which);
    }
}

static void winograd_out(int tile, const struct winograd_out *o)
{
    if (tile == 2)
        make_all_out(o, 2);
    else
        make_all_out(o, 4);
}

void KERNEL(winograd_f32)(const struct conv *c)
{
    static const struct winograd_shape shape = {&KERNEL(conv_wide), &KERNEL(conv_narrow), WIDTH,
                                                winograd_in, winograd_out};
    winograd_run(c, &shape);
}
