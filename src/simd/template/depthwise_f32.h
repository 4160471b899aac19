/* depthwise_f32 for a level. Included after the level's vec.h.
 *
 * A 3x3 filter without dilation keeps its nine weights (of one vector of channels) in registers and
 * walks an output row; each input value is loaded once and added to up to three outputs. Filter
 * rows outside the picture are left out at compile time; the first and last column differ only in
 * how a walk starts and ends. Every other filter goes pixel by pixel. */
#include "simd/level.h"
#include "simd/template/store.h"

/* One vector of channels of one output row of a 3x3 filter. */
struct walk {
    const float *in[3]; /* column 0 of the input rows under the filter's rows */
    const float *weights;
    const float *bias;
    size_t weights_pitch, in_pitch, out_pitch, residual_pitch;
    int in_width, out_width, pad_left;
    int lanes;
    struct finish finish; /* of the first pixel */
};

INLINE vec load_lanes(const float *p, int lanes, const int part)
{
    return part ? vec_load_part(p, lanes) : vec_load(p);
}

INLINE void finish_next(struct walk *w, vec x, const int part)
{
    finish_store(w->finish, x, part ? w->lanes : WIDTH);
    w->finish.out += w->out_pitch;
    if (w->finish.residual)
        w->finish.residual += w->residual_pitch;
}

INLINE void load_weights(const struct walk *w, vec weight[9], const int part)
{
    UNROLL
    for (int i = 0; i < 9; i++)
        weight[i] = load_lanes(w->weights + (size_t)i * w->weights_pitch, w->lanes, part);
}

/* sum + one input column times column `kx` of the filter, its rows `low` to `high`. */
INLINE vec add_column(vec sum, const vec in[3], const vec weight[9], const int kx, const int low,
                      const int high)
{
    UNROLL
    for (int ky = low; ky < high; ky++)
        sum = vec_fma(in[ky], weight[3 * ky + kx], sum);
    return sum;
}

INLINE void load_column(const struct walk *w, vec in[3], int x, const int low, const int high,
                        const int part)
{
    UNROLL
    for (int ky = low; ky < high; ky++)
        in[ky] = load_lanes(w->in[ky] + (size_t)x * w->in_pitch, w->lanes, part);
}

/* `now` and `next` are the sums of the two outputs that the columns so far have started. */
INLINE void walk_stride1(struct walk w, const int low, const int high, const int part)
{
    const vec bias = vec_load(w.bias);
    vec weight[9], in[3];
    load_weights(&w, weight, part);
    load_column(&w, in, 0, low, high, part);
    vec now = add_column(bias, in, weight, 1, low, high);
    vec next = add_column(bias, in, weight, 0, low, high);
    int x = 1;
    if (w.pad_left == 0) {
        load_column(&w, in, x++, low, high, part);
        now = add_column(next, in, weight, 1, low, high);
        next = add_column(bias, in, weight, 0, low, high);
    }
    int end = w.out_width + 2 - w.pad_left;
    int last_is_padding = end > w.in_width;
    for (end -= last_is_padding; x < end; x++) {
        load_column(&w, in, x, low, high, part);
        finish_next(&w, add_column(now, in, weight, 2, low, high), part);
        now = add_column(next, in, weight, 1, low, high);
        next = add_column(bias, in, weight, 0, low, high);
    }
    if (last_is_padding)
        finish_next(&w, now, part);
}

/* Every second column is the last of one output and the first of the next. */
INLINE void walk_stride2(struct walk w, const int low, const int high, const int part)
{
    const vec bias = vec_load(w.bias);
    vec weight[9], in[3], sum = bias;
    load_weights(&w, weight, part);
    int x = 0;
    if (w.pad_left == 0) {
        load_column(&w, in, x++, low, high, part);
        sum = add_column(bias, in, weight, 0, low, high);
    }
    for (int i = 1; i < w.out_width; i++) {
        load_column(&w, in, x++, low, high, part);
        sum = add_column(sum, in, weight, 1, low, high);
        load_column(&w, in, x++, low, high, part);
        finish_next(&w, add_column(sum, in, weight, 2, low, high), part);
        sum = add_column(bias, in, weight, 0, low, high);
    }
    load_column(&w, in, x++, low, high, part);
    sum = add_column(sum, in, weight, 1, low, high);
    if (x < w.in_width) {
        load_column(&w, in, x, low, high, part);
        sum = add_column(sum, in, weight, 2, low, high);
    }
    finish_next(&w, sum, part);
}

INLINE void walk_stride(const struct walk *w, int stride, const int low, const int high)
{
    if (stride == 1 && w->lanes >= WIDTH)
        walk_stride1(*w, low, high, 0);
    else if (stride == 1)
        walk_stride1(*w, low, high, 1);
    else if (w->lanes >= WIDTH)
        walk_stride2(*w, low, high, 0);
    else
        walk_stride2(*w, low, high, 1);
}

static void walk_all_rows(const struct walk *w, int stride)
{
    walk_stride(w, stride, 0, 3);
}

static void walk_top(const struct walk *w, int stride)
{
    walk_stride(w, stride, 1, 3);
}

static void walk_bottom(const struct walk *w, int stride)
{
    walk_stride(w, stride, 0, 2);
}

static void walk_middle(const struct walk *w, int stride)
{
    walk_stride(w, stride, 1, 2);
}

