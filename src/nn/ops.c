/* The operators that take a small part of the time: plain loops over strided views. */
#include "nn/internal.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

#define INLINE inline __attribute__((always_inline))
#define EACH_BINARY(X) X(ADD) X(SUB) X(MUL) X(DIV) X(MIN) X(MAX) X(PRELU) X(POW)

static ptrdiff_t step(const struct strided *view, int dim)
{
    return view->strides[dim];
}

/* Element (i, j, k, 0). */
static float *row(const struct strided *view, int i, int j, int k)
{
    return view->data + i * step(view, 0) + j * step(view, 1) + k * step(view, 2);
}

struct window {
    int begin, end; /* taps inside the input */
};

/* Taps of output position `at` along one axis: those that fall into the input. */
static struct window clip(const struct model_node *node, int axis, int at, int in_size)
{
    int start = at * node->stride[axis] - node->pads[axis], dilation = node->dilation[axis];
    struct window window = {0, node->kernel[axis]};
    while (window.begin < window.end && start + window.begin * dilation < 0)
        window.begin++;
    while (window.end > window.begin && start + (window.end - 1) * dilation >= in_size)
        window.end--;
    return window;
}

static float pool_value(const struct model_node *node, const struct strided *in, const float *plane,
                        int y, int x)
{
    struct window rows = clip(node, 0, y, in->dims[2]), columns = clip(node, 1, x, in->dims[3]);
    float sum = 0.0f, most = -FLT_MAX;
    for (int ky = rows.begin; ky < rows.end; ky++)
        for (int kx = columns.begin; kx < columns.end; kx++) {
            ptrdiff_t in_y = y * node->stride[0] - node->pads[0] + ky * node->dilation[0];
            ptrdiff_t in_x = x * node->stride[1] - node->pads[1] + kx * node->dilation[1];
            float value = plane[in_y * step(in, 2) + in_x * step(in, 3)];
            sum += value;
            most = value > most ? value : most;
        }
    if (node->kind == POOL_MAX)
        return most;
    int taps = (rows.end - rows.begin) * (columns.end - columns.begin);
    if (node->kind == POOL_AVERAGE_WITH_PADS)
        taps = node->kernel[0] * node->kernel[1];
    return taps ? sum / (float)taps : 0.0f;
}

/* One output pixel of channels side by side, tap after tap. */
static void pool_pixel(const struct model_node *node, const struct strided *in, float *restrict out,
                       int y, int x)
{
    struct window rows = clip(node, 0, y, in->dims[2]), columns = clip(node, 1, x, in->dims[3]);
    const int channels = in->dims[1], is_max = node->kind == POOL_MAX;
    int taps = (rows.end - rows.begin) * (columns.end - columns.begin);
    for (int c = 0; c < channels; c++)
        out[c] = is_max ? -FLT_MAX : 0.0f;
    for (int ky = rows.begin; ky < rows.end; ky++)
        for (int kx = columns.begin; kx < columns.end; kx++) {
            ptrdiff_t in_y = y * node->stride[0] - node->pads[0] + ky * node->dilation[0];
            ptrdiff_t in_x = x * node->stride[1] - node->pads[1] + kx * node->dilation[1];
            const float *from = in->data + in_y * step(in, 2) + in_x * step(in, 3);
            if (is_max)
                for (int c = 0; c < channels; c++)
                    out[c] = from[c] > out[c] ? from[c] : out[c];
            else
                for (int c = 0; c < channels; c++)
                    out[c] += from[c];
        }
    if (node->kind == POOL_AVERAGE_WITH_PADS)
        taps = node->kernel[0] * node->kernel[1];
    for (int c = 0; c < channels && !is_max; c++)
        out[c] = taps ? out[c] / (float)taps : 0.0f;
}

void op_pool(const struct model_node *node, struct strided out, struct strided in)
{
    if (step(&out, 1) == 1 && step(&in, 1) == 1) {
        for (int y = 0; y < out.dims[2]; y++)
            for (int x = 0; x < out.dims[3]; x++)
                pool_pixel(node, &in, row(&out, 0, 0, y) + x * step(&out, 3), y, x);
        return;
    }
    for (int y = 0; y < out.dims[2]; y++)
        for (int x = 0; x < out.dims[3]; x++)
            for (int c = 0; c < out.dims[1]; c++)
                row(&out, 0, c, y)[x * step(&out, 3)] =
                    pool_value(node, &in, in.data + c * step(&in, 1), y, x);
}

/* The last two dimensions of three views. */
struct plane {
    float *out;
    const float *a, *b;
    const struct strided *out_view, *a_view, *b_view;
};

