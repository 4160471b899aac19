#include "cloud/dynamodb/legacy.h"

#include <string.h>

#define INVALID "One or more parameter values were invalid: "

static const struct parameter {
    const char *name;
    unsigned use;
    int expression;
} parameters[] = {
    {"AttributesToGet", USES_PROJECTION, 0},
    {"AttributeUpdates", USES_UPDATE, 0},
    {"Expected", USES_CONDITION, 0},
    {"QueryFilter", USES_FILTER, 0},
    {"ScanFilter", USES_FILTER, 0},
    {"ConditionalOperator", USES_FILTER, 0},
    {"KeyConditions", USES_KEY_CONDITION, 0},
    {"UpdateExpression", USES_UPDATE, 1},
    {"ConditionExpression", USES_CONDITION, 1},
    {"ProjectionExpression", USES_PROJECTION, 1},
    {"FilterExpression", USES_FILTER, 1},
    {"KeyConditionExpression", USES_KEY_CONDITION, 1},
};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

static const json_t *get(const json_t *from, const char *name)
{
    const json_t *json = json_object_get(from, name);
    return json_is_null(json) ? NULL : json;
}

/* "A, B": the given ones of one kind. */
static void list_given(struct buf *out, const json_t *from, unsigned uses, int expression)
{
    int alone = get(from, "KeyConditions") && !get(from, "KeyConditionExpression");
    for (size_t i = 0; i < PARAMETERS; i++) {
        const struct parameter *p = &parameters[i];
        if (p->expression != expression || !(uses & p->use) || !get(from, p->name) ||
            (alone && p->use == USES_KEY_CONDITION))
            continue;
        buf_printf(out, "%s%s", out->size ? ", " : "", p->name);
    }
}

int legacy_check_mixed(struct request *r, const json_t *from, unsigned uses)
{
    struct buf legacy, expressions;
    buf_init(&legacy, 512);
    buf_init(&expressions, 512);
    list_given(&legacy, from, uses, 0);
    list_given(&expressions, from, uses, 1);
    int result = 0;
    if (legacy.size && expressions.size)
        result = err_set(&r->err, ERR_INVALID,
                         "Can not use both expression and non-expression parameters in the same "
                         "request: Non-expression parameters: {%s} Expression parameters: {%s}",
                         legacy.data, expressions.data);
    buf_finish(&legacy);
    buf_finish(&expressions);
    return result;
}

static int no_memory(struct request *r)
{
    return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
}

static struct node *make_node(struct request *r, enum node_type type, size_t count)
{
    struct node *node = arena_new(r->arena, struct node, 1);
    struct node **args = arena_new(r->arena, struct node *, count + 1);
    if (!node || !args)
        return NULL;
    *node = (struct node){.type = type, .count = count, .args = args};
    return node;
}

static int make_path(struct request *r, const char *name, struct path *out)
{
    *out = (struct path){1, arena_new(r->arena, struct step, 1)};
    if (value_check_name(name, &r->err) < 0)
        return -1;
    if (!out->steps)
        return no_memory(r);
    out->steps->name = name;
    return 0;
}

/* `type` of the attribute and the values, as a condition. */
static struct node *make_predicate(struct request *r, enum node_type type, const char *name,
                                   struct value *values, size_t count)
{
    struct node *node = make_node(r, type, count + 1);
    if (!node || !(node->args[0] = make_node(r, NODE_PATH, 0)) ||
        make_path(r, name, &node->args[0]->path) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        if (!(node->args[i + 1] = make_node(r, NODE_VALUE, 0)))
            return NULL;
        node->args[i + 1]->value = &values[i];
    }
    return node;
}

static struct node *join(struct request *r, enum node_type type, struct node *a, struct node *b)
{
    struct node *node = a && b ? make_node(r, type, 2) : NULL;
    if (node) {
        node->args[0] = a;
        node->args[1] = b;
    }
    return node;
}

#define BIT(type) (1u << (type))
#define SCALARS (BIT(VALUE_S) | BIT(VALUE_N) | BIT(VALUE_B))
enum { EVERY_TYPE = (1 << VALUE_TYPES) - 1, ANY_COUNT = 1000 };

