#include "nn/import/linear.h"

#include <string.h>

static int binary_kind(const char *op)
{
    static const char *const names[BINARY_KINDS] = {"Add", "Sub", "Mul",  "Div",
                                                    "Min", "Max", "PRelu"};
    for (int i = 0; i < BINARY_KINDS; i++)
        if (strcmp(names[i], op) == 0)
            return i;
    return -1;
}

/* The shape that two broadcast to. Returns 0 when they do not go together. */
static int common_shape(const struct view *a, const struct view *b, int *rank, int64_t *dims)
{
    *rank = a->rank > b->rank ? a->rank : b->rank;
    for (int i = 0; i < *rank; i++) {
        int in_a = i - (*rank - a->rank), in_b = i - (*rank - b->rank);
        int64_t size_a = in_a < 0 ? 1 : a->dims[in_a], size_b = in_b < 0 ? 1 : b->dims[in_b];
        if (size_a != size_b && size_a != 1 && size_b != 1)
            return 0;
        dims[i] = size_a > size_b ? size_a : size_b;
    }
    return 1;
}

/* A new root for the result: in memory order like the operand of full size, if there is one. */
static int new_result(struct importer *im, const struct import_node *node, const struct view *a,
                      const struct view *b, struct view *out)
{
    int64_t dims[IMPORT_MAX_RANK], count = 1;
    int rank;
    if (!common_shape(a, b, &rank, dims))
        return node_fail(im, node, ERR_INVALID, "the two shapes do not go together");
    for (int i = 0; i < rank; i++)
        if ((count *= dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    int root = new_root(im, count);
    if (root < 0)
        return -1;
    const struct view *full = im->roots[a->root].is_constant ? b : a;
    if (full->rank == rank && view_count(full) == count)
        *out = view_like(root, full);
    else
        *out = view_pixels(root, rank, dims);
    return 0;
}

static int emit_binary(struct importer *im, struct import_node *node, enum model_binary kind,
                       const struct view *a, const struct view *b)
{
    struct view out;
    struct operation *op = new_operation(im, node, MODEL_BINARY);
    if (!op || new_result(im, node, a, b, &out) < 0)
        return -1;
    op->node.kind = kind;
    op->out = out;
    op->has_a = op->has_b = 1;
    if (!view_broadcast(a, out.rank, out.dims, &op->a) ||
        !view_broadcast(b, out.rank, out.dims, &op->b))
        return node_fail(im, node, ERR_INVALID, "the two shapes do not go together");
    define_value(im, node->outputs[0], &out);
    return 0;
}

int lower_binary(struct importer *im, struct import_node *node)
{
    enum model_binary kind = (enum model_binary)binary_kind(node->onnx->op);
    struct view a, b;
    if (node->onnx->input_count != 2 || node->inputs[1] == NO_VALUE)
        return node_fail(im, node, ERR_UNSUPPORTED, "has not two inputs");
    if (im->values[node->inputs[0]].constant && im->values[node->inputs[1]].constant)
        return fold_binary(im, node, kind);
    if (value_view(im, node->inputs[0], &a) < 0 || value_view(im, node->inputs[1], &b) < 0)
        return -1;
    return emit_binary(im, node, kind, &a, &b);
}

static int unary_kind(const char *op)
{
    static const char *const names[UNARY_KINDS] = {"Relu", "Exp", "Sigmoid", "Tanh",
                                                   "Sqrt", "Neg", "Abs",     "Log"};
    for (int i = 0; i < UNARY_KINDS; i++)
        if (strcmp(names[i], op) == 0)
            return i;
    return -1;
}

static struct operation *new_like(struct importer *im, struct import_node *node, enum model_op kind)
{
    struct view in;
    if (value_view(im, node->inputs[0], &in) < 0)
        return NULL;
    struct operation *op = new_operation(im, node, kind);
    int root = op ? new_root(im, view_count(&in)) : -1;
    if (root < 0)
        return NULL;
    op->out = view_like(root, &in);
    op->a = in;
    op->has_a = 1;
    return op;
}

int lower_unary(struct importer *im, struct import_node *node)
{
    struct operation *op = new_like(im, node, MODEL_UNARY);
    if (!op)
        return -1;
    op->node.kind = (uint32_t)unary_kind(node->onnx->op);
    define_value(im, node->outputs[0], &op->out);
    return 0;
}

/* A constant of one number in the weights. */
static int number_view(struct importer *im, float number, struct view *view)
{
    uint32_t offset;
    int root = new_root(im, 1);
    if (root < 0 || put_weights(im, &number, 1, 1, &offset) < 0)
        return -1;
    im->roots[root].is_constant = 1;
    im->roots[root].offset = offset;
    *view = view_rows(root, 0, NULL);
    return 0;
}

static int bound(struct importer *im, const struct import_node *node, const char *name,
                 size_t input, float *out)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, name);
    if (a) {
        *out = a->f;
        return 1;
    }
    if (input >= node->onnx->input_count || node->inputs[input] == NO_VALUE)
        return 0;
    const struct onnx_tensor *constant = im->values[node->inputs[input]].constant;
    if (!constant || !constant->floats || constant->count != 1)
        return node_fail(im, node, ERR_UNSUPPORTED, "bounds are not constant numbers");
    *out = constant->floats[0];
    return 1;
}

