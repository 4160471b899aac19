/* Operators that walk one tensor by another's rules, and the choice among all plain ones. */
#include "nn/internal.h"

#include <float.h>
#include <math.h>
#include <stddef.h>

static ptrdiff_t step(const struct strided *view, int dim)
{
    return view->strides[dim];
}

static float *row(const struct strided *view, int i, int j, int k)
{
    return view->data + i * step(view, 0) + j * step(view, 1) + k * step(view, 2);
}

/* ---- resize ---- */

/* The four pixels around one of the output's, and the parts of right and bottom. */
struct corners {
    const float *top_left, *top_right, *bottom_left, *bottom_right;
    float x, y;
};

static void blend(float *restrict out, ptrdiff_t out_step, const struct corners *c,
                  ptrdiff_t in_step, int count)
{
    const float *a = c->top_left, *b = c->top_right, *d = c->bottom_left, *e = c->bottom_right;
    for (ptrdiff_t i = 0; i < count; i++) {
        ptrdiff_t at = i * in_step;
        float top = a[at] + c->x * (b[at] - a[at]), bottom = d[at] + c->x * (e[at] - d[at]);
        out[i * out_step] = top + c->y * (bottom - top);
    }
}

static void take(float *out, ptrdiff_t out_step, const float *in, ptrdiff_t in_step, int count)
{
    if (out_step == 1 && in_step == 1)
        for (ptrdiff_t i = 0; i < count; i++)
            out[i] = in[i];
    else
        for (ptrdiff_t i = 0; i < count; i++)
            out[i * out_step] = in[i * in_step];
}

static void resize_row(enum model_resize kind, const struct strided *out, const struct strided *in,
                       int y, const float *row_triple, const float *columns)
{
    const float *top = in->data + (ptrdiff_t)row_triple[0] * step(in, 2);
    const float *bottom = in->data + (ptrdiff_t)row_triple[1] * step(in, 2);
    for (int x = 0; x < out->dims[3]; x++, columns += RESIZE_TRIPLE) {
        ptrdiff_t left = (ptrdiff_t)columns[0] * step(in, 3);
        ptrdiff_t right = (ptrdiff_t)columns[1] * step(in, 3);
        const struct corners c = {top + left,     top + right, bottom + left,
                                  bottom + right, columns[2],  row_triple[2]};
        float *to = out->data + y * step(out, 2) + x * step(out, 3);
        if (kind == RESIZE_NEAREST)
            take(to, step(out, 1), c.top_left, step(in, 1), out->dims[1]);
        else
            blend(to, step(out, 1), &c, step(in, 1), out->dims[1]);
    }
}

void op_resize(enum model_resize kind, struct strided out, struct strided in, const float *rows,
               const float *columns)
{
    for (int y = 0; y < out.dims[2]; y++)
        resize_row(kind, &out, &in, y, rows + (ptrdiff_t)y * RESIZE_TRIPLE, columns);
}

/* ---- reduce ---- */

static float reduce_start(enum model_reduce kind)
{
    return kind == REDUCE_MAX ? -INFINITY : kind == REDUCE_MIN ? INFINITY : 0.0f;
}

static float reduce_step(enum model_reduce kind, float sum, float x)
{
    switch (kind) {
    case REDUCE_MAX:
        return x > sum ? x : sum;
    case REDUCE_MIN:
        return x < sum ? x : sum;
    case REDUCE_SUM:
    case REDUCE_MEAN:
        return sum + x;
    default:
        return sum + x * x;
    }
}

static float reduce_end(enum model_reduce kind, float sum, float count)
{
    if (kind == REDUCE_MEAN || kind == REDUCE_MEAN_SQUARES)
        return sum / count;
    return kind == REDUCE_L2 ? sqrtf(sum) : sum;
}

/* Of the view's dimension, how many are different numbers. */
static int kept(const struct strided *out, int dim)
{
    return step(out, dim) ? out->dims[dim] : 1;
}

/* Each number of `out` before the first step, or after the last. */
static void reduce_edges(enum model_reduce kind, const struct strided *out, float count, int at_end)
{
    for (int i = 0; i < kept(out, 0); i++)
        for (int j = 0; j < kept(out, 1); j++)
            for (int k = 0; k < kept(out, 2); k++)
                for (int l = 0; l < kept(out, 3); l++) {
                    float *x = row(out, i, j, k) + l * step(out, 3);
                    *x = at_end ? reduce_end(kind, *x, count) : reduce_start(kind);
                }
}

static void reduce_row(enum model_reduce kind, float *out, ptrdiff_t out_step, const float *in,
                       ptrdiff_t in_step, int count)
{
    if (out_step) {
        for (int l = 0; l < count; l++)
            out[l * out_step] = reduce_step(kind, out[l * out_step], in[l * in_step]);
        return;
    }
    float sum = reduce_start(kind);
    for (int l = 0; l < count; l++)
        sum = reduce_step(kind, sum, in[l * in_step]);
    if (kind == REDUCE_MAX || kind == REDUCE_MIN)
        *out = reduce_step(kind, *out, sum);
    else
        *out += sum;
}

