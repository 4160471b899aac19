/* Places the arena's buffers: two share memory when no operation needs both. */
#include "nn/import/importer.h"

#include <stdlib.h>

enum {
    ALIGN_FLOATS = MODEL_ALIGN_BYTES / sizeof(float),
    PAGE_FLOATS = 4096 / sizeof(float),
    APART_FLOATS = 128 / sizeof(float),
    NOT_PLACED = -1,
};

static void touch(struct importer *im, const struct view *view, int when)
{
    struct root *root = &im->roots[view->root];
    if (when < root->first)
        root->first = when;
    if (when > root->last)
        root->last = when;
}

static void find_lifetimes(struct importer *im)
{
    for (int i = 0; i < im->root_count; i++) {
        im->roots[i].first = im->operation_count;
        im->roots[i].last = -1;
    }
    for (int i = 0; i < im->input_count; i++) /* written before the first operation */
        touch(im, &im->values[im->inputs[i]].view, -1);
    for (int i = 0; i < im->operation_count; i++) {
        const struct operation *op = &im->operations[i];
        touch(im, &op->out, i);
        if (op->has_a)
            touch(im, &op->a, i);
        if (op->has_b)
            touch(im, &op->b, i);
    }
    for (int i = 0; i < im->output_count; i++)
        touch(im, &im->values[im->outputs[i]].view, im->operation_count);
}

/* A depthwise layer's output lies a little before its input, modulo the page: see struct conv. */
static void find_neighbours(struct importer *im)
{
    for (int i = 0; i < im->operation_count; i++) {
        const struct operation *op = &im->operations[i];
        if (op->node.op != MODEL_DEPTHWISE)
            continue;
        struct root *in = &im->roots[op->a.root], *out = &im->roots[op->out.root];
        int64_t apart = op->a.offset - op->out.offset - APART_FLOATS;
        out->neighbour = in;
        out->apart = apart;
        if (!in->neighbour) {
            in->neighbour = out;
            in->apart = -apart;
        }
    }
}

static int by_size(const void *left, const void *right)
{
    const struct root *a = *(struct root *const *)left, *b = *(struct root *const *)right;
    if (a->floats != b->floats)
        return a->floats < b->floats ? 1 : -1;
    return a->first - b->first;
}

static int overlaps(const struct root *a, const struct root *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static int64_t modulo(int64_t x, int64_t by)
{
    return (x % by + by) % by;
}

/* The lowest place from `offset` on that suits the processor. */
static int64_t next_place(const struct root *root, int64_t offset)
{
    const struct root *neighbour = root->neighbour;
    int64_t wanted = 0, page = ALIGN_FLOATS;
    if (neighbour && neighbour->offset != NOT_PLACED) {
        wanted = neighbour->offset + root->apart;
        page = PAGE_FLOATS;
    }
    int64_t place = offset + modulo(wanted - offset, page);
    return (place + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* The lowest place where `root` meets none of the buffers placed before. */
static int64_t find_place(struct root *const *placed, int count, const struct root *root)
{
    int64_t offset = next_place(root, 0);
    for (int i = 0; i < count; i++) {
        const struct root *other = placed[i];
        if (!overlaps(root, other) || other->offset >= offset + root->floats ||
            offset >= other->offset + other->floats)
            continue;
        offset = next_place(root, other->offset + other->floats);
        i = -1; /* moved up: look at all again */
    }
    return offset;
}

int plan_arena(struct importer *im)
{
    struct root **order = arena_new(im->arena, struct root *, (size_t)im->root_count + 1);
    int count = 0;
    if (!order)
        return import_fail(im, ERR_TOO_BIG, "out of memory");
    find_lifetimes(im);
    find_neighbours(im);
    for (int i = 0; i < im->root_count; i++)
        if (!im->roots[i].is_constant && im->roots[i].first <= im->roots[i].last) {
            im->roots[i].offset = NOT_PLACED;
            order[count++] = &im->roots[i];
        }
    qsort(order, (size_t)count, sizeof(struct root *), by_size);
    for (int i = 0; i < count; i++) {
        order[i]->offset = find_place(order, i, order[i]);
        int64_t end = order[i]->offset + order[i]->floats;
        im->arena_floats = end > im->arena_floats ? end : im->arena_floats;
    }
    im->arena_floats = (im->arena_floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
    if (im->arena_floats > MODEL_MAX_FLOATS)
        return import_fail(im, ERR_TOO_BIG, "it needs %lld numbers of working memory, more than %d",
                           (long long)im->arena_floats, MODEL_MAX_FLOATS);
    return 0;
}
