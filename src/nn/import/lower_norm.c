/* Sums, means and maxima over dimensions, and the normalisations made of them. */
#include "nn/import/importer.h"

#include <string.h>

int emit_reduce(struct importer *im, const struct import_node *node, enum model_reduce kind,
                const struct view *in, unsigned axes, struct view *out)
{
    int64_t dims[IMPORT_MAX_RANK], count = 1;
    for (int i = 0; i < in->rank; i++)
        count *= dims[i] = axes >> i & 1 ? 1 : in->dims[i];
    struct operation *op = new_operation(im, node, MODEL_REDUCE);
    int root = op ? new_root(im, count) : -1;
    if (root < 0)
        return -1;
    *out = view_pixels(root, in->rank, dims);
    op->node.kind = kind;
    op->a = *in;
    op->has_a = 1;
    if (!view_broadcast(out, in->rank, in->dims, &op->out))
        return node_fail(im, node, ERR_INVALID, "the shapes do not go together");
    return 0;
}

static int reduce_kind(const char *op)
{
    static const char *const names[REDUCE_KINDS] = {
        "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSumSquare", NULL, "ReduceL2",
    };
    for (int i = 0; i < REDUCE_KINDS; i++)
        if (names[i] && strcmp(names[i], op) == 0)
            return i;
    return -1;
}

/* A bit for each axis; none named are all. */
static int read_axes(struct importer *im, const struct import_node *node, int rank, unsigned *axes)
{
    int64_t numbers[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "axes", 1, numbers, IMPORT_MAX_RANK);
    if (count < 0)
        return -1;
    *axes = 0;
    for (int i = 0; i < count; i++) {
        int axis = normal_axis(numbers[i], rank);
        if (axis < 0)
            return node_fail(im, node, ERR_INVALID, "axis out of range");
        *axes |= 1U << axis;
    }
    if (count == 0 && !attribute_int(node, "noop_with_empty_axes", 0))
        *axes = (1U << rank) - 1;
    return 0;
}

static struct view without(const struct view *view, unsigned axes)
{
    struct view out = *view;
    out.rank = 0;
    for (int i = 0; i < view->rank; i++) {
        if (axes >> i & 1)
            continue;
        out.dims[out.rank] = view->dims[i];
        out.strides[out.rank++] = view->strides[i];
    }
    return out;
}

int lower_reduce(struct importer *im, struct import_node *node)
{
    struct view in, out;
    unsigned axes;
    enum model_reduce kind = (enum model_reduce)reduce_kind(node->onnx->op);
    if (value_view(im, node->inputs[0], &in) < 0 || read_axes(im, node, in.rank, &axes) < 0 ||
        emit_reduce(im, node, kind, &in, axes, &out) < 0)
        return -1;
    if (!attribute_int(node, "keepdims", 1))
        out = without(&out, axes);
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* (x - mean) / sqrt(variance + epsilon), both over `axes`. */
static int emit_normalized(struct importer *im, const struct import_node *node,
                           const struct view *in, unsigned axes, struct view *out)
{
    struct view mean, centred, variance, shifted, deviation;
    float epsilon = attribute_float(node, "epsilon", 1e-5f);
    if (emit_reduce(im, node, REDUCE_MEAN, in, axes, &mean) < 0 ||
        emit_binary(im, node, BINARY_SUB, (const struct view *[2]){in, &mean}, &centred) < 0 ||
        emit_reduce(im, node, REDUCE_MEAN_SQUARES, &centred, axes, &variance) < 0 ||
        emit_with_number(im, node, BINARY_ADD, &variance, epsilon, &shifted) < 0 ||
        emit_unary(im, node, UNARY_SQRT, &shifted, &deviation) < 0)
        return -1;
    return emit_binary(im, node, BINARY_DIV, (const struct view *[2]){&centred, &deviation}, out);
}

/* Scale and bias of inputs 1 and 2, the latter optional. `spread`: one number a channel. */
static int emit_scale_bias(struct importer *im, struct import_node *node, struct view *in,
                           int spread)
{
    static const enum model_binary kinds[2] = {BINARY_MUL, BINARY_ADD};
    struct view numbers, out;
    for (size_t i = 0; i < 2; i++) {
        if (i + 1 >= node->onnx->input_count || node->inputs[i + 1] == NO_VALUE)
            continue;
        if (value_view(im, node->inputs[i + 1], &numbers) < 0)
            return -1;
        for (int axis = 1; spread && numbers.rank == 1 && axis < in->rank - 1; axis++) {
            numbers.dims[axis] = 1;
            numbers.strides[axis] = 1;
        }
        numbers.rank = spread && numbers.rank == 1 ? in->rank - 1 : numbers.rank;
        if (emit_binary(im, node, kinds[i], (const struct view *[2]){in, &numbers}, &out) < 0)
            return -1;
        *in = out;
    }
    define_value(im, node->outputs[0], in);
    return 0;
}

int lower_instance_normalization(struct importer *im, struct import_node *node)
{
    struct view in, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    if (in.rank < 3)
        return node_fail(im, node, ERR_UNSUPPORTED, "input has %d dimensions", in.rank);
    unsigned axes = ((1U << in.rank) - 1) & ~3U; /* all but sample and channel */
    if (emit_normalized(im, node, &in, axes, &out) < 0)
        return -1;
    return emit_scale_bias(im, node, &out, 1);
}

int lower_layer_normalization(struct importer *im, struct import_node *node)
{
    struct view in, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    int axis = normal_axis(attribute_int(node, "axis", -1), in.rank);
    if (axis < 0)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    unsigned axes = ((1U << in.rank) - 1) & ~((1U << axis) - 1);
    if (emit_normalized(im, node, &in, axes, &out) < 0)
        return -1;
    return emit_scale_bias(im, node, &out, 0);
}

/* x over its length along an axis. */
int lower_lp_normalization(struct importer *im, struct import_node *node)
{
    struct view in, length, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    int axis = normal_axis(attribute_int(node, "axis", -1), in.rank);
    if (axis < 0)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    if (attribute_int(node, "p", 2) != 2)
        return node_fail(im, node, ERR_UNSUPPORTED, "p is not 2");
    if (emit_reduce(im, node, REDUCE_L2, &in, 1U << axis, &length) < 0 ||
        emit_binary(im, node, BINARY_DIV, (const struct view *[2]){&in, &length}, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}
