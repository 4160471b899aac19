#include "nn/internal.h"
#include "simd/kernels.h"

#include <math.h>
#include <string.h>

/* A file with a right checksum may still come from anyone. After these checks, the executor can use
 * every number in it without looking again. */

static int corrupt(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s", what);
}

/* `count` items of `size` bytes at `at` lie behind the header, inside the file, aligned. */
static int section_fits(const struct model_header *h, uint64_t at, uint64_t count, uint64_t size)
{
    return at >= sizeof *h && at % MODEL_ALIGN_BYTES == 0 && at <= h->file_bytes &&
           count <= (h->file_bytes - at) / size;
}

static int check_header(const struct model_header *h, size_t size, struct err *err)
{
    if (memcmp(h->magic, MODEL_MAGIC, sizeof h->magic) != 0)
        return corrupt(err, "not a ken model file");
    if (h->version != MODEL_VERSION || h->panel != SIMD_PANEL)
        return err_set(err, ERR_CORRUPT,
                       "model file version %u.%u, this program reads %d.%d: import it again",
                       h->version, h->panel, MODEL_VERSION, SIMD_PANEL);
    if (h->file_bytes != size)
        return err_set(err, ERR_CORRUPT, "the file has %zu bytes and should have %llu", size,
                       (unsigned long long)h->file_bytes);
    size_t skipped = offsetof(struct model_header, checksum) + sizeof h->checksum;
    if (model_checksum((const char *)h + skipped, size - skipped) != h->checksum)
        return corrupt(err, "wrong checksum: the file is damaged");
    if (h->arena_floats > MODEL_MAX_FLOATS || h->weights_floats > MODEL_MAX_FLOATS)
        return corrupt(err, "arena or weights past the limit");
    if (h->inputs < 1 || h->inputs > MODEL_MAX_INPUTS || h->outputs < 1 ||
        h->outputs > MODEL_MAX_OUTPUTS || h->nodes > MODEL_MAX_NODES)
        return corrupt(err, "number of inputs, outputs or nodes past the limit");
    if (!section_fits(h, h->tensors_at, h->inputs + h->outputs, sizeof(struct model_edge)) ||
        !section_fits(h, h->nodes_at, h->nodes, sizeof(struct model_node)) ||
        !section_fits(h, h->weights_at, h->weights_floats, sizeof(float)))
        return corrupt(err, "a section lies outside the file");
    return 0;
}

static int check_use(const struct model_header *h)
{
    for (int i = 0; i < 3; i++)
        if (!isfinite(h->mean[i]) || !isfinite(h->scale[i]))
            return 0;
    return h->role < MODEL_ROLES && h->order < MODEL_ORDERS && h->alignment < MODEL_ALIGNMENTS;
}

static int check_edge(const struct model_header *h, const struct model_edge *edge)
{
    if (!memchr(edge->name, 0, sizeof edge->name) || edge->rank < 0 || edge->rank > 4)
        return 0;
    uint64_t floats = 1;
    for (int i = 0; i < edge->rank; i++) {
        if (edge->dims[i] < 1 || edge->dims[i] > MODEL_MAX_SIDE)
            return 0;
        floats *= (uint64_t)edge->dims[i];
        if (floats > MODEL_MAX_FLOATS)
            return 0;
    }
    return edge->offset % 16 == 0 && edge->offset + floats <= h->arena_floats;
}

static int check_view(const struct model_header *h, const struct model_view *view, int writable)
{
    if (view->space != SPACE_ARENA && (writable || view->space != SPACE_WEIGHTS))
        return 0;
    uint64_t last = view->offset, count = 1;
    for (int i = 0; i < 4; i++) {
        if (view->dims[i] < 1 || view->dims[i] > MODEL_MAX_SIDE || view->strides[i] < 0 ||
            view->strides[i] > MODEL_MAX_FLOATS)
            return 0;
        last += (uint64_t)(view->dims[i] - 1) * (uint64_t)view->strides[i];
        count *= (uint64_t)view->dims[i];
        if (count > MODEL_MAX_FLOATS)
            return 0;
    }
    return last < (view->space == SPACE_ARENA ? h->arena_floats : h->weights_floats);
}