static INLINE float binary(const enum model_binary kind, float a, float b)
{
    switch (kind) {
    case BINARY_ADD:
        return a + b;
    case BINARY_SUB:
        return a - b;
    case BINARY_MUL:
        return a * b;
    case BINARY_DIV:
        return a / b;
    case BINARY_MIN:
        return a < b ? a : b;
    case BINARY_MAX:
        return a > b ? a : b;
    case BINARY_PRELU:
        return a < 0 ? a * b : a;
    case BINARY_POW:
        return powf(a, b);
    case BINARY_KINDS:
        break;
    }
    return a;
}

/* Rows of two, of which a detector's box arithmetic has thousands: both at once. `b_step` is 0 for
 * a factor or term that is the same for both. */
static INLINE void binary_pairs(const enum model_binary kind, const struct plane *p,
                                const int b_step)
{
    const ptrdiff_t rows = p->out_view->dims[2], out_pitch = step(p->out_view, 2);
    const ptrdiff_t a_pitch = step(p->a_view, 2), b_pitch = step(p->b_view, 2);
    float *restrict out = p->out;
    const float *a = p->a, *b = p->b;
    for (ptrdiff_t i = 0; i < rows; i++, out += out_pitch, a += a_pitch, b += b_pitch) {
        out[0] = binary(kind, a[0], b[0]);
        out[1] = binary(kind, a[1], b[b_step]);
    }
}

static INLINE void binary_row(const enum model_binary kind, const struct plane *p, int k)
{
    const ptrdiff_t count = p->out_view->dims[3], out_step = step(p->out_view, 3);
    const ptrdiff_t a_step = step(p->a_view, 3), b_step = step(p->b_view, 3);
    float *restrict out = p->out + k * step(p->out_view, 2);
    const float *a = p->a + k * step(p->a_view, 2), *b = p->b + k * step(p->b_view, 2);
    if (out_step == 1 && a_step == 1 && b_step == 1)
        for (ptrdiff_t i = 0; i < count; i++)
            out[i] = binary(kind, a[i], b[i]);
    else
        for (ptrdiff_t i = 0; i < count; i++)
            out[i * out_step] = binary(kind, a[i * a_step], b[i * b_step]);
}

static INLINE void binary_plane(const enum model_binary kind, const struct plane *p)
{
    int pairs = p->out_view->dims[3] == 2 && step(p->out_view, 3) == 1 && step(p->a_view, 3) == 1;
    if (pairs && step(p->b_view, 3) == 1)
        binary_pairs(kind, p, 1);
    else if (pairs && step(p->b_view, 3) == 0)
        binary_pairs(kind, p, 0);
    else
        for (int k = 0; k < p->out_view->dims[2]; k++)
            binary_row(kind, p, k);
}

#define X(name)                                                                                    \
    static void plane_##name(const struct plane *p)                                                \
    {                                                                                              \
        binary_plane(BINARY_##name, p);                                                            \
    }
EACH_BINARY(X)
#undef X

void op_binary(enum model_binary kind, struct strided out, struct strided a, struct strided b)
{
#define X(name) [BINARY_##name] = plane_##name,
    static void (*const planes[BINARY_KINDS])(const struct plane *) = {EACH_BINARY(X)};
#undef X
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++) {
            const struct plane plane = {
                row(&out, i, j, 0), row(&a, i, j, 0), row(&b, i, j, 0), &out, &a, &b};
            planes[kind](&plane);
        }
}

enum { BLOCK = 256 };

/* e^x of `count` floats in their places. */
static void exp_in_place(const struct kernels *kernels, float *data, ptrdiff_t data_step, int count)
{
    float block[BLOCK];
    if (data_step == 1) {
        kernels->exp_f32(data, data, (size_t)count);
        return;
    }
    for (int begin = 0; begin < count; begin += BLOCK) {
        int size = count - begin < BLOCK ? count - begin : BLOCK;
        float *from = data + begin * data_step;
        for (int i = 0; i < size; i++)
            block[i] = from[i * data_step];
        kernels->exp_f32(block, block, (size_t)size);
        for (int i = 0; i < size; i++)
            from[i * data_step] = block[i];
    }
}

static float softplus(float x)
{
    return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
}

static float hard_swish(float x)
{
    float part = x / 6.0f + 0.5f;
    return x * (part < 0 ? 0.0f : part > 1 ? 1.0f : part);
}

static float gelu(float x)
{
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}

static float gelu_by_tanh(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}

