#include "cloud/dynamodb/parser.h"

#include <string.h>

/* Conditions: OR < AND < NOT < comparisons < operands. Parentheses may hold conditions or operands:
 * which of them is told from what was parsed. */

static struct node *parse_or(struct parser *p);

static int is_operand(const struct node *node)
{
    return node->type == NODE_PATH || node->type == NODE_VALUE || node->type == NODE_SIZE;
}

static struct node *parse_path_node(struct parser *p)
{
    struct node *node = parser_node(p, NODE_PATH, 0);
    return node && parser_path(p, &node->path) == 0 ? node : NULL;
}

/* The first condition that has an error keeps it. */
static void condition_ends(struct parser *p)
{
    if (p->rank >= RANK_SUBSTITUTION && p->rank < RANK_NONE)
        p->frozen = 1;
}

static const struct function {
    const char *name;
    enum node_type type;
    int arguments;
} functions[] = {
    {"attribute_exists", NODE_ATTRIBUTE_EXISTS, 1},
    {"attribute_not_exists", NODE_ATTRIBUTE_NOT_EXISTS, 1},
    {"attribute_type", NODE_ATTRIBUTE_TYPE, 2},
    {"begins_with", NODE_BEGINS_WITH, 2},
    {"contains", NODE_CONTAINS, 2},
    {"size", NODE_SIZE, 1},
    {"if_not_exists", NODE_IF_NOT_EXISTS, 2},
    {"list_append", NODE_LIST_APPEND, 2},
};

static const struct function *find_function(const struct token *name)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i].name) == name->size &&
            !memcmp(functions[i].name, name->text, name->size))
            return &functions[i];
    return NULL;
}

static const char *function_name(enum node_type type)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (functions[i].type == type)
            return functions[i].name;
    return "";
}

static void wrong_operand(struct parser *p, const char *name, int type)
{
    parser_error(p, RANK_OPERAND,
                 "Incorrect operand type for operator or function; operator or function: %s, "
                 "operand type: %s",
                 name, type < 0 ? "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}" : value_type_name(type));
}

/* A literal's type, and that of size(): N; -1 for a path. */
static int operand_type(const struct node *node)
{
    return node->type == NODE_SIZE ? VALUE_N : node_literal_type(node);
}

static void check_attribute_type(struct parser *p, const struct node *node)
{
    const struct node *type = node->args[1];
    if (node_literal_type(type) != VALUE_S) {
        wrong_operand(p, "attribute_type", operand_type(type));
        return;
    }
    if (value_type_find(type->value->bytes.data, type->value->bytes.size) < 0)
        parser_error(p, RANK_OPERAND,
                     "Invalid attribute type name found; type: %.*s, valid types: "
                     "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
                     (int)type->value->bytes.size, type->value->bytes.data);
}

static void check_function(struct parser *p, const struct node *node, const char *name)
{
    int type = operand_type(node->args[0]);
    switch (node->type) {
    case NODE_ATTRIBUTE_EXISTS:
    case NODE_ATTRIBUTE_NOT_EXISTS:
        if (node->args[0]->type != NODE_PATH)
            parser_error(p, RANK_OPERAND,
                         "Operator or function requires a document path; operator or function: %s",
                         name);
        break;
    case NODE_ATTRIBUTE_TYPE:
        check_attribute_type(p, node);
        break;
    case NODE_BEGINS_WITH:
        for (size_t i = 0; i < 2; i++) {
            type = operand_type(node->args[i]);
            if (type >= 0 && type != VALUE_S && type != VALUE_B)
                wrong_operand(p, name, type);
        }
        break;
    case NODE_SIZE:
        if (type == VALUE_N || type == VALUE_BOOL || type == VALUE_NULL)
            wrong_operand(p, name, type);
        break;
    default:
        break;
    }
    if (node->count == 2)
        parser_check_distinct(p, name, node->args[0], node->args[1]);
}

static struct node *parse_operand(struct parser *p);

static int check_call(struct parser *p, const struct token *name, const struct function *function,
                      int count)
{
    if (!function) {
        parser_error(p, RANK_UNKNOWN_FUNCTION, "Invalid function name; function: %.*s",
                     (int)name->size, name->text);
        return -1;
    }
    if (function->type >= NODE_IF_NOT_EXISTS) {
        parser_error(p, RANK_UNKNOWN_FUNCTION,
                     "The function is not allowed in a condition expression; function: %s",
                     function->name);
        return -1;
    }
    if (function->arguments == count)
        return 0;
    parser_error(p, RANK_OPERAND_COUNT,
                 "Incorrect number of operands for operator or function; operator or function: "
                 "%s, number of operands: %d",
                 function->name, count);
    return -1;
}

static void check_misused(struct parser *p, const struct node *operand)
{
    if (operand->type >= NODE_ATTRIBUTE_EXISTS && operand->type <= NODE_CONTAINS)
        parser_error(p, RANK_MISUSED_FUNCTION,
                     "The function is not allowed to be used this way in an expression; function: "
                     "%s",
                     function_name(operand->type));
}

