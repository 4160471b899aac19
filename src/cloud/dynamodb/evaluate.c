#include "cloud/dynamodb/expression.h"

#include <string.h>

/* Conditions against items. */

struct value *path_find(const struct path *path, const struct value *item)
{
    struct value *at = (struct value *)item;
    for (size_t i = 0; at && i < path->count; i++) {
        const struct step *step = &path->steps[i];
        if (step->name)
            at = at->type == VALUE_M ? value_member(at, step->name) : NULL;
        else
            at = at->type == VALUE_L && step->index < at->list.count ? &at->list.items[step->index]
                                                                     : NULL;
    }
    return at;
}

/* As AWS measures a string: in units of UTF-16, two for a character of four bytes. */
static size_t utf16_units(const struct value *string)
{
    size_t units = 0;
    for (size_t i = 0; i < string->bytes.size; i++) {
        unsigned char byte = (unsigned char)string->bytes.data[i];
        units += (byte & 0xC0) != 0x80; /* the first byte of a character */
        units += byte >= 0xF0;
    }
    return units;
}

static size_t size_of(const struct value *value)
{
    switch (value->type) {
    case VALUE_S:
        return utf16_units(value);
    case VALUE_B:
        return value->bytes.size;
    case VALUE_M:
        return value->map.count;
    default:
        return value->list.count;
    }
}

static int has_size(const struct value *value)
{
    return value->type != VALUE_N && value->type != VALUE_BOOL && value->type != VALUE_NULL;
}

/* The operand's value, in `scratch` when it is made here; NULL when there is none. */
static const struct value *operand(const struct node *node, const struct value *item,
                                   struct value *scratch)
{
    if (node->type == NODE_VALUE)
        return node->value;
    if (node->type == NODE_PATH)
        return path_find(&node->path, item);
    struct value inner;
    const struct value *sized = operand(node->args[0], item, &inner);
    if (!sized || !has_size(sized))
        return NULL;
    scratch->type = VALUE_N;
    number_from_size(size_of(sized), &scratch->number);
    return scratch;
}

static int is_ordered(enum value_type type)
{
    return type == VALUE_S || type == VALUE_N || type == VALUE_B;
}

static int compare(enum node_type type, const struct value *a, const struct value *b)
{
    if (type == NODE_NE)
        return !a || !b || !value_equal(a, b);
    if (!a || !b || a->type != b->type)
        return 0;
    if (type == NODE_EQ)
        return value_equal(a, b);
    if (!is_ordered(a->type))
        return 0;
    int order = value_compare(a, b);
    return type == NODE_LT   ? order < 0
           : type == NODE_LE ? order <= 0
           : type == NODE_GT ? order > 0
                             : order >= 0;
}

static int begins_with(const struct value *a, const struct value *b)
{
    return a && b && a->type == b->type && (a->type == VALUE_S || a->type == VALUE_B) &&
           a->bytes.size >= b->bytes.size &&
           (!b->bytes.size || !memcmp(a->bytes.data, b->bytes.data, b->bytes.size));
}

static int contains(const struct value *a, const struct value *b)
{
    if (!a || !b)
        return 0;
    if (a->type == VALUE_S || a->type == VALUE_B)
        return a->type == b->type &&
               (!b->bytes.size ||
                memmem(a->bytes.data, a->bytes.size, b->bytes.data, b->bytes.size) != NULL);
    return (a->type == VALUE_L || value_is_set(a->type)) && value_holds(a, b);
}

static int in_list(const struct node *node, const struct value *item, const struct value *left)
{
    struct value scratch;
    for (size_t i = 1; i < node->count; i++)
        if (compare(NODE_EQ, left, operand(node->args[i], item, &scratch)))
            return 1;
    return 0;
}

static int has_type(const struct value *value, const struct node *type)
{
    return value &&
           (int)value->type == value_type_find(type->value->bytes.data, type->value->bytes.size);
}

static int predicate(const struct node *node, const struct value *item)
{
    struct value scratch[3];
    const struct value *a = operand(node->args[0], item, &scratch[0]);
    const struct value *b = node->count > 1 ? operand(node->args[1], item, &scratch[1]) : NULL;
    switch (node->type) {
    case NODE_ATTRIBUTE_EXISTS:
        return a != NULL;
    case NODE_ATTRIBUTE_NOT_EXISTS:
        return a == NULL;
    case NODE_ATTRIBUTE_TYPE:
        return has_type(a, node->args[1]);
    case NODE_BEGINS_WITH:
        return begins_with(a, b);
    case NODE_CONTAINS:
        return contains(a, b);
    case NODE_IN:
        return in_list(node, item, a);
    case NODE_BETWEEN:
        return compare(NODE_GE, a, b) &&
               compare(NODE_LE, a, operand(node->args[2], item, &scratch[2]));
    default:
        return compare(node->type, a, b);
    }
}

int condition_holds(const struct node *node, const struct value *item)
{
    static const struct value nothing = {.type = VALUE_M};
    if (!item)
        item = &nothing;
    switch (node->type) {
    case NODE_AND:
        return condition_holds(node->args[0], item) && condition_holds(node->args[1], item);
    case NODE_OR:
        return condition_holds(node->args[0], item) || condition_holds(node->args[1], item);
    case NODE_NOT:
        return !condition_holds(node->args[0], item);
    default:
        return predicate(node, item);
    }
}
