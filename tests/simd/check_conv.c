/* conv_f32, depthwise_f32, winograd_f32 and product_i16. */
#include "check.h"
#include "guard.h"
#include "layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum part { IN, OUT, WEIGHTS, BIAS, SLOPE, RESIDUAL, SCRATCH, PARTS };
enum {
    RANDOM_CASES = 1500,
    QUICK_CASES = 200,
    QUICK_SIDE = 5,
    QUICK_DEPTH = 1024,
    MOST_BYTES = 1 << 24,
    WINOGRAD_2_TERMS = 8, /* its rounding, as if of a sum of so many: measured, not derived */
    WINOGRAD_4_TERMS = 32,
    PRODUCT_TERMS = 256, /* half of one in 32767, as if rounded so often */
    MOST_FACTOR = 32767,
};

struct workbench {
    struct guard guards[PARTS];
    double *want, *magnitude; /* out_height x out_width x out_channels */
    float *c_out;             /* what the C level made of the case */
    float *plain;             /* the case's weights: [tap][in][out], depthwise [tap][out] */
};

/* One case: a shape, what belongs to it, and the seed of its values. */
struct test_case {
    struct conv conv;
    int depthwise, residual;
    int split; /* the row at which the work is divided in two calls */
    uint64_t seed;
};

static size_t out_values(const struct conv *c)
{
    return (size_t)c->out_height * (size_t)c->out_width * (size_t)c->out_channels;
}

/* Floats of `pixels` pixels at `pitch`; the last one has no gap behind it. */
static size_t plane_floats(int height, int width, int channels, int pitch)
{
    return ((size_t)height * (size_t)width - 1) * (size_t)pitch + (size_t)channels;
}

static float *place(struct workbench *b, enum part part, size_t floats, enum guard_side side)
{
    return guard_place(&b->guards[part], floats * sizeof(float), side);
}

static float *place_plane(struct workbench *b, enum part part, const int shape[4],
                          enum guard_side side)
{
    return place(b, part, plane_floats(shape[0], shape[1], shape[2], shape[3]), side);
}

/* Values for the channels of each pixel; gaps between pixels stay NaN. */
static void fill_plane(struct check *check, float *p, const int shape[4])
{
    for (size_t i = 0; i < (size_t)shape[0] * (size_t)shape[1]; i++, p += shape[3])
        for (int j = 0; j < shape[2]; j++)
            p[j] = check_random(check);
}

static float *place_channels(struct workbench *b, struct check *check, enum part part, int channels,
                             enum guard_side side)
{
    size_t padded = ((size_t)channels + SIMD_PANEL - 1) / SIMD_PANEL * SIMD_PANEL;
    float *p = place(b, part, padded, side);
    for (size_t i = 0; i < padded; i++)
        p[i] = i < (size_t)channels ? check_random(check) : 0.0f;
    return p;
}

/* plain[tap][in][out] as packing wants it, [out][in][tap]. */
static float *turn_weights(const struct conv *c, const float *plain)
{
    size_t taps = (size_t)c->kernel_height * (size_t)c->kernel_width;
    size_t ins = (size_t)c->in_channels, outs = (size_t)c->out_channels;
    float *turned = malloc(taps * ins * outs * sizeof *turned);
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t in = 0; in < ins; in++)
            for (size_t out = 0; out < outs; out++)
                turned[(out * ins + in) * taps + tap] = plain[(tap * ins + in) * outs + out];
    return turned;
}

static float *pack_weights(struct workbench *b, const struct conv *c, enum guard_side side)
{
    float *turned = turn_weights(c, b->plain), *p;
    if (c->winograd) {
        size_t floats = simd_winograd_floats(c->winograd, c->out_channels, c->in_channels);
        p = place(b, WEIGHTS, floats, side);
        simd_pack_winograd(p, turned, c->winograd, c->out_channels, c->in_channels);
    } else if (c->is_product) {
        p = place(b, WEIGHTS, simd_product_floats(c->out_channels, c->in_channels), side);
        simd_pack_product(p, turned, c->out_channels, c->in_channels);
    } else {
        size_t floats =
            simd_packed_floats(c->out_channels, c->in_channels, c->kernel_height, c->kernel_width);
        p = place(b, WEIGHTS, floats, side);
        simd_pack_conv(p, turned, c->out_channels, c->in_channels, c->kernel_height,
                       c->kernel_width);
    }
    free(turned);
    return p;
}

