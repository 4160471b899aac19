#include "nn/import/linear.h"

#include <math.h>
#include <string.h>

static size_t per_channel(const struct linear *l)
{
    return (size_t)l->in_channels * (size_t)l->kernel[0] * (size_t)l->kernel[1];
}

static void scale_channel(struct linear *l, size_t channel, float scale, float shift)
{
    size_t count = per_channel(l);
    float *weights = l->weights + channel * count;
    for (size_t i = 0; i < count; i++)
        weights[i] *= scale;
    l->bias[channel] = l->bias[channel] * scale + shift;
}

static const struct onnx_tensor *float_input(const struct importer *im,
                                             const struct import_node *node, size_t input)
{
    if (input >= node->onnx->input_count || node->inputs[input] == NO_VALUE)
        return NULL;
    const struct onnx_tensor *constant = im->values[node->inputs[input]].constant;
    return constant && constant->floats && constant->count ? constant : NULL;
}

float *batch_scale_shift(struct importer *im, const struct import_node *node, int64_t channels)
{
    const struct onnx_tensor *t[4]; /* scale, bias, mean, variance */
    for (size_t i = 0; i < 4; i++) {
        t[i] = float_input(im, node, i + 1);
        if (!t[i] || (int64_t)t[i]->count != channels) {
            node_fail(im, node, ERR_UNSUPPORTED, "its numbers are not %lld constants",
                      (long long)channels);
            return NULL;
        }
    }
    size_t count = (size_t)channels;
    float *out = arena_new(im->arena, float, 2 * count);
    double epsilon = (double)attribute_float(node, "epsilon", 1e-5f);
    if (!out) {
        import_fail(im, ERR_TOO_BIG, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        double scale = (double)t[0]->floats[i] / sqrt((double)t[3]->floats[i] + epsilon);
        out[i] = (float)scale;
        out[count + i] = (float)((double)t[1]->floats[i] - (double)t[2]->floats[i] * scale);
    }
    return out;
}

/* Whether a constant holds one number a channel of this result, or one for all. */
static int is_per_channel(const struct linear *l, const struct onnx_tensor *t)
{
    if (t->count == 1)
        return t->rank <= l->result_rank;
    int channel_axis = t->rank - (l->result_rank == 4 ? 3 : 1);
    return t->rank <= l->result_rank && channel_axis >= 0 &&
           t->dims[channel_axis] == l->out_channels && t->count == (size_t)l->out_channels;
}

static float channel_number(const struct onnx_tensor *t, size_t channel)
{
    return t->floats[t->count == 1 ? 0 : channel];
}

/* Each tries to take `node`, which uses value l->result. Returns 1 when taken, 0 when not, -1 on
 * failure. */
static int fuse_batch(struct importer *im, struct linear *l, struct import_node *node)
{
    if (l->activation || l->has_residual || node->inputs[0] != l->result || l->final_rank)
        return 0;
    const float *numbers = batch_scale_shift(im, node, l->out_channels);
    if (!numbers)
        return -1;
    for (size_t i = 0; i < (size_t)l->out_channels; i++)
        scale_channel(l, i, numbers[i], numbers[(size_t)l->out_channels + i]);
    im->report->folded_nodes++;
    return 1;
}

static int is_sum(const char *op)
{
    return strcmp(op, "Add") == 0 || strcmp(op, "Sum") == 0;
}

static int fuse_constant(struct importer *im, struct linear *l, struct import_node *node,
                         const struct onnx_tensor *t)
{
    const char *op = node->onnx->op;
    int backwards = node->inputs[0] != l->result;
    if (l->activation || l->has_residual || !t->floats || !is_per_channel(l, t) ||
        (backwards && strcmp(op, "Div") == 0))
        return 0;
    for (size_t i = 0; i < (size_t)l->out_channels; i++) {
        float x = channel_number(t, i);
        if (strcmp(op, "Mul") == 0)
            scale_channel(l, i, x, 0.0f);
        else if (strcmp(op, "Div") == 0)
            scale_channel(l, i, 1.0f / x, 0.0f);
        else if (is_sum(op))
            scale_channel(l, i, 1.0f, x);
        else
            scale_channel(l, i, backwards ? -1.0f : 1.0f, backwards ? x : -x);
    }
    im->report->folded_nodes++;
    return 1;
}

/* The other side must be there already, and of the same shape. */
static int fuse_residual(struct importer *im, struct linear *l, const struct value *other)
{
    if (l->activation || l->has_residual || l->final_rank || other->view.rank != l->result_rank)
        return 0;
    for (int i = 0; i < other->view.rank; i++)
        if (other->view.dims[i] != l->out_dims[i])
            return 0;
    struct view residual = other->view;
    if (l->result_rank == 2) {
        int64_t dims[4] = {1, l->out_dims[1], l->out_dims[0], 1};
        int64_t strides[4] = {0, residual.strides[1], residual.strides[0], 0};
        residual.rank = 4;
        memcpy(residual.dims, dims, sizeof dims);
        memcpy(residual.strides, strides, sizeof strides);
    }
    if (!view_as_pixels(&residual, &l->residual))
        return 0;
    l->has_residual = 1;
    im->report->fused_residuals++;
    return 1;
}

static int fuse_binary(struct importer *im, struct linear *l, struct import_node *node)
{
    if (node->onnx->input_count != 2 || node->inputs[0] == NO_VALUE || node->inputs[1] == NO_VALUE)
        return 0;
    const struct value *other = &im->values[node->inputs[node->inputs[0] == l->result]];
    if (!other->known)
        return 0;
    if (other->constant)
        return fuse_constant(im, l, node, other->constant);
    return is_sum(node->onnx->op) ? fuse_residual(im, l, other) : 0;
}

static int fuse_relu(struct importer *im, struct linear *l, struct import_node *node)
{
    (void)node;
    if (l->activation)
        return 0;
    l->activation = ACTIVATION_RELU;
    im->report->fused_activations++;
    return 1;
}

static int set_slope(struct importer *im, struct linear *l, const struct onnx_tensor *t, float all)
{
    l->slope = arena_new(im->arena, float, (size_t)l->out_channels);
    if (!l->slope)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    for (size_t i = 0; i < (size_t)l->out_channels; i++)
        l->slope[i] = t ? channel_number(t, i) : all;
    l->activation = ACTIVATION_PRELU;
    im->report->fused_activations++;
    return 1;
}

static int fuse_prelu(struct importer *im, struct linear *l, struct import_node *node)
{
    const struct onnx_tensor *t = float_input(im, node, 1);
    if (l->activation || node->inputs[0] != l->result || !t || !is_per_channel(l, t))
        return 0;
    return set_slope(im, l, t, 0.0f);
}

static int fuse_leaky(struct importer *im, struct linear *l, struct import_node *node)
{
    return l->activation ? 0 : set_slope(im, l, NULL, attribute_float(node, "alpha", 0.01f));
}

static int fuse_nothing(struct importer *im, struct linear *l, struct import_node *node)
{
    (void)im;
    (void)l;
    return node->onnx->output_count == 1;
}

static const struct {
    const char *op;
    int (*fuse)(struct importer *im, struct linear *l, struct import_node *node);
} fusions[] = {
    {"BatchNormalization", fuse_batch},
    {"Add", fuse_binary},
    {"Sum", fuse_binary},
    {"Sub", fuse_binary},
    {"Mul", fuse_binary},
    {"Div", fuse_binary},
    {"Relu", fuse_relu},
    {"PRelu", fuse_prelu},
    {"LeakyRelu", fuse_leaky},
    {"Identity", fuse_nothing},
    {"Dropout", fuse_nothing},
};

static int fuse_next(struct importer *im, struct linear *l)
{
    const struct value *value = &im->values[l->result];
    if (value->uses != 1)
        return 0;
    struct import_node *node = &im->nodes[value->consumer];
    for (size_t i = 0; i < sizeof fusions / sizeof fusions[0]; i++) {
        if (strcmp(fusions[i].op, node->onnx->op) != 0 || node->onnx->domain[0])
            continue;
        if (node->outputs[0] == NO_VALUE || im->values[node->outputs[0]].known)
            return 0;
        int fused = fusions[i].fuse(im, l, node);
        if (fused == 1) {
            node->done = 1;
            l->result = node->outputs[0];
        }
        return fused;
    }
    return 0;
}

/* The shape of one group of `outs` channels. */
static struct conv group_shape(const struct linear *l, int outs)
{
    const int height = (int)l->out_dims[2], width = (int)l->out_dims[3];
    return (struct conv){.in_height = (height - 1) * l->stride[0] + 1,
                         .in_width = (width - 1) * l->stride[1] + 1,
                         .in_channels = l->in_channels,
                         .out_channels = outs,
                         .out_height = height,
                         .out_width = width,
                         .kernel_height = l->kernel[0],
                         .kernel_width = l->kernel[1],
                         .stride_y = l->stride[0],
                         .stride_x = l->stride[1],
                         .pad_top = l->pads[0],
                         .pad_left = l->pads[1],
                         .dilation_y = l->dilation[0],
                         .dilation_x = l->dilation[1]};
}

/* Group `group`'s weights, all groups' where depthwise; NULL where there are too many. */
static float *pack(struct importer *im, const struct linear *l, const struct operation *op,
                   int group, size_t *floats)
{
    const size_t count = per_channel(l);
    const int depthwise = op->node.op == MODEL_DEPTHWISE, tile = (int)op->node.kind;
    const int outs = depthwise ? l->out_channels : l->out_channels / l->groups;
    const float *weights = l->weights + (size_t)group * (size_t)outs * count;
    *floats = depthwise ? count * (size_t)outs
              : tile    ? simd_winograd_floats(tile, outs, l->in_channels)
                        : simd_packed_floats(outs, l->in_channels, l->kernel[0], l->kernel[1]);
    float *packed = *floats > MODEL_MAX_FLOATS ? NULL : arena_new(im->arena, float, *floats + 16);
    if (!packed)
        return NULL;
    if (depthwise)
        for (size_t i = 0; i < (size_t)outs; i++)
            for (size_t tap = 0; tap < count; tap++)
                packed[tap * (size_t)outs + i] = weights[i * count + tap];
    else if (tile)
        simd_pack_winograd(packed, weights, tile, outs, l->in_channels);
    else
        simd_pack_conv(packed, weights, outs, l->in_channels, l->kernel[0], l->kernel[1]);
    return packed;
}

/* Whether a layer's weights are also packed for product_i16, which is up to 1.9 times as fast: in
 * embedders and detectors, where there is enough to multiply; what they give stays within 1e-4
 * (docs/engine.md). */
static int takes_product(const struct importer *im, const struct conv *c)
{
    enum { LEAST_PIXELS = 16, LEAST_OUTPUTS = 64, LEAST_INPUTS = 64 };
    return (im->use.role == ROLE_EMBED || im->use.role == ROLE_DETECT) && simd_can_product(c) &&
           c->in_channels >= LEAST_INPUTS && c->out_channels >= LEAST_OUTPUTS &&
           (int64_t)c->out_height * c->out_width >= LEAST_PIXELS;
}

static int put_product(struct importer *im, const struct linear *l, struct operation *op, int group)
{
    const int outs = l->out_channels / l->groups, ins = l->in_channels;
    const struct conv c = group_shape(l, outs);
    if (op->node.op != MODEL_CONV || !takes_product(im, &c))
        return 0;
    size_t floats = simd_product_floats(outs, ins);
    float *packed = arena_new(im->arena, float, floats);
    if (!packed)
        return node_fail(im, l->node, ERR_NO_MEMORY, "out of memory");
    simd_pack_product(packed, l->weights + (size_t)group * (size_t)outs * (size_t)ins, outs, ins);
    return put_packed(im, packed, floats, &op->node.product);
}

/* One group's operation: all channels when there is but one. */
static int emit_group(struct importer *im, struct linear *l, const struct view *out, int group)
{
    int depthwise = l->groups > 1 && l->in_channels == 1 && l->out_channels == l->groups;
    int outs = depthwise ? l->out_channels : l->out_channels / l->groups;
    int ins = depthwise ? l->groups : l->in_channels;
    size_t first = (size_t)group * (size_t)outs, floats;
    struct operation *op = new_operation(im, l->node, depthwise ? MODEL_DEPTHWISE : MODEL_CONV);
    if (!op)
        return -1;
    const struct conv shape = group_shape(l, outs);
    op->node.kind = depthwise ? 0 : (uint32_t)simd_winograd_tile(&shape);
    float *packed = pack(im, l, op, group, &floats);
    if (!packed)
        return node_fail(im, l->node, ERR_TOO_BIG, "weights past the limit");
    op->out = *out;
    op->a = l->in;
    op->b = l->residual;
    op->has_a = 1;
    op->has_b = l->has_residual;
    op->out.dims[1] = op->b.dims[1] = outs;
    op->a.dims[1] = ins;
    op->out.offset += (int64_t)first;
    op->b.offset += (int64_t)first;
    op->a.offset += (int64_t)group * ins;
    op->node.activation = l->activation;
    memcpy(op->node.kernel, l->kernel, sizeof l->kernel);
    memcpy(op->node.stride, l->stride, sizeof l->stride);
    memcpy(op->node.dilation, l->dilation, sizeof l->dilation);
    memcpy(op->node.pads, l->pads, sizeof l->pads);
    size_t n = (size_t)outs;
    if (put_weights(im, packed, floats, &op->node.weights) < 0 ||
        put_weights(im, l->bias + first, n, &op->node.bias) < 0 ||
        put_product(im, l, op, group) < 0)
        return -1;
    return l->slope ? put_weights(im, l->slope + first, n, &op->node.slope) : 0;
}

int linear_finish(struct importer *im, struct linear *l)
{
    int fused;
    while ((fused = fuse_next(im, l)) == 1)
        ;
    struct view out;
    int64_t dims[4] = {1, l->out_dims[1], l->out_dims[0], 1}; /* rank 2: rows as a column */
    if (fused < 0 || new_pixels(im, l->node, l->result_rank == 4 ? l->out_dims : dims, &out) < 0)
        return -1;
    int depthwise = l->in_channels == 1 && l->out_channels == l->groups;
    for (int group = 0; group < (depthwise ? 1 : l->groups); group++)
        if (emit_group(im, l, &out, group) < 0)
            return -1;
    if (l->final_rank)
        out = view_rows(out.root, l->final_rank, l->final_dims);
    else if (l->result_rank == 2)
        out = view_rows(out.root, 2, l->out_dims);
    define_value(im, l->result, &out);
    return 0;
}
