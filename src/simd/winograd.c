#include "simd/winograd.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK_FLOATS = 98304, /* 384 KiB, in the second cache, for the transforms of a block of tiles */
    FEWEST_TILES = 8,     /* of a block: fewer would read the weights too often */
    GROUP = 2,            /* panels whose sums are there at once, at most */
    ZEROS = 256,          /* at least so many: a tile of one pixel reads 8 vectors of bias */
};

/* Where a tile's first output is. */
struct place {
    int y, x;
};

struct run {
    const struct conv *c;
    const struct winograd_shape *shape;
    const struct conv_shape *product;
    float *zeros, *in, *sums; /* in: [side^2][tiles][in channels]; sums: [side^2][tiles][GROUP] */
    struct place *places;
    size_t tiles, in_pitch, sums_pitch; /* tiles: of a block, at most; pitches: place to place */
};

/* To an odd number of cache lines: places at equal distance then fall into different sets. */
static size_t odd_lines(size_t floats)
{
    size_t lines = (floats + 15) / 16;
    return (lines | 1) * 16;
}

static size_t zeros_floats(const struct conv *c)
{
    size_t channels = (size_t)c->in_channels;
    return ((channels > ZEROS ? channels : ZEROS) + 15) / 16 * 16;
}

static size_t places(const struct conv *c)
{
    size_t side = (size_t)winograd_side(c->winograd);
    return side * side;
}

/* An upper limit of the tiles along one side. */
static size_t most_tiles(int size, int dilation, int tile)
{
    size_t each = ((size_t)size + (size_t)dilation - 1) / (size_t)dilation;
    return (each + (size_t)tile - 1) / (size_t)tile * (size_t)dilation;
}

static size_t block_tiles(const struct conv *c)
{
    size_t all = most_tiles(c->out_height, c->dilation_y, c->winograd) *
                 most_tiles(c->out_width, c->dilation_x, c->winograd);
    size_t tiles = BLOCK_FLOATS / places(c) / ((size_t)c->in_channels + GROUP * SIMD_PANEL);
    tiles = tiles < FEWEST_TILES ? FEWEST_TILES : tiles;
    return tiles < all ? tiles : all;
}

static size_t places_floats(size_t tiles)
{
    return (tiles * sizeof(struct place) / sizeof(float) + 15) / 16 * 16;
}

size_t winograd_scratch_bytes(const struct conv *c)
{
    size_t tiles = block_tiles(c);
    size_t floats = places(c) * (odd_lines(tiles * (size_t)c->in_channels) +
                                 odd_lines(tiles * GROUP * SIMD_PANEL));
    return (zeros_floats(c) + places_floats(tiles) + floats) * sizeof(float);
}

int winograd_next(int tile, int dilation, int begin, int end, int at)
{
    int phase = (at - begin) % dilation;
    if (at + tile * dilation < end)
        return at + tile * dilation;
    return phase + 1 < dilation && begin + phase + 1 < end ? begin + phase + 1 : end;
}

void winograd_taps(const struct conv *c, int y, int x, const float *zeros, const float **taps)
{
    const int side = winograd_side(c->winograd);
    const int top = y - c->pad_top, left = x - c->pad_left;
    const ptrdiff_t pixel = c->in_stride, width = c->in_width, step = pixel * c->dilation_x;
    if (top >= 0 && left >= 0 && top + (side - 1) * c->dilation_y < c->in_height &&
        left + (side - 1) * c->dilation_x < c->in_width) { /* no padding */
        const float *row = c->in + (top * width + left) * pixel;
        for (int i = 0; i < side; i++, row += c->dilation_y * width * pixel)
            for (int j = 0; j < side; j++)
                *taps++ = row + j * step;
        return;
    }
    for (int i = 0; i < side; i++) {
        int in_y = top + i * c->dilation_y, inside = in_y >= 0 && in_y < c->in_height;
        const float *row = inside ? c->in + in_y * width * pixel : zeros;
        for (int j = 0; j < side; j++) {
            int in_x = left + j * c->dilation_x;
            *taps++ = inside && in_x >= 0 && in_x < c->in_width ? row + in_x * pixel : zeros;
        }
    }
}

/* The inputs of `count` tiles. */
static void turn_inputs(const struct run *r, size_t count)
{
    const float *taps[WINOGRAD_MOST * WINOGRAD_MOST];
    for (size_t i = 0; i < count; i++) {
        winograd_taps(r->c, r->places[i].y, r->places[i].x, r->zeros, taps);
        r->shape->in(r->c->winograd, taps, r->c->in_channels, r->in + i * (size_t)r->c->in_channels,
                     r->in_pitch);
    }
}

