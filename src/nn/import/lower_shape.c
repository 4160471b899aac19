/* Nodes that only show a tensor differently, and Concat. */
#include "nn/import/importer.h"

#include <stdlib.h>
#include <string.h>

/* The view that the node makes of `in`. Returns 1, 0 when the floats must be copied to ONNX's order
 * first, -1 on failure. */
typedef int shape_function(struct importer *im, struct import_node *node, const struct view *in,
                           struct view *out);

static int same(struct importer *im, struct import_node *node, const struct view *in,
                struct view *out)
{
    (void)im;
    (void)node;
    *out = *in;
    return 1;
}

static int transpose(struct importer *im, struct import_node *node, const struct view *in,
                     struct view *out)
{
    int64_t order[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "perm", -1, order, IMPORT_MAX_RANK), seen = 0;
    if (count < 0)
        return -1;
    if (count == 0)
        for (count = 0; count < in->rank; count++)
            order[count] = in->rank - 1 - count;
    *out = *in;
    for (int i = 0; i < count && count == in->rank; i++) {
        if (order[i] < 0 || order[i] >= in->rank)
            break;
        seen |= 1 << order[i];
        out->dims[i] = in->dims[order[i]];
        out->strides[i] = in->strides[order[i]];
    }
    if (count != in->rank || seen != (1 << in->rank) - 1)
        return node_fail(im, node, ERR_INVALID, "perm is no order of %d dimensions", in->rank);
    return 1;
}

/* ONNX's rules for 0 (keep) and -1 (what is left). */
static int resolve_shape(const struct view *in, int64_t *dims, int rank)
{
    int64_t known = 1, count = view_count(in);
    int open = -1;
    for (int i = 0; i < rank; i++) {
        if (dims[i] == 0 && i < in->rank)
            dims[i] = in->dims[i];
        if (dims[i] == -1 && open < 0) {
            open = i;
            continue;
        }
        if (dims[i] < 1 || dims[i] > count || (known *= dims[i]) > count)
            return 0;
    }
    if (open >= 0)
        dims[open] = count / known;
    return known * (open >= 0 ? dims[open] : 1) == count;
}

static int reshape(struct importer *im, struct import_node *node, const struct view *in,
                   struct view *out)
{
    int64_t dims[IMPORT_MAX_RANK];
    int rank = attribute_ints(im, node, "shape", 1, dims, IMPORT_MAX_RANK);
    if (rank < 0)
        return -1;
    if (!resolve_shape(in, dims, rank))
        return node_fail(im, node, ERR_INVALID, "the new shape does not hold %lld numbers",
                         (long long)view_count(in));
    return view_reshape(in, rank, dims, out);
}

static int flatten(struct importer *im, struct import_node *node, const struct view *in,
                   struct view *out)
{
    int64_t axis = attribute_int(node, "axis", 1), dims[2] = {1, 1};
    if (axis < -in->rank || axis > in->rank)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    axis = axis < 0 ? axis + in->rank : axis;
    for (int i = 0; i < in->rank; i++)
        dims[i >= axis] *= in->dims[i];
    return view_reshape(in, 2, dims, out);
}

static int squeeze(struct importer *im, struct import_node *node, const struct view *in,
                   struct view *out)
{
    int64_t axes[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "axes", 1, axes, IMPORT_MAX_RANK), drop = 0;
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        int axis = normal_axis(axes[i], in->rank);
        if (axis < 0 || in->dims[axis] != 1)
            return node_fail(im, node, ERR_INVALID, "squeezes what is not 1");
        drop |= 1 << axis;
    }
    *out = *in;
    out->rank = 0;
    for (int i = 0; i < in->rank; i++) {
        if (count ? drop >> i & 1 : in->dims[i] == 1)
            continue;
        out->dims[out->rank] = in->dims[i];
        out->strides[out->rank++] = in->strides[i];
    }
    return 1;
}