static const struct comparison {
    const char *name;
    enum node_type type;
    size_t at_least, at_most; /* values */
    unsigned types;           /* of the values */
    int indexable;
} comparisons[] = {
    {"EQ", NODE_EQ, 1, 1, EVERY_TYPE, 1},
    {"NE", NODE_NE, 1, 1, EVERY_TYPE, 0},
    {"LE", NODE_LE, 1, 1, SCALARS, 1},
    {"LT", NODE_LT, 1, 1, SCALARS, 1},
    {"GE", NODE_GE, 1, 1, SCALARS, 1},
    {"GT", NODE_GT, 1, 1, SCALARS, 1},
    {"NOT_NULL", NODE_ATTRIBUTE_EXISTS, 0, 0, EVERY_TYPE, 0},
    {"NULL", NODE_ATTRIBUTE_NOT_EXISTS, 0, 0, EVERY_TYPE, 0},
    {"CONTAINS", NODE_CONTAINS, 1, 1, SCALARS | BIT(VALUE_BOOL) | BIT(VALUE_NULL), 0},
    {"NOT_CONTAINS", NODE_NOT, 1, 1, SCALARS | BIT(VALUE_BOOL) | BIT(VALUE_NULL), 0},
    {"BEGINS_WITH", NODE_BEGINS_WITH, 1, 1, BIT(VALUE_S) | BIT(VALUE_B), 1},
    {"IN", NODE_IN, 1, ANY_COUNT, SCALARS, 0},
    {"BETWEEN", NODE_BETWEEN, 2, 2, SCALARS, 1},
};

static const struct comparison *find_comparison(const char *name)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (!strcmp(comparisons[i].name, name))
            return &comparisons[i];
    return NULL;
}

struct operands {
    struct value *values;
    size_t count;
};

static int read_operands(struct request *r, const json_t *list, const json_t *one,
                         struct operands *out)
{
    out->count = one ? 1 : json_array_size(list);
    out->values = arena_new(r->arena, struct value, out->count + 1);
    if (!out->values)
        return no_memory(r);
    for (size_t i = 0; i < out->count; i++)
        if (value_read(one ? one : json_array_get(list, i), &out->values[i], r->layer, r->arena,
                       &r->err) < 0)
            return -1;
    return 0;
}

static int check_operands(struct request *r, const struct comparison *c, const struct operands *in)
{
    if (in->count < c->at_least || in->count > c->at_most)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Invalid number of argument(s) for the %s ComparisonOperator",
                       c->name);
    for (size_t i = 1; i < in->count; i++)
        if (in->values[i].type != in->values[0].type)
            return err_set(&r->err, ERR_INVALID,
                           INVALID
                           "AttributeValues inside AttributeValueList must be of same type");
    for (size_t i = 0; i < in->count; i++)
        if (!(c->types & BIT(in->values[i].type)))
            return err_set(&r->err, ERR_INVALID,
                           INVALID "ComparisonOperator %s is not valid for %s AttributeValue type",
                           c->name, value_type_name(in->values[i].type));
    if (c->type == NODE_BETWEEN && value_compare(&in->values[0], &in->values[1]) > 0)
        return err_set(&r->err, ERR_INVALID,
                       "The BETWEEN condition was provided a range where the lower bound is "
                       "greater than the upper bound");
    return 0;
}

static struct node *make_comparison(struct request *r, const char *name, const struct comparison *c,
                                    const struct operands *in)
{
    if (check_operands(r, c, in) < 0)
        return NULL;
    struct node *node;
    if (c->type == NODE_NOT) { /* NOT_CONTAINS: there, and without it */
        struct node *not = make_node(r, NODE_NOT, 1);
        if (not )
            not ->args[0] = make_predicate(r, NODE_CONTAINS, name, in->values, in->count);
        node =
            not &&not ->args[0]
                ? join(r, NODE_AND, make_predicate(r, NODE_ATTRIBUTE_EXISTS, name, NULL, 0), not )
                : NULL;
    } else {
        node = make_predicate(r, c->type, name, in->values, in->count);
    }
    if (!node)
        no_memory(r);
    return node;
}

/* {ComparisonOperator, AttributeValueList} of a filter. */
static struct node *read_condition(struct request *r, const char *name, const json_t *json)
{
    struct operands in;
    const struct comparison *c =
        find_comparison(json_string_value(json_object_get(json, "ComparisonOperator")));
    if (!c || read_operands(r, get(json, "AttributeValueList"), NULL, &in) < 0)
        return NULL;
    return make_comparison(r, name, c, &in);
}

