#include "nn/import/importer.h"
#include "simd/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* `evaluated`: over constants alone it is computed at import by its own operations; the others see
 * to constants themselves. An attribute that is not listed could mean anything: it is refused. */
struct rule {
    const char *op;
    int (*lower)(struct importer *im, struct import_node *node);
    int evaluated;
    const char *attributes; /* separated by spaces */
};

static const struct rule rules[] = {
    {"Abs", lower_unary, 1, ""},
    {"Add", lower_binary, 1, ""},
    {"AveragePool", lower_pool, 1,
     "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"},
    {"BatchNormalization", lower_batch_normalization, 1,
     "epsilon momentum spatial training_mode is_test"},
    {"Cast", lower_cast, 0, "to saturate"},
    {"Ceil", fold_round, 0, ""},
    {"Clip", lower_clip, 1, "min max"},
    {"Concat", lower_concat, 0, "axis"},
    {"Constant", fold_constant, 0, "value value_float value_floats value_int value_ints"},
    {"ConstantOfShape", fold_constant_of_shape, 0, "value"},
    {"Conv", lower_conv, 0, "auto_pad dilations group kernel_shape pads strides"},
    {"Div", lower_binary, 1, ""},
    {"Dropout", lower_view, 0, "ratio seed is_test"},
    {"Elu", lower_elu, 1, "alpha"},
    {"Equal", fold_equal, 0, ""},
    {"Erf", lower_unary, 1, ""},
    {"Exp", lower_unary, 1, ""},
    {"Expand", lower_expand, 1, ""},
    {"Flatten", lower_view, 0, "axis"},
    {"Floor", fold_round, 0, ""},
    {"Gather", lower_gather, 0, "axis"},
    {"Gelu", lower_gelu, 1, "approximate"},
    {"Gemm", lower_gemm, 0, "alpha beta transA transB"},
    {"GlobalAveragePool", lower_pool, 1, ""},
    {"GlobalMaxPool", lower_pool, 1, ""},
    {"HardSigmoid", lower_hard_sigmoid, 1, "alpha beta"},
    {"HardSwish", lower_unary, 1, ""},
    {"Identity", lower_view, 0, ""},
    {"InstanceNormalization", lower_instance_normalization, 1, "epsilon"},
    {"LayerNormalization", lower_layer_normalization, 1, "axis epsilon stash_type"},
    {"LeakyRelu", lower_leaky_relu, 1, "alpha"},
    {"Log", lower_unary, 1, ""},
    {"LpNormalization", lower_lp_normalization, 1, "axis p"},
    {"MatMul", lower_matmul, 0, ""},
    {"Max", lower_binary, 1, ""},
    {"MaxPool", lower_pool, 1,
     "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"},
    {"Min", lower_binary, 1, ""},
    {"Mish", lower_unary, 1, ""},
    {"Mul", lower_binary, 1, ""},
    {"Neg", lower_unary, 1, ""},
    {"PRelu", lower_binary, 1, ""},
    {"Pad", lower_pad, 1, "mode pads value"},
    {"Pow", lower_pow, 1, ""},
    {"Reciprocal", lower_unary, 1, ""},
    {"ReduceL2", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"ReduceMax", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"ReduceMean", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"ReduceMin", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"ReduceSum", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"ReduceSumSquare", lower_reduce, 1, "axes keepdims noop_with_empty_axes"},
    {"Relu", lower_unary, 1, ""},
    {"Reshape", lower_view, 0, "allowzero shape"},
    {"Resize", lower_resize, 1,
     "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside "
     "extrapolation_value keep_aspect_ratio_policy mode nearest_mode"},
    {"Shape", fold_shape, 0, "start end"},
    {"Sigmoid", lower_unary, 1, ""},
    {"Slice", lower_view, 0, "axes ends starts"},
    {"Softmax", lower_softmax, 1, "axis"},
    {"Softplus", lower_unary, 1, ""},
    {"Split", lower_split, 0, "axis split num_outputs"},
    {"Sqrt", lower_unary, 1, ""},
    {"Squeeze", lower_view, 0, "axes"},
    {"Sub", lower_binary, 1, ""},
    {"Sum", lower_binary, 1, ""},
    {"Tanh", lower_unary, 1, ""},
    {"Transpose", lower_view, 0, "perm"},
    {"Unsqueeze", lower_view, 0, "axes"},
    {"Upsample", lower_resize, 1, "mode scales"},
    {"Where", fold_where, 0, ""},
};

