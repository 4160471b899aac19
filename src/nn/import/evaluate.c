/* Nodes over constants alone, computed at import by the executor's own operators. */
#include "nn/import/importer.h"
#include "nn/internal.h"

#include <stdlib.h>

enum { MOST_FLOATS = 1 << 24 }; /* of all tensors on the way */
static const uint64_t most_work = (uint64_t)1 << 28;

struct mark { /* what there was before the node */
    int operations, roots;
    size_t weights_bytes;
};

/* Gives the node's own buffers places in a row; returns how many floats, -1 past the limit. */
static int64_t place_roots(struct importer *im, const struct mark *mark)
{
    int64_t floats = 0;
    for (int i = mark->roots; i < im->root_count; i++) {
        struct root *root = &im->roots[i];
        if (root->is_constant)
            continue;
        root->offset = floats;
        floats += root->floats;
        if (floats > MOST_FLOATS)
            return -1;
    }
    return floats;
}

static uint64_t work_of(const struct model_node *node)
{
    uint64_t work = model_node_macs(node), in = 1, out = 1;
    for (int i = 0; i < 4; i++) {
        in *= (uint64_t)node->a.dims[i];
        out *= (uint64_t)node->out.dims[i];
    }
    if (node->op == MODEL_POOL)
        out *= (uint64_t)node->kernel[0] * (uint64_t)node->kernel[1];
    return work > in + out ? work : in + out;
}

static struct strided resolve(const struct importer *im, float *arena,
                              const struct model_view *view)
{
    float *base = view->space == SPACE_WEIGHTS ? (float *)(void *)im->weights.data : arena;
    return (struct strided){view->space == SPACE_NONE ? NULL : base + view->offset, view->dims,
                            view->strides};
}

static int run(struct importer *im, const struct import_node *node, const struct mark *mark,
               float *arena)
{
    const struct kernels *kernels = simd_kernels(SIMD_C);
    uint64_t work = 0;
    for (int i = mark->operations; i < im->operation_count; i++) {
        struct operation *op = &im->operations[i];
        if (op->node.op <= MODEL_DEPTHWISE)
            return node_fail(im, node, ERR_UNSUPPORTED, "a convolution over constants");
        if (shape_operation(im, op) < 0)
            return -1;
        work += work_of(&op->node);
        if (work > most_work)
            return node_fail(im, node, ERR_TOO_BIG, "too much to compute over constants");
        const struct operands operands = {
            .out = resolve(im, arena, &op->node.out),
            .a = resolve(im, arena, &op->node.a),
            .b = resolve(im, arena, &op->node.b),
            .weights = (const float *)(const void *)im->weights.data,
        };
        op_run(&op->node, kernels, &operands);
    }
    return 0;
}

/* The values that the node made, as constants. */
static int take_results(struct importer *im, struct import_node *node, float *arena)
{
    for (size_t i = 0; i < node->onnx->output_count; i++) {
        int index = node->outputs[i];
        if (index == NO_VALUE || !im->values[index].known || im->values[index].constant)
            continue;
        const struct view *view = &im->values[index].view;
        const struct root *root = &im->roots[view->root];
        float *base = root->is_constant ? (float *)(void *)im->weights.data : arena;
        const struct onnx_tensor from = {.floats = base + root->offset};
        if (fold_view(im, node, &from, view, (int)i) < 0)
            return -1;
    }
    return 0;
}

static int run_and_take(struct importer *im, struct import_node *node, const struct mark *mark)
{
    int64_t floats = place_roots(im, mark);
    if (floats < 0)
        return node_fail(im, node, ERR_TOO_BIG, "too much to compute over constants");
    float *arena = calloc((size_t)floats + 1, sizeof *arena);
    if (!arena)
        return import_fail(im, ERR_NO_MEMORY, "out of memory");
    int result = run(im, node, mark, arena);
    if (result == 0)
        result = take_results(im, node, arena);
    free(arena);
    return result;
}

int evaluate_node(struct importer *im, struct import_node *node,
                  int (*lower)(struct importer *im, struct import_node *node))
{
    const struct mark mark = {im->operation_count, im->root_count, im->weights.size};
    if (lower(im, node) < 0 || run_and_take(im, node, &mark) < 0)
        return -1;
    im->operation_count = mark.operations;
    im->root_count = mark.roots;
    im->weights.size = mark.weights_bytes;
    for (size_t i = 0; i < node->onnx->input_count; i++)
        if (node->inputs[i] != NO_VALUE && im->values[node->inputs[i]].constant_root > mark.roots)
            im->values[node->inputs[i]].constant_root = 0;
    return 0;
}
