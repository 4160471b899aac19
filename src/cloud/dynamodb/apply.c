#include "cloud/dynamodb/expression.h"

#include <stdlib.h>
#include <string.h>

/* Updates and projections of items. */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
}

static int wrong_type(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "An operand in the update expression has an incorrect data type");
}

static int wrong_attribute(const struct action *action, struct err *err)
{
    if (action->legacy)
        return err_set(err, ERR_INVALID, "Type mismatch for attribute to update");
    return wrong_type(err);
}

static int wrong_path(struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "The document path provided in the update expression is invalid for update");
}

int value_copy(struct value *out, const struct value *from, struct arena *arena, struct err *err)
{
    *out = *from;
    if (from->type == VALUE_M) {
        out->map.members = arena_new(arena, struct member, from->map.count);
        if (!out->map.members)
            return no_memory(err);
        out->map.room = from->map.count;
        for (size_t i = 0; i < from->map.count; i++) {
            out->map.members[i].name = from->map.members[i].name;
            if (value_copy(&out->map.members[i].value, &from->map.members[i].value, arena, err) < 0)
                return -1;
        }
    } else if (from->type >= VALUE_L) {
        out->list.items = arena_new(arena, struct value, from->list.count);
        if (!out->list.items)
            return no_memory(err);
        out->list.room = from->list.count;
        for (size_t i = 0; i < from->list.count; i++)
            if (value_copy(&out->list.items[i], &from->list.items[i], arena, err) < 0)
                return -1;
    }
    return 0;
}

static int operand(const struct node *node, const struct value *item, struct value *out,
                   struct arena *arena, struct err *err);

static int add_numbers(const struct node *node, const struct value *item, struct value *out,
                       struct arena *arena, struct err *err)
{
    struct value a, b;
    if (operand(node->args[0], item, &a, arena, err) < 0 ||
        operand(node->args[1], item, &b, arena, err) < 0)
        return -1;
    if (a.type != VALUE_N || b.type != VALUE_N)
        return wrong_type(err);
    if (node->type == NODE_MINUS)
        number_negate(&b.number);
    out->type = VALUE_N;
    return number_add(&a.number, &b.number, &out->number, err);
}

/* Sets may be large, and each element of one is looked for in the other: in order, that is quick.
 */
static int sorted_copy(const struct value *set, struct value *out, struct arena *arena,
                       struct err *err)
{
    *out = *set;
    out->list.items = arena_new(arena, struct value, set->list.count);
    if (!out->list.items)
        return no_memory(err);
    if (set->list.count)
        memcpy(out->list.items, set->list.items, set->list.count * sizeof *set->list.items);
    value_sort_set(out);
    return 0;
}

/* A list or set of a's elements and then b's. */
static int join_lists(const struct value *a, const struct value *b, struct value *out,
                      struct arena *arena, struct err *err)
{
    struct value joined = {.type = a->type}, sorted = {0};
    if (value_is_set(a->type) && sorted_copy(a, &sorted, arena, err) < 0)
        return -1;
    joined.list.items = arena_new(arena, struct value, a->list.count + b->list.count);
    if (!joined.list.items)
        return no_memory(err);
    if (a->list.count)
        memcpy(joined.list.items, a->list.items, a->list.count * sizeof *a->list.items);
    joined.list.count = a->list.count;
    for (size_t i = 0; i < b->list.count; i++)
        if (!value_is_set(a->type) || !value_set_holds(&sorted, &b->list.items[i]))
            joined.list.items[joined.list.count++] = b->list.items[i];
    *out = joined;
    return 0;
}

static int append_lists(const struct node *node, const struct value *item, struct value *out,
                        struct arena *arena, struct err *err)
{
    struct value a, b;
    if (operand(node->args[0], item, &a, arena, err) < 0 ||
        operand(node->args[1], item, &b, arena, err) < 0)
        return -1;
    if (a.type != VALUE_L || b.type != VALUE_L)
        return wrong_type(err);
    return join_lists(&a, &b, out, arena, err);
}

static int operand(const struct node *node, const struct value *item, struct value *out,
                   struct arena *arena, struct err *err)
{
    const struct value *found;
    switch (node->type) {
    case NODE_VALUE:
        *out = *node->value;
        return 0;
    case NODE_PATH:
        found = path_find(&node->path, item);
        if (!found)
            return err_set(err, ERR_INVALID,
                           "The provided expression refers to an attribute that does not exist in "
                           "the item");
        *out = *found;
        return 0;
    case NODE_IF_NOT_EXISTS:
        found = path_find(&node->args[0]->path, item);
        if (found) {
            *out = *found;
            return 0;
        }
        return operand(node->args[1], item, out, arena, err);
    case NODE_LIST_APPEND:
        return append_lists(node, item, out, arena, err);
    default:
        return add_numbers(node, item, out, arena, err);
    }
}