/* At `name(`. */
static struct node *parse_function(struct parser *p)
{
    struct token name = p->current;
    struct node *arguments[PARSER_MAX_ARGUMENTS];
    const struct function *function = find_function(&name);
    parser_advance(p);
    if (parser_enter(p) < 0)
        return NULL;
    int count = parser_arguments(p, parse_operand, arguments);
    parser_leave(p);
    if (count < 0)
        return NULL;
    parser_count_operator(p);
    int wrong = check_call(p, &name, function, count) < 0;
    enum node_type type = function ? function->type : NODE_CONTAINS; /* if wrong, never evaluated */
    struct node *node = parser_node(p, type, wrong ? 1 : (size_t)count);
    if (!node)
        return NULL;
    memcpy(node->args, arguments, node->count * sizeof *arguments);
    for (size_t i = 0; i < node->count; i++)
        check_misused(p, node->args[i]);
    if (!wrong)
        check_function(p, node, function->name);
    if (node->type != NODE_SIZE)
        condition_ends(p);
    return node;
}

/* What may stand between comparators, as a function's argument, or in a list. */
static struct node *parse_operand(struct parser *p)
{
    if (p->current.type == TOKEN_VALUE)
        return parser_value(p);
    if (p->current.type == TOKEN_WORD && parser_next_is(p, "("))
        return parse_function(p);
    return parse_path_node(p);
}

static struct node *parse_primary(struct parser *p)
{
    return parser_is(p, "(") ? parser_parentheses(p, parse_or) : parse_operand(p);
}

static const struct comparator {
    const char *sign;
    enum node_type type;
} comparators[] = {
    {"=", NODE_EQ},  {"<>", NODE_NE}, {"<", NODE_LT},
    {"<=", NODE_LE}, {">", NODE_GT},  {">=", NODE_GE},
};

static const struct comparator *find_comparator(const struct parser *p)
{
    for (size_t i = 0; i < sizeof comparators / sizeof *comparators; i++)
        if (parser_is(p, comparators[i].sign))
            return &comparators[i];
    return NULL;
}

/* <, <=, >, >= and BETWEEN take only what has an order. */
static void check_ordered(struct parser *p, const char *sign, const struct node *operand)
{
    int type = operand_type(operand);
    if (type >= 0 && type != VALUE_S && type != VALUE_N && type != VALUE_B)
        parser_error(p, RANK_OPERAND,
                     "Incorrect operand type for operator or function; operator or function: %s, "
                     "operand type: %s",
                     sign, value_type_name((enum value_type)type));
}

static struct node *parse_comparison(struct parser *p, struct node *left,
                                     const struct comparator *comparator)
{
    parser_advance(p);
    struct node *right = parse_primary(p);
    struct node *node = right ? parser_node(p, comparator->type, 2) : NULL;
    if (!node)
        return NULL;
    node->args[0] = left;
    node->args[1] = right;
    check_misused(p, left);
    check_misused(p, right);
    if (p->rank == RANK_NONE && (!is_operand(left) || !is_operand(right)))
        return parser_syntax_error(p), NULL;
    parser_check_distinct(p, comparator->sign, left, right);
    if (comparator->type >= NODE_LT) {
        check_ordered(p, comparator->sign, left);
        check_ordered(p, comparator->sign, right);
    }
    return node;
}

static const char *literal_text(struct arena *arena, const struct value *value)
{
    struct buf text;
    buf_init(&text, 512);
    value_write(&text, value);
    /* {"S":"a"} as AWS shows it: {S:a} */
    size_t kept = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != '"')
            text.data[kept++] = text.data[i];
    const char *copy = text.data ? arena_copy(arena, text.data, kept) : NULL;
    buf_finish(&text);
    return copy ? copy : "";
}

static void check_bounds(struct parser *p, const struct node *low, const struct node *high)
{
    int a = node_literal_type(low), b = node_literal_type(high);
    const char *wrong = NULL;
    if (a < 0 || b < 0 || a > VALUE_B || b > VALUE_B)
        return;
    if (a != b)
        wrong = "same data type for lower and upper bounds";
    else if (value_compare(low->value, high->value) > 0)
        wrong = "upper bound to be greater than or equal to lower bound";
    if (wrong)
        parser_error(p, RANK_OPERAND,
                     "The BETWEEN operator requires %s; lower bound operand: AttributeValue: %s, "
                     "upper bound operand: AttributeValue: %s",
                     wrong, literal_text(p->substitutions->arena, low->value),
                     literal_text(p->substitutions->arena, high->value));
}

static struct node *parse_between(struct parser *p, struct node *left)
{
    parser_advance(p);
    struct node *low = parse_primary(p);
    if (!low || parser_expect(p, "AND") < 0)
        return NULL;
    struct node *high = parse_primary(p);
    struct node *node = high ? parser_node(p, NODE_BETWEEN, 3) : NULL;
    if (!node)
        return NULL;
    node->args[0] = left;
    node->args[1] = low;
    node->args[2] = high;
    for (size_t i = 0; i < 3; i++) {
        check_misused(p, node->args[i]);
        check_ordered(p, "BETWEEN", node->args[i]);
        if (p->rank == RANK_NONE && !is_operand(node->args[i]))
            return parser_syntax_error(p), NULL;
    }
    parser_check_distinct(p, "BETWEEN", left, low);
    parser_check_distinct(p, "BETWEEN", left, high);
    check_bounds(p, low, high);
    return node;
}