static int unsqueeze(struct importer *im, struct import_node *node, const struct view *in,
                     struct view *out)
{
    int64_t axes[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "axes", 1, axes, IMPORT_MAX_RANK), added = 0;
    int rank = in->rank + count;
    if (count < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        int axis = rank <= IMPORT_MAX_RANK ? normal_axis(axes[i], rank) : -1;
        if (axis < 0 || added >> axis & 1)
            return node_fail(im, node, ERR_INVALID, "axes out of range");
        added |= 1 << axis;
    }
    *out = *in;
    out->rank = rank;
    for (int i = 0, from = 0; i < rank; i++) {
        int is_new = added >> i & 1;
        out->dims[i] = is_new ? 1 : in->dims[from];
        out->strides[i] = is_new ? 1 : in->strides[from];
        from += !is_new;
    }
    return 1;
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static int slice(struct importer *im, struct import_node *node, const struct view *in,
                 struct view *out)
{
    int64_t starts[IMPORT_MAX_RANK], ends[IMPORT_MAX_RANK], axes[IMPORT_MAX_RANK];
    int64_t steps[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "starts", 1, starts, IMPORT_MAX_RANK);
    int end_count = attribute_ints(im, node, "ends", 2, ends, IMPORT_MAX_RANK);
    int axis_count = attribute_ints(im, node, "axes", 3, axes, IMPORT_MAX_RANK);
    int step_count = attribute_ints(im, node, "steps", 4, steps, IMPORT_MAX_RANK);
    if (count < 0 || end_count < 0 || axis_count < 0 || step_count < 0)
        return -1;
    if (end_count != count || (axis_count && axis_count != count) ||
        (step_count && step_count != count))
        return node_fail(im, node, ERR_INVALID, "starts, ends, axes and steps do not match");
    *out = *in;
    for (int i = 0; i < count; i++) {
        int axis = normal_axis(axis_count ? axes[i] : i, in->rank);
        int64_t step = step_count ? steps[i] : 1;
        if (axis < 0 || step == 0 || step > MODEL_MAX_SIDE || step < -MODEL_MAX_SIDE)
            return node_fail(im, node, ERR_UNSUPPORTED, "axis or step out of range");
        int64_t size = in->dims[axis], back = step < 0;
        int64_t start = clamp(starts[i] < 0 ? starts[i] + size : starts[i], 0, size - back);
        int64_t end = clamp(ends[i] < 0 ? ends[i] + size : ends[i], -back, size - back);
        int64_t length = back ? start - end : end - start, width = back ? -step : step;
        if (length <= 0)
            return node_fail(im, node, ERR_UNSUPPORTED, "leaves nothing");
        out->offset += start * in->strides[axis];
        out->dims[axis] = (length + width - 1) / width;
        out->strides[axis] = in->strides[axis] * step;
    }
    return 1;
}

/* A view that goes backwards along one axis is copied: the executor's go forwards. */
static int go_forwards(struct importer *im, const struct import_node *node, struct view *view)
{
    enum { MOST = 1024 };
    int axis = -1, backwards = 0;
    for (int i = 0; i < view->rank; i++)
        if (view->strides[i] < 0) {
            axis = i;
            backwards++;
        }
    if (backwards == 0)
        return 0;
    if (backwards > 1 || view->dims[axis] > MOST)
        return node_fail(im, node, ERR_UNSUPPORTED, "turns more than %d slices of one axis round",
                         MOST);
    int root = new_root(im, view_count(view));
    if (root < 0)
        return -1;
    struct view whole = view_pixels(root, view->rank, view->dims);
    for (int64_t i = 0; i < view->dims[axis]; i++) {
        struct view from = *view, to = whole;
        from.dims[axis] = to.dims[axis] = 1;
        from.offset += i * view->strides[axis];
        from.strides[axis] = -view->strides[axis];
        to.offset += i * whole.strides[axis];
        if (emit_copy(im, node, &from, &to) < 0)
            return -1;
    }
    *view = whole;
    return 0;
}

static const struct {
    const char *op;
    shape_function *view;
} shapes[] = {
    {"Dropout", same}, {"Flatten", flatten}, {"Identity", same},       {"Reshape", reshape},
    {"Slice", slice},  {"Squeeze", squeeze}, {"Transpose", transpose}, {"Unsqueeze", unsqueeze},
};

static shape_function *find_shape(const char *op)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(shapes[i].op, op) == 0)
            return shapes[i].view;
    return NULL;
}

