/* Pad, Resize (and Upsample, its older name), Expand. */
#include "nn/import/importer.h"

#include <math.h>
#include <string.h>

static int has_input(const struct import_node *node, size_t input)
{
    return input < node->onnx->input_count && node->inputs[input] != NO_VALUE;
}

static const char *attribute_text(const struct import_node *node, const char *name,
                                  const char *otherwise)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, name);
    return a && a->text[0] ? a->text : otherwise;
}

/* ---- Pad ---- */

enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_MODES };

struct pad {
    struct view in;
    int64_t before[IMPORT_MAX_RANK], after[IMPORT_MAX_RANK];
    int mode;
    float value;
};

static int read_pads(struct importer *im, const struct import_node *node, struct pad *pad)
{
    int64_t pads[2 * IMPORT_MAX_RANK], axes[IMPORT_MAX_RANK];
    int count = attribute_ints(im, node, "pads", 1, pads, 2 * IMPORT_MAX_RANK);
    int axis_count = attribute_ints(im, node, "axes", 3, axes, IMPORT_MAX_RANK);
    if (count < 0 || axis_count < 0)
        return -1;
    int half = count / 2;
    if (count % 2 || half != (axis_count ? axis_count : pad->in.rank))
        return node_fail(im, node, ERR_INVALID, "%d pads for %d dimensions", count, pad->in.rank);
    for (int i = 0; i < half; i++) {
        int axis = axis_count ? normal_axis(axes[i], pad->in.rank) : i;
        if (axis < 0)
            return node_fail(im, node, ERR_INVALID, "axis out of range");
        if (pads[i] < 0 || pads[i + half] < 0 || pads[i] > MODEL_MAX_KERNEL ||
            pads[i + half] > MODEL_MAX_KERNEL)
            return node_fail(im, node, ERR_UNSUPPORTED, "pads that are not 0 to %d",
                             MODEL_MAX_KERNEL);
        pad->before[axis] = pads[i];
        pad->after[axis] = pads[i + half];
    }
    return 0;
}

static int read_pad(struct importer *im, const struct import_node *node, struct pad *pad)
{
    static const char *const modes[PAD_MODES] = {"constant", "edge", "reflect"};
    const char *mode = attribute_text(node, "mode", "constant");
    while (pad->mode < PAD_MODES && strcmp(modes[pad->mode], mode) != 0)
        pad->mode++;
    if (pad->mode == PAD_MODES)
        return node_fail(im, node, ERR_UNSUPPORTED, "mode \"%s\"", mode);
    pad->value = attribute_float(node, "value", 0.0f);
    const struct onnx_tensor *value = constant_input(im, node, 2);
    if (has_input(node, 2) && (!value || !value->floats || value->count > 1))
        return node_fail(im, node, ERR_UNSUPPORTED, "its value is not one constant number");
    if (value && value->count)
        pad->value = value->floats[0];
    return read_pads(im, node, pad);
}

/* Zeros about a picture that one convolution alone reads: it adds them to its own. */
static int give_to_conv(struct importer *im, const struct import_node *node, const struct pad *pad)
{
    struct value *value = &im->values[node->outputs[0]];
    const struct import_node *user = &im->nodes[value->consumer];
    if (pad->mode != PAD_CONSTANT || pad->value != 0.0f || pad->in.rank != 4 || value->uses != 1 ||
        strcmp(user->onnx->op, "Conv") != 0 || user->onnx->input_count < 2 ||
        user->inputs[0] != node->outputs[0] ||
        strncmp(attribute_text(user, "auto_pad", "NOTSET"), "SAME_", 5) == 0)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (pad->before[i] || pad->after[i])
            return 0;
        value->pads[i] = (int32_t)pad->before[2 + i];
        value->pads[2 + i] = (int32_t)pad->after[2 + i];
    }
    define_value(im, node->outputs[0], &pad->in);
    return 1;
}