static float unary(enum model_unary kind, float x)
{
    switch (kind) {
    case UNARY_RELU:
        return x < 0 ? 0.0f : x;
    case UNARY_TANH:
        return tanhf(x);
    case UNARY_SQRT:
        return sqrtf(x);
    case UNARY_ABS:
        return fabsf(x);
    case UNARY_LOG:
        return logf(x);
    case UNARY_ERF:
        return erff(x);
    case UNARY_HARD_SWISH:
        return hard_swish(x);
    case UNARY_GELU:
        return gelu(x);
    case UNARY_GELU_TANH:
        return gelu_by_tanh(x);
    case UNARY_SOFTPLUS:
        return softplus(x);
    case UNARY_MISH:
        return x * tanhf(softplus(x));
    case UNARY_RECIPROCAL:
        return 1.0f / x;
    case UNARY_NEG:
    case UNARY_SIGMOID: /* -x; the rest of it in unary_row() */
        return -x;
    default:
        return x;
    }
}

struct line { /* one innermost row */
    float *out;
    const float *in;
    ptrdiff_t out_step, in_step;
    int count;
};

static void unary_row(const struct kernels *kernels, enum model_unary kind, const struct line *l)
{
    if (kind == UNARY_EXP && l->out_step == 1 && l->in_step == 1) {
        kernels->exp_f32(l->out, l->in, (size_t)l->count);
        return;
    }
    for (int i = 0; i < l->count; i++)
        l->out[i * l->out_step] = unary(kind, l->in[i * l->in_step]);
    if (kind == UNARY_EXP || kind == UNARY_SIGMOID)
        exp_in_place(kernels, l->out, l->out_step, l->count);
    for (int i = 0; i < l->count && kind == UNARY_SIGMOID; i++)
        l->out[i * l->out_step] = 1.0f / (1.0f + l->out[i * l->out_step]);
}

void op_unary(const struct kernels *kernels, enum model_unary kind, struct strided out,
              struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++) {
                const struct line l = {row(&out, i, j, k), row(&in, i, j, k), step(&out, 3),
                                       step(&in, 3), out.dims[3]};
                unary_row(kernels, kind, &l);
            }
}

static void softmax_row(const struct kernels *kernels, const struct line *l)
{
    float *out = l->out, most = l->in[0], sum = 0.0f;
    for (int i = 1; i < l->count; i++)
        most = l->in[i * l->in_step] > most ? l->in[i * l->in_step] : most;
    for (int i = 0; i < l->count; i++)
        out[i * l->out_step] = l->in[i * l->in_step] - most;
    exp_in_place(kernels, out, l->out_step, l->count);
    for (int i = 0; i < l->count; i++)
        sum += out[i * l->out_step];
    for (int i = 0; i < l->count; i++)
        out[i * l->out_step] /= sum;
}

/* Pairs side by side, as a detector's thousands of "no face, face". */
static void softmax_pairs(const struct kernels *kernels, float *restrict out,
                          const float *restrict in, int pairs)
{
    float gap[BLOCK], less[BLOCK];
    for (int begin = 0; begin < pairs; begin += BLOCK, in += 2 * BLOCK, out += 2 * BLOCK) {
        int size = pairs - begin < BLOCK ? pairs - begin : BLOCK;
        for (int i = 0; i < size; i++) {
            gap[i] = in[2 * i + 1] - in[2 * i];
            less[i] = gap[i] > 0 ? -gap[i] : gap[i];
        }
        kernels->exp_f32(less, less, (size_t)size);
        for (int i = 0; i < size; i++) {
            float large = 1.0f / (1.0f + less[i]), small = less[i] * large;
            out[2 * i] = gap[i] > 0 ? small : large;
            out[2 * i + 1] = gap[i] > 0 ? large : small;
        }
    }
}

static int are_pairs(const struct strided *view)
{
    return view->dims[3] == 2 && step(view, 3) == 1 && step(view, 2) == 2;
}

void op_softmax(const struct kernels *kernels, struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++) {
            if (are_pairs(&out) && are_pairs(&in)) {
                softmax_pairs(kernels, row(&out, i, j, 0), row(&in, i, j, 0), out.dims[2]);
                continue;
            }
            for (int k = 0; k < out.dims[2]; k++) {
                const struct line l = {row(&out, i, j, k), row(&in, i, j, k), step(&out, 3),
                                       step(&in, 3), out.dims[3]};
                softmax_row(kernels, &l);
            }
        }
}

void op_copy(struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++) {
                float *to = row(&out, i, j, k);
                const float *from = row(&in, i, j, k);
                for (int l = 0; l < out.dims[3]; l++)
                    to[l * step(&out, 3)] = from[l * step(&in, 3)];
            }
}