static struct node *refuse(struct request *r, const char *what, const char *name)
{
    err_set(&r->err, ERR_INVALID, INVALID "%s for Attribute: %.255s", what, name);
    return NULL;
}

static struct node *read_compared(struct request *r, const char *name, const json_t *json,
                                  const struct comparison *c)
{
    const json_t *list = get(json, "AttributeValueList"), *one = get(json, "Value");
    struct operands in;
    if (get(json, "Exists"))
        return refuse(r, "Exists and ComparisonOperator cannot be used together", name);
    if (c->at_least && !list && !one) {
        err_set(&r->err, ERR_INVALID,
                INVALID "Value or AttributeValueList must be used with ComparisonOperator: %s for "
                        "Attribute: %.255s",
                c->name, name);
        return NULL;
    }
    return read_operands(r, list, one, &in) < 0 ? NULL : make_comparison(r, name, c, &in);
}

static struct node *read_existing(struct request *r, const char *name, const json_t *json)
{
    const json_t *exists = get(json, "Exists"), *one = get(json, "Value");
    struct operands in;
    if (!json_is_false(exists) && !one)
        return refuse(r,
                      exists ? "Value must be provided when Exists is true"
                             : "Value must be provided when Exists is null",
                      name);
    if (json_is_false(exists) && one)
        return refuse(r, "Value cannot be used when Exists is false", name);
    if (read_operands(r, NULL, one, &in) < 0)
        return NULL;
    return make_comparison(r, name, find_comparison(one ? "EQ" : "NULL"), &in);
}

/* One entry of Expected. */
static struct node *read_expected(struct request *r, const char *name, const json_t *json)
{
    const json_t *list = get(json, "AttributeValueList");
    const json_t *comparison = get(json, "ComparisonOperator");
    if (list && get(json, "Value"))
        return refuse(r, "Value and AttributeValueList cannot be used together", name);
    if (comparison)
        return read_compared(r, name, json, find_comparison(json_string_value(comparison)));
    if (list)
        return refuse(r, "AttributeValueList can only be used with a ComparisonOperator", name);
    return read_existing(r, name, json);
}

typedef struct node *condition_reader(struct request *r, const char *name, const json_t *json);

/* All of a map's conditions, joined by ConditionalOperator. */
static int read_conditions(struct request *r, const json_t *from, const json_t *map,
                           condition_reader *read, struct node **out)
{
    const json_t *logic = get(from, "ConditionalOperator");
    enum node_type type = logic && !strcmp(json_string_value(logic), "OR") ? NODE_OR : NODE_AND;
    for (void *at = json_object_iter((json_t *)map); at;
         at = json_object_iter_next((json_t *)map, at)) {
        struct node *node = read(r, json_object_iter_key(at), json_object_iter_value(at));
        if (!node)
            return -1;
        *out = *out ? join(r, type, *out, node) : node;
        if (!*out)
            return no_memory(r);
    }
    if (logic && json_object_size(map) < 2)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ConditionalOperator can only be used when Filter or Expected has "
                               "two or more elements");
    return 0;
}

static int read_key_conditions(struct request *r, const json_t *map, struct expressions *out)
{
    struct node **all = &out->key_condition;
    for (void *at = json_object_iter((json_t *)map); at;
         at = json_object_iter_next((json_t *)map, at)) {
        const json_t *json = json_object_iter_value(at);
        struct node *node = read_condition(r, json_object_iter_key(at), json);
        if (!node)
            return -1;
        const char *name = json_string_value(json_object_get(json, "ComparisonOperator"));
        out->unindexable |= !find_comparison(name)->indexable;
        *all = *all ? join(r, NODE_AND, *all, node) : node;
        if (!*all)
            return no_memory(r);
    }
    out->key_condition_count = json_object_size(map); /* more than two: known with the index */
    return out->key_condition_count && out->key_condition_count <= KEY_MAX_PARTS
               ? 0
               : err_set(&r->err, ERR_INVALID, "Conditions can be of length 1 or 2 only");
}