static float *place_weights(struct workbench *b, struct check *check, const struct test_case *t,
                            enum guard_side side)
{
    const struct conv *c = &t->conv;
    size_t taps = (size_t)c->kernel_height * (size_t)c->kernel_width;
    size_t count = taps * (size_t)c->out_channels * (t->depthwise ? 1 : (size_t)c->in_channels);
    free(b->plain);
    b->plain = malloc(count * sizeof *b->plain);
    for (size_t i = 0; i < count; i++)
        b->plain[i] = check_random(check);
    if (!t->depthwise)
        return pack_weights(b, c, side);
    float *p = place(b, WEIGHTS, count, side);
    memcpy(p, b->plain, count * sizeof *p);
    return p;
}

/* The case with buffers, always the same values. */
static struct conv place_case(struct workbench *b, const struct test_case *t, enum guard_side side)
{
    struct check values = {.random = t->seed};
    struct conv c = t->conv;
    const int in[4] = {c.in_height, c.in_width, c.in_channels, c.in_stride};
    const int out[4] = {c.out_height, c.out_width, c.out_channels, c.out_stride};
    const int residual[4] = {c.out_height, c.out_width, c.out_channels, c.residual_stride};
    float *p = place_plane(b, IN, in, side);
    fill_plane(&values, p, in);
    c.in = p;
    c.weights = place_weights(b, &values, t, side);
    c.bias = place_channels(b, &values, BIAS, c.out_channels, side);
    if (c.activation == ACTIVATION_PRELU)
        c.slope = place_channels(b, &values, SLOPE, c.out_channels, side);
    if (t->residual) {
        p = place_plane(b, RESIDUAL, residual, side);
        fill_plane(&values, p, residual);
        c.residual = p;
    }
    if (!t->depthwise)
        c.scratch = guard_place(&b->guards[SCRATCH], simd_conv_scratch_bytes(&c), side);
    c.out = place_plane(b, OUT, out, side);
    return c;
}

/* Sum the products of one tap into `want`, their absolute values into `magnitude`. */
static void reference_tap(const struct workbench *b, const struct conv *c, int depthwise,
                          const float *in, size_t tap, double *want, double *magnitude)
{
    const size_t outs = (size_t)c->out_channels;
    const float *weights = b->plain + tap * outs * (depthwise ? 1 : (size_t)c->in_channels);
    for (int o = 0; o < c->out_channels; o++)
        for (int i = depthwise ? o : 0; i < (depthwise ? o + 1 : c->in_channels); i++) {
            size_t row = depthwise ? 0 : (size_t)i;
            double term = (double)in[i] * (double)weights[row * outs + (size_t)o];
            want[o] += term;
            magnitude[o] += fabs(term);
        }
}

/* Winograd's way rounds what all the inputs around have part in, none larger than 1. */
static void widen(const struct workbench *b, const struct conv *c, double *magnitude)
{
    const size_t outs = (size_t)c->out_channels;
    for (size_t i = 0; i < 9 * (size_t)c->in_channels; i++)
        for (size_t o = 0; o < outs; o++)
            magnitude[o] += fabs((double)b->plain[i * outs + o]);
}

/* What product_i16 rounds: each input to a step of the pixel's largest, each weight to a step that
 * the packed weights begin with, one for each output. */
static void widen_product(const struct workbench *b, const struct conv *c, const float *in,
                          double *magnitude)
{
    const size_t outs = (size_t)c->out_channels;
    double largest = 0;
    for (int i = 0; i < c->in_channels; i++)
        largest = fmax(largest, fabs((double)in[i]));
    for (size_t i = 0; i < (size_t)c->in_channels; i++)
        for (size_t o = 0; o < outs; o++)
            magnitude[o] += fabs((double)b->plain[i * outs + o]) * largest +
                            fabs((double)in[i]) * (double)c->weights[o] * MOST_FACTOR;
}

static void reference_finish(const struct conv *c, size_t pixel, double *want, double *magnitude)
{
    for (int o = 0; o < c->out_channels; o++) {
        double more = (double)c->bias[o], also = 0;
        if (c->residual)
            also = (double)c->residual[pixel * (size_t)c->residual_stride + (size_t)o];
        want[o] += more + also;
        magnitude[o] += fabs(more) + fabs(also);
        if (want[o] < 0 && c->activation == ACTIVATION_RELU)
            want[o] = 0;
        if (want[o] < 0 && c->activation == ACTIVATION_PRELU)
            want[o] *= (double)c->slope[o];
    }
}