static int same_dims(const struct model_view *a, const struct model_view *b)
{
    return memcmp(a->dims, b->dims, sizeof a->dims) == 0;
}

/* Pixels of `channels` adjacent floats, rows without a gap: what the kernels can address. */
static int is_pixels(const struct model_view *view)
{
    int64_t pitch = view->strides[3];
    return view->dims[0] == 1 && view->strides[1] == 1 && pitch >= view->dims[1] &&
           view->strides[2] == pitch * view->dims[3];
}

static int check_window_axis(const struct model_node *node, int axis)
{
    int64_t in = node->a.dims[2 + axis], out = node->out.dims[2 + axis];
    int64_t kernel = node->kernel[axis], stride = node->stride[axis];
    int64_t dilation = node->dilation[axis], before = node->pads[axis],
            after = node->pads[axis + 2];
    if (kernel < 1 || kernel > MODEL_MAX_KERNEL || stride < 1 || stride > MODEL_MAX_KERNEL ||
        dilation < 1 || dilation > MODEL_MAX_KERNEL || before < 0 || before > MODEL_MAX_KERNEL ||
        after < 0 || after > MODEL_MAX_KERNEL)
        return 0;
    int64_t room = in + before + after - (kernel - 1) * dilation - 1;
    return room >= 0 && out == room / stride + 1;
}

/* `count` floats of the weights from `offset`, aligned as the kernels want them. */
static int check_weights(const struct model_header *h, uint64_t offset, uint64_t count)
{
    return offset % SIMD_PANEL == 0 && offset + count <= h->weights_floats;
}

static uint64_t panels(int channels)
{
    return ((uint64_t)channels + SIMD_PANEL - 1) / SIMD_PANEL;
}

/* How the weights are packed: struct conv's `winograd`. */
static int check_packing(const struct model_node *node)
{
    if (node->kind == 0)
        return 1;
    return node->op == MODEL_CONV && (node->kind == 2 || node->kind == 4) && node->kernel[0] == 3 &&
           node->kernel[1] == 3 && node->stride[0] == 1 && node->stride[1] == 1;
}

/* The weights for product_i16, where there are any. */
static int check_product(const struct model_header *h, const struct model_node *node)
{
    if (node->product == 0)
        return 1;
    const struct conv c = model_node_conv(node);
    return node->op == MODEL_CONV && node->kind == 0 && simd_can_product(&c) &&
           check_weights(h, node->product, simd_product_floats(c.out_channels, c.in_channels));
}

static int check_conv(const struct model_header *h, const struct model_node *node)
{
    if (!check_packing(node) || node->a.space != SPACE_ARENA || !is_pixels(&node->a) ||
        !is_pixels(&node->out) || !check_window_axis(node, 0) || !check_window_axis(node, 1))
        return 0;
    if (node->b.space != SPACE_NONE &&
        (node->b.space != SPACE_ARENA || !check_view(h, &node->b, 0) || !is_pixels(&node->b) ||
         !same_dims(&node->b, &node->out)))
        return 0;
    uint64_t taps = (uint64_t)node->kernel[0] * (uint64_t)node->kernel[1];
    uint64_t in = (uint64_t)node->a.dims[1], padded = panels(node->out.dims[1]) * SIMD_PANEL;
    uint64_t places = node->kind ? (uint64_t)(node->kind + 2) * (node->kind + 2) : taps;
    uint64_t weights = node->op == MODEL_CONV ? places * in * padded : taps * in;
    if (node->op == MODEL_DEPTHWISE && node->a.dims[1] != node->out.dims[1])
        return 0;
    if (taps * in > MODEL_MAX_FLOATS || model_node_macs(node) > MODEL_MAX_NODE_WORK)
        return 0;
    int sloped = node->activation == ACTIVATION_PRELU;
    return check_product(h, node) && check_weights(h, node->weights, weights) &&
           check_weights(h, node->bias, padded) && node->activation <= ACTIVATION_PRELU &&
           (sloped ? check_weights(h, node->slope, padded) : node->slope == MODEL_NO_SLOPE);
}

