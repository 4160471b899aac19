#include "nn/import/linear.h"

#include <string.h>

static int binary_kind(const char *op)
{
    static const char *const names[BINARY_KINDS] = {"Add", "Sub", "Mul",   "Div",
                                                    "Min", "Max", "PRelu", "Pow"};
    if (strcmp(op, "Sum") == 0)
        return BINARY_ADD;
    for (int i = 0; i < BINARY_KINDS; i++)
        if (strcmp(names[i], op) == 0)
            return i;
    return -1;
}

int common_shape(const struct view *a, const struct view *b, int *rank, int64_t *dims)
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

int emit_binary(struct importer *im, const struct import_node *node, enum model_binary kind,
                const struct view *operands[2], struct view *result)
{
    struct view out;
    struct operation *op = new_operation(im, node, MODEL_BINARY);
    if (!op || new_result(im, node, operands[0], operands[1], &out) < 0)
        return -1;
    op->node.kind = kind;
    op->out = out;
    op->has_a = op->has_b = 1;
    if (!view_broadcast(operands[0], out.rank, out.dims, &op->a) ||
        !view_broadcast(operands[1], out.rank, out.dims, &op->b))
        return node_fail(im, node, ERR_INVALID, "the two shapes do not go together");
    *result = out;
    return 0;
}

/* Shape arithmetic is over integers, which are no tensors of a run. */
static int has_integers(const struct importer *im, const struct import_node *node)
{
    for (size_t i = 0; i < node->onnx->input_count; i++) {
        const struct onnx_tensor *t = constant_input(im, node, i);
        if (t && t->ints)
            return 1;
    }
    return 0;
}

int lower_binary(struct importer *im, struct import_node *node)
{
    enum model_binary kind = (enum model_binary)binary_kind(node->onnx->op);
    size_t count = node->onnx->input_count;
    int chained = kind == BINARY_ADD || kind == BINARY_MIN || kind == BINARY_MAX;
    struct view all, next, out;
    if ((count != 2 && !chained) || (count == 2 && node->inputs[1] == NO_VALUE))
        return node_fail(im, node, ERR_UNSUPPORTED, "has not two inputs");
    if (count == 2 && has_integers(im, node) && im->values[node->inputs[0]].constant &&
        im->values[node->inputs[1]].constant)
        return fold_binary(im, node, kind);
    if (value_view(im, node->inputs[0], &all) < 0)
        return -1;
    for (size_t i = 1; i < count; i++) {
        if (node->inputs[i] == NO_VALUE)
            return node_fail(im, node, ERR_INVALID, "an input is left out");
        if (value_view(im, node->inputs[i], &next) < 0 ||
            emit_binary(im, node, kind, (const struct view *[2]){&all, &next}, &out) < 0)
            return -1;
        all = out;
    }
    define_value(im, node->outputs[0], &all);
    return 0;
}

static int unary_kind(const char *op)
{
    static const char *const names[UNARY_KINDS] = {
        "Relu", "Exp",       "Sigmoid", "Tanh", "Sqrt",     "Neg",  "Abs",        "Log",
        "Erf",  "HardSwish", "Gelu",    NULL,   "Softplus", "Mish", "Reciprocal",
    };
    for (int i = 0; i < UNARY_KINDS; i++)
        if (names[i] && strcmp(names[i], op) == 0)
            return i;
    return -1;
}

int emit_unary(struct importer *im, const struct import_node *node, enum model_unary kind,
               const struct view *in, struct view *out)
{
    struct operation *op = new_operation(im, node, MODEL_UNARY);
    int root = op ? new_root(im, view_count(in)) : -1;
    if (root < 0)
        return -1;
    *out = view_like(root, in);
    op->node.kind = kind;
    op->out = *out;
    op->a = *in;
    op->has_a = 1;
    return 0;
}

static int lower_unary_kind(struct importer *im, struct import_node *node, enum model_unary kind)
{
    struct view in, out;
    if (value_view(im, node->inputs[0], &in) < 0 || emit_unary(im, node, kind, &in, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

int lower_unary(struct importer *im, struct import_node *node)
{
    return lower_unary_kind(im, node, (enum model_unary)unary_kind(node->onnx->op));
}

int lower_gelu(struct importer *im, struct import_node *node)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, "approximate");
    const char *how = a && a->text[0] ? a->text : "none";
    if (strcmp(how, "none") != 0 && strcmp(how, "tanh") != 0)
        return node_fail(im, node, ERR_UNSUPPORTED, "approximate \"%s\"", how);
    return lower_unary_kind(im, node, strcmp(how, "tanh") == 0 ? UNARY_GELU_TANH : UNARY_GELU);
}

int number_view(struct importer *im, float number, struct view *view)
{
    uint32_t offset;
    int root = new_root(im, 1);
    if (root < 0 || put_weights(im, &number, 1, &offset) < 0)
        return -1;
    im->roots[root].is_constant = 1;
    im->roots[root].offset = offset;
    *view = view_rows(root, 0, NULL);
    return 0;
}

int emit_with_number(struct importer *im, const struct import_node *node, enum model_binary kind,
                     const struct view *in, float number, struct view *out)
{
    struct view one;
    if (number_view(im, number, &one) < 0)
        return -1;
    return emit_binary(im, node, kind, (const struct view *[2]){in, &one}, out);
}

/* Each step with a number of its own. */
static int lower_steps(struct importer *im, struct import_node *node,
                       const enum model_binary *kinds, const float *numbers, int count)
{
    struct view in, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        if (emit_with_number(im, node, kinds[i], &in, numbers[i], &out) < 0)
            return -1;
        in = out;
    }
    define_value(im, node->outputs[0], &in);
    return 0;
}