static const struct rule *find_rule(const struct onnx_node *node)
{
    if (node->domain[0] && strcmp(node->domain, "ai.onnx") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].op, node->op) == 0)
            return &rules[i];
    return NULL;
}

int new_root(struct importer *im, int64_t floats)
{
    if (im->root_count == IMPORT_MAX_ROOTS || floats < 1 || floats > MODEL_MAX_FLOATS) {
        import_fail(im, ERR_TOO_BIG, "a tensor of %lld numbers, or too many tensors",
                    (long long)floats);
        return -1;
    }
    im->roots[im->root_count] = (struct root){.floats = floats};
    return im->root_count++;
}

struct operation *new_operation(struct importer *im, const struct import_node *node,
                                enum model_op op)
{
    if (im->operation_count == MODEL_MAX_NODES) {
        import_fail(im, ERR_TOO_BIG, "more than %d operations", MODEL_MAX_NODES);
        return NULL;
    }
    struct operation *operation = &im->operations[im->operation_count++];
    /* one that was run over constants may have been here before */
    *operation = (struct operation){.node = {.op = op,
                                             .slope = MODEL_NO_SLOPE,
                                             .kernel = {1, 1},
                                             .stride = {1, 1},
                                             .dilation = {1, 1}}};
    const char *name = node ? node->onnx->name : "edge";
    size_t length = strlen(name), most = sizeof operation->node.name - 1;
    memcpy(operation->node.name, name, length < most ? length : most);
    return operation;
}

static float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? 0.0f : x;
}

/* Room for so many floats in the weights, as zeros; NULL on failure. */
static float *new_weights(struct importer *im, size_t count, uint32_t *offset)
{
    size_t floats = (count + SIMD_PANEL - 1) / SIMD_PANEL * SIMD_PANEL;
    size_t at = im->weights.size / sizeof(float);
    if (at + floats > MODEL_MAX_FLOATS || buf_reserve(&im->weights, floats * sizeof(float)) < 0) {
        import_fail(im, ERR_TOO_BIG, "weights past 1 GiB, or out of memory");
        return NULL;
    }
    float *to = (float *)(void *)im->weights.data + at;
    memset(to, 0, floats * sizeof *to);
    im->weights.size += floats * sizeof *to;
    *offset = (uint32_t)at;
    return to;
}

int put_weights(struct importer *im, const float *data, size_t count, uint32_t *offset)
{
    float *to = new_weights(im, count, offset);
    for (size_t i = 0; to && i < count; i++)
        to[i] = flushed(data[i]);
    return to ? 0 : -1;
}

int put_packed(struct importer *im, const float *data, size_t count, uint32_t *offset)
{
    float *to = new_weights(im, count, offset);
    if (to)
        memcpy(to, data, count * sizeof *to);
    return to ? 0 : -1;
}

int value_rank(const struct importer *im, int value)
{
    const struct value *v = &im->values[value];
    return v->constant ? v->constant->rank : v->view.rank;
}

const int64_t *value_dims(const struct importer *im, int value)
{
    const struct value *v = &im->values[value];
    return v->constant ? v->constant->dims : v->view.dims;
}

int value_view(struct importer *im, int value, struct view *view)
{
    struct value *v = &im->values[value];
    if (!v->constant) {
        *view = v->view;
        return 0;
    }
    if (!v->constant->floats || v->constant->count == 0)
        return import_fail(im, ERR_UNSUPPORTED, "value \"%s\": integers used as numbers", v->name);
    if (!v->constant_root) {
        uint32_t offset;
        int root = new_root(im, (int64_t)v->constant->count);
        if (root < 0 || put_weights(im, v->constant->floats, v->constant->count, &offset) < 0)
            return -1;
        im->roots[root].is_constant = 1;
        im->roots[root].offset = offset;
        v->constant_root = root + 1;
    }
    *view = view_rows(v->constant_root - 1, v->constant->rank, v->constant->dims);
    return 0;
}

void define_value(struct importer *im, int value, const struct view *view)
{
    if (value == NO_VALUE)
        return;
    im->values[value].view = *view;
    im->values[value].known = 1;
}

void define_constant(struct importer *im, int value, const struct onnx_tensor *constant)
{
    if (value == NO_VALUE)
        return;
    im->values[value].constant = constant;
    im->values[value].known = 1;
}

int emit_copy(struct importer *im, const struct import_node *node, const struct view *from,
              const struct view *to)
{
    struct operation *copy = new_operation(im, node, MODEL_COPY);
    if (!copy)
        return -1;
    copy->out = *to;
    copy->a = *from;
    copy->has_a = 1;
    return 0;
}