int lower_view(struct importer *im, struct import_node *node)
{
    const struct value *value = &im->values[node->inputs[0]];
    shape_function *make = find_shape(node->onnx->op);
    struct view in = value->view, out;
    if (value->constant)
        in = view_rows(0, value->constant->rank, value->constant->dims);
    int made = make(im, node, &in, &out);
    if (made < 0)
        return -1;
    if (value->constant)
        return fold_view(im, node, value->constant, &out, 0);
    if (!made) { /* into ONNX's order first; every reshape of that is a view */
        int root = new_root(im, view_count(&in));
        struct view rows = view_rows(root, in.rank, in.dims);
        if (root < 0 || emit_copy(im, node, &in, &rows) < 0 || make(im, node, &rows, &out) < 1)
            return -1;
    }
    if (go_forwards(im, node, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

int lower_cast(struct importer *im, struct import_node *node)
{
    enum { TO_FLOAT = 1, TO_FLOAT16 = 10, TO_DOUBLE = 11 }; /* all computed as float32 */
    const struct value *value = &im->values[node->inputs[0]];
    const struct onnx_tensor *from = value->constant;
    int64_t type = attribute_int(node, "to", 0);
    int to_float = type == TO_FLOAT || type == TO_FLOAT16 || type == TO_DOUBLE;
    if (!from) {
        if (!to_float)
            return node_fail(im, node, ERR_UNSUPPORTED,
                             "casts to what is no floating-point number");
        define_value(im, node->outputs[0], &value->view);
        return 0;
    }
    struct onnx_tensor *to = new_constant(im, from->rank, from->dims, to_float);
    if (!to)
        return -1;
    for (size_t i = 0; i < from->count; i++) {
        if (from->floats && !to_float && !(from->floats[i] > -9e18f && from->floats[i] < 9e18f))
            return node_fail(im, node, ERR_INVALID, "a number does not fit");
        if (to_float)
            to->floats[i] = from->floats ? from->floats[i] : (float)from->ints[i];
        else
            to->ints[i] = from->ints ? from->ints[i] : (int64_t)from->floats[i];
    }
    define_constant(im, node->outputs[0], to);
    return 0;
}

int lower_split(struct importer *im, struct import_node *node)
{
    enum { MOST = 64 };
    const struct value *value = &im->values[node->inputs[0]];
    struct view part =
        value->constant ? view_rows(0, value->constant->rank, value->constant->dims) : value->view;
    int64_t sizes[MOST], begin = 0;
    int outputs = (int)node->onnx->output_count, axis = -1;
    axis = normal_axis(attribute_int(node, "axis", 0), part.rank);
    int count = attribute_ints(im, node, "split", 1, sizes, MOST);
    if (count < 0)
        return -1;
    if (axis < 0 || outputs > MOST || (count && count != outputs))
        return node_fail(im, node, ERR_INVALID, "axis or number of parts out of range");
    int64_t depth = part.dims[axis];
    for (int i = 0; i < outputs; i++) {
        int64_t size = count ? sizes[i] : (depth + outputs - 1) / outputs;
        size = !count && size > depth - begin ? depth - begin : size;
        if (size < 1 || size > depth - begin)
            return node_fail(im, node, ERR_INVALID, "parts do not fit the whole");
        part.dims[axis] = size;
        if (!value->constant)
            define_value(im, node->outputs[i], &part);
        else if (fold_view(im, node, value->constant, &part, i) < 0)
            return -1;
        part.offset += size * part.strides[axis];
        begin += size;
    }
    return 0;
}

/* The slices of `in` along `axis` that constant indices name, as a view where they lie evenly, else
 * copied together. */
static int gather_slices(struct importer *im, const struct import_node *node, const struct view *in,
                         int axis, struct view *out)
{
    enum { MOST = 1024 };
    const struct onnx_tensor *indices = im->values[node->inputs[1]].constant;
    int64_t places[MOST], count = (int64_t)indices->count;
    if (count < 1 || count > MOST)
        return node_fail(im, node, ERR_UNSUPPORTED, "gathers %lld slices", (long long)count);
    int even = 1;
    for (int64_t i = 0; i < count; i++) {
        places[i] = normal_axis(indices->ints[i], (int)in->dims[axis]);
        if (places[i] < 0)
            return node_fail(im, node, ERR_INVALID, "index out of range");
        even &= i < 2 || places[i] - places[i - 1] == places[1] - places[0];
    }
    int64_t step = count > 1 ? places[1] - places[0] : 1;
    *out = *in;
    out->dims[axis] = count;
    if (even && step >= 0) {
        out->offset += places[0] * in->strides[axis];
        out->strides[axis] *= step;
        return 0;
    }
    int root = new_root(im, view_count(out));
    *out = view_pixels(root, in->rank, out->dims);
    for (int64_t i = 0; i < count && root >= 0; i++) {
        struct view from = *in, to = *out;
        from.dims[axis] = to.dims[axis] = 1;
        from.offset += places[i] * in->strides[axis];
        to.offset += i * out->strides[axis];
        if (emit_copy(im, node, &from, &to) < 0)
            return -1;
    }
    return root < 0 ? -1 : 0;
}

int lower_gather(struct importer *im, struct import_node *node)
{
    const struct value *value = &im->values[node->inputs[0]];
    const struct onnx_tensor *indices = constant_input(im, node, 1);
    if (!indices || !indices->ints || (!value->constant && indices->rank > 1))
        return node_fail(im, node, ERR_UNSUPPORTED, "indices are no constant row of integers");
    if (value->constant)
        return fold_gather(im, node);
    struct view in = value->view, out;
    int axis = normal_axis(attribute_int(node, "axis", 0), in.rank);
    if (axis < 0)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    if (gather_slices(im, node, &in, axis, &out) < 0)
        return -1;
    if (indices->rank == 0) { /* one slice, without its dimension */
        out.rank--;
        for (int i = axis; i < out.rank; i++) {
            out.dims[i] = out.dims[i + 1];
            out.strides[i] = out.strides[i + 1];
        }
    }
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* All inputs of one shape but for `axis`; adds that up into dims. */
static int concat_shape(struct importer *im, struct import_node *node, int axis, int64_t *dims)
{
    int rank = value_rank(im, node->inputs[0]);
    memcpy(dims, value_dims(im, node->inputs[0]), (size_t)rank * sizeof *dims);
    dims[axis] = 0;
    for (size_t i = 0; i < node->onnx->input_count; i++) {
        int value = node->inputs[i];
        if (value == NO_VALUE || value_rank(im, value) != rank)
            return node_fail(im, node, ERR_INVALID, "parts of different rank");
        for (int j = 0; j < rank; j++)
            if (j != axis && value_dims(im, value)[j] != dims[j])
                return node_fail(im, node, ERR_INVALID, "parts of different shape");
        dims[axis] += value_dims(im, value)[axis];
    }
    return 0;
}

static int count_constants(const struct importer *im, const struct import_node *node, int *floats)
{
    int count = 0;
    *floats = 0;
    for (size_t i = 0; i < node->onnx->input_count; i++) {
        const struct onnx_tensor *constant = im->values[node->inputs[i]].constant;
        count += constant != NULL;
        *floats += constant && constant->floats;
    }
    return count;
}

/* The parts are made in their places where strides can say those; else they are copied there. */
static int concat_parts(struct importer *im, struct import_node *node, int axis, struct view *whole)
{
    struct view target = *whole;
    for (size_t i = 0; i < node->onnx->input_count; i++) {
        struct view part;
        if (value_view(im, node->inputs[i], &part) < 0)
            return -1;
        target.dims[axis] = part.dims[axis];
        if (!move_root(im, &part, &target) && emit_copy(im, node, &part, &target) < 0)
            return -1;
        target.offset += part.dims[axis] * target.strides[axis];
    }
    return 0;
}

int lower_concat(struct importer *im, struct import_node *node)
{
    int rank = value_rank(im, node->inputs[0]), floats, inputs = (int)node->onnx->input_count;
    int axis = normal_axis(attribute_int(node, "axis", 1), rank);
    int64_t dims[IMPORT_MAX_RANK], total = 1;
    if (axis < 0)
        return node_fail(im, node, ERR_INVALID, "axis out of range");
    if (concat_shape(im, node, axis, dims) < 0)
        return -1;
    int constants = count_constants(im, node, &floats);
    if (constants == inputs && (floats == 0 || floats == inputs))
        return fold_concat(im, node, axis);
    for (int i = 0; i < rank; i++)
        if (dims[i] < 1 || dims[i] > MODEL_MAX_SIDE || (total *= dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    int root = new_root(im, total);
    if (root < 0)
        return -1;
    struct view whole = view_pixels(root, rank, dims);
    if (concat_parts(im, node, axis, &whole) < 0)
        return -1;
    define_value(im, node->outputs[0], &whole);
    return 0;
}
