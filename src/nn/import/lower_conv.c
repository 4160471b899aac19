#include "nn/import/linear.h"

#include <string.h>

static int constant_floats(struct importer *im, const struct import_node *node, size_t input,
                           const struct onnx_tensor **out)
{
    *out = NULL;
    if (input >= node->onnx->input_count || node->inputs[input] == NO_VALUE)
        return 0;
    *out = im->values[node->inputs[input]].constant;
    if (!*out || !(*out)->floats || (*out)->count == 0)
        return node_fail(im, node, ERR_UNSUPPORTED, "input %zu is not constant numbers", input);
    return 1;
}

/* Two numbers of an attribute, each 1 to MODEL_MAX_KERNEL. */
static int read_pair(struct importer *im, const struct import_node *node, const char *name,
                     int32_t pair[2])
{
    int64_t numbers[2] = {pair[0], pair[1]};
    int count = attribute_ints(im, node, name, -1, numbers, 2);
    if (count < 0)
        return -1;
    if (count == 1)
        return node_fail(im, node, ERR_UNSUPPORTED, "%s: one-dimensional", name);
    for (int i = 0; i < 2; i++) {
        if (numbers[i] < 1 || numbers[i] > MODEL_MAX_KERNEL)
            return node_fail(im, node, ERR_INVALID, "%s: %lld is not 1 to %d", name,
                             (long long)numbers[i], MODEL_MAX_KERNEL);
        pair[i] = (int32_t)numbers[i];
    }
    return 0;
}

/* auto_pad: as much as makes the output ceil(in / stride) long. */
static void pad_same(const struct linear *l, int axis, int upper, int64_t pads[4])
{
    int64_t in = l->in.dims[2 + axis], stride = l->stride[axis];
    int64_t reach = (int64_t)(l->kernel[axis] - 1) * l->dilation[axis] + 1;
    int64_t total = ((in + stride - 1) / stride - 1) * stride + reach - in;
    total = total < 0 ? 0 : total;
    pads[axis] = upper ? total / 2 : total - total / 2;
    pads[axis + 2] = total - pads[axis];
}

static int read_pads(struct importer *im, struct linear *l)
{
    int64_t pads[4] = {0};
    const struct onnx_attribute *automatic = onnx_attribute(l->node->onnx, "auto_pad");
    const char *mode = automatic && automatic->text[0] ? automatic->text : "NOTSET";
    if (attribute_ints(im, l->node, "pads", -1, pads, 4) < 0)
        return -1;
    if (strncmp(mode, "SAME_", 5) == 0)
        for (int axis = 0; axis < 2; axis++)
            pad_same(l, axis, strcmp(mode, "SAME_UPPER") == 0, pads);
    const struct value *input = &im->values[l->node->inputs[0]];
    for (int i = 0; i < 4; i++) {
        if (pads[i] >= 0 && pads[i] <= MODEL_MAX_KERNEL)
            pads[i] += input->pads[i]; /* of a Pad before it */
        if (pads[i] < 0 || pads[i] > MODEL_MAX_KERNEL)
            return node_fail(im, l->node, ERR_INVALID, "pads: %lld is not 0 to %d",
                             (long long)pads[i], MODEL_MAX_KERNEL);
        l->pads[i] = (int32_t)pads[i];
    }
    return 0;
}

/* Reads the window's attributes and works out the output's height and width. */
static int read_window(struct importer *im, struct linear *l, int ceil_mode)
{
    for (int i = 0; i < 2; i++)
        l->stride[i] = l->dilation[i] = 1;
    if (read_pair(im, l->node, "kernel_shape", l->kernel) < 0 ||
        read_pair(im, l->node, "strides", l->stride) < 0 ||
        read_pair(im, l->node, "dilations", l->dilation) < 0 || read_pads(im, l) < 0)
        return -1;
    for (int axis = 0; axis < 2; axis++) {
        int64_t reach = (int64_t)(l->kernel[axis] - 1) * l->dilation[axis] + 1;
        int64_t room = l->in.dims[2 + axis] + l->pads[axis] + l->pads[axis + 2] - reach;
        if (room < 0)
            return node_fail(im, l->node, ERR_INVALID, "the window is larger than the picture");
        int64_t rest = room % l->stride[axis];
        int64_t next = (room / l->stride[axis] + 1) * l->stride[axis]; /* where one more begins */
        if (ceil_mode && rest &&
            next <
                l->in.dims[2 + axis] + l->pads[axis]) { /* the last, partial window: as if padded */
            l->pads[axis + 2] += (int32_t)(l->stride[axis] - rest);
            room += l->stride[axis] - rest;
        }
        l->out_dims[2 + axis] = room / l->stride[axis] + 1;
    }
    return 0;
}

