/* Constants computed at import: mostly the shape arithmetic that exporters leave behind. */
#include "nn/import/importer.h"

#include <string.h>

struct onnx_tensor *new_constant(struct importer *im, int rank, const int64_t *dims, int is_float)
{
    struct onnx_tensor *t = arena_new(im->arena, struct onnx_tensor, 1);
    if (!t)
        goto failed;
    t->name = "";
    t->rank = rank;
    t->count = 1;
    for (int i = 0; i < rank; i++) {
        t->dims[i] = dims[i];
        if (dims[i] < 0 || dims[i] > MODEL_MAX_SIDE ||
            (t->count *= (size_t)dims[i]) > MODEL_MAX_FLOATS)
            goto failed;
    }
    if (is_float)
        t->floats = arena_new(im->arena, float, t->count + 1);
    else
        t->ints = arena_new(im->arena, int64_t, t->count + 1);
    if (t->floats || t->ints)
        return t;
failed:
    import_fail(im, ERR_TOO_BIG, "a constant is past the limit");
    return NULL;
}

const struct onnx_tensor *constant_input(const struct importer *im, const struct import_node *node,
                                         size_t input)
{
    if (input >= node->onnx->input_count || node->inputs[input] == NO_VALUE)
        return NULL;
    return im->values[node->inputs[input]].constant;
}

/* The short forms of opset 12: a number, or a row of them. */
static const struct onnx_tensor *short_constant(struct importer *im, const struct import_node *node)
{
    const struct onnx_attribute *real = onnx_attribute(node->onnx, "value_float");
    const struct onnx_attribute *row = onnx_attribute(node->onnx, "value_ints");
    const struct onnx_attribute *one = onnx_attribute(node->onnx, "value_int");
    const struct onnx_attribute *reals = onnx_attribute(node->onnx, "value_floats");
    int64_t length = row ? (int64_t)row->int_count : reals ? (int64_t)reals->float_count : 1;
    if (!real && !reals && !row && !one)
        return NULL;
    struct onnx_tensor *t = new_constant(im, row || reals, &length, real || reals);
    if (t && reals && length)
        memcpy(t->floats, reals->floats, (size_t)length * sizeof *t->floats);
    else if (t && real)
        t->floats[0] = real->f;
    else if (t && row && length)
        memcpy(t->ints, row->ints, (size_t)length * sizeof *t->ints);
    else if (t && one)
        t->ints[0] = one->i;
    return t;
}

int fold_constant(struct importer *im, struct import_node *node)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, "value");
    const struct onnx_tensor *t = a ? a->tensor : short_constant(im, node);
    if (!t)
        return node_fail(im, node, ERR_UNSUPPORTED, "a constant of a kind that ken does not know");
    define_constant(im, node->outputs[0], t);
    im->report->folded_nodes++;
    return 0;
}

static int64_t clamp_rank(int64_t x, int64_t rank)
{
    x = x < 0 ? x + rank : x;
    return x < 0 ? 0 : x > rank ? rank : x;
}

int fold_shape(struct importer *im, struct import_node *node)
{
    int64_t rank = value_rank(im, node->inputs[0]);
    int64_t start = clamp_rank(attribute_int(node, "start", 0), rank);
    int64_t end = clamp_rank(attribute_int(node, "end", rank), rank);
    int64_t length = end > start ? end - start : 0;
    struct onnx_tensor *shape = new_constant(im, 1, &length, 0);
    if (!shape)
        return -1;
    for (int64_t i = 0; i < length; i++)
        shape->ints[i] = value_dims(im, node->inputs[0])[start + i];
    define_constant(im, node->outputs[0], shape);
    im->report->folded_nodes++;
    return 0;
}

static void copy_element(struct onnx_tensor *to, size_t to_at, const struct onnx_tensor *from,
                         size_t from_at)
{
    if (to->floats)
        to->floats[to_at] = from->floats[from_at];
    else
        to->ints[to_at] = from->ints[from_at];
}

int fold_view(struct importer *im, struct import_node *node, const struct onnx_tensor *from,
              const struct view *view, int output)
{
    struct onnx_tensor *to = new_constant(im, view->rank, view->dims, from->floats != NULL);
    if (!to)
        return -1;
    int64_t index[IMPORT_MAX_RANK] = {0};
    for (size_t at = 0; at < to->count; at++) {
        int64_t place = view->offset;
        for (int i = 0; i < view->rank; i++)
            place += index[i] * view->strides[i];
        copy_element(to, at, from, (size_t)place);
        for (int i = view->rank - 1; i >= 0 && ++index[i] == view->dims[i]; i--)
            index[i] = 0;
    }
    define_constant(im, node->outputs[output], to);
    im->report->folded_nodes++;
    return 0;
}

/* Sizes before and behind an axis. */
static void around(const struct onnx_tensor *t, int axis, size_t *before, size_t *behind)
{
    *before = *behind = 1;
    for (int i = 0; i < t->rank; i++)
        if (i != axis)
            *(i < axis ? before : behind) *= (size_t)t->dims[i];
}