static struct node *parse_in(struct parser *p, struct node *left)
{
    struct node *arguments[PARSER_MAX_ARGUMENTS];
    parser_advance(p);
    int count = parser_arguments(p, parse_operand, arguments);
    if (count < 0)
        return NULL;
    if (count >= PARSER_MAX_ARGUMENTS) {
        parser_error(p, RANK_OPERAND_COUNT,
                     "Invalid number of operands for operator or function; operator or function: "
                     "IN, number of operands: %d",
                     count);
        count = PARSER_MAX_ARGUMENTS - 1;
    }
    struct node *node = parser_node(p, NODE_IN, (size_t)count + 1);
    if (!node)
        return NULL;
    node->args[0] = left;
    memcpy(node->args + 1, arguments, (size_t)count * sizeof *arguments);
    for (size_t i = 0; i < node->count; i++) {
        check_misused(p, node->args[i]);
        if (i)
            parser_check_distinct(p, "IN", left, node->args[i]);
    }
    if (p->rank == RANK_NONE && !is_operand(left))
        return parser_syntax_error(p), NULL;
    return node;
}

static struct node *parse_predicate(struct parser *p)
{
    struct node *left = parse_primary(p);
    if (!left)
        return NULL;
    const struct comparator *comparator = find_comparator(p);
    struct node *node;
    if (comparator)
        node = parse_comparison(p, left, comparator);
    else if (parser_is(p, "BETWEEN"))
        node = parse_between(p, left);
    else if (parser_is(p, "IN"))
        node = parse_in(p, left);
    else
        return left;
    parser_count_operator(p);
    condition_ends(p);
    return node;
}

static struct node *parse_not(struct parser *p)
{
    if (!parser_is(p, "NOT"))
        return parse_predicate(p);
    if (parser_enter(p) < 0)
        return NULL;
    parser_advance(p);
    struct node *inner = parse_not(p);
    parser_leave(p);
    struct node *node = inner ? parser_node(p, NODE_NOT, 1) : NULL;
    if (!node)
        return NULL;
    parser_count_operator(p);
    if (is_operand(inner) && p->rank == RANK_NONE)
        return parser_syntax_error(p), NULL;
    node->args[0] = inner;
    return node;
}

static struct node *join(struct parser *p, enum node_type type, struct node *left,
                         struct node *right)
{
    struct node *node = right ? parser_node(p, type, 2) : NULL;
    if (!node)
        return NULL;
    parser_count_operator(p);
    if (p->rank == RANK_NONE && (is_operand(left) || is_operand(right)))
        return parser_syntax_error(p), NULL;
    node->args[0] = left;
    node->args[1] = right;
    return node;
}

/* AND or OR behind a condition; behind an operand it is the token that is wrong. */
static int take_joint(struct parser *p, const struct node *left, const char *keyword)
{
    if (parser_is(p, keyword) && is_operand(left) && p->rank == RANK_NONE)
        parser_syntax_error(p);
    return parser_take(p, keyword);
}

static struct node *parse_and(struct parser *p)
{
    struct node *node = parse_not(p);
    while (node && take_joint(p, node, "AND"))
        node = join(p, NODE_AND, node, parse_not(p));
    return node;
}

static struct node *parse_or(struct parser *p)
{
    struct node *node = parse_and(p);
    while (node && take_joint(p, node, "OR"))
        node = join(p, NODE_OR, node, parse_and(p));
    return node;
}

struct node *condition_parse(struct substitutions *s, const char *kind, const char *text,
                             struct err *err)
{
    struct parser p;
    if (parser_init(&p, s, kind, text, err) < 0)
        return NULL;
    struct node *node = parse_or(&p);
    if (!node)
        return NULL;
    if (p.current.type == TOKEN_END && node->type == NODE_SIZE)
        parser_error(&p, RANK_MISUSED_FUNCTION,
                     "The function is not allowed to be used this way in an expression; function: "
                     "size");
    if (is_operand(node) && p.rank == RANK_NONE)
        parser_syntax_error(&p);
    return parser_finish(&p) == 0 ? node : NULL;
}

int projection_parse(struct substitutions *s, const char *text, struct projection *out,
                     struct err *err)
{
    struct parser p;
    if (parser_init(&p, s, "ProjectionExpression", text, err) < 0)
        return -1;
    size_t limit = strlen(text) / 2 + 1; /* a path and a comma each */
    out->paths = arena_new(s->arena, struct path, limit);
    out->count = 0;
    if (!out->paths)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    p.in_update = 1;
    do {
        if (parser_path(&p, &out->paths[out->count]) < 0)
            return -1;
        for (size_t i = 0; i < out->count && p.rank > RANK_OVERLAP; i++)
            parser_check_overlap(&p, &out->paths[i], &out->paths[out->count]);
        out->count++;
    } while (parser_take(&p, ","));
    return parser_finish(&p);
}
