#include "cloud/dynamodb/page.h"

#include <stdio.h>
#include <string.h>

/* A KeyConditionExpression (or KeyConditions, which look the same here) to a range of keys. */

#define KEY_CONDITION "KeyConditionExpression"

static int refuse_condition(struct request *r, const char *format, const char *what)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s", format, what);
    return err_set(&r->err, ERR_INVALID, "%s", text);
}

static const char *refused_operator(enum node_type type)
{
    switch (type) {
    case NODE_OR:
        return "OR";
    case NODE_NOT:
        return "NOT";
    case NODE_IN:
        return "IN";
    case NODE_NE:
        return "<>";
    case NODE_ATTRIBUTE_EXISTS:
        return "attribute_exists";
    case NODE_ATTRIBUTE_NOT_EXISTS:
        return "attribute_not_exists";
    case NODE_ATTRIBUTE_TYPE:
        return "attribute_type";
    case NODE_CONTAINS:
        return "contains";
    default:
        return NULL;
    }
}

static enum node_type mirrored(enum node_type type)
{
    return type == NODE_LT   ? NODE_GT
           : type == NODE_LE ? NODE_GE
           : type == NODE_GT ? NODE_LT
           : type == NODE_GE ? NODE_LE
                             : type;
}

/* `attribute OP value`, either way round. */
static int read_predicate(struct request *r, const struct node *node, struct key_condition *out)
{
    *out = (struct key_condition){.type = node->type};
    for (size_t i = 0, values = 0; i < node->count; i++) {
        const struct node *arg = node->args[i];
        if (arg->type == NODE_SIZE)
            return err_set(&r->err, ERR_INVALID,
                           KEY_CONDITION "s cannot contain nested operations");
        if (arg->type == NODE_VALUE) {
            if (values < 2)
                out->values[values++] = arg->value;
            continue;
        }
        if (out->name)
            return err_set(&r->err, ERR_INVALID,
                           "Invalid condition in " KEY_CONDITION
                           ": Multiple attribute names used in one condition");
        if (arg->path.count > 1)
            return err_set(&r->err, ERR_INVALID,
                           KEY_CONDITION "s cannot have conditions on nested attributes");
        out->name = arg->path.steps[0].name;
        if (i && (node->type == NODE_BETWEEN || node->type == NODE_BEGINS_WITH))
            return refuse_condition(r, "Invalid condition in " KEY_CONDITION ": ",
                                    node->type == NODE_BETWEEN
                                        ? "BETWEEN operator must have the key attribute as its "
                                          "first operand"
                                        : "begins_with operator must have the key attribute as its "
                                          "first operand");
        if (i)
            out->type = mirrored(node->type);
    }
    if (!out->name)
        return err_set(&r->err, ERR_INVALID,
                       "Invalid condition in " KEY_CONDITION ": No key attribute specified");
    return 0;
}

static const struct key_condition *condition_on(const struct key_conditions *conditions,
                                                const char *name)
{
    for (size_t i = 0; i < conditions->count && i < KEY_MAX_PARTS; i++)
        if (!strcmp(conditions->all[i].name, name))
            return &conditions->all[i];
    return NULL;
}

static int collect(struct request *r, const struct node *node, struct key_conditions *out)
{
    const char *refused = refused_operator(node->type);
    struct key_condition condition;
    if (node->type == NODE_AND)
        return collect(r, node->args[0], out) < 0 ? -1 : collect(r, node->args[1], out);
    if (refused)
        return refuse_condition(r, "Invalid operator used in " KEY_CONDITION ": ", refused);
    if (read_predicate(r, node, &condition) < 0)
        return -1;
    if (condition_on(out, condition.name))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid " KEY_CONDITION ": " KEY_CONDITION
                       "s must only contain one condition per key");
    if (out->count++ < KEY_MAX_PARTS)
        out->all[out->count - 1] = condition;
    return 0;
}

int page_read_conditions(struct request *r, struct page *page)
{
    if (page->expressions.unindexable)
        return 0; /* said once the table is known */
    return collect(r, page->expressions.key_condition, &page->conditions);
}

static int check_condition(struct request *r, const struct key_part *part,
                           const struct key_condition *condition)
{
    for (size_t i = 0; i < 2 && condition->values[i]; i++) {
        if (condition->values[i]->type != part->type)
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values were invalid: Condition parameter type "
                           "does not match schema type");
        if (part->type != VALUE_N && !condition->values[i]->bytes.size)
            return err_set(&r->err, ERR_INVALID,
                           "One or more parameter values are not valid. The AttributeValue for a "
                           "key attribute cannot contain an empty %s value. Key: %s",
                           part->type == VALUE_S ? "string" : "binary", part->name);
    }
    if (condition->type == NODE_BEGINS_WITH && part->type == VALUE_N)
        return err_set(&r->err, ERR_INVALID, "Invalid operator used for key of type N");
    return 0;
}