void op_reduce(enum model_reduce kind, struct strided out, struct strided in)
{
    float count = 1.0f;
    for (int i = 0; i < 4; i++)
        count *= step(&out, i) ? 1.0f : (float)out.dims[i];
    reduce_edges(kind, &out, count, 0);
    for (int i = 0; i < in.dims[0]; i++)
        for (int j = 0; j < in.dims[1]; j++)
            for (int k = 0; k < in.dims[2]; k++)
                reduce_row(kind, row(&out, i, j, k), step(&out, 3), row(&in, i, j, k), step(&in, 3),
                           in.dims[3]);
    reduce_edges(kind, &out, count, 1);
}

/* ---- products of what comes about at run time ---- */

static void matmul_row(float *out, ptrdiff_t out_step, const float *a, ptrdiff_t a_step,
                       const struct strided *b, const float *b_data)
{
    int inner = b->dims[2], columns = b->dims[3];
    for (int n = 0; n < columns; n++)
        out[n * out_step] = 0.0f;
    for (int k = 0; k < inner; k++) {
        const float *from = b_data + k * step(b, 2);
        float factor = a[k * a_step];
        for (int n = 0; n < columns; n++)
            out[n * out_step] += factor * from[n * step(b, 3)];
    }
}

void op_matmul(struct strided out, struct strided a, struct strided b)
{
    for (int i = 0; i < out.dims[0]; i++)
        for (int j = 0; j < out.dims[1]; j++)
            for (int m = 0; m < out.dims[2]; m++)
                matmul_row(row(&out, i, j, m), step(&out, 3), row(&a, i, j, m), step(&a, 3), &b,
                           row(&b, i, j, 0));
}

/* One number: the window at (y, x) over the channels of one group. */
static float window(const struct model_node *node, const struct strided *in, const float *plane,
                    const struct strided *weights, const float *filter, int y, int x)
{
    float sum = 0.0f;
    for (int c = 0; c < weights->dims[1]; c++)
        for (int ky = 0; ky < node->kernel[0]; ky++)
            for (int kx = 0; kx < node->kernel[1]; kx++) {
                ptrdiff_t in_y = (ptrdiff_t)y * node->stride[0] - node->pads[0] +
                                 (ptrdiff_t)ky * node->dilation[0];
                ptrdiff_t in_x = (ptrdiff_t)x * node->stride[1] - node->pads[1] +
                                 (ptrdiff_t)kx * node->dilation[1];
                if (in_y < 0 || in_y >= in->dims[2] || in_x < 0 || in_x >= in->dims[3])
                    continue;
                sum += plane[c * step(in, 1) + in_y * step(in, 2) + in_x * step(in, 3)] *
                       filter[c * step(weights, 1) + ky * step(weights, 2) + kx * step(weights, 3)];
            }
    return sum;
}

void op_windows(const struct model_node *node, struct strided out, struct strided in,
                struct strided weights)
{
    int groups = in.dims[1] / weights.dims[1], outs = out.dims[1] / groups;
    for (int o = 0; o < out.dims[1]; o++) {
        const float *plane = in.data + (ptrdiff_t)(o / outs) * weights.dims[1] * step(&in, 1);
        const float *filter = weights.data + o * step(&weights, 0);
        for (int y = 0; y < out.dims[2]; y++)
            for (int x = 0; x < out.dims[3]; x++)
                row(&out, 0, o, y)[x * step(&out, 3)] =
                    window(node, &in, plane, &weights, filter, y, x);
    }
}

void op_run(const struct model_node *node, const struct kernels *kernels, const struct operands *o)
{
    switch (node->op) {
    case MODEL_POOL:
        op_pool(node, o->out, o->a);
        break;
    case MODEL_BINARY:
        op_binary((enum model_binary)node->kind, o->out, o->a, o->b);
        break;
    case MODEL_UNARY:
        op_unary(kernels, (enum model_unary)node->kind, o->out, o->a);
        break;
    case MODEL_SOFTMAX:
        op_softmax(kernels, o->out, o->a);
        break;
    case MODEL_COPY:
        op_copy(o->out, o->a);
        break;
    case MODEL_RESIZE:
        op_resize((enum model_resize)node->kind, o->out, o->a, o->weights + node->weights,
                  o->weights + node->bias);
        break;
    case MODEL_REDUCE:
        op_reduce((enum model_reduce)node->kind, o->out, o->a);
        break;
    case MODEL_MATMUL:
        op_matmul(o->out, o->a, o->b);
        break;
    case MODEL_WINDOWS:
        op_windows(node, o->out, o->a, o->b);
        break;
    default:
        break;
    }
}