static void reference_pixel(struct workbench *b, const struct conv *c, int depthwise, int y, int x)
{
    size_t pixel = (size_t)y * (size_t)c->out_width + (size_t)x;
    double *want = b->want + pixel * (size_t)c->out_channels;
    double *magnitude = b->magnitude + pixel * (size_t)c->out_channels;
    for (int ky = 0; ky < c->kernel_height; ky++)
        for (int kx = 0; kx < c->kernel_width; kx++) {
            int in_y = y * c->stride_y - c->pad_top + ky * c->dilation_y;
            int in_x = x * c->stride_x - c->pad_left + kx * c->dilation_x;
            if (in_y < 0 || in_y >= c->in_height || in_x < 0 || in_x >= c->in_width)
                continue;
            size_t in_pixel = (size_t)in_y * (size_t)c->in_width + (size_t)in_x;
            reference_tap(b, c, depthwise, c->in + in_pixel * (size_t)c->in_stride,
                          (size_t)ky * (size_t)c->kernel_width + (size_t)kx, want, magnitude);
        }
    if (c->winograd)
        widen(b, c, magnitude);
    if (c->is_product)
        widen_product(b, c, c->in + pixel * (size_t)c->in_stride, magnitude);
    reference_finish(c, pixel, want, magnitude);
}

static void reference(struct workbench *b, const struct conv *c, int depthwise)
{
    b->want = calloc(out_values(c), sizeof *b->want);
    b->magnitude = calloc(out_values(c), sizeof *b->magnitude);
    b->c_out = calloc(out_values(c), sizeof *b->c_out);
    for (int y = 0; y < c->out_height; y++)
        for (int x = 0; x < c->out_width; x++)
            reference_pixel(b, c, depthwise, y, x);
}

/* Whether every value is right, and the gaps between pixels are as they were. */
static int compare(struct workbench *b, const struct conv *c, int depthwise, int is_reference)
{
    const uint32_t untouched = 0xffffffff;
    size_t terms = (size_t)c->kernel_height * (size_t)c->kernel_width + 2, at = 0;
    size_t pixels = (size_t)c->out_height * (size_t)c->out_width;
    terms *= depthwise ? 1 : (size_t)c->in_channels;
    if (c->winograd)
        terms = c->winograd == 2 ? WINOGRAD_2_TERMS : WINOGRAD_4_TERMS;
    if (c->is_product)
        terms = PRODUCT_TERMS;
    for (size_t pixel = 0; pixel < pixels; pixel++) {
        const float *out = c->out + pixel * (size_t)c->out_stride;
        for (int o = 0; o < c->out_channels; o++, at++) {
            if (is_reference)
                b->c_out[at] = out[o];
            if (!check_close((double)out[o], b->want[at], b->magnitude[at], terms) ||
                !check_close((double)out[o], (double)b->c_out[at], b->magnitude[at], terms) ||
                (c->is_product && memcmp(&out[o], &b->c_out[at], sizeof out[o]) != 0))
                return 0;
        }
        for (int o = c->out_channels; o < c->out_stride && pixel + 1 < pixels; o++)
            if (memcmp(&out[o], &untouched, sizeof untouched) != 0)
                return 0;
    }
    return 1;
}

static int is_intact(const struct workbench *b)
{
    for (int i = 0; i < PARTS; i++)
        if (b->guards[i].buffer && !guard_intact(&b->guards[i]))
            return 0;
    return 1;
}

static void run_split(const struct kernels *k, struct conv c, const struct test_case *t)
{
    void (*kernel)(const struct conv *) = t->depthwise   ? k->depthwise_f32
                                          : c.winograd   ? k->winograd_f32
                                          : c.is_product ? k->product_i16
                                                         : k->conv_f32;
    c.row_end = t->split;
    if (t->split > 0)
        kernel(&c);
    c.row_begin = t->split;
    c.row_end = c.out_height;
    kernel(&c);
}