/* The map or list that holds the path's last step, or NULL. */
static struct value *find_parent(const struct path *path, const struct value *item)
{
    struct path parent = {path->count - 1, path->steps};
    struct value *found = path_find(&parent, item);
    enum value_type wanted = path->steps[path->count - 1].name ? VALUE_M : VALUE_L;
    return found && found->type == wanted ? found : NULL;
}

static int put(const struct path *path, struct value *item, const struct value *value,
               struct arena *arena, struct err *err)
{
    struct value *parent = find_parent(path, item);
    const struct step *last = &path->steps[path->count - 1];
    if (last->name)
        return value_set_member(parent, last->name, value, arena, err);
    if (last->index < parent->list.count) {
        parent->list.items[last->index] = *value;
        return 0;
    }
    return value_append(parent, value, arena, err); /* past the end: it goes last */
}

/* A removed list element leaves a hole until all is done, so that indexes of the same update keep
 * their meaning. */
enum { HOLE = VALUE_TYPES };

static void take_out(const struct path *path, struct value *item)
{
    struct value *parent = find_parent(path, item);
    const struct step *last = &path->steps[path->count - 1];
    if (last->name)
        value_remove_member(parent, last->name);
    else if (last->index < parent->list.count)
        parent->list.items[last->index].type = (enum value_type)HOLE;
}

static void close_list(const struct path *path, struct value *item)
{
    struct value *list = path->steps[path->count - 1].name ? NULL : find_parent(path, item);
    size_t kept = 0;
    for (size_t i = 0; list && i < list->list.count; i++)
        if ((int)list->list.items[i].type != HOLE)
            list->list.items[kept++] = list->list.items[i];
    if (list)
        list->list.count = kept;
}

static int add(const struct action *action, struct value *item, struct arena *arena,
               struct err *err)
{
    const struct value *known = path_find(&action->path, item), *value = action->operand->value;
    struct value sum = *value;
    if (known && known->type != value->type)
        return wrong_attribute(action, err);
    if (known && value->type == VALUE_N) {
        if (number_add(&known->number, &value->number, &sum.number, err) < 0)
            return -1;
    } else if (known && join_lists(known, value, &sum, arena, err) < 0) {
        return -1;
    }
    return put(&action->path, item, &sum, arena, err);
}

static int delete_elements(const struct action *action, struct value *item, struct arena *arena,
                           struct err *err)
{
    const struct value *known = path_find(&action->path, item), *value = action->operand->value;
    if (!known)
        return 0;
    if (known->type != value->type)
        return wrong_attribute(action, err);
    struct value left = {.type = known->type}, sorted;
    if (sorted_copy(value, &sorted, arena, err) < 0)
        return -1;
    left.list.items = arena_new(arena, struct value, known->list.count);
    if (!left.list.items)
        return no_memory(err);
    for (size_t i = 0; i < known->list.count; i++)
        if (!value_set_holds(&sorted, &known->list.items[i]))
            left.list.items[left.list.count++] = known->list.items[i];
    if (left.list.count)
        return put(&action->path, item, &left, arena, err);
    take_out(&action->path, item);
    return 0;
}

static int run_action(const struct action *action, const struct value *set, struct value *item,
                      struct arena *arena, struct err *err)
{
    switch (action->type) {
    case ACTION_SET:
        return put(&action->path, item, set, arena, err);
    case ACTION_REMOVE:
        take_out(&action->path, item);
        return 0;
    case ACTION_ADD:
        return add(action, item, arena, err);
    default:
        return delete_elements(action, item, arena, err);
    }
}

/* Whether the item has what holds the path's last step. */
static int has_place(const struct path *path, const struct value *item)
{
    return path->count == 1 || find_parent(path, item) != NULL;
}

static int check_places(const struct update *update, const struct value *item, struct err *err)
{
    for (size_t i = 0; i < update->count; i++)
        if (!has_place(&update->actions[i].path, item))
            return wrong_path(err);
    return 0;
}

/* What the SETs put, worked out before anything changes. What is wrong with it AWS tells about
 * before wrong paths, and about these before ADD and DELETE find other types than theirs. */
static struct value *compute_operands(const struct update *update, const struct value *item,
                                      struct arena *arena, struct err *err)
{
    struct value *values = arena_new(arena, struct value, update->count);
    if (!values) {
        no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < update->count; i++) {
        struct value found;
        if (update->actions[i].type != ACTION_SET || !has_place(&update->actions[i].path, item))
            continue;
        if (operand(update->actions[i].operand, item, &found, arena, err) < 0 ||
            value_copy(&values[i], &found, arena, err) < 0)
            return NULL;
    }
    return values;
}