/* The linear's own copy of the weights, and its bias. */
static int take_weights(struct importer *im, struct linear *l, const float *weights,
                        const struct onnx_tensor *bias, float bias_factor)
{
    size_t outs = (size_t)l->out_channels;
    size_t count = outs * (size_t)l->in_channels * (size_t)l->kernel[0] * (size_t)l->kernel[1];
    l->weights = arena_new(im->arena, float, count);
    l->bias = arena_new(im->arena, float, outs);
    if (!l->weights || !l->bias)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    memcpy(l->weights, weights, count * sizeof *weights);
    if (bias && bias->count != outs && bias->count != 1)
        return node_fail(im, l->node, ERR_INVALID, "%zu biases for %zu channels", bias->count,
                         outs);
    for (size_t i = 0; bias && i < outs; i++)
        l->bias[i] = bias->floats[bias->count == 1 ? 0 : i] * bias_factor;
    return 0;
}

int linear_read_conv(struct importer *im, struct linear *l, int rank, const int64_t *weights)
{
    int64_t groups = attribute_int(l->node, "group", 1), channels = l->in.dims[1];
    if (rank != 4 || l->in.rank != 4 || l->in.dims[0] != 1)
        return node_fail(im, l->node, ERR_UNSUPPORTED, "not a two-dimensional convolution");
    if (groups < 1 || groups > channels || weights[0] % groups || weights[1] * groups != channels)
        return node_fail(im, l->node, ERR_INVALID,
                         "%lld channels in %lld groups do not match weights of %lld x %lld",
                         (long long)channels, (long long)groups, (long long)weights[0],
                         (long long)weights[1]);
    l->groups = (int)groups;
    l->out_channels = (int)weights[0];
    l->in_channels = (int)weights[1];
    l->out_dims[0] = 1;
    l->out_dims[1] = l->out_channels;
    l->result_rank = 4;
    for (int i = 0; i < 2; i++)
        l->kernel[i] = (int32_t)weights[2 + i];
    if (read_window(im, l, 0) < 0)
        return -1;
    if (l->kernel[0] != weights[2] || l->kernel[1] != weights[3])
        return node_fail(im, l->node, ERR_INVALID, "kernel_shape does not match the weights");
    return 0;
}

/* Weights or bias. */
static int is_made_at_run_time(const struct importer *im, const struct import_node *node)
{
    for (size_t i = 1; i < 3 && i < node->onnx->input_count; i++)
        if (node->inputs[i] != NO_VALUE && !im->values[node->inputs[i]].constant)
            return 1;
    return 0;
}

int lower_conv(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *weights, *bias;
    struct linear l = {.node = node, .result = node->outputs[0]};
    if (node->onnx->input_count < 2 || node->inputs[1] == NO_VALUE || l.result == NO_VALUE)
        return node_fail(im, node, ERR_INVALID, "has no weights or no output");
    if (is_made_at_run_time(im, node))
        return lower_run_time_conv(im, node);
    if (constant_floats(im, node, 1, &weights) < 0 || constant_floats(im, node, 2, &bias) < 0 ||
        value_view(im, node->inputs[0], &l.in) < 0)
        return -1;
    if (linear_read_conv(im, &l, weights->rank, weights->dims) < 0 ||
        ensure_pixels(im, node, &l.in) < 0 || take_weights(im, &l, weights->floats, bias, 1.0f) < 0)
        return -1;
    return linear_finish(im, &l);
}

