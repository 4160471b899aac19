#include "simd/conv.h"
#include "simd/product.h"

#include <string.h>

/* One call's working state. `band` keeps the input rows that the filter spans, copied once each
 * with their left and right padding, so that the tiles need no bounds checks; input row y lies in
 * slot y % band_rows. It is used only where there is padding at the sides. */
struct run {
    const struct conv *c;
    const struct conv_shape *shape;
    struct conv_segment *segments;
    float *band;
    size_t band_rows, band_pitch; /* in rows, in floats */
    int band_next;                /* rows before this one are in the band */
    struct conv_tile tile;
};

/* To whole cache lines. */
static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t segment_bytes(const struct conv *c)
{
    size_t taps = (size_t)c->kernel_height * (size_t)c->kernel_width;
    return round_up(taps * sizeof(struct conv_segment));
}

/* Columns of input, padding included, that one row of output reads. */
static size_t padded_width(const struct conv *c)
{
    return ((size_t)c->out_width - 1) * (size_t)c->stride_x +
           ((size_t)c->kernel_width - 1) * (size_t)c->dilation_x + 1;
}

static size_t band_rows(const struct conv *c)
{
    return ((size_t)c->kernel_height - 1) * (size_t)c->dilation_y + 1;
}

static int is_padded_at_sides(const struct conv *c)
{
    return c->pad_left > 0 || padded_width(c) > (size_t)c->in_width;
}

static int is_matrix_product(const struct conv *c)
{
    return c->kernel_height == 1 && c->kernel_width == 1 && c->stride_y == 1 && c->stride_x == 1 &&
           c->pad_top == 0 && !is_padded_at_sides(c) && c->out_height <= c->in_height &&
           c->out_width == c->in_width;
}

size_t simd_conv_scratch_bytes(const struct conv *c)
{
    if (c->winograd)
        return winograd_scratch_bytes(c);
    if (c->is_product)
        return product_scratch_bytes(c);
    if (is_matrix_product(c))
        return 0;
    size_t band = is_padded_at_sides(c) ? band_rows(c) * padded_width(c) : 0;
    return segment_bytes(c) + round_up(band * (size_t)c->in_channels * sizeof(float));
}

/* No tile is much smaller than the rest: a tile of one row keeps the adders waiting. */
void conv_run_tiles(const struct conv_shape *shape, struct conv_tile tile, size_t pixels)
{
    const size_t most = (size_t)shape->rows;
    while (pixels > 0) {
        size_t rows = pixels >= 2 * most ? most : pixels > most ? (pixels + 1) / 2 : pixels;
        tile.rows = (int)rows;
        shape->tile(&tile);
        pixels -= rows;
        tile.in_offset += rows * tile.in_pitch;
        tile.out += rows * tile.out_pitch;
        if (tile.residual)
            tile.residual += rows * tile.residual_pitch;
    }
}

/* All panels of `pixels` pixels. */
static void run_panels(const struct run *r, struct conv_tile tile, size_t pixels)
{
    const struct conv_shape *shape = r->shape;
    int left = (r->c->out_channels + SIMD_PANEL - 1) / SIMD_PANEL;
    tile.channels = r->c->out_channels;
    while (left > 0) {
        int most = pixels == 1 && left >= shape->row_panels ? shape->row_panels : shape->panels;
        tile.panels = left < most ? left : most;
        tile.ahead = (size_t)tile.panels * tile.panel_floats;
        conv_run_tiles(shape, tile, pixels);
        int channels = tile.panels * SIMD_PANEL;
        left -= tile.panels;
        tile.channels -= channels;
        tile.weights_offset += (size_t)tile.panels * tile.panel_floats;
        tile.out += channels;
        tile.bias += channels;
        if (tile.slope)
            tile.slope += channels;
        if (tile.residual)
            tile.residual += channels;
    }
}

/* `pixels` output pixels at equal pitch, in blocks of so many that their input stays in the first
 * cache while all the panels go by, and a panel serves the whole block while it is there. */
static void run_pixels(const struct run *r, struct conv_tile tile, size_t pixels)
{
    enum { BLOCK_FLOATS = 16384 / sizeof(float) };
    const size_t rows = (size_t)r->shape->rows, depth = tile.segment_count * tile.length;
    size_t block = depth ? BLOCK_FLOATS / depth / rows * rows : pixels;
    block = block > rows ? block : rows;
    while (pixels > 0) {
        size_t count = pixels >= block + rows ? block : pixels;
        run_panels(r, tile, count);
        pixels -= count;
        tile.in_offset += count * tile.in_pitch;
        tile.out += count * tile.out_pitch;
        if (tile.residual)
            tile.residual += count * tile.residual_pitch;
    }
}