static int check_pool(const struct model_node *node)
{
    uint64_t work = (uint64_t)node->out.dims[1] * (uint64_t)node->out.dims[2] *
                    (uint64_t)node->out.dims[3] * (uint64_t)node->kernel[0] *
                    (uint64_t)node->kernel[1];
    return node->kind < POOL_KINDS && node->b.space == SPACE_NONE && check_window_axis(node, 0) &&
           check_window_axis(node, 1) && node->a.dims[0] == 1 && node->out.dims[0] == 1 &&
           node->a.dims[1] == node->out.dims[1] && work <= MODEL_MAX_NODE_WORK;
}

/* A table of places in `in` rows or columns, for each of `out`. */
static int check_table(const struct model_header *h, uint32_t offset, int out, int in)
{
    if (!check_weights(h, offset, (uint64_t)out * RESIZE_TRIPLE))
        return 0;
    const float *table = (const float *)(const void *)((const char *)h + h->weights_at) + offset;
    for (int i = 0; i < out; i++, table += RESIZE_TRIPLE)
        if (!(table[0] >= 0 && table[0] < (float)in && table[1] >= 0 && table[1] < (float)in))
            return 0;
    return 1;
}

/* One picture to another. */
static int check_pictures(const struct model_node *node)
{
    return node->a.dims[0] == 1 && node->out.dims[0] == 1;
}

static int check_resize(const struct model_header *h, const struct model_node *node)
{
    return node->kind < RESIZE_KINDS && node->b.space == SPACE_NONE && check_pictures(node) &&
           node->a.dims[1] == node->out.dims[1] &&
           check_table(h, node->weights, node->out.dims[2], node->a.dims[2]) &&
           check_table(h, node->bias, node->out.dims[3], node->a.dims[3]);
}

static int check_matmul(const struct model_header *h, const struct model_node *node)
{
    const int32_t *out = node->out.dims, *a = node->a.dims, *b = node->b.dims;
    return check_view(h, &node->b, 0) && out[0] == a[0] && out[0] == b[0] && out[1] == a[1] &&
           out[1] == b[1] && out[2] == a[2] && out[3] == b[3] && a[3] == b[2] &&
           model_node_macs(node) <= MODEL_MAX_NODE_WORK;
}

static int check_windows(const struct model_header *h, const struct model_node *node)
{
    const int32_t *in = node->a.dims, *weights = node->b.dims;
    if (!check_view(h, &node->b, 0) || !check_pictures(node) || !check_window_axis(node, 0) ||
        !check_window_axis(node, 1) || in[1] % weights[1] != 0)
        return 0;
    int groups = in[1] / weights[1];
    return node->out.dims[1] == weights[0] && weights[0] % groups == 0 &&
           node->kernel[0] == weights[2] && node->kernel[1] == weights[3] &&
           model_node_macs(node) <= MODEL_MAX_NODE_WORK;
}

