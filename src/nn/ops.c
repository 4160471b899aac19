/* The operators that take a small part of the time: plain loops over strided views. */
#include "nn/internal.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

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

static void line_binary(enum model_binary kind, const struct line *l)
{
    float *out = l->out;
    const float *a = l->a, *b = l->b;
    for (ptrdiff_t i = 0; i < l->count; i++, out += l->out_step, a += l->a_step, b += l->b_step)
        switch (kind) {
        case BINARY_ADD:
            *out = *a + *b;
            break;
        case BINARY_SUB:
            *out = *a - *b;
            break;
        case BINARY_MUL:
            *out = *a * *b;
            break;
        case BINARY_DIV:
            *out = *a / *b;
            break;
        case BINARY_MIN:
            *out = *a < *b ? *a : *b;
            break;
        case BINARY_MAX:
            *out = *a > *b ? *a : *b;
            break;
        case BINARY_PRELU:
            *out = *a < 0 ? *a * *b : *a;
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

static float unary(enum model_unary kind, float x)
{
    switch (kind) {
    case UNARY_RELU:
        return x < 0 ? 0.0f : x;
    case UNARY_EXP:
        return expf(x);
    case UNARY_SIGMOID:
        return 1.0f / (1.0f + expf(-x));
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

void op_unary(enum model_unary kind, struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++) {
                float *to = row(&out, i, j, k);
                const float *from = row(&in, i, j, k);
                for (int l = 0; l < out.dims[3]; l++)
                    to[l * step(&out, 3)] = unary(kind, from[l * step(&in, 3)]);
            }
}

static void softmax_row(float *out, ptrdiff_t out_step, const float *in, ptrdiff_t in_step,
                        int count)
{
    float most = in[0], sum = 0.0f;
    for (int i = 1; i < count; i++)
        most = in[i * in_step] > most ? in[i * in_step] : most;
    for (int i = 0; i < count; i++)
        sum += out[i * out_step] = expf(in[i * in_step] - most);
    for (int i = 0; i < count; i++)
        out[i * out_step] /= sum;
}

void op_softmax(struct strided out, struct strided in)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int k = 0; k < out.dims[2]; k++)
                softmax_row(row(&out, i, j, k), step(&out, 3), row(&in, i, j, k), step(&in, 3),
                            out.dims[3]);
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