static int read_projection(struct request *r, const json_t *names, struct expressions *out)
{
    size_t i;
    json_t *name;
    out->projection.paths = arena_new(r->arena, struct path, json_array_size(names) + 1);
    if (!out->projection.paths)
        return no_memory(r);
    out->has_projection = 1;
    json_array_foreach(names, i, name)
    {
        const char *text = json_string_value(name);
        if (!text)
            return err_set(&r->err, ERR_CORRUPT, "Unexpected field type");
        for (size_t j = 0; j < out->projection.count; j++)
            if (!strcmp(out->projection.paths[j].steps->name, text))
                return err_set(&r->err, ERR_INVALID,
                               INVALID "Duplicate value in attribute name: %.255s", text);
        if (make_path(r, text, &out->projection.paths[out->projection.count++]) < 0)
            return -1;
    }
    return 0;
}

static int action_type(struct request *r, const char *name, const struct value *value,
                       enum action_type *out)
{
    int is_set = value && value_is_set(value->type);
    if (!value && strcmp(name, "DELETE"))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Only DELETE action is allowed when no attribute value is "
                               "specified");
    if (!strcmp(name, "PUT")) {
        *out = ACTION_SET;
    } else if (!strcmp(name, "ADD")) {
        if (!is_set && value->type != VALUE_N && value->type != VALUE_L)
            return err_set(&r->err, ERR_INVALID,
                           INVALID "ADD action is not supported for the type %s",
                           value_type_name(value->type));
        *out = ACTION_ADD;
    } else if (!strcmp(name, "DELETE")) {
        if (value && !is_set)
            return err_set(&r->err, ERR_INVALID,
                           INVALID "DELETE action with value is not supported for the type %s",
                           value_type_name(value->type));
        *out = value ? ACTION_DELETE : ACTION_REMOVE;
    } else {
        return fail_constraint(r, name, "attributeUpdates.member.action",
                               "Member must satisfy enum value set: [ADD, PUT, DELETE]");
    }
    return 0;
}

static int read_update(struct request *r, const char *name, const json_t *json,
                       struct action *action)
{
    const json_t *given = get(json, "Action"), *value = get(json, "Value");
    struct operands in = {0};
    if (value && read_operands(r, NULL, value, &in) < 0)
        return -1;
    if (action_type(r, given ? json_string_value(given) : "PUT", value ? in.values : NULL,
                    &action->type) < 0 ||
        make_path(r, name, &action->path) < 0)
        return -1;
    action->legacy = 1;
    if (!value)
        return 0;
    action->operand = make_node(r, NODE_VALUE, 0);
    if (!action->operand)
        return no_memory(r);
    action->operand->value = in.values;
    return 0;
}

static int read_updates(struct request *r, const json_t *map, struct expressions *out)
{
    out->update.actions = arena_new(r->arena, struct action, json_object_size(map) + 1);
    if (!out->update.actions)
        return no_memory(r);
    out->has_update = json_object_size(map) > 0;
    for (void *at = json_object_iter((json_t *)map); at;
         at = json_object_iter_next((json_t *)map, at))
        if (read_update(r, json_object_iter_key(at), json_object_iter_value(at),
                        &out->update.actions[out->update.count++]) < 0)
            return -1;
    return 0;
}

int legacy_parse(struct request *r, const json_t *from, unsigned uses, struct expressions *out)
{
    const json_t *get_list = uses & USES_PROJECTION ? get(from, "AttributesToGet") : NULL;
    const json_t *updates = uses & USES_UPDATE ? get(from, "AttributeUpdates") : NULL;
    const json_t *expected = uses & USES_CONDITION ? get(from, "Expected") : NULL;
    const json_t *filter = uses & USES_FILTER ? get(from, "QueryFilter") : NULL;
    int list_first = !(uses & USES_KEY_CONDITION); /* of all but Query */
    if (!filter && (uses & USES_FILTER))
        filter = get(from, "ScanFilter");
    out->legacy = filter != NULL;
    if (get(from, "ConditionalOperator") && !expected && !filter)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ConditionalOperator cannot be used without Filter or Expected");
    if ((updates && read_updates(r, updates, out) < 0) ||
        (expected && read_conditions(r, from, expected, read_expected, &out->condition) < 0) ||
        (get_list && list_first && read_projection(r, get_list, out) < 0) ||
        (filter && read_conditions(r, from, filter, read_condition, &out->filter) < 0))
        return -1;
    return get_list && !list_first ? read_projection(r, get_list, out) : 0;
}

int legacy_parse_keys(struct request *r, struct expressions *out)
{
    const json_t *keys = get(r->body, "KeyConditions");
    return keys ? read_key_conditions(r, keys, out) : 0;
}
