/* Products of two tensors that both come about at run time: MatMul, Gemm, Conv. The packed kernels
 * want constant weights; these are plain loops. */
#include "nn/import/linear.h"

#include <string.h>

/* In front of a view's dimensions, others of 1 up to four. */
static struct view to_four(const struct view *view)
{
    struct view out = {.root = view->root, .offset = view->offset, .rank = 4};
    int lead = 4 - view->rank;
    for (int i = 0; i < 4; i++) {
        out.dims[i] = i < lead ? 1 : view->dims[i - lead];
        out.strides[i] = i < lead ? 0 : view->strides[i - lead];
    }
    return out;
}

/* The batch dimensions of both, and of what they make. */
static int match_batches(struct view views[3])
{
    for (int i = 0; i < 2; i++) {
        int64_t a = views[1].dims[i], b = views[2].dims[i];
        if (a != b && a != 1 && b != 1)
            return 0;
        views[0].dims[i] = a > b ? a : b;
        for (int v = 1; v < 3; v++)
            if (views[v].dims[i] != views[0].dims[i]) {
                views[v].dims[i] = views[0].dims[i];
                views[v].strides[i] = 0;
            }
    }
    return 1;
}

int emit_matmul(struct importer *im, const struct import_node *node, const struct view *a,
                const struct view *b, struct view *out)
{
    if (a->rank < 2 || a->rank > 4 || b->rank < 2 || b->rank > 4)
        return node_fail(im, node, ERR_UNSUPPORTED, "a product of %d by %d dimensions", a->rank,
                         b->rank);
    struct view views[3] = {{.rank = 4}, to_four(a), to_four(b)};
    int rank = a->rank > b->rank ? a->rank : b->rank;
    views[0].dims[2] = views[1].dims[2];
    views[0].dims[3] = views[2].dims[3];
    if (views[1].dims[3] != views[2].dims[2] || !match_batches(views))
        return node_fail(im, node, ERR_INVALID, "the two matrices do not fit");
    int64_t count = 1;
    for (int i = 0; i < 4; i++)
        if ((count *= views[0].dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    struct operation *op = new_operation(im, node, MODEL_MATMUL);
    int root = op ? new_root(im, count) : -1;
    if (root < 0)
        return -1;
    op->out = view_rows(root, 4, views[0].dims);
    op->a = views[1];
    op->b = views[2];
    op->has_a = op->has_b = 1;
    *out = view_rows(root, rank, views[0].dims + 4 - rank);
    return 0;
}

static void turn(struct view *matrix)
{
    int64_t dim = matrix->dims[0], stride = matrix->strides[0];
    matrix->dims[0] = matrix->dims[1];
    matrix->strides[0] = matrix->strides[1];
    matrix->dims[1] = dim;
    matrix->strides[1] = stride;
}

/* alpha * A * B + beta * C */
int lower_run_time_gemm(struct importer *im, struct import_node *node)
{
    struct view a, b, c, out, sum;
    float alpha = attribute_float(node, "alpha", 1.0f), beta = attribute_float(node, "beta", 1.0f);
    if (value_view(im, node->inputs[0], &a) < 0 || value_view(im, node->inputs[1], &b) < 0)
        return -1;
    if (a.rank != 2 || b.rank != 2)
        return node_fail(im, node, ERR_INVALID, "not two matrices");
    if (attribute_int(node, "transA", 0))
        turn(&a);
    if (attribute_int(node, "transB", 0))
        turn(&b);
    if (emit_matmul(im, node, &a, &b, &out) < 0 ||
        emit_with_number(im, node, BINARY_MUL, &out, alpha, &out) < 0)
        return -1;
    if (node->onnx->input_count > 2 && node->inputs[2] != NO_VALUE) {
        if (value_view(im, node->inputs[2], &c) < 0 ||
            emit_with_number(im, node, BINARY_MUL, &c, beta, &c) < 0 ||
            emit_binary(im, node, BINARY_ADD, (const struct view *[2]){&out, &c}, &sum) < 0)
            return -1;
        out = sum;
    }
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* l->in, the window and the output's shape are read. */
static int emit_windows(struct importer *im, const struct linear *l, const struct view *weights,
                        struct view *out)
{
    if (new_pixels(im, l->node, l->out_dims, out) < 0)
        return -1;
    struct operation *op = new_operation(im, l->node, MODEL_WINDOWS);
    if (!op)
        return -1;
    memcpy(op->node.kernel, l->kernel, sizeof l->kernel);
    memcpy(op->node.stride, l->stride, sizeof l->stride);
    memcpy(op->node.dilation, l->dilation, sizeof l->dilation);
    memcpy(op->node.pads, l->pads, sizeof l->pads);
    op->out = *out;
    op->a = l->in;
    op->b = *weights;
    op->has_a = op->has_b = 1;
    return 0;
}

int lower_run_time_conv(struct importer *im, struct import_node *node)
{
    struct linear l = {.node = node, .result = node->outputs[0]};
    struct view weights, bias, out, sum;
    if (value_view(im, node->inputs[0], &l.in) < 0 || value_view(im, node->inputs[1], &weights) < 0)
        return -1;
    if (linear_read_conv(im, &l, weights.rank, weights.dims) < 0 ||
        emit_windows(im, &l, &weights, &out) < 0)
        return -1;
    if (node->onnx->input_count > 2 && node->inputs[2] != NO_VALUE) {
        if (value_view(im, node->inputs[2], &bias) < 0)
            return -1;
        if (bias.rank != 1)
            return node_fail(im, node, ERR_INVALID, "its bias is no row");
        for (int i = 1; i < 3; i++)
            bias.dims[i] = bias.strides[i] = 1;
        bias.rank = 3;
        if (emit_binary(im, node, BINARY_ADD, (const struct view *[2]){&out, &bias}, &sum) < 0)
            return -1;
        out = sum;
    }
    define_value(im, node->outputs[0], &out);
    return 0;
}
