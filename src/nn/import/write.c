#include "nn/import/importer.h"
#include "simd/kernels.h"

#include <stdlib.h>
#include <string.h>

static int file_view(struct importer *im, const struct view *from, struct model_view *to)
{
    const struct root *root = &im->roots[from->root];
    int64_t offset = root->offset + from->offset;
    if (from->rank != 4 || offset < 0 || offset > MODEL_MAX_FLOATS)
        return import_fail(im, ERR_TOO_BIG, "a tensor is past the limit");
    *to = (struct model_view){.space = root->is_constant ? SPACE_WEIGHTS : SPACE_ARENA,
                              .offset = (uint32_t)offset};
    for (int i = 0; i < 4; i++) {
        to->dims[i] = (int32_t)from->dims[i];
        to->strides[i] = (int32_t)from->strides[i];
    }
    return 0;
}

static void swap_dims(struct view *view, int i, int j)
{
    int64_t dim = view->dims[i], stride = view->strides[i];
    view->dims[i] = view->dims[j];
    view->strides[i] = view->strides[j];
    view->dims[j] = dim;
    view->strides[j] = stride;
}

/* The innermost loop over the longest dimension, where neighbours in memory are few. Pairs side by
 * side (boxes' corners) stay last, with the longest dimension before: the executor's loop takes
 * both at once. */
static void longest_last(struct view **views, int count)
{
    enum { ENOUGH = 16 };
    const struct view *out = views[0];
    int pairs = out->dims[3] == 2 && out->strides[3] == 1 && views[1]->strides[3] == 1;
    int longest = 3 - pairs;
    for (int i = 0; i < 4; i++)
        if (out->dims[i] > out->dims[longest])
            longest = i;
    if (out->dims[3] >= ENOUGH)
        return;
    for (int v = 0; v < count; v++)
        swap_dims(views[v], longest, 3 - pairs);
}

/* The operation's views in the form that its kind of node has. */
static int shape_views(struct importer *im, struct operation *op)
{
    struct view *views[3] = {&op->out, &op->a, &op->b};
    int count = op->has_b ? 3 : 2, fine = 1;
    switch (op->node.op) {
    case MODEL_CONV:
    case MODEL_DEPTHWISE:
        for (int i = 0; i < count; i++)
            fine &= view_as_pixels(views[i], views[i]);
        break;
    case MODEL_SOFTMAX:
        fine = view_to_four(views, count, 1);
        break;
    case MODEL_REDUCE: /* in the order of what is read */
        fine = view_to_four((struct view *[2]){&op->a, &op->out}, 2, 0);
        break;
    case MODEL_BINARY:
    case MODEL_UNARY:
    case MODEL_COPY:
        fine = view_to_four(views, count, 0);
        if (fine)
            longest_last(views, count);
        break;
    default: /* four dimensions as they are */
        break;
    }
    return fine ? 0
                : import_fail(im, ERR_UNSUPPORTED, "node \"%s\": too many dimensions",
                              op->node.name);
}

int shape_operation(struct importer *im, struct operation *op)
{
    if (shape_views(im, op) < 0 || file_view(im, &op->out, &op->node.out) < 0 ||
        file_view(im, &op->a, &op->node.a) < 0)
        return -1;
    return op->has_b ? file_view(im, &op->b, &op->node.b) : 0;
}

static int write_nodes(struct importer *im, struct buf *out)
{
    for (int i = 0; i < im->operation_count; i++) {
        struct operation *op = &im->operations[i];
        if (shape_operation(im, op) < 0)
            return -1;
        im->report->macs += model_node_macs(&op->node);
        buf_append(out, &op->node, sizeof op->node);
    }
    return 0;
}

static void write_edge(struct importer *im, int index, struct buf *out)
{
    const struct value *value = &im->values[index];
    struct model_edge edge = {.rank = value->view.rank,
                              .offset = (uint32_t)im->roots[value->view.root].offset};
    size_t length = strlen(value->name), most = sizeof edge.name - 1;
    memcpy(edge.name, value->name, length < most ? length : most);
    for (int i = 0; i < edge.rank; i++)
        edge.dims[i] = (int32_t)value->view.dims[i];
    buf_append(out, &edge, sizeof edge);
}

static uint64_t align(struct buf *out, size_t start)
{
    static const char zeros[MODEL_ALIGN_BYTES];
    size_t over = (out->size - start) % MODEL_ALIGN_BYTES;
    if (over)
        buf_append(out, zeros, MODEL_ALIGN_BYTES - over);
    return out->size - start;
}

int write_model(struct importer *im, struct buf *out)
{
    size_t start = out->size, floats = im->weights.size / sizeof(float);
    struct model_header h = {
        .version = MODEL_VERSION,
        .panel = SIMD_PANEL,
        .arena_floats = (uint64_t)im->arena_floats,
        .weights_floats = floats,
        .inputs = (uint32_t)im->input_count,
        .outputs = (uint32_t)im->output_count,
        .nodes = (uint32_t)im->operation_count,
        .role = im->use.role,
        .order = im->use.order,
        .alignment = im->use.alignment,
        .identity = im->use.identity,
    };
    memcpy(h.mean, im->use.mean, sizeof h.mean);
    memcpy(h.scale, im->use.scale, sizeof h.scale);
    memcpy(h.magic, MODEL_MAGIC, sizeof h.magic);
    buf_append(out, &h, sizeof h);
    h.tensors_at = align(out, start);
    for (int i = 0; i < im->input_count; i++)
        write_edge(im, im->inputs[i], out);
    for (int i = 0; i < im->output_count; i++)
        write_edge(im, im->outputs[i], out);
    h.nodes_at = align(out, start);
    if (write_nodes(im, out) < 0)
        return -1;
    h.weights_at = align(out, start);
    buf_append(out, im->weights.data, im->weights.size);
    if (out->failed)
        return import_fail(im, ERR_TOO_BIG, "the model file is past the limit");
    h.file_bytes = out->size - start;
    memcpy(out->data + start, &h, sizeof h);
    size_t skipped = offsetof(struct model_header, checksum) + sizeof h.checksum;
    h.checksum = model_checksum(out->data + start + skipped, out->size - start - skipped);
    memcpy(out->data + start, &h, sizeof h);
    im->report->nodes = h.nodes;
    im->report->weights_floats = floats;
    im->report->arena_floats = (size_t)im->arena_floats;
    return 0;
}