int lower_clip(struct importer *im, struct import_node *node)
{
    static const struct {
        const char *name;
        enum model_binary kind;
    } sides[2] = {{"min", BINARY_MAX}, {"max", BINARY_MIN}};
    struct view in, limit;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    define_value(im, node->outputs[0], &in);
    for (size_t i = 0; i < 2; i++) {
        float number = 0.0f;
        int found = bound(im, node, sides[i].name, i + 1, &number);
        if (found == 0)
            continue;
        if (found < 0 || number_view(im, number, &limit) < 0 ||
            emit_binary(im, node, sides[i].kind, &in, &limit) < 0)
            return -1;
        if (node->outputs[0] != NO_VALUE)
            in = im->values[node->outputs[0]].view;
    }
    return 0;
}

int lower_leaky_relu(struct importer *im, struct import_node *node)
{
    struct view in, slope;
    if (value_view(im, node->inputs[0], &in) < 0 ||
        number_view(im, attribute_float(node, "alpha", 0.01f), &slope) < 0)
        return -1;
    return emit_binary(im, node, BINARY_PRELU, &in, &slope);
}

/* One that could not be folded into a layer before it: multiply, then add. */
int lower_batch_normalization(struct importer *im, struct import_node *node)
{
    struct view in, factors[2];
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    if (in.rank != 2 && in.rank != 4)
        return node_fail(im, node, ERR_UNSUPPORTED, "input has %d dimensions", in.rank);
    int64_t channels = in.dims[1], dims[4] = {1, channels, 1, 1};
    const float *numbers = batch_scale_shift(im, node, channels);
    if (!numbers)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        size_t count = (size_t)channels;
        uint32_t offset;
        int root = new_root(im, channels);
        if (root < 0 || put_weights(im, numbers + i * count, count, count, &offset) < 0)
            return -1;
        im->roots[root].is_constant = 1;
        im->roots[root].offset = offset;
        factors[i] = view_rows(root, in.rank, dims);
    }
    if (emit_binary(im, node, BINARY_MUL, &in, &factors[0]) < 0)
        return -1;
    if (node->outputs[0] != NO_VALUE)
        in = im->values[node->outputs[0]].view;
    return emit_binary(im, node, BINARY_ADD, &in, &factors[1]);
}

int lower_softmax(struct importer *im, struct import_node *node)
{
    enum { AXIS_ALONE = 13 }; /* before this opset, all dimensions from the axis on */
    struct operation *op = new_like(im, node, MODEL_SOFTMAX);
    if (!op)
        return -1;
    int rank = op->a.rank, old = im->graph.opset < AXIS_ALONE;
    int axis = normal_axis(attribute_int(node, "axis", old ? 1 : -1), rank);
    if (axis < 0)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    for (int i = axis + 1; old && i < rank; i++)
        if (op->a.dims[i] != 1)
            return node_fail(im, node, ERR_UNSUPPORTED, "over several dimensions");
    define_value(im, node->outputs[0], &op->out);
    struct view *views[2] = {&op->out, &op->a};
    for (int v = 0; v < 2; v++) { /* the executor's goes over the last */
        int64_t size = views[v]->dims[axis], stride = views[v]->strides[axis];
        views[v]->dims[axis] = views[v]->dims[rank - 1];
        views[v]->strides[axis] = views[v]->strides[rank - 1];
        views[v]->dims[rank - 1] = size;
        views[v]->strides[rank - 1] = stride;
    }
    return 0;
}
