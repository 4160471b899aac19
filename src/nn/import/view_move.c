#include "nn/import/importer.h"

/* How a root's floats map to their new places: rows of `width` floats, `pitch` apart. */
struct mapping {
    int from, to;
    int64_t offset, width, pitch;
};

/* Reads the mapping off the same tensor seen in both roots. Returns 0 when it is no such mapping.
 */
static int find_mapping(const struct view *view, const struct view *target, struct mapping *map)
{
    int64_t run = 1; /* floats of the old root seen so far, in rising stride */
    *map = (struct mapping){view->root, target->root, target->offset, 0, 0};
    for (int done = 0; done < view->rank; done++) {
        int next = -1;
        for (int i = 0; i < view->rank; i++)
            if (view->dims[i] > 1 && view->strides[i] == run)
                next = i;
        if (next < 0)
            continue; /* only dimensions of 1 are left, or the view is not dense */
        int64_t stride = target->strides[next];
        if (!map->width && stride != run) {
            map->width = run;
            map->pitch = stride;
        }
        if (map->width && stride != run / map->width * map->pitch)
            return 0;
        run *= view->dims[next];
    }
    if (!map->width)
        map->width = map->pitch = run;
    return run == view_count(view) && map->pitch >= map->width;
}

/* Whether no row of the view crosses the mapping's rows. */
static int can_follow(const struct view *view, const struct mapping *map)
{
    int64_t column = view->offset % map->width;
    for (int i = 0; i < view->rank; i++) {
        if (view->dims[i] == 1)
            continue;
        if (view->strides[i] < map->width)
            column += (view->dims[i] - 1) * view->strides[i];
        else if (view->strides[i] % map->width != 0)
            return 0;
    }
    return column < map->width;
}

static void follow(struct view *view, const struct mapping *map)
{
    view->root = map->to;
    view->offset = map->offset + view->offset / map->width * map->pitch + view->offset % map->width;
    for (int i = 0; i < view->rank; i++)
        if (view->dims[i] > 1 && view->strides[i] >= map->width)
            view->strides[i] = view->strides[i] / map->width * map->pitch;
}

/* Convolutions address whole pictures: rows must stay without a gap. */
static int operation_can_follow(const struct operation *op, const struct view *view,
                                const struct mapping *map)
{
    struct view moved = *view;
    if (!can_follow(view, map))
        return 0;
    follow(&moved, map);
    return op->node.op > MODEL_DEPTHWISE || view_as_pixels(&moved, &moved);
}

static int each_view(struct importer *im, const struct mapping *map, int change)
{
    for (int i = 0; i < im->value_count; i++) {
        struct value *value = &im->values[i];
        if (!value->known || value->constant || value->view.root != map->from)
            continue;
        if (change)
            follow(&value->view, map);
        else if (!can_follow(&value->view, map))
            return 0;
    }
    for (int i = 0; i < im->operation_count; i++) {
        struct operation *op = &im->operations[i];
        struct view *views[] = {&op->out, op->has_a ? &op->a : NULL, op->has_b ? &op->b : NULL};
        for (int v = 0; v < 3; v++) {
            if (!views[v] || views[v]->root != map->from)
                continue;
            if (change)
                follow(views[v], map);
            else if (!operation_can_follow(op, views[v], map))
                return 0;
        }
    }
    return 1;
}

int move_root(struct importer *im, const struct view *view, const struct view *target)
{
    const struct root *root = &im->roots[view->root];
    struct mapping map;
    if (root->is_constant || root->pinned || view->root == target->root || view->offset != 0 ||
        view_count(view) != root->floats || !find_mapping(view, target, &map) ||
        !each_view(im, &map, 0))
        return 0;
    each_view(im, &map, 1);
    return 1;
}