/* Copy the input rows before `end` that are not in the band yet, padding included. */
static void fill_band(struct run *r, int begin, int end)
{
    const struct conv *c = r->c;
    size_t channels = (size_t)c->in_channels, left = (size_t)c->pad_left;
    size_t width = padded_width(c);
    size_t inside = width > left ? width - left : 0;
    inside = inside < (size_t)c->in_width ? inside : (size_t)c->in_width;
    left = left < width ? left : width;
    for (int y = r->band_next > begin ? r->band_next : begin; y < end; y++) {
        float *to = r->band + (size_t)y % r->band_rows * r->band_pitch;
        const float *from = c->in + (size_t)y * (size_t)c->in_width * (size_t)c->in_stride;
        memset(to, 0, left * channels * sizeof *to);
        to += left * channels;
        if (c->in_stride == c->in_channels) {
            memcpy(to, from, inside * channels * sizeof *to);
            to += inside * channels;
        } else
            for (size_t x = 0; x < inside; x++, to += channels, from += c->in_stride)
                memcpy(to, from, channels * sizeof *to);
        memset(to, 0, (width - left - inside) * channels * sizeof *to);
    }
    r->band_next = end > r->band_next ? end : r->band_next;
}

/* Where input row `y` starts, at the column that the first output pixel's first tap reads. */
static const float *input_row(const struct run *r, int y)
{
    const struct conv *c = r->c;
    if (r->band)
        return r->band + (size_t)y % r->band_rows * r->band_pitch;
    return c->in + (size_t)y * (size_t)c->in_width * (size_t)c->in_stride;
}

/* List the segments of output row `y`; filter rows outside the picture have none. */
static void list_segments(struct run *r, int y)
{
    const struct conv *c = r->c;
    int first = y * c->stride_y - c->pad_top;
    int last = first + (c->kernel_height - 1) * c->dilation_y;
    if (r->band)
        fill_band(r, first > 0 ? first : 0, last < c->in_height ? last + 1 : c->in_height);
    size_t pixel = (size_t)(r->band ? c->in_channels : c->in_stride);
    int whole_rows = c->dilation_x == 1 && pixel == (size_t)c->in_channels;
    int taps = whole_rows ? 1 : c->kernel_width;
    size_t count = 0, row_weights = (size_t)c->kernel_width * (size_t)c->in_channels * SIMD_PANEL;
    r->tile.length = (size_t)c->in_channels * (size_t)(whole_rows ? c->kernel_width : 1);
    r->tile.in_pitch = pixel * (size_t)c->stride_x;
    for (int ky = 0; ky < c->kernel_height; ky++) {
        int in_y = first + ky * c->dilation_y;
        if (in_y < 0 || in_y >= c->in_height)
            continue;
        const float *in = input_row(r, in_y), *weights = c->weights + (size_t)ky * row_weights;
        for (int kx = 0; kx < taps; kx++) {
            r->segments[count++] = (struct conv_segment){in, weights};
            in += pixel * (size_t)c->dilation_x;
            weights += r->tile.length * SIMD_PANEL;
        }
    }
    r->tile.segment_count = count;
}

static struct conv_tile first_tile(const struct conv *c, const struct conv_segment *segments)
{
    size_t pixel = (size_t)c->row_begin * (size_t)c->out_width;
    return (struct conv_tile){
        .segments = segments,
        .panel_floats = simd_packed_floats(1, c->in_channels, c->kernel_height, c->kernel_width),
        .out = c->out + pixel * (size_t)c->out_stride,
        .residual = c->residual ? c->residual + pixel * (size_t)c->residual_stride : NULL,
        .bias = c->bias,
        .slope = c->slope,
        .out_pitch = (size_t)c->out_stride,
        .residual_pitch = (size_t)c->residual_stride,
        .activation = c->activation,
    };
}

static void run_matrix_product(struct run *r)
{
    const struct conv *c = r->c;
    size_t width = (size_t)c->out_width, pitch = (size_t)c->in_stride;
    struct conv_segment segment = {c->in + (size_t)c->row_begin * width * pitch, c->weights};
    r->tile = first_tile(c, &segment);
    r->tile.segment_count = 1;
    r->tile.length = (size_t)c->in_channels;
    r->tile.in_pitch = pitch;
    run_pixels(r, r->tile, (size_t)(c->row_end - c->row_begin) * width);
}

static void run_rows(struct run *r)
{
    const struct conv *c = r->c;
    size_t width = (size_t)c->out_width;
    r->segments = (struct conv_segment *)(void *)c->scratch;
    if (is_padded_at_sides(c)) {
        r->band = c->scratch + segment_bytes(c) / sizeof(float);
        r->band_rows = band_rows(c);
        r->band_pitch = padded_width(c) * (size_t)c->in_channels;
    }
    r->tile = first_tile(c, r->segments);
    for (int y = c->row_begin; y < c->row_end; y++) {
        list_segments(r, y);
        run_pixels(r, r->tile, width);
        r->tile.out += width * r->tile.out_pitch;
        if (r->tile.residual)
            r->tile.residual += width * r->tile.residual_pitch;
    }
}

void conv_run(const struct conv *c, const struct conv_shape *shape)
{
    struct run run = {.c = c, .shape = shape};
    if (is_matrix_product(c))
        run_matrix_product(&run);
    else
        run_rows(&run);
}
