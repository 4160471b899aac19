#include "nn/import/view.h"

#include <string.h>

int64_t view_count(const struct view *view)
{
    int64_t count = 1;
    for (int i = 0; i < view->rank; i++)
        count *= view->dims[i];
    return count;
}

/* Dense strides, `order` naming the dimensions from the outermost in. */
static struct view dense(int root, int rank, const int64_t *dims, const int *order)
{
    struct view view = {.root = root, .rank = rank};
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        view.dims[order[i]] = dims[order[i]];
        view.strides[order[i]] = stride;
        stride *= dims[order[i]];
    }
    return view;
}

struct view view_rows(int root, int rank, const int64_t *dims)
{
    static const int order[IMPORT_MAX_RANK] = {0, 1, 2, 3, 4, 5};
    return dense(root, rank, dims, order);
}

struct view view_pixels(int root, int rank, const int64_t *dims)
{
    static const int order[4] = {0, 2, 3, 1};
    return rank == 4 ? dense(root, rank, dims, order) : view_rows(root, rank, dims);
}

/* Dimensions by falling stride; those of size 1 keep their place in front of their successor. */
static void memory_order(const struct view *view, int *order)
{
    for (int i = 0; i < view->rank; i++) {
        int at = i;
        while (at > 0 && view->dims[i] > 1 && view->strides[order[at - 1]] < view->strides[i]) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
}

struct view view_like(int root, const struct view *like)
{
    int order[IMPORT_MAX_RANK];
    memory_order(like, order);
    return dense(root, like->rank, like->dims, order);
}

int view_same_places(const struct view *a, const struct view *b)
{
    if (a->rank != b->rank || a->offset != b->offset)
        return 0;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] || (a->dims[i] > 1 && a->strides[i] != b->strides[i]))
            return 0;
    return 1;
}

/* Drop dimensions of 1 and join neighbours that one stride can walk. */
static struct view joined(const struct view *in)
{
    struct view out = {.root = in->root, .offset = in->offset};
    for (int i = 0; i < in->rank; i++) {
        if (in->dims[i] == 1)
            continue;
        int last = out.rank - 1;
        if (last >= 0 && out.strides[last] == in->strides[i] * in->dims[i]) {
            out.dims[last] *= in->dims[i];
            out.strides[last] = in->strides[i];
            continue;
        }
        out.dims[out.rank] = in->dims[i];
        out.strides[out.rank++] = in->strides[i];
    }
    return out;
}

int view_reshape(const struct view *in, int rank, const int64_t *dims, struct view *out)
{
    struct view from = joined(in), to = {.root = in->root, .offset = in->offset, .rank = rank};
    int group = from.rank - 1;
    int64_t taken = 1; /* of the group's elements, by the dimensions made so far */
    for (int i = rank - 1; i >= 0; i--) {
        to.dims[i] = dims[i];
        if (dims[i] == 1) {
            to.strides[i] = 1;
            continue;
        }
        if (group >= 0 && taken == from.dims[group]) {
            group--;
            taken = 1;
        }
        if (group < 0 || from.dims[group] % (taken * dims[i]) != 0)
            return 0;
        to.strides[i] = from.strides[group] * taken;
        taken *= dims[i];
    }
    *out = to;
    return 1;
}

int view_broadcast(const struct view *in, int rank, const int64_t *dims, struct view *out)
{
    struct view to = {.root = in->root, .offset = in->offset, .rank = rank};
    int lead = rank - in->rank;
    if (lead < 0)
        return 0;
    for (int i = 0; i < rank; i++) {
        int64_t size = i < lead ? 1 : in->dims[i - lead];
        if (size != 1 && size != dims[i])
            return 0;
        to.dims[i] = dims[i];
        to.strides[i] = size == 1 ? 0 : in->strides[i - lead];
    }
    *out = to;
    return 1;
}

int view_as_pixels(const struct view *in, struct view *out)
{
    if (in->rank != 4 || in->dims[0] != 1)
        return 0;
    int64_t channels = in->dims[1], height = in->dims[2], width = in->dims[3];
    int64_t pitch = width > 1 ? in->strides[3] : height > 1 ? in->strides[2] : channels;
    if (pitch < channels || (channels > 1 && in->strides[1] != 1) ||
        (height > 1 && in->strides[2] != width * pitch))
        return 0;
    *out = *in;
    out->strides[0] = height * width * pitch;
    out->strides[1] = 1;
    out->strides[2] = width * pitch;
    out->strides[3] = pitch;
    return 1;
}

static void permute(struct view *view, const int *order)
{
    struct view from = *view;
    for (int i = 0; i < view->rank; i++) {
        view->dims[i] = from.dims[order[i]];
        view->strides[i] = from.strides[order[i]];
    }
}

static int can_merge(struct view **views, int count, int i)
{
    for (int v = 0; v < count; v++)
        if (views[v]->strides[i] != views[v]->strides[i + 1] * views[v]->dims[i + 1])
            return 0;
    return 1;
}

static void remove_dim(struct view *view, int i)
{
    int behind = view->rank - i - 1;
    memmove(view->dims + i, view->dims + i + 1, (size_t)behind * sizeof view->dims[0]);
    memmove(view->strides + i, view->strides + i + 1, (size_t)behind * sizeof view->strides[0]);
    view->rank--;
}

static void pad_to_four(struct view *view)
{
    int lead = 4 - view->rank;
    memmove(view->dims + lead, view->dims, (size_t)view->rank * sizeof view->dims[0]);
    memmove(view->strides + lead, view->strides, (size_t)view->rank * sizeof view->strides[0]);
    for (int i = 0; i < lead; i++) {
        view->dims[i] = 1;
        view->strides[i] = 0;
    }
    view->rank = 4;
}

int view_to_four(struct view **views, int count, int keep)
{
    int order[IMPORT_MAX_RANK];
    struct view *first = views[0], outer = *first;
    outer.rank -= keep;
    memory_order(&outer, order);
    if (keep)
        order[outer.rank] = outer.rank;
    for (int v = count - 1; v >= 0; v--)
        permute(views[v], order);
    for (int i = first->rank - 1 - keep; i >= 0; i--) {
        int dropped = first->dims[i] == 1;
        int merged = !dropped && i + 1 < first->rank - keep && can_merge(views, count, i);
        for (int v = 0; v < count && merged; v++)
            views[v]->dims[i + 1] *= views[v]->dims[i];
        for (int v = 0; v < count && (dropped || merged); v++)
            remove_dim(views[v], i);
    }
    if (first->rank > 4)
        return 0;
    for (int v = 0; v < count; v++)
        pad_to_four(views[v]);
    return 1;
}