/* One slice of an axis made like another of the same tensor. */
static int copy_slice(struct importer *im, const struct import_node *node, const struct view *whole,
                      int axis, const int64_t from_to[2])
{
    struct view from = *whole, to = *whole;
    from.dims[axis] = to.dims[axis] = 1;
    from.offset += from_to[0] * whole->strides[axis];
    to.offset += from_to[1] * whole->strides[axis];
    return emit_copy(im, node, &from, &to);
}

/* `whole` is filled where dimensions behind `axis` are; along it, from the middle outward. */
static int mirror_axis(struct importer *im, const struct import_node *node, const struct pad *pad,
                       const struct view *whole, int axis)
{
    int64_t before = pad->before[axis], size = pad->in.dims[axis], after = pad->after[axis];
    int reflect = pad->mode == PAD_REFLECT;
    if (reflect && (before >= size || after >= size))
        return node_fail(im, node, ERR_UNSUPPORTED, "reflects more than there is");
    for (int64_t i = 1; i <= before; i++)
        if (copy_slice(im, node, whole, axis,
                       (int64_t[2]){before + (reflect ? i : 0), before - i}) < 0)
            return -1;
    int64_t last = before + size - 1;
    for (int64_t i = 1; i <= after; i++)
        if (copy_slice(im, node, whole, axis, (int64_t[2]){last - (reflect ? i : 0), last + i}) < 0)
            return -1;
    return 0;
}

static int fill_constant(struct importer *im, const struct import_node *node, float number,
                         const struct view *whole)
{
    struct view one, all;
    if (number_view(im, number, &one) < 0)
        return -1;
    view_broadcast(&one, whole->rank, whole->dims, &all);
    return emit_copy(im, node, &all, whole);
}

static int emit_pad(struct importer *im, const struct import_node *node, const struct pad *pad,
                    const struct view *whole)
{
    struct view middle = *whole, grown = *whole;
    if (pad->mode == PAD_CONSTANT && fill_constant(im, node, pad->value, whole) < 0)
        return -1;
    for (int i = 0; i < whole->rank; i++) {
        middle.dims[i] = pad->in.dims[i];
        middle.offset += pad->before[i] * whole->strides[i];
    }
    if (emit_copy(im, node, &pad->in, &middle) < 0)
        return -1;
    grown = middle;
    for (int i = 0; i < whole->rank && pad->mode != PAD_CONSTANT; i++) {
        grown.offset -= pad->before[i] * whole->strides[i];
        grown.dims[i] = whole->dims[i];
        if (mirror_axis(im, node, pad, &grown, i) < 0)
            return -1;
    }
    return 0;
}