/* The rows of a matrix as pixels of a column: (1, K, M, 1). */
static int matrix_as_pixels(struct importer *im, struct linear *l)
{
    struct view in = l->in, *out = &l->in;
    *out = (struct view){.root = in.root, .offset = in.offset, .rank = 4};
    const int64_t dims[4] = {1, in.dims[1], in.dims[0], 1};
    const int64_t strides[4] = {0, in.strides[1], in.strides[0], 0};
    memcpy(out->dims, dims, sizeof dims);
    memcpy(out->strides, strides, sizeof strides);
    return ensure_pixels(im, l->node, out);
}

/* Weights [K][N] (or [N][K]) as [N][K], times alpha. */
static float *turn_matrix(struct importer *im, const struct onnx_tensor *b, int is_turned,
                          float alpha)
{
    size_t k = (size_t)b->dims[is_turned], n = (size_t)b->dims[!is_turned];
    float *out = arena_new(im->arena, float, b->count);
    for (size_t i = 0; out && i < n; i++)
        for (size_t j = 0; j < k; j++)
            out[i * k + j] = alpha * (is_turned ? b->floats[i * k + j] : b->floats[j * n + i]);
    if (!out)
        import_fail(im, ERR_TOO_BIG, "out of memory");
    return out;
}

struct matrix_options {
    int turned; /* B is [N][K] */
    float alpha, beta;
};

/* A tensor of more dimensions as a matrix: all but the last are rows. */
static int join_rows(struct importer *im, struct linear *l)
{
    struct view in = l->in;
    if (in.rank < 2)
        return node_fail(im, l->node, ERR_UNSUPPORTED, "a product of %d dimensions", in.rank);
    int64_t columns = in.dims[in.rank - 1], dims[2] = {view_count(&in) / columns, columns};
    if (in.rank > 2) {
        l->final_rank = in.rank;
        memcpy(l->final_dims, in.dims, sizeof in.dims);
    }
    if (in.rank == 2 || view_reshape(&in, 2, dims, &l->in))
        return 0;
    int root = new_root(im, view_count(&in));
    struct view rows = view_rows(root, in.rank, in.dims);
    if (root < 0 || emit_copy(im, l->node, &in, &rows) < 0)
        return -1;
    l->in = view_rows(root, 2, dims);
    return 0;
}

static int lower_matrix(struct importer *im, struct linear *l, const struct matrix_options *options)
{
    const struct onnx_tensor *b, *bias;
    struct import_node *node = l->node;
    if (constant_floats(im, node, 1, &b) < 0 || constant_floats(im, node, 2, &bias) < 0 ||
        join_rows(im, l) < 0)
        return -1;
    if (b->rank != 2 || b->dims[!options->turned] > MODEL_MAX_SIDE ||
        b->dims[options->turned] != l->in.dims[1] || l->result == NO_VALUE)
        return node_fail(im, node, ERR_INVALID, "the two matrices do not fit");
    float *weights = turn_matrix(im, b, options->turned, options->alpha);
    l->out_dims[0] = l->in.dims[0];
    l->out_dims[1] = b->dims[!options->turned];
    if (l->final_rank)
        l->final_dims[l->final_rank - 1] = l->out_dims[1];
    l->out_channels = (int)l->out_dims[1];
    l->in_channels = (int)b->dims[options->turned];
    l->groups = 1;
    l->result_rank = 2;
    for (int i = 0; i < 2; i++)
        l->kernel[i] = l->stride[i] = l->dilation[i] = 1;
    if (!weights || matrix_as_pixels(im, l) < 0 ||
        take_weights(im, l, weights, bias, options->beta) < 0)
        return -1;
    return linear_finish(im, l);
}

/* A bias of more than one row. */
static int has_wide_bias(const struct importer *im, const struct import_node *node)
{
    const struct onnx_tensor *bias = constant_input(im, node, 2);
    return bias && bias->rank == 2 && bias->dims[0] > 1;
}