static void check_case(struct check *check, struct workbench *b, const struct test_case *t)
{
    struct conv c = place_case(b, t, GUARD_AFTER);
    reference(b, &c, t->depthwise);
    for (int level = -1; (level = check_next_level(level)) >= 0;)
        for (int side = GUARD_BEFORE; side <= GUARD_AFTER; side++) {
            c = place_case(b, t, (enum guard_side)side);
            run_split(simd_kernels((enum simd_level)level), c, t);
            int good = compare(b, &c, t->depthwise, level == SIMD_C) && is_intact(b);
            check_count(check, good,
                        "%s %s: in %dx%dx%d pitch %d, out %dx%dx%d pitch %d, filter %dx%d, "
                        "stride %d,%d, pad %d,%d, dilation %d,%d, activation %d, residual %d, "
                        "split %d, side %d",
                        t->depthwise   ? "depthwise_f32"
                        : c.winograd   ? "winograd_f32"
                        : c.is_product ? "product_i16"
                                       : "conv_f32",
                        simd_level_name((enum simd_level)level), c.in_height, c.in_width,
                        c.in_channels, c.in_stride, c.out_height, c.out_width, c.out_channels,
                        c.out_stride, c.kernel_height, c.kernel_width, c.stride_y, c.stride_x,
                        c.pad_top, c.pad_left, c.dilation_y, c.dilation_x, (int)c.activation,
                        t->residual, t->split, side);
        }
    free(b->want);
    free(b->magnitude);
    free(b->c_out);
}

static void check_layers(struct check *check, struct workbench *b, int depthwise, int winograd)
{
    for (int i = 0; i < LAYERS; i++) {
        if (layers[i].depthwise != depthwise)
            continue;
        struct layer l = layers[i];
        if (winograd && (l.kernel != 3 || l.stride != 1))
            continue;
        if (check->quick && l.kernel * l.kernel * l.in_channels > QUICK_DEPTH && !depthwise)
            continue;
        if (check->quick && l.kernel < QUICK_SIDE && l.height > QUICK_SIDE) {
            l.height = QUICK_SIDE;
            l.width = 2 * QUICK_SIDE;
        }
        struct test_case t = {.conv = layer_conv(&l),
                              .depthwise = depthwise,
                              .residual = l.residual,
                              .seed = (uint64_t)i + 1};
        t.conv.winograd = winograd;
        t.split = t.conv.out_height / 2;
        check_case(check, b, &t);
    }
}

/* Fills in the size of the output; returns whether there is one. */
static int set_out(struct conv *c, int pad_bottom, int pad_right)
{
    int height =
        c->in_height + c->pad_top + pad_bottom - (c->kernel_height - 1) * c->dilation_y - 1;
    int width = c->in_width + c->pad_left + pad_right - (c->kernel_width - 1) * c->dilation_x - 1;
    if (height < 0 || width < 0)
        return 0;
    c->out_height = height / c->stride_y + 1;
    c->out_width = width / c->stride_x + 1;
    return 1;
}

static struct test_case random_case(struct check *check, int depthwise)
{
    struct test_case t = {.depthwise = depthwise, .seed = check->random};
    struct conv *c = &t.conv;
    int plain = check_random_int(check, 0, 2) == 0; /* 3x3, padding 0 or 1: the fast ways */
    do {
        c->in_height = check_random_int(check, 1, 12);
        c->in_width = check_random_int(check, 1, 33);
        c->kernel_height = plain ? 3 : check_random_int(check, 1, 5);
        c->kernel_width = plain ? 3 : check_random_int(check, 1, 5);
        c->stride_y = check_random_int(check, 1, plain ? 2 : 3);
        c->stride_x = check_random_int(check, 1, plain ? 2 : 3);
        c->dilation_y = plain ? 1 : check_random_int(check, 1, 3);
        c->dilation_x = plain ? 1 : check_random_int(check, 1, 3);
        c->pad_top = check_random_int(check, 0, plain ? 1 : c->kernel_height);
        c->pad_left = check_random_int(check, 0, plain ? 1 : c->kernel_width);
    } while (!set_out(c, check_random_int(check, 0, c->kernel_height - 1),
                      check_random_int(check, 0, c->kernel_width - 1)));
    c->out_channels = check_random_int(check, 1, 70);
    c->in_channels = depthwise ? c->out_channels : check_random_int(check, 1, 40);
    c->in_stride = c->in_channels + check_random_int(check, 0, 1) * check_random_int(check, 0, 5);
    c->out_stride = c->out_channels + check_random_int(check, 0, 1) * check_random_int(check, 0, 5);
    c->residual_stride = c->out_channels + check_random_int(check, 0, 3);
    c->activation = (enum activation)check_random_int(check, 0, 2);
    t.residual = check_random_int(check, 0, 1);
    t.split = check_random_int(check, 0, c->out_height - 1);
    return t;
}