int fold_gather(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *data = constant_input(im, node, 0);
    const struct onnx_tensor *indices = constant_input(im, node, 1);
    int axis = normal_axis(attribute_int(node, "axis", 0), data->rank);
    int rank = data->rank - 1 + indices->rank;
    if (axis < 0 || rank > IMPORT_MAX_RANK)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    int64_t dims[IMPORT_MAX_RANK];
    for (int i = 0, at = 0; i < data->rank; i++)
        if (i != axis)
            dims[at++] = data->dims[i];
        else
            for (int j = 0; j < indices->rank; j++)
                dims[at++] = indices->dims[j];
    struct onnx_tensor *to = new_constant(im, rank, dims, data->floats != NULL);
    if (!to)
        return -1;
    size_t before, behind, depth = (size_t)data->dims[axis];
    around(data, axis, &before, &behind);
    for (size_t i = 0; i < before && to->count; i++)
        for (size_t j = 0; j < indices->count; j++) {
            int at = normal_axis(indices->ints[j], (int)depth);
            if (at < 0)
                return node_fail(im, node, ERR_INVALID, "index out of range");
            for (size_t k = 0; k < behind; k++)
                copy_element(to, (i * indices->count + j) * behind + k, data,
                             (i * depth + (size_t)at) * behind + k);
        }
    define_constant(im, node->outputs[0], to);
    im->report->folded_nodes++;
    return 0;
}

/* `lower_concat` has checked that all inputs are constants of the same type, and shapes fit. */
int fold_concat(struct importer *im, struct import_node *node, int axis)
{
    const struct onnx_tensor *first = constant_input(im, node, 0);
    int64_t dims[IMPORT_MAX_RANK];
    memcpy(dims, first->dims, sizeof dims);
    dims[axis] = 0;
    for (size_t i = 0; i < node->onnx->input_count; i++)
        dims[axis] += constant_input(im, node, i)->dims[axis];
    struct onnx_tensor *to = new_constant(im, first->rank, dims, first->floats != NULL);
    if (!to)
        return -1;
    size_t before, behind, begin = 0;
    around(first, axis, &before, &behind);
    for (size_t i = 0; i < node->onnx->input_count; i++) {
        const struct onnx_tensor *from = constant_input(im, node, i);
        size_t run = (size_t)from->dims[axis] * behind, pitch = (size_t)dims[axis] * behind;
        for (size_t j = 0; j < before * run; j++)
            copy_element(to, j / run * pitch + begin + j % run, from, j);
        begin += run;
    }
    define_constant(im, node->outputs[0], to);
    im->report->folded_nodes++;
    return 0;
}

int fold_constant_of_shape(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *shape = constant_input(im, node, 0);
    const struct onnx_attribute *a = onnx_attribute(node->onnx, "value");
    const struct onnx_tensor *value = a ? a->tensor : NULL;
    if (!shape || !shape->ints || shape->count > IMPORT_MAX_RANK || (value && value->count != 1))
        return node_fail(im, node, ERR_UNSUPPORTED, "shape is not constant");
    struct onnx_tensor *to =
        new_constant(im, (int)shape->count, shape->ints, !value || value->floats != NULL);
    if (!to)
        return -1;
    for (size_t i = 0; i < to->count && value; i++)
        copy_element(to, i, value, 0);
    define_constant(im, node->outputs[0], to);
    im->report->folded_nodes++;
    return 0;
}

static int int_result(enum model_binary kind, int64_t a, int64_t b, int64_t *out)
{
    switch (kind) {
    case BINARY_ADD:
        return !__builtin_add_overflow(a, b, out);
    case BINARY_SUB:
        return !__builtin_sub_overflow(a, b, out);
    case BINARY_MUL:
        return !__builtin_mul_overflow(a, b, out);
    case BINARY_DIV:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return 0;
        *out = a / b;
        return 1;
    case BINARY_MIN:
        *out = a < b ? a : b;
        return 1;
    case BINARY_MAX:
        *out = a > b ? a : b;
        return 1;
    default:
        return 0;
    }
}

static int float_result(enum model_binary kind, float a, float b, float *out)
{
    switch (kind) {
    case BINARY_ADD:
        *out = a + b;
        return 1;
    case BINARY_SUB:
        *out = a - b;
        return 1;
    case BINARY_MUL:
        *out = a * b;
        return 1;
    case BINARY_DIV:
        *out = a / b;
        return 1;
    case BINARY_MIN:
        *out = a < b ? a : b;
        return 1;
    case BINARY_MAX:
        *out = a > b ? a : b;
        return 1;
    default:
        return 0;
    }
}

/* Of one element against many, or two of one shape: all that shape arithmetic needs. */
int fold_binary(struct importer *im, struct import_node *node, enum model_binary kind)
{
    const struct onnx_tensor *a = constant_input(im, node, 0), *b = constant_input(im, node, 1);
    int a_moves = a->count > 1, b_moves = b->count > 1;
    if ((a->floats != NULL) != (b->floats != NULL) ||
        (a_moves && b_moves &&
         (a->rank != b->rank || memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank))))
        return node_fail(im, node, ERR_UNSUPPORTED, "constants of two shapes or types");
    const struct onnx_tensor *shape =
        a->count != b->count ? (a_moves ? a : b) : (a->rank >= b->rank ? a : b);
    struct onnx_tensor *to = new_constant(im, shape->rank, shape->dims, a->floats != NULL);
    if (!to || a->count == 0 || b->count == 0)
        return to ? node_fail(im, node, ERR_UNSUPPORTED, "an empty constant") : -1;
    for (size_t i = 0; i < to->count; i++) {
        size_t at_a = a_moves ? i : 0, at_b = b_moves ? i : 0;
        int fine = to->floats ? float_result(kind, a->floats[at_a], b->floats[at_b], &to->floats[i])
                              : int_result(kind, a->ints[at_a], b->ints[at_b], &to->ints[i]);
        if (!fine)
            return node_fail(im, node, ERR_UNSUPPORTED, "arithmetic over constants fails");
    }
    define_constant(im, node->outputs[0], to);
    im->report->folded_nodes++;
    return 0;
}