/* The deepest lists first: a list that closes moves what the paths go through. */
static void close_holes(const struct update *update, struct value *item)
{
    for (size_t depth = PATH_MAX_STEPS; depth > 1; depth--)
        for (size_t i = 0; i < update->count; i++)
            if (update->actions[i].type != ACTION_SET && update->actions[i].path.count == depth)
                close_list(&update->actions[i].path, item);
}

/* List elements past the end go last in the order of their indexes. */
static int compare_actions(const void *a, const void *b)
{
    const struct action *const *x = a, *const *y = b;
    const struct step *s = &(*x)->path.steps[(*x)->path.count - 1];
    const struct step *t = &(*y)->path.steps[(*y)->path.count - 1];
    if (!s->name && !t->name && s->index != t->index)
        return s->index < t->index ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

int update_apply(const struct update *update, struct value *item, struct arena *arena,
                 struct err *err)
{
    struct value *values = compute_operands(update, item, arena, err);
    const struct action **order = arena_alloc(arena, update->count, sizeof *order);
    if (!values || check_places(update, item, err) < 0)
        return -1;
    if (!order)
        return no_memory(err);
    for (size_t i = 0; i < update->count; i++)
        order[i] = &update->actions[i];
    qsort(order, update->count, sizeof *order, compare_actions);
    for (size_t i = 0; i < update->count; i++)
        if (run_action(order[i], &values[order[i] - update->actions], item, arena, err) < 0)
            return -1;
    close_holes(update, item);
    return 0;
}

/* A projection on its way down an item: where it is, as a path. */
struct walk {
    const struct projection *projection;
    struct step at[PATH_MAX_STEPS];
    size_t depth;
    struct arena *arena;
    struct err *err;
};

static int same_step(const struct step *a, const struct step *b)
{
    if (!a->name || !b->name)
        return !a->name && !b->name && a->index == b->index;
    return !strcmp(a->name, b->name);
}

/* Whether a path goes through (1) or ends at (2) the step below where the walk is. */
static int reach(const struct path *path, const struct walk *walk, const struct step *step)
{
    if (path->count <= walk->depth || !same_step(&path->steps[walk->depth], step))
        return 0;
    for (size_t i = 0; i < walk->depth; i++)
        if (!same_step(&path->steps[i], &walk->at[i]))
            return 0;
    return path->count == walk->depth + 1 ? 2 : 1;
}

static int project(struct walk *walk, const struct value *from, struct value *out);

/* Returns 1 with `out` filled, 0 when no path leads there. */
static int project_child(struct walk *walk, const struct value *child, const struct step *step,
                         struct value *out)
{
    int best = 0;
    for (size_t i = 0; i < walk->projection->count; i++) {
        int r = reach(&walk->projection->paths[i], walk, step);
        best = r > best ? r : best;
    }
    if (best == 2) {
        *out = *child;
        return 1;
    }
    if (!best || (child->type != VALUE_M && child->type != VALUE_L) ||
        walk->depth + 1 >= PATH_MAX_STEPS)
        return 0;
    walk->at[walk->depth++] = *step;
    int found = project(walk, child, out);
    walk->depth--;
    return found;
}

static int project_list(struct walk *walk, const struct value *from, struct value *out)
{
    struct value made = {.type = VALUE_L};
    made.list.items = arena_new(walk->arena, struct value, from->list.count);
    if (!made.list.items)
        return no_memory(walk->err);
    for (size_t i = 0; i < from->list.count; i++) {
        struct step step = {NULL, i};
        int found =
            project_child(walk, &from->list.items[i], &step, &made.list.items[made.list.count]);
        if (found < 0)
            return -1;
        made.list.count += (size_t)found;
    }
    *out = made;
    return made.list.count > 0;
}

static int project(struct walk *walk, const struct value *from, struct value *out)
{
    if (from->type == VALUE_L)
        return project_list(walk, from, out);
    struct value made = {.type = VALUE_M};
    made.map.members = arena_new(walk->arena, struct member, from->map.count);
    if (!made.map.members)
        return no_memory(walk->err);
    for (size_t i = 0; i < from->map.count; i++) {
        struct member *member = &made.map.members[made.map.count];
        struct step step = {from->map.members[i].name, 0};
        int found = project_child(walk, &from->map.members[i].value, &step, &member->value);
        if (found < 0)
            return -1;
        member->name = step.name;
        made.map.count += (size_t)found;
    }
    *out = made;
    return made.map.count > 0;
}

int projection_apply(const struct projection *projection, const struct value *item,
                     struct value *out, struct arena *arena, struct err *err)
{
    struct walk walk = {.projection = projection, .arena = arena, .err = err};
    return project(&walk, item, out) < 0 ? -1 : 0;
}