/* max(0, min(1, alpha x + beta)) */
int lower_hard_sigmoid(struct importer *im, struct import_node *node)
{
    static const enum model_binary kinds[] = {BINARY_MUL, BINARY_ADD, BINARY_MIN, BINARY_MAX};
    const float numbers[] = {attribute_float(node, "alpha", 0.2f),
                             attribute_float(node, "beta", 0.5f), 1.0f, 0.0f};
    return lower_steps(im, node, kinds, numbers, 4);
}

/* max(x, 0) + alpha (e^min(x, 0) - 1) */
int lower_elu(struct importer *im, struct import_node *node)
{
    struct view in, above, below, power, less, scaled, out;
    if (value_view(im, node->inputs[0], &in) < 0 ||
        emit_with_number(im, node, BINARY_MAX, &in, 0.0f, &above) < 0 ||
        emit_with_number(im, node, BINARY_MIN, &in, 0.0f, &below) < 0 ||
        emit_unary(im, node, UNARY_EXP, &below, &power) < 0 ||
        emit_with_number(im, node, BINARY_SUB, &power, 1.0f, &less) < 0 ||
        emit_with_number(im, node, BINARY_MUL, &less, attribute_float(node, "alpha", 1.0f),
                         &scaled) < 0 ||
        emit_binary(im, node, BINARY_ADD, (const struct view *[2]){&above, &scaled}, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* Squares and roots are what normalisations raise to; anything else takes its time. */
int lower_pow(struct importer *im, struct import_node *node)
{
    if (node->onnx->input_count != 2 || node->inputs[1] == NO_VALUE)
        return node_fail(im, node, ERR_INVALID, "has not two inputs");
    const struct onnx_tensor *t = im->values[node->inputs[1]].constant;
    struct view in, out;
    float power = !t || t->count != 1 ? 0.0f : t->floats ? t->floats[0] : (float)t->ints[0];
    if (power == 0.5f)
        return lower_unary_kind(im, node, UNARY_SQRT);
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    if (power == 2.0f) {
        if (emit_binary(im, node, BINARY_MUL, (const struct view *[2]){&in, &in}, &out) < 0)
            return -1;
    } else if (t && t->count == 1) {
        if (emit_with_number(im, node, BINARY_POW, &in, power, &out) < 0)
            return -1;
    } else {
        return lower_binary(im, node);
    }
    define_value(im, node->outputs[0], &out);
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
    struct view in, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        float number = 0.0f;
        int found = bound(im, node, sides[i].name, i + 1, &number);
        if (found == 0)
            continue;
        if (found < 0 || emit_with_number(im, node, sides[i].kind, &in, number, &out) < 0)
            return -1;
        in = out;
    }
    define_value(im, node->outputs[0], &in);
    return 0;
}

int lower_leaky_relu(struct importer *im, struct import_node *node)
{
    static const enum model_binary kind = BINARY_PRELU;
    float slope = attribute_float(node, "alpha", 0.01f);
    return lower_steps(im, node, &kind, &slope, 1);
}

/* One that could not be folded into a layer before it: multiply, then add. */
int lower_batch_normalization(struct importer *im, struct import_node *node)
{
    struct view in, factors[2], scaled, out;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    if (in.rank < 2)
        return node_fail(im, node, ERR_UNSUPPORTED, "input has %d dimensions", in.rank);
    int64_t channels = in.dims[1], dims[IMPORT_MAX_RANK] = {1, channels, 1, 1, 1, 1};
    const float *numbers = batch_scale_shift(im, node, channels);
    if (!numbers)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        size_t count = (size_t)channels;
        uint32_t offset;
        int root = new_root(im, channels);
        if (root < 0 || put_weights(im, numbers + i * count, count, &offset) < 0)
            return -1;
        im->roots[root].is_constant = 1;
        im->roots[root].offset = offset;
        factors[i] = view_rows(root, in.rank, dims);
    }
    if (emit_binary(im, node, BINARY_MUL, (const struct view *[2]){&in, &factors[0]}, &scaled) <
            0 ||
        emit_binary(im, node, BINARY_ADD, (const struct view *[2]){&scaled, &factors[1]}, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

int lower_softmax(struct importer *im, struct import_node *node)
{
    enum { AXIS_ALONE = 13 }; /* before this opset, all dimensions from the axis on */
    struct view in;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    struct operation *op = new_operation(im, node, MODEL_SOFTMAX);
    int root = op ? new_root(im, view_count(&in)) : -1;
    if (root < 0)
        return -1;
    op->out = view_like(root, &in);
    op->a = in;
    op->has_a = 1;
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