/* Width, input and output channels from 1 to 130, each in turn, the others small and odd. */
static void check_sizes(struct check *check, struct workbench *b, int depthwise, int kernel,
                        int winograd)
{
    for (int which = 0; which < 3; which++)
        for (int n = 1; n <= 130; n++) {
            struct layer l = {.height = 2,
                              .width = which == 0 ? n : 7,
                              .in_channels = which == 1 ? n : 5,
                              .out_channels = which == 2 ? n : 19,
                              .kernel = kernel,
                              .stride = 1,
                              .pad = kernel / 2,
                              .dilation = 1,
                              .activation = (enum activation)(n % 3)};
            if (depthwise)
                l.out_channels = l.in_channels;
            struct test_case t = {.conv = layer_conv(&l),
                                  .depthwise = depthwise,
                                  .residual = n & 1,
                                  .split = 1,
                                  .seed = (uint64_t)n};
            t.conv.winograd = winograd;
            check_case(check, b, &t);
        }
}

static void start(struct workbench *b)
{
    for (int i = 0; i < PARTS; i++)
        guard_init(&b->guards[i], MOST_BYTES);
}

static void finish(struct workbench *b)
{
    for (int i = 0; i < PARTS; i++)
        guard_finish(&b->guards[i]);
    free(b->plain);
}

static void check_convolutions(struct check *check, int depthwise)
{
    struct workbench b = {0};
    start(&b);
    check_sizes(check, &b, depthwise, 1, 0);
    check_sizes(check, &b, depthwise, 3, 0);
    for (int i = 0; i < (check->quick ? QUICK_CASES : RANDOM_CASES); i++) {
        struct test_case t = random_case(check, depthwise);
        check_case(check, &b, &t);
    }
    check_layers(check, &b, depthwise, 0);
    finish(&b);
}

/* As if it were drawn so: a filter that Winograd's way can make. */
static int make_winograd(struct check *check, struct test_case *t)
{
    struct conv *c = &t->conv;
    c->kernel_height = c->kernel_width = 3;
    c->stride_y = c->stride_x = 1;
    c->winograd = 2 * check_random_int(check, 1, 2);
    if (!set_out(c, check_random_int(check, 0, 2), check_random_int(check, 0, 2)))
        return 0;
    t->split = check_random_int(check, 0, c->out_height - 1);
    return 1;
}

void check_winograd_f32(struct check *check)
{
    struct workbench b = {0};
    start(&b);
    for (int tile = 2; tile <= 4; tile += 2) {
        check_sizes(check, &b, 0, 3, tile);
        check_layers(check, &b, 0, tile);
    }
    for (int i = 0; i < (check->quick ? QUICK_CASES : RANDOM_CASES); i++) {
        struct test_case t = random_case(check, 0);
        if (make_winograd(check, &t))
            check_case(check, &b, &t);
    }
    finish(&b);
}

/* One such product; NaN wherever the kernel must not look. */
static void check_product(struct check *check, struct workbench *b, int pixels, int ins, int outs)
{
    struct layer l = {.height = pixels,
                      .width = 1,
                      .in_channels = ins,
                      .out_channels = outs,
                      .kernel = 1,
                      .stride = 1,
                      .dilation = 1,
                      .activation = (enum activation)(pixels % 3)};
    struct test_case t = {.conv = layer_conv(&l),
                          .residual = pixels & 1,
                          .split = check_random_int(check, 0, pixels - 1),
                          .seed = (uint64_t)pixels};
    t.conv.in_stride += check_random_int(check, 0, 5);
    t.conv.out_stride += check_random_int(check, 0, 5);
    t.conv.residual_stride += check_random_int(check, 0, 5);
    t.conv.is_product = 1;
    check_case(check, b, &t);
}

/* Every number of pixels to 130; then inputs and outputs of all sizes it takes; then real ones. */
void check_product_i16(struct check *check)
{
    struct workbench b = {0};
    start(&b);
    for (int n = 1; n <= 130; n++)
        check_product(check, &b, n, 32, 32);
    for (int n = 16; n <= 160; n += 16) {
        check_product(check, &b, 16, n, 64);
        check_product(check, &b, 15, 48, 2 * n);
    }
    check_product(check, &b, check->quick ? 9 : 1100, 16, 32);
    check_product(check, &b, check->quick ? 9 : 196, 128, 256);
    check_product(check, &b, check->quick ? 9 : 49, 512, 128);
    finish(&b);
}

void check_conv_f32(struct check *check)
{
    check_convolutions(check, 0);
}

void check_depthwise_f32(struct check *check)
{
    check_convolutions(check, 1);
}
