#include "cloud/dynamodb/expression.h"

#include <stdio.h>
#include <string.h>

/* What AWS counts of an UpdateExpression against the limit of an item, as measured on the real
 * service: what the statement writes, and a price for each of its parts. */
enum {
    BASE = 3,
    SET_OR_ADD = 19,
    REMOVE_OR_DELETE = 1,
    TARGET_STEP = 4,
    OPERAND = 1,
    OPERAND_STEP = 14,
    PLUS = 34,
    MINUS = 37,
    LIST_APPEND = 37,
    IF_NOT_EXISTS = 39,
};

/* A name's bytes, or an index's digits. */
static size_t step_size(const struct step *step)
{
    return step->name ? strlen(step->name) : (size_t)snprintf(NULL, 0, "%zu", step->index);
}

static size_t target_size(const struct path *path)
{
    size_t size = step_size(&path->steps[0]);
    for (size_t i = 1; i < path->count; i++)
        size += TARGET_STEP + step_size(&path->steps[i]);
    return size;
}

static size_t operator_price(enum node_type type)
{
    return type == NODE_PLUS          ? PLUS
           : type == NODE_MINUS       ? MINUS
           : type == NODE_LIST_APPEND ? LIST_APPEND
                                      : IF_NOT_EXISTS;
}

static size_t operand_size(const struct node *node)
{
    if (node->type == NODE_VALUE)
        return value_size(node->value);
    size_t size = node->type == NODE_PATH ? OPERAND : operator_price(node->type);
    if (node->type == NODE_PATH)
        for (size_t i = 0; i < node->path.count; i++)
            size += OPERAND_STEP + step_size(&node->path.steps[i]);
    else
        for (size_t i = 0; i < node->count; i++)
            size += operand_size(node->args[i]);
    return size;
}

/* Of a set only what is new in it. */
static size_t added_size(const struct value *added, const struct value *old)
{
    if (!value_is_set(added->type))
        return value_size(added);
    size_t size = 0;
    for (size_t i = 0; i < added->list.count; i++)
        if (!old || old->type != added->type || !value_holds(old, &added->list.items[i]))
            size += value_size(&added->list.items[i]);
    return size;
}

size_t update_charge(const struct update *update, const struct value *old)
{
    size_t size = BASE;
    for (size_t i = 0; i < update->count; i++) {
        const struct action *action = &update->actions[i];
        int sets = action->type == ACTION_SET || action->type == ACTION_ADD;
        size += target_size(&action->path) + (sets ? SET_OR_ADD : REMOVE_OR_DELETE);
        if (action->type == ACTION_SET)
            size += operand_size(action->operand);
        else if (action->type == ACTION_ADD)
            size += added_size(action->operand->value, old ? path_find(&action->path, old) : NULL);
    }
    return size;
}
