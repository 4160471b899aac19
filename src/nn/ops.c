/* The operators that take a small part of the time: plain loops over strided views. */
#include "nn/internal.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

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

void op_pool(const struct model_node *node, struct strided out, struct strided in)
{
    for (int y = 0; y < out.dims[2]; y++)
        for (int x = 0; x < out.dims[3]; x++)
            for (int c = 0; c < out.dims[1]; c++)
                row(&out, 0, c, y)[x * step(&out, 3)] =
                    pool_value(node, &in, in.data + c * step(&in, 1), y, x);
}

struct line { /* one innermost row of three views */
    float *out;
    const float *a, *b;
    ptrdiff_t out_step, a_step, b_step, count;
};

static inline float binary(enum model_binary kind, float a, float b)
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
    case BINARY_KINDS:
        break;
    }
    return a;
}

/* Inlined below with a constant kind, so that no loop asks again for each element; loops over
 * adjacent elements apart, which the compiler makes vectors of. */
static inline __attribute__((always_inline)) void run_line(enum model_binary kind,
                                                           const struct line *l)
{
    ptrdiff_t count = l->count;
    if (l->out_step == 1 && l->a_step == 1 && l->b_step == 1)
        for (ptrdiff_t i = 0; i < count; i++)
            l->out[i] = binary(kind, l->a[i], l->b[i]);
    else if (l->out_step == 1 && l->a_step == 1 && l->b_step == 0)
        for (ptrdiff_t i = 0; i < count; i++)
            l->out[i] = binary(kind, l->a[i], *l->b);
    else
        for (ptrdiff_t i = 0; i < count; i++)
            l->out[i * l->out_step] = binary(kind, l->a[i * l->a_step], l->b[i * l->b_step]);
}

static void line_binary(enum model_binary kind, const struct line *l)
{
    switch (kind) {
    case BINARY_ADD:
        run_line(BINARY_ADD, l);
        break;
    case BINARY_SUB:
        run_line(BINARY_SUB, l);
        break;
    case BINARY_MUL:
        run_line(BINARY_MUL, l);
        break;
    case BINARY_DIV:
        run_line(BINARY_DIV, l);
        break;
    case BINARY_MIN:
        run_line(BINARY_MIN, l);
        break;
    case BINARY_MAX:
        run_line(BINARY_MAX, l);
        break;
    case BINARY_PRELU:
        run_line(BINARY_PRELU, l);
        break;
    case BINARY_KINDS:
        break;
    }
}

void op_binary(enum model_binary kind, struct strided out, struct strided a, struct strided b)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++) {
                const struct line l = {row(&out, i, j, k), row(&a, i, j, k), row(&b, i, j, k),
                                       step(&out, 3),      step(&a, 3),      step(&b, 3),
                                       out.dims[3]};
                line_binary(kind, &l);
            }
}

/* e^x without a branch or a call, so that loops over it become vectors: 2^n * e^r with n whole and
 * r within ln(2) / 2, the polynomial being Cephes'. Right to 2 units in the last place; what would
 * be denormal is 0, and from 88.72 on it is infinite. */
static inline float exponential(float x)
{
    enum { ROUNDER_BITS = 0x4b400000, EXPONENT_BIAS = 127, EXPONENT_SHIFT = 23 };
    const float log2e = 1.44269504f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves a whole number behind */
    const float least = -87.33654f, most = 88.72283f;
    float bounded = x < least ? least : x > most ? most : x;
    union {
        float value;
        uint32_t bits;
    } sum = {bounded * log2e + rounder}, power;
    sum.value = sum.value > rounder + 127.0f ? rounder + 127.0f : sum.value;
    float whole = sum.value - rounder;
    float r = bounded - whole * ln2_high - whole * ln2_low;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    power.bits = (sum.bits - ROUNDER_BITS + EXPONENT_BIAS) << EXPONENT_SHIFT;
    float result = p * power.value;
    return x < least ? 0.0f : x > most ? INFINITY : result;
}

static inline float unary(enum model_unary kind, float x)
{
    switch (kind) {
    case UNARY_RELU:
        return x < 0 ? 0.0f : x;
    case UNARY_EXP:
        return exponential(x);
    case UNARY_SIGMOID:
        return 1.0f / (1.0f + exponential(-x));
    case UNARY_TANH:
        return tanhf(x);
    case UNARY_SQRT:
        return sqrtf(x);
    case UNARY_NEG:
        return -x;
    case UNARY_ABS:
        return fabsf(x);
    case UNARY_LOG:
        return logf(x);
    case UNARY_KINDS:
        break;
    }
    return x;
}

/* As run_line(). */
static inline __attribute__((always_inline)) void run_unary(enum model_unary kind,
                                                            const struct line *l)
{
    ptrdiff_t count = l->count;
    if (l->out_step == 1 && l->a_step == 1)
        for (ptrdiff_t i = 0; i < count; i++)
            l->out[i] = unary(kind, l->a[i]);
    else
        for (ptrdiff_t i = 0; i < count; i++)
            l->out[i * l->out_step] = unary(kind, l->a[i * l->a_step]);
}

static void line_unary(enum model_unary kind, const struct line *l)
{
    switch (kind) {
    case UNARY_RELU:
        run_unary(UNARY_RELU, l);
        break;
    case UNARY_EXP:
        run_unary(UNARY_EXP, l);
        break;
    case UNARY_SIGMOID:
        run_unary(UNARY_SIGMOID, l);
        break;
    default:
        run_unary(kind, l);
        break;
    }
}

void op_unary(enum model_unary kind, struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++) {
                const struct line l = {.out = row(&out, i, j, k),
                                       .a = row(&in, i, j, k),
                                       .out_step = step(&out, 3),
                                       .a_step = step(&in, 3),
                                       .count = out.dims[3]};
                line_unary(kind, &l);
            }
}

static void softmax_row(float *out, ptrdiff_t out_step, const float *in, ptrdiff_t in_step,
                        int count)
{
    float most = in[0], sum = 0.0f;
    for (int i = 1; i < count; i++)
        most = in[i * in_step] > most ? in[i * in_step] : most;
    for (int i = 0; i < count; i++)
        sum += out[i * out_step] = exponential(in[i * in_step] - most);
    for (int i = 0; i < count; i++)
        out[i * out_step] /= sum;
}

/* Pairs side by side, as a detector's thousands of "no face, face". */
static void softmax_pairs(float *restrict out, const float *restrict in, int pairs)
{
    for (int i = 0; i < pairs; i++) {
        float gap = in[2 * i + 1] - in[2 * i];
        float less = exponential(gap > 0 ? -gap : gap);
        float large = 1.0f / (1.0f + less), small = less * large;
        out[2 * i] = gap > 0 ? small : large;
        out[2 * i + 1] = gap > 0 ? large : small;
    }
}

static int are_pairs(const struct strided *view)
{
    return view->dims[3] == 2 && step(view, 3) == 1 && step(view, 2) == 2;
}

void op_softmax(struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++) {
            if (are_pairs(&out) && are_pairs(&in) && out.data != in.data) {
                softmax_pairs(row(&out, i, j, 0), row(&in, i, j, 0), out.dims[2]);
                continue;
            }
            for (int k = 0; k < out.dims[2]; k++)
                softmax_row(row(&out, i, j, k), step(&out, 3), row(&in, i, j, k), step(&in, 3),
                            out.dims[3]);
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