static void make_row_3x3(const struct conv *c, int y)
{
    size_t in_row = (size_t)c->in_width * (size_t)c->in_stride, out_pixel = (size_t)y;
    out_pixel *= (size_t)c->out_width;
    struct walk w = {.weights_pitch = (size_t)c->out_channels,
                     .in_pitch = (size_t)c->in_stride,
                     .out_pitch = (size_t)c->out_stride,
                     .residual_pitch = (size_t)c->residual_stride,
                     .in_width = c->in_width,
                     .out_width = c->out_width,
                     .pad_left = c->pad_left,
                     .finish.activation = c->activation};
    int first = y * c->stride_y - c->pad_top, above = first < 0, below = first + 2 >= c->in_height;
    void (*make)(const struct walk *, int) = above && below ? walk_middle
                                             : above        ? walk_top
                                             : below        ? walk_bottom
                                                            : walk_all_rows;
    for (int i = 0; i < c->out_channels; i += WIDTH) {
        for (int ky = above; ky < 3 - below; ky++)
            w.in[ky] = c->in + (size_t)(first + ky) * in_row + i;
        w.weights = c->weights + i;
        w.bias = c->bias + i;
        w.lanes = c->out_channels - i;
        w.finish.out = c->out + out_pixel * (size_t)c->out_stride + i;
        w.finish.slope = c->slope ? c->slope + i : NULL;
        if (c->residual)
            w.finish.residual = c->residual + out_pixel * (size_t)c->residual_stride + i;
        make(&w, c->stride_x);
    }
}

/* Whether the walks cover it: each filter has its middle inside the picture, and at most the first
 * and last of its rows and columns outside. */
static int is_plain_3x3(const struct conv *c)
{
    int last_x = (c->out_width - 1) * c->stride_x - c->pad_left + 1;
    int last_y = (c->out_height - 1) * c->stride_y - c->pad_top + 1;
    return c->kernel_height == 3 && c->kernel_width == 3 && c->dilation_y == 1 &&
           c->dilation_x == 1 && c->stride_x <= 2 && c->pad_left <= 1 && c->pad_top <= 1 &&
           last_x < c->in_width && last_y < c->in_height && (c->pad_left == 1 || c->in_width > 1);
}

enum { GROUP = 4 }; /* vectors of channels that make_pixel works on at once */

/* The filter's taps inside the picture, for one pixel. */
struct window {
    int in_y, in_x, y_begin, y_end, x_begin, x_end;
};

static struct window window_at(const struct conv *c, int y, int x)
{
    struct window w = {.in_y = y * c->stride_y - c->pad_top, .in_x = x * c->stride_x - c->pad_left};
    w.y_end = c->kernel_height;
    w.x_end = c->kernel_width;
    while (w.y_begin < w.y_end && w.in_y + w.y_begin * c->dilation_y < 0)
        w.y_begin++;
    while (w.y_end > w.y_begin && w.in_y + (w.y_end - 1) * c->dilation_y >= c->in_height)
        w.y_end--;
    while (w.x_begin < w.x_end && w.in_x + w.x_begin * c->dilation_x < 0)
        w.x_begin++;
    while (w.x_end > w.x_begin && w.in_x + (w.x_end - 1) * c->dilation_x >= c->in_width)
        w.x_end--;
    return w;
}

/* `vectors` vectors of channels from channel `i` on; only the last may be part. */
INLINE void make_group(const struct conv *c, struct window w, size_t out_pixel, int i,
                       const int vectors, const int part)
{
    const int lanes = c->out_channels - i - (vectors - 1) * WIDTH;
    vec sum[GROUP];
    UNROLL
    for (int v = 0; v < vectors; v++)
        sum[v] = vec_load(c->bias + i + v * WIDTH);
    for (int ky = w.y_begin; ky < w.y_end; ky++)
        for (int kx = w.x_begin; kx < w.x_end; kx++) {
            size_t row = (size_t)(w.in_y + ky * c->dilation_y);
            size_t pixel = row * (size_t)c->in_width + (size_t)(w.in_x + kx * c->dilation_x);
            size_t tap = (size_t)ky * (size_t)c->kernel_width + (size_t)kx;
            const float *in = c->in + pixel * (size_t)c->in_stride + i;
            const float *weights = c->weights + tap * (size_t)c->out_channels + i;
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[v] = vec_fma(load_lanes(in + v * WIDTH, lanes, part),
                                 load_lanes(weights + v * WIDTH, lanes, part), sum[v]);
        }
    struct finish f = {.activation = c->activation};
    UNROLL
    for (int v = 0; v < vectors; v++) {
        int channel = i + v * WIDTH;
        f.out = c->out + out_pixel * (size_t)c->out_stride + channel;
        f.residual =
            c->residual ? c->residual + out_pixel * (size_t)c->residual_stride + channel : NULL;
        f.slope = c->slope ? c->slope + channel : NULL;
        finish_store(f, sum[v], part ? lanes : WIDTH);
    }
}

static void make_pixel(const struct conv *c, int y, int x)
{
    struct window w = window_at(c, y, x);
    size_t pixel = (size_t)y * (size_t)c->out_width + (size_t)x;
    int i = 0;
    for (; i + GROUP * WIDTH <= c->out_channels; i += GROUP * WIDTH)
        make_group(c, w, pixel, i, GROUP, 0);
    for (; i + WIDTH <= c->out_channels; i += WIDTH)
        make_group(c, w, pixel, i, 1, 0);
    if (i < c->out_channels)
        make_group(c, w, pixel, i, 1, 1);
}

void KERNEL(depthwise_f32)(const struct conv *c)
{
    int plain = is_plain_3x3(c);
    for (int y = c->row_begin; y < c->row_end; y++) {
        if (plain)
            make_row_3x3(c, y);
        else
            for (int x = 0; x < c->out_width; x++)
                make_pixel(c, y, x);
    }
}