int new_pixels(struct importer *im, const struct import_node *node, const int64_t dims[4],
               struct view *out)
{
    int64_t count = 1;
    for (int i = 0; i < 4; i++) {
        if (dims[i] < 1 || dims[i] > MODEL_MAX_SIDE || (count *= dims[i]) > MODEL_MAX_FLOATS)
            return node_fail(im, node, ERR_TOO_BIG, "makes a tensor past the limit");
    }
    int root = new_root(im, count);
    *out = view_pixels(root, 4, dims);
    return root < 0 ? -1 : 0;
}

int ensure_pixels(struct importer *im, const struct import_node *node, struct view *view)
{
    struct view pixels;
    if (!im->roots[view->root].is_constant && view_as_pixels(view, view))
        return 0;
    if (view->rank != 4 || view->dims[0] != 1)
        return node_fail(im, node, ERR_UNSUPPORTED, "input is not (1, C, H, W)");
    if (new_pixels(im, node, view->dims, &pixels) < 0 || emit_copy(im, node, view, &pixels) < 0)
        return -1;
    *view = pixels;
    return 0;
}

int64_t attribute_int(const struct import_node *node, const char *name, int64_t otherwise)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, name);
    return a ? a->i : otherwise;
}

float attribute_float(const struct import_node *node, const char *name, float otherwise)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, name);
    return a ? a->f : otherwise;
}

int attribute_ints(struct importer *im, const struct import_node *node, const char *name, int input,
                   int64_t *out, int most)
{
    const struct onnx_attribute *a = onnx_attribute(node->onnx, name);
    const int64_t *from = a ? a->ints : NULL;
    size_t count = a ? a->int_count : 0;
    if (!a && input > 0 && (size_t)input < node->onnx->input_count &&
        node->inputs[input] != NO_VALUE) {
        const struct onnx_tensor *constant = im->values[node->inputs[input]].constant;
        if (!constant || !constant->ints)
            return node_fail(im, node, ERR_UNSUPPORTED, "input %d is not constant integers", input);
        from = constant->ints;
        count = constant->count;
    }
    if (count > (size_t)most)
        return node_fail(im, node, ERR_INVALID, "%s: more than %d numbers", name, most);
    if (count)
        memcpy(out, from, count * sizeof *out);
    return (int)count;
}

int normal_axis(int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

static int is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; *at; at += strspn(at, " ")) {
        size_t word = strcspn(at, " ");
        if (word == length && strncmp(at, name, length) == 0)
            return 1;
        at += word;
    }
    return 0;
}

/* Attributes that ask for training, or for what no network used so far asks. */
static int check_attributes(struct importer *im, const struct import_node *node)
{
    const struct rule *rule = find_rule(node->onnx);
    for (size_t i = 0; i < node->onnx->attribute_count; i++)
        if (!is_listed(rule->attributes, node->onnx->attributes[i].name))
            return node_fail(im, node, ERR_UNSUPPORTED,
                             "attribute \"%s\" is not one that ken knows",
                             node->onnx->attributes[i].name);
    if (attribute_int(node, "training_mode", 0) || !attribute_int(node, "spatial", 1))
        return node_fail(im, node, ERR_UNSUPPORTED, "training_mode, or spatial of 0");
    return 0;
}

/* Every operator by name, before any work: the first thing to know about a network. */
static int check_operators(struct importer *im)
{
    for (int i = 0; i < im->node_count; i++) {
        const struct import_node *node = &im->nodes[i];
        if (!find_rule(node->onnx))
            return import_fail(im, ERR_UNSUPPORTED,
                               "operator %s%s%s of node \"%s\" is not one that ken knows",
                               node->onnx->domain, node->onnx->domain[0] ? "." : "", node->onnx->op,
                               node->onnx->name);
        if (node->onnx->output_count < 1)
            return node_fail(im, node, ERR_INVALID, "makes nothing");
        if (check_attributes(im, node) < 0)
            return -1;
    }
    return 0;
}