/* The products of `count` tiles with `panels` panels from `first` on. */
static void multiply(const struct run *r, size_t count, size_t first, int panels)
{
    const size_t depth = (size_t)r->c->in_channels, all = places(r->c);
    struct conv_segment segment;
    struct conv_tile tile = {
        .segments = &segment,
        .segment_count = 1,
        .length = depth,
        .in_pitch = depth,
        .panel_floats = all * depth * SIMD_PANEL,
        .ahead = depth * SIMD_PANEL,
        .bias = r->zeros,
        .out_pitch = (size_t)panels * SIMD_PANEL,
        .panels = panels,
        .channels = panels * SIMD_PANEL,
    };
    for (size_t p = 0; p < all; p++) {
        segment.in = r->in + p * r->in_pitch;
        segment.weights = r->c->weights + first * tile.panel_floats + p * depth * SIMD_PANEL;
        tile.out = r->sums + p * r->sums_pitch;
        conv_run_tiles(r->product, tile, count);
    }
}

/* How many of `tile` outputs from `at` on, `dilation` apart, lie before `end`. */
static int existing(int tile, int dilation, int at, int end)
{
    int all = (end - at + dilation - 1) / dilation;
    return all < tile ? all : tile;
}

/* The outputs of `count` tiles in `panels` panels from `first` on. */
static void turn_outputs(const struct run *r, size_t count, size_t first, int panels)
{
    const struct conv *c = r->c;
    const size_t channel = first * SIMD_PANEL, width = (size_t)c->out_width;
    const size_t left = (size_t)c->out_channels - channel, wide = (size_t)panels * SIMD_PANEL;
    struct winograd_out o = {
        .pitch = r->sums_pitch,
        .bias = c->bias + channel,
        .slope = c->slope ? c->slope + channel : NULL,
        .out_row = (size_t)c->dilation_y * width * (size_t)c->out_stride,
        .out_column = (size_t)c->dilation_x * (size_t)c->out_stride,
        .residual_row = (size_t)c->dilation_y * width * (size_t)c->residual_stride,
        .residual_column = (size_t)c->dilation_x * (size_t)c->residual_stride,
        .channels = (int)(left < wide ? left : wide),
        .activation = c->activation,
    };
    for (size_t i = 0; i < count; i++) {
        int y = r->places[i].y, x = r->places[i].x;
        size_t pixel = (size_t)y * width + (size_t)x;
        o.sums = r->sums + i * wide;
        o.out = c->out + pixel * (size_t)c->out_stride + channel;
        o.residual =
            c->residual ? c->residual + pixel * (size_t)c->residual_stride + channel : NULL;
        o.rows = existing(c->winograd, c->dilation_y, y, c->row_end);
        o.columns = existing(c->winograd, c->dilation_x, x, c->out_width);
        r->shape->out(c->winograd, &o);
    }
}

static void run_block(const struct run *r, size_t count)
{
    const int all = (r->c->out_channels + SIMD_PANEL - 1) / SIMD_PANEL;
    turn_inputs(r, count);
    for (int first = 0; first < all; first += r->product->panels) {
        int panels = all - first < r->product->panels ? all - first : r->product->panels;
        multiply(r, count, (size_t)first, panels);
        turn_outputs(r, count, (size_t)first, panels);
    }
}

void winograd_run(const struct conv *c, const struct winograd_shape *shape)
{
    struct run r = {.c = c, .shape = shape, .zeros = c->scratch, .tiles = block_tiles(c)};
    r.product = c->out_channels <= shape->narrow_channels ? shape->narrow : shape->wide;
    r.in_pitch = odd_lines(r.tiles * (size_t)c->in_channels);
    r.sums_pitch = odd_lines(r.tiles * GROUP * SIMD_PANEL);
    r.places = (struct place *)(void *)(r.zeros + zeros_floats(c));
    r.in = r.zeros + zeros_floats(c) + places_floats(r.tiles);
    r.sums = r.in + places(c) * r.in_pitch;
    memset(r.zeros, 0, zeros_floats(c) * sizeof(float));
    size_t count = 0;
    for (int y = c->row_begin; y < c->row_end;
         y = winograd_next(c->winograd, c->dilation_y, c->row_begin, c->row_end, y))
        for (int x = 0; x < c->out_width;
             x = winograd_next(c->winograd, c->dilation_x, 0, c->out_width, x)) {
            r.places[count++] = (struct place){y, x};
            if (count == r.tiles) {
                run_block(&r, count);
                count = 0;
            }
        }
    if (count)
        run_block(&r, count);
}