int lower_gemm(struct importer *im, struct import_node *node)
{
    struct linear l = {.node = node, .result = node->outputs[0]};
    const struct matrix_options options = {attribute_int(node, "transB", 0) != 0,
                                           attribute_float(node, "alpha", 1.0f),
                                           attribute_float(node, "beta", 1.0f)};
    if (node->onnx->input_count < 2 || node->inputs[1] == NO_VALUE)
        return node_fail(im, node, ERR_INVALID, "has not two inputs");
    if (attribute_int(node, "transA", 0) || is_made_at_run_time(im, node) ||
        has_wide_bias(im, node))
        return lower_run_time_gemm(im, node);
    if (value_view(im, node->inputs[0], &l.in) < 0)
        return -1;
    if (l.in.rank != 2)
        return node_fail(im, node, ERR_INVALID, "input is no matrix");
    return lower_matrix(im, &l, &options);
}

int lower_matmul(struct importer *im, struct import_node *node)
{
    struct linear l = {.node = node, .result = node->outputs[0]};
    const struct matrix_options options = {0, 1.0f, 1.0f};
    struct view b, out;
    if (node->onnx->input_count != 2 || node->inputs[1] == NO_VALUE)
        return node_fail(im, node, ERR_INVALID, "has not two inputs");
    if (value_view(im, node->inputs[0], &l.in) < 0)
        return -1;
    const struct onnx_tensor *constant = im->values[node->inputs[1]].constant;
    if (constant && constant->rank == 2)
        return lower_matrix(im, &l, &options);
    if (value_view(im, node->inputs[1], &b) < 0 || emit_matmul(im, node, &l.in, &b, &out) < 0)
        return -1;
    define_value(im, node->outputs[0], &out);
    return 0;
}

/* GlobalAveragePool, GlobalMaxPool: one window. */
static int whole_window(struct importer *im, struct linear *l)
{
    for (int axis = 0; axis < 2; axis++) {
        if (l->in.dims[2 + axis] > MODEL_MAX_KERNEL)
            return node_fail(im, l->node, ERR_TOO_BIG, "a window larger than %d", MODEL_MAX_KERNEL);
        l->kernel[axis] = (int32_t)l->in.dims[2 + axis];
        l->stride[axis] = l->dilation[axis] = 1;
        l->out_dims[2 + axis] = 1;
    }
    return 0;
}

int lower_pool(struct importer *im, struct import_node *node)
{
    struct linear l = {.node = node}; /* only its window is used */
    const char *name = node->onnx->op;
    int whole = strcmp(name, "AveragePool") != 0 && strcmp(name, "MaxPool") != 0;
    if (value_view(im, node->inputs[0], &l.in) < 0)
        return -1;
    if (l.in.rank != 4 || l.in.dims[0] != 1)
        return node_fail(im, node, ERR_UNSUPPORTED, "input is not (1, C, H, W)");
    l.out_dims[0] = 1;
    l.out_dims[1] = l.in.dims[1];
    int ceil_mode = attribute_int(node, "ceil_mode", 0) != 0;
    if ((whole ? whole_window(im, &l) : read_window(im, &l, ceil_mode)) < 0)
        return -1;
    struct view out;
    struct operation *op = new_operation(im, node, MODEL_POOL);
    if (!op || new_pixels(im, node, l.out_dims, &out) < 0)
        return -1;
    int with_pads = attribute_int(node, "count_include_pad", 0) &&
                    (l.pads[0] || l.pads[1] || l.pads[2] || l.pads[3]);
    if (with_pads && ceil_mode)
        return node_fail(im, node, ERR_UNSUPPORTED, "ceil_mode with count_include_pad");
    op->node.kind = strstr(name, "Max") ? POOL_MAX
                    : with_pads         ? POOL_AVERAGE_WITH_PADS
                                        : POOL_AVERAGE;
    memcpy(op->node.kernel, l.kernel, sizeof l.kernel);
    memcpy(op->node.stride, l.stride, sizeof l.stride);
    memcpy(op->node.dilation, l.dilation, sizeof l.dilation);
    memcpy(op->node.pads, l.pads, sizeof l.pads);
    op->out = out;
    op->a = l.in;
    op->has_a = 1;
    define_value(im, node->outputs[0], &out);
    return 0;
}