static int check_node(struct importer *im, const struct import_node *node)
{
    for (size_t i = 0; i < node->onnx->input_count; i++)
        if (node->inputs[i] != NO_VALUE && !im->values[node->inputs[i]].known)
            return node_fail(im, node, ERR_INVALID,
                             "uses \"%s\", which no node before it makes (a cycle, or not sorted)",
                             im->values[node->inputs[i]].name);
    for (size_t i = 0; i < node->onnx->output_count; i++)
        if (node->outputs[i] != NO_VALUE && im->values[node->outputs[i]].known)
            return node_fail(im, node, ERR_INVALID, "makes \"%s\", which is there already",
                             im->values[node->outputs[i]].name);
    if (find_rule(node->onnx)->lower != fold_constant &&
        (node->onnx->input_count < 1 || node->inputs[0] == NO_VALUE))
        return node_fail(im, node, ERR_INVALID, "has no input");
    return 0;
}

static int is_over_constants(const struct importer *im, const struct import_node *node)
{
    for (size_t i = 0; i < node->onnx->input_count; i++)
        if (node->inputs[i] != NO_VALUE && !im->values[node->inputs[i]].constant)
            return 0;
    return 1;
}

static int lower_nodes(struct importer *im, int constants)
{
    for (int i = 0; i < im->node_count; i++) {
        struct import_node *node = &im->nodes[i];
        const struct rule *rule = find_rule(node->onnx);
        if (node->done || (rule->lower == fold_constant) != constants)
            continue;
        if (check_node(im, node) < 0)
            return -1;
        int evaluated = rule->evaluated && is_over_constants(im, node);
        if ((evaluated ? evaluate_node(im, node, rule->lower) : rule->lower(im, node)) < 0)
            return -1;
    }
    return 0;
}

static int place_input(struct importer *im, int index)
{
    const struct onnx_value *info = &im->graph.inputs[index];
    int rank = info->rank;
    int64_t dims[IMPORT_MAX_RANK], count = 1;
    memcpy(dims, info->dims, sizeof dims);
    if (index == 0 && im->options && im->options->rank > 0) {
        rank = im->options->rank;
        memcpy(dims, im->options->dims, sizeof dims);
    }
    if (rank < 0 || rank > 4)
        return import_fail(im, ERR_UNSUPPORTED, "input \"%s\": not 0 to 4 dimensions", info->name);
    if (rank > 0 && (dims[0] == ONNX_UNKNOWN_DIM || dims[0] == 0))
        dims[0] = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] < 1 || dims[i] > MODEL_MAX_SIDE || (count *= dims[i]) > MODEL_MAX_FLOATS)
            return import_fail(im, ERR_UNSUPPORTED,
                               "input \"%s\": dimension %d is open, or past the limit; "
                               "give the input's shape",
                               info->name, i);
    if (rank == 4 && dims[0] != 1)
        return import_fail(im, ERR_UNSUPPORTED, "input \"%s\": a batch of %lld, not of 1",
                           info->name, (long long)dims[0]);
    int root = new_root(im, count);
    if (root < 0)
        return -1;
    im->roots[root].pinned = 1;
    struct view view = view_pixels(root, rank, dims);
    define_value(im, im->inputs[index], &view);
    return 0;
}

/* An output lies dense at the start of its own root, in the edge's order; else it is copied. */
static int place_output(struct importer *im, int index)
{
    struct value *value = &im->values[im->outputs[index]];
    struct view view;
    if (!value->known)
        return import_fail(im, ERR_INVALID, "output \"%s\" is made by no node", value->name);
    if (value_view(im, im->outputs[index], &view) < 0)
        return -1;
    if (view.rank > 4)
        return import_fail(im, ERR_UNSUPPORTED, "output \"%s\": more than 4 dimensions",
                           value->name);
    if (view.rank == 4 && view.dims[0] != 1)
        return import_fail(im, ERR_UNSUPPORTED, "output \"%s\": a batch of %lld, not of 1",
                           value->name, (long long)view.dims[0]);
    const struct root *root = &im->roots[view.root];
    struct view edge = view_pixels(view.root, view.rank, view.dims);
    if (root->is_constant || root->pinned || !view_same_places(&view, &edge)) {
        edge.root = new_root(im, view_count(&view));
        if (edge.root < 0 || emit_copy(im, NULL, &view, &edge) < 0)
            return -1;
    }
    im->roots[edge.root].pinned = 1;
    value->constant = NULL;
    value->view = edge;
    return 0;
}

int lower_graph(struct importer *im)
{
    if (check_operators(im) < 0)
        return -1;
    for (int i = 0; i < im->input_count; i++)
        if (place_input(im, i) < 0)
            return -1;
    if (lower_nodes(im, 1) < 0 || lower_nodes(im, 0) < 0)
        return -1;
    for (int i = 0; i < im->output_count; i++)
        if (place_output(im, i) < 0)
            return -1;
    return 0;
}