/* ---- the choice ---- */

/* About how many cycles a layer takes where a cycle multiplies one vector of 16: the product at
 * each place, the transforms as measured on such a processor, and the weights on their way from the
 * third cache. */
static double cost(const struct conv *c, int tile)
{
    const double cache_bytes = 6; /* a cycle */
    const int ins = (c->in_channels + SIMD_PANEL - 1) / SIMD_PANEL,
              outs = (c->out_channels + SIMD_PANEL - 1) / SIMD_PANEL;
    const int outputs = tile ? tile : 1; /* along a tile's side; tile 0: the direct way */
    const double side = outputs + 2, transform = tile == 4 ? 250 : tile == 2 ? 100 : 0;
    const double rows = (double)most_tiles(c->out_height, c->dilation_y, outputs),
                 columns = (double)most_tiles(c->out_width, c->dilation_x, outputs);
    const double product = side * side * c->in_channels * outs;
    return rows * columns * (product + transform * (ins + outs)) + product * 64 / cache_bytes;
}

int simd_winograd_tile(const struct conv *c)
{
    enum { FEWEST_CHANNELS = 8 };
    const double enough = 1.2, enough_for_four = 1.1; /* for weights that grow by 16/9, by 9/4 */
    if (c->kernel_height != 3 || c->kernel_width != 3 || c->stride_y != 1 || c->stride_x != 1 ||
        c->in_channels < FEWEST_CHANNELS || c->out_channels <= FEWEST_CHANNELS)
        return 0;
    const double direct = cost(c, 0), two = cost(c, 2), four = cost(c, 4);
    int tile = enough_for_four * four < two ? 4 : 2;
    return enough * (tile == 4 ? four : two) < direct ? tile : 0;
}

/* ---- weights ---- */

size_t simd_winograd_floats(int tile, int out_channels, int in_channels)
{
    int side = winograd_side(tile);
    return simd_packed_floats(out_channels, in_channels, side, side);
}

/* One filter, as the a x a values that the inputs' are multiplied with. */
static void turn_filter(int tile, const float filter[9],
                        double turned[WINOGRAD_MOST][WINOGRAD_MOST])
{
    static const double two[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    static const double four[6][3] = {{1 / 4.0, 0, 0},
                                      {-1 / 6.0, -1 / 6.0, -1 / 6.0},
                                      {-1 / 6.0, 1 / 6.0, -1 / 6.0},
                                      {1 / 24.0, 1 / 12.0, 1 / 6.0},
                                      {1 / 24.0, -1 / 12.0, 1 / 6.0},
                                      {0, 0, 1}};
    const double(*g)[3] = tile == 2 ? two : four;
    const int side = winograd_side(tile);
    double half[WINOGRAD_MOST][3] = {{0}};
    for (int i = 0; i < side; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++)
                half[i][j] += g[i][k] * (double)filter[3 * k + j];
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            turned[i][j] = 0;
            for (int k = 0; k < 3; k++)
                turned[i][j] += half[i][k] * g[j][k];
        }
}

void simd_pack_winograd(float *packed, const float *weights, int tile, int out_channels,
                        int in_channels)
{
    const size_t side = (size_t)winograd_side(tile), inputs = (size_t)in_channels;
    const size_t depth = side * side * inputs;
    memset(packed, 0, simd_winograd_floats(tile, out_channels, in_channels) * sizeof *packed);
    for (size_t out = 0; out < (size_t)out_channels; out++) {
        float *panel = packed + out / SIMD_PANEL * SIMD_PANEL * depth + out % SIMD_PANEL;
        for (size_t in = 0; in < inputs; in++) {
            double turned[WINOGRAD_MOST][WINOGRAD_MOST];
            turn_filter(tile, weights + (out * inputs + in) * 9, turned);
            for (size_t p = 0; p < side * side; p++) {
                float w = (float)turned[p / side][p % side];
                panel[(p * inputs + in) * SIMD_PANEL] = fabsf(w) < FLT_MIN ? 0.0f : w;
            }
        }
    }
}