/* The range of keys that equal values of the first attributes and (where given) a condition on the
 * next one leave. */
static int set_range(struct request *r, struct page *page, const struct key_values *equal,
                     const struct key_condition *range)
{
    struct key all, end, a, b;
    if (key_prefix(equal, 1, &all, r->arena, &r->err) < 0 ||
        key_after(&all, &end, r->arena, &r->err) < 0)
        return -1;
    page->low = all;
    page->high = end;
    if (!range)
        return 0;
    struct key_values first = *equal, last = *equal;
    first.values[first.count++] = range->values[0];
    last.values[last.count++] = range->values[range->type == NODE_BETWEEN];
    int whole = range->type != NODE_BEGINS_WITH;
    if (key_prefix(&first, whole, &a, r->arena, &r->err) < 0 ||
        key_prefix(&last, whole, &b, r->arena, &r->err) < 0 ||
        key_after(&b, &end, r->arena, &r->err) < 0)
        return -1;
    switch (range->type) {
    case NODE_LT:
        page->high = a;
        break;
    case NODE_LE:
        page->high = end;
        break;
    case NODE_GT:
        page->low = end;
        break;
    case NODE_GE:
        page->low = a;
        break;
    default: /* =, BETWEEN, begins_with */
        page->low = a;
        page->high = end;
    }
    return 0;
}

/* Every condition is on a part of the key, and the first part is there. */
static int check_parts(struct request *r, const struct page *page)
{
    const struct key_conditions *conditions = &page->conditions;
    const struct key_schema *keys = page->keys;
    if (conditions->count > 2)
        return err_set(&r->err, ERR_INVALID,
                       "The number of query conditions (%zu) exceeds the number of key attributes "
                       "defined in the schema (%zu)",
                       conditions->count, keys->count);
    for (size_t i = 0; i < keys->count && i < conditions->count; i++)
        if (!condition_on(conditions, keys->parts[i].name))
            return err_set(&r->err, ERR_INVALID, "Query condition missed key schema element: %s",
                           keys->parts[i].name);
    if (conditions->count > keys->count ||
        condition_on(conditions, keys->parts[0].name)->type != NODE_EQ)
        return err_set(&r->err, ERR_INVALID, "Query key condition not supported");
    return 0;
}

/* The same for an index whose keys are of several attributes. AWS's own words are not known. */
static int check_many_parts(struct request *r, const struct page *page)
{
    const struct key_schema *keys = page->keys;
    size_t count = page->conditions.count;
    for (size_t i = 0; i < keys->hashes; i++) {
        const struct key_condition *condition =
            condition_on(&page->conditions, keys->parts[i].name);
        if (!condition || condition->type != NODE_EQ)
            return err_set(&r->err, ERR_INVALID,
                           "Query condition missed key schema element: %s. All HASH key attributes "
                           "must have an equality condition",
                           keys->parts[i].name);
    }
    for (size_t i = keys->hashes; i < count && i < keys->count; i++) {
        const struct key_condition *condition =
            condition_on(&page->conditions, keys->parts[i].name);
        if (!condition || (condition->type != NODE_EQ && i + 1 < count))
            return err_set(&r->err, ERR_INVALID,
                           "Query condition missed key schema element: %s. RANGE key attributes "
                           "before the last one in a query must have an equality condition",
                           keys->parts[i].name);
    }
    return count > keys->count ? err_set(&r->err, ERR_INVALID, "Query key condition not supported")
                               : 0;
}

static int check_conditions(struct request *r, const struct page *page)
{
    if (page->expressions.key_condition_count > 2 && page->keys->count <= 2)
        return err_set(&r->err, ERR_INVALID, "Conditions can be of length 1 or 2 only");
    if (page->expressions.unindexable)
        return err_set(&r->err, ERR_INVALID,
                       "Attempted conditional constraint is not an indexable operation");
    return page->keys->count > 2 || page->keys->hashes > 1 ? check_many_parts(r, page)
                                                           : check_parts(r, page);
}

int page_set_keys(struct request *r, struct page *page)
{
    const struct key_condition *last = NULL;
    struct key_values equal = {.hashes = page->keys->hashes};
    if (check_conditions(r, page) < 0)
        return -1;
    for (size_t i = 0; i < page->conditions.count; i++) {
        const struct key_part *part = &page->keys->parts[i];
        last = condition_on(&page->conditions, part->name);
        if (check_condition(r, part, last) < 0)
            return -1;
        if (i < page->keys->hashes || i + 1 < page->conditions.count)
            equal.values[equal.count++] = last->values[0];
    }
    return set_range(r, page, &equal, equal.count < page->conditions.count ? last : NULL);
}