int lower_pad(struct importer *im, struct import_node *node)
{
    struct pad pad = {0};
    if (value_view(im, node->inputs[0], &pad.in) < 0 || read_pad(im, node, &pad) < 0)
        return -1;
    if (node->outputs[0] == NO_VALUE || give_to_conv(im, node, &pad))
        return 0;
    int64_t dims[IMPORT_MAX_RANK], count = 1;
    for (int i = 0; i < pad.in.rank; i++) {
        dims[i] = pad.before[i] + pad.in.dims[i] + pad.after[i];
        if (dims[i] > MODEL_MAX_SIDE || (count *= dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    }
    int root = new_root(im, count);
    struct view whole = view_pixels(root, pad.in.rank, dims);
    if (root < 0 || emit_pad(im, node, &pad, &whole) < 0)
        return -1;
    define_value(im, node->outputs[0], &whole);
    return 0;
}

/* ---- Resize ---- */

enum { MOST_SIDE = 65536 }; /* each row and column takes room in the weights */

struct resize {
    const char *coordinates, *rounding;
    int linear;
    int64_t dims[IMPORT_MAX_RANK];
    float scales[IMPORT_MAX_RANK];
};

static int from_sizes(struct importer *im, const struct import_node *node, const struct view *in,
                      struct resize *resize)
{
    int count = attribute_ints(im, node, "sizes", 3, resize->dims, IMPORT_MAX_RANK);
    if (count < 0)
        return -1;
    if (count != in->rank)
        return node_fail(im, node, ERR_UNSUPPORTED, "%d sizes for %d dimensions", count, in->rank);
    for (int i = 0; i < count; i++)
        resize->scales[i] = (float)resize->dims[i] / (float)in->dims[i];
    return 0;
}

static int from_scales(struct importer *im, const struct import_node *node, const struct view *in,
                       struct resize *resize)
{
    size_t input = im->graph.opset >= 11 ? 2 : 1;
    const struct onnx_tensor *scales = constant_input(im, node, input);
    const struct onnx_attribute *old = onnx_attribute(node->onnx, "scales"); /* before opset 9 */
    const struct onnx_tensor of_old = {.floats = old ? old->floats : NULL,
                                       .count = old ? old->float_count : 0};
    scales = old ? &of_old : scales;
    if (!scales || !scales->floats || scales->count != (size_t)in->rank)
        return node_fail(im, node, ERR_UNSUPPORTED,
                         "neither scales nor sizes are %d constant numbers", in->rank);
    for (int i = 0; i < in->rank; i++) {
        double size = floor((double)in->dims[i] * (double)scales->floats[i]);
        if (!(size >= 1 && size <= MODEL_MAX_SIDE))
            return node_fail(im, node, ERR_INVALID, "a scale of %g", (double)scales->floats[i]);
        resize->dims[i] = (int64_t)size;
        resize->scales[i] = scales->floats[i];
    }
    return 0;
}

static int read_resize(struct importer *im, const struct import_node *node, const struct view *in,
                       struct resize *resize)
{
    int old = im->graph.opset < 11;
    const char *mode = attribute_text(node, "mode", "nearest");
    *resize = (struct resize){
        .coordinates = old ? "asymmetric"
                           : attribute_text(node, "coordinate_transformation_mode", "half_pixel"),
        .rounding = old ? "old" : attribute_text(node, "nearest_mode", "round_prefer_floor"),
        .linear = strcmp(mode, "linear") == 0,
    };
    if (!resize->linear && strcmp(mode, "nearest") != 0)
        return node_fail(im, node, ERR_UNSUPPORTED, "mode \"%s\"", mode);
    if (attribute_int(node, "antialias", 0) || onnx_attribute(node->onnx, "axes") ||
        strcmp(attribute_text(node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0)
        return node_fail(im, node, ERR_UNSUPPORTED, "antialias, axes or keep_aspect_ratio_policy");
    if (in->rank != 4 || in->dims[0] != 1)
        return node_fail(im, node, ERR_UNSUPPORTED, "input is not (1, C, H, W)");
    const struct onnx_tensor *scales = constant_input(im, node, im->graph.opset >= 11 ? 2 : 1);
    int sized = has_input(node, 3) && !(scales && scales->count);
    if ((sized ? from_sizes(im, node, in, resize) : from_scales(im, node, in, resize)) < 0)
        return -1;
    if (resize->dims[0] != 1 || resize->dims[1] != in->dims[1])
        return node_fail(im, node, ERR_UNSUPPORTED, "more than height and width");
    if (resize->dims[2] > MOST_SIDE || resize->dims[3] > MOST_SIDE)
        return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit of %d a side",
                         MOST_SIDE);
    return 0;
}

/* Where output place `x` lies in the input, as ONNX says for each mode, in its float arithmetic.
 * Returns 0 for a mode that is not known. */
static int coordinate(const struct resize *resize, int axis, int64_t in, int64_t x, float *at)
{
    const char *mode = resize->coordinates;
    float scale = resize->scales[axis], out = (float)resize->dims[axis];
    float half = ((float)x + 0.5f) / scale - 0.5f;
    if (strcmp(mode, "half_pixel") == 0)
        *at = half;
    else if (strcmp(mode, "pytorch_half_pixel") == 0)
        *at = resize->dims[axis] > 1 ? half : 0.0f;
    else if (strcmp(mode, "asymmetric") == 0)
        *at = (float)x / scale;
    else if (strcmp(mode, "align_corners") == 0)
        *at = resize->dims[axis] > 1 ? (float)x * (float)(in - 1) / (out - 1.0f) : 0.0f;
    else if (strcmp(mode, "half_pixel_symmetric") == 0)
        *at = (float)in / 2.0f * (1.0f - out / (scale * (float)in)) + half;
    else
        return 0;
    return 1;
}

static float round_place(const struct resize *resize, int axis, float at)
{
    const char *mode = resize->rounding;
    float below = floorf(at);
    if (strcmp(mode, "floor") == 0)
        return below;
    if (strcmp(mode, "ceil") == 0)
        return ceilf(at);
    if (strcmp(mode, "old") == 0)
        return resize->scales[axis] < 1.0f ? ceilf(at) : below;
    if (at - below == 0.5f)
        return strcmp(mode, "round_prefer_ceil") == 0 ? below + 1.0f : below;
    return roundf(at);
}

static float clamp_place(float at, int64_t size)
{
    float last = (float)(size - 1);
    return !(at > 0.0f) ? 0.0f : at > last ? last : at;
}

static int put_table(struct importer *im, const struct import_node *node,
                     const struct resize *resize, const struct view *in, int axis, uint32_t *offset)
{
    size_t count = (size_t)resize->dims[axis] * RESIZE_TRIPLE;
    int64_t size = in->dims[axis];
    float *table = arena_new(im->arena, float, count);
    if (!table)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    for (int64_t i = 0; i < resize->dims[axis]; i++) {
        float at = 0.0f, *triple = table + i * RESIZE_TRIPLE;
        if (!coordinate(resize, axis, size, i, &at))
            return node_fail(im, node, ERR_UNSUPPORTED, "coordinate_transformation_mode \"%s\"",
                             resize->coordinates);
        at = clamp_place(resize->linear ? at : round_place(resize, axis, at), size);
        triple[0] = floorf(at);
        triple[1] = clamp_place(triple[0] + 1.0f, size);
        triple[2] = at - triple[0];
    }
    return put_weights(im, table, count, offset);
}

int lower_resize(struct importer *im, struct import_node *node)
{
    struct view in, out;
    struct resize resize;
    if (value_view(im, node->inputs[0], &in) < 0 || read_resize(im, node, &in, &resize) < 0 ||
        new_pixels(im, node, resize.dims, &out) < 0)
        return -1;
    struct operation *op = new_operation(im, node, MODEL_RESIZE);
    if (!op || put_table(im, node, &resize, &in, 2, &op->node.weights) < 0 ||
        put_table(im, node, &resize, &in, 3, &op->node.bias) < 0)
        return -1;
    op->node.kind = resize.linear ? RESIZE_LINEAR : RESIZE_NEAREST;
    op->out = out;
    op->a = in;
    op->has_a = 1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* ---- Expand ---- */

int lower_expand(struct importer *im, struct import_node *node)
{
    struct view in, wanted = {0}, out;
    int64_t count = 1;
    if (value_view(im, node->inputs[0], &in) < 0)
        return -1;
    int rank = attribute_ints(im, node, "shape", 1, wanted.dims, IMPORT_MAX_RANK);
    if (rank < 0)
        return -1;
    wanted.rank = rank;
    for (int i = 0; i < rank; i++)
        if (wanted.dims[i] < 1 || wanted.dims[i] > MODEL_MAX_SIDE)
            return node_fail(im, node, ERR_INVALID, "a dimension of %lld",
                             (long long)wanted.dims[i]);
    if (!common_shape(&in, &wanted, &rank, wanted.dims) ||
        !view_broadcast(&in, rank, wanted.dims, &out))
        return node_fail(im, node, ERR_INVALID, "the shape does not fit");
    for (int i = 0; i < rank; i++)
        if ((count *= out.dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    define_value(im, node->outputs[0], &out);
    return 0;
}
