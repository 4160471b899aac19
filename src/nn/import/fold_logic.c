/* What is left of choosing shapes at run time: over constants alone. */
#include "nn/import/importer.h"

#include <math.h>
#include <string.h>

enum { MOST_INPUTS = 3 };

/* The node's inputs, all of them constants, of one count or of one number each. Returns one with
 * the most numbers, NULL on failure. */
static const struct onnx_tensor *read_constants(struct importer *im, const struct import_node *node,
                                                size_t count,
                                                const struct onnx_tensor *in[MOST_INPUTS])
{
    const struct onnx_tensor *shape = NULL;
    int fits = node->onnx->input_count == count;
    for (size_t i = 0; fits && i < count; i++) {
        in[i] = constant_input(im, node, i);
        fits = in[i] != NULL;
        if (fits && (!shape || in[i]->count > shape->count ||
                     (in[i]->count == shape->count && in[i]->rank > shape->rank)))
            shape = in[i];
    }
    for (size_t i = 0; fits && i < count; i++)
        fits = in[i]->count == 1 || in[i]->count == shape->count;
    if (fits)
        return shape;
    node_fail(im, node, ERR_UNSUPPORTED, "not over %zu constants of one shape", count);
    return NULL;
}

static size_t place(const struct onnx_tensor *t, size_t i)
{
    return t->count == 1 ? 0 : i;
}

static int take_result(struct importer *im, struct import_node *node, const struct onnx_tensor *to)
{
    define_constant(im, node->outputs[0], to);
    im->report->folded_nodes++;
    return 0;
}

/* Floor, Ceil. */
int fold_round(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *in[MOST_INPUTS], *shape = read_constants(im, node, 1, in);
    if (!shape)
        return -1;
    if (!in[0]->floats)
        return node_fail(im, node, ERR_INVALID, "of integers");
    struct onnx_tensor *to = new_constant(im, shape->rank, shape->dims, 1);
    if (!to)
        return -1;
    int down = strcmp(node->onnx->op, "Floor") == 0;
    for (size_t i = 0; i < to->count; i++)
        to->floats[i] = down ? floorf(in[0]->floats[i]) : ceilf(in[0]->floats[i]);
    return take_result(im, node, to);
}

int fold_equal(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *in[MOST_INPUTS], *shape = read_constants(im, node, 2, in);
    if (!shape)
        return -1;
    if (!in[0]->ints || !in[1]->ints)
        return node_fail(im, node, ERR_UNSUPPORTED, "not of integers");
    struct onnx_tensor *to = new_constant(im, shape->rank, shape->dims, 0);
    if (!to)
        return -1;
    for (size_t i = 0; i < to->count; i++)
        to->ints[i] = in[0]->ints[place(in[0], i)] == in[1]->ints[place(in[1], i)];
    return take_result(im, node, to);
}

int fold_where(struct importer *im, struct import_node *node)
{
    const struct onnx_tensor *in[MOST_INPUTS], *shape = read_constants(im, node, 3, in);
    if (!shape)
        return -1;
    if (!in[0]->ints || (in[1]->floats != NULL) != (in[2]->floats != NULL))
        return node_fail(im, node, ERR_INVALID, "its inputs are not of the types it takes");
    struct onnx_tensor *to = new_constant(im, shape->rank, shape->dims, in[1]->floats != NULL);
    if (!to)
        return -1;
    for (size_t i = 0; i < to->count; i++) {
        const struct onnx_tensor *from = in[0]->ints[place(in[0], i)] ? in[1] : in[2];
        if (to->floats)
            to->floats[i] = from->floats[place(from, i)];
        else
            to->ints[i] = from->ints[place(from, i)];
    }
    return take_result(im, node, to);
}