static int check_node(const struct model_header *h, const struct model_node *node)
{
    if (!check_view(h, &node->out, 1) || !check_view(h, &node->a, 0) ||
        !memchr(node->name, 0, sizeof node->name))
        return 0;
    switch (node->op) {
    case MODEL_CONV:
    case MODEL_DEPTHWISE:
        return check_conv(h, node);
    case MODEL_POOL:
        return check_pool(node);
    case MODEL_BINARY:
        return node->kind < BINARY_KINDS && check_view(h, &node->b, 0) &&
               same_dims(&node->a, &node->out) && same_dims(&node->b, &node->out);
    case MODEL_UNARY:
        return node->kind < UNARY_KINDS && node->b.space == SPACE_NONE &&
               same_dims(&node->a, &node->out);
    case MODEL_SOFTMAX:
    case MODEL_COPY:
        return node->b.space == SPACE_NONE && same_dims(&node->a, &node->out);
    case MODEL_RESIZE:
        return check_resize(h, node);
    case MODEL_REDUCE:
        return node->kind < REDUCE_KINDS && node->b.space == SPACE_NONE &&
               same_dims(&node->a, &node->out);
    case MODEL_MATMUL:
        return check_matmul(h, node);
    case MODEL_WINDOWS:
        return check_windows(h, node);
    default:
        return 0;
    }
}

/* Multiply-adds of one number that the node makes. */
static uint64_t macs_each(const struct model_node *node)
{
    uint64_t taps = (uint64_t)node->kernel[0] * (uint64_t)node->kernel[1];
    switch (node->op) {
    case MODEL_CONV:
        return taps * (uint64_t)node->a.dims[1];
    case MODEL_WINDOWS:
        return taps * (uint64_t)node->b.dims[1];
    case MODEL_DEPTHWISE:
        return taps;
    case MODEL_MATMUL:
        return (uint64_t)node->a.dims[3];
    default:
        return 0;
    }
}

uint64_t model_node_macs(const struct model_node *node)
{
    uint64_t out = 1, work;
    for (int i = 0; i < 4; i++)
        out *= (uint64_t)node->out.dims[i];
    return __builtin_mul_overflow(out, macs_each(node), &work) ? UINT64_MAX : work;
}

static uint64_t view_end(const struct model_view *view)
{
    if (view->space != SPACE_ARENA)
        return 0;
    uint64_t end = view->offset + (uint64_t)1;
    for (int i = 0; i < 4; i++)
        end += (uint64_t)(view->dims[i] - 1) * (uint64_t)view->strides[i];
    return end;
}

static uint64_t edge_end(const struct model_edge *edge)
{
    uint64_t floats = 1;
    for (int i = 0; i < edge->rank; i++)
        floats *= (uint64_t)edge->dims[i];
    return edge->offset + floats;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The arena is as large as it must be: a file cannot ask for memory that it does not use. */
static int check_arena(const struct model_header *h, const struct model_edge *edges,
                       const struct model_node *nodes)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < h->inputs + h->outputs; i++)
        end = larger(end, edge_end(&edges[i]));
    for (uint32_t i = 0; i < h->nodes; i++)
        end = larger(end, larger(view_end(&nodes[i].out),
                                 larger(view_end(&nodes[i].a), view_end(&nodes[i].b))));
    return h->arena_floats == (end + SIMD_PANEL - 1) / SIMD_PANEL * SIMD_PANEL;
}

int model_verify(const void *data, size_t size, struct err *err)
{
    const struct model_header *h = data;
    if (size < sizeof *h)
        return corrupt(err, "not a ken model file (too short)");
    if (check_header(h, size, err) < 0)
        return -1;
    if (!check_use(h))
        return corrupt(err, "role or preprocessing is not valid");
    const struct model_edge *edges = (const void *)((const char *)data + h->tensors_at);
    for (uint32_t i = 0; i < h->inputs + h->outputs; i++)
        if (!check_edge(h, &edges[i]))
            return err_set(err, ERR_CORRUPT, "input or output %u is not valid", i);
    const struct model_node *nodes = (const void *)((const char *)data + h->nodes_at);
    for (uint32_t i = 0; i < h->nodes; i++)
        if (!check_node(h, &nodes[i]))
            return err_set(err, ERR_CORRUPT, "node %u is not valid", i);
    if (!check_arena(h, edges, nodes))
        return corrupt(err, "wrong size of the arena");
    return 0;
}
