#include "cloud/dynamodb/parser.h"

#include <string.h>

/* UpdateExpression: sections SET path = value, REMOVE path, ADD path :value, DELETE path :value,
 * each once, in any order. */

static struct node *parse_operand(struct parser *p);

static void wrong_operand(struct parser *p, const char *name, int type)
{
    parser_error(p, RANK_OPERAND,
                 "Incorrect operand type for operator or function; operator or function: %s, "
                 "operand type: %s",
                 name, value_type_name((enum value_type)type));
}

static void check_types(struct parser *p, const struct node *node, const char *name, int wanted)
{
    for (size_t i = 0; i < node->count; i++) {
        int type = node_literal_type(node->args[i]);
        if (type >= 0 && type != wanted)
            wrong_operand(p, name, type);
    }
}

/* list_append stands alone on the right of a SET. */
static void check_nested(struct parser *p, const struct node *node)
{
    for (size_t i = 0; i < node->count; i++)
        if (node->args[i]->type == NODE_LIST_APPEND)
            parser_error(p, RANK_MISUSED_FUNCTION,
                         "The function is not allowed to be used this way in an expression; "
                         "function: list_append");
}

static int is_condition_function(const struct token *name)
{
    static const char *const names[] = {"attribute_exists", "attribute_not_exists",
                                        "attribute_type",   "begins_with",
                                        "contains",         "size"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == name->size && !memcmp(names[i], name->text, name->size))
            return 1;
    return 0;
}

static struct node *make_call(struct parser *p, const struct token *name, struct node **arguments,
                              int count)
{
    int append = name->size == 11 && !memcmp(name->text, "list_append", 11);
    if (!append && !(name->size == 13 && !memcmp(name->text, "if_not_exists", 13))) {
        parser_error(p, RANK_UNKNOWN_FUNCTION,
                     is_condition_function(name)
                         ? "The function is not allowed in an update expression; function: %.*s"
                         : "Invalid function name; function: %.*s",
                     (int)name->size, name->text);
        return arguments[0];
    }
    if (count != 2) {
        parser_error(p, RANK_OPERAND_COUNT,
                     "Incorrect number of operands for operator or function; operator or function: "
                     "%.*s, number of operands: %d",
                     (int)name->size, name->text, count);
        return arguments[0];
    }
    struct node *node = parser_node(p, append ? NODE_LIST_APPEND : NODE_IF_NOT_EXISTS, 2);
    if (!node)
        return NULL;
    memcpy(node->args, arguments, 2 * sizeof *arguments);
    check_nested(p, node);
    if (append)
        check_types(p, node, "list_append", VALUE_L);
    else if (node->args[0]->type != NODE_PATH)
        parser_error(p, RANK_OPERAND,
                     "Operator or function requires a document path; operator or function: "
                     "if_not_exists");
    else
        parser_check_distinct(p, "if_not_exists", node->args[0], node->args[1]);
    return node;
}

static struct node *parse_function(struct parser *p)
{
    struct token name = p->current;
    struct node *arguments[PARSER_MAX_ARGUMENTS];
    parser_advance(p);
    if (parser_enter(p) < 0)
        return NULL;
    int count = parser_arguments(p, parse_operand, arguments);
    parser_leave(p);
    if (count < 0)
        return NULL;
    parser_count_operator(p);
    return make_call(p, &name, arguments, count);
}

static struct node *parse_operand(struct parser *p)
{
    if (parser_is(p, "("))
        return parser_parentheses(p, parse_operand);
    if (p->current.type == TOKEN_VALUE)
        return parser_value(p);
    if (p->current.type == TOKEN_WORD && parser_next_is(p, "("))
        return parse_function(p);
    struct node *node = parser_node(p, NODE_PATH, 0);
    return node && parser_path(p, &node->path) == 0 ? node : NULL;
}

static int is_sum(const struct node *node)
{
    return node->type == NODE_PLUS || node->type == NODE_MINUS;
}

/* What a SET puts: a + b, a - b or an operand, perhaps in parentheses. AWS takes one operator, not
 * a chain. */
static struct node *parse_sum(struct parser *p)
{
    struct node *left = parser_is(p, "(") ? parser_parentheses(p, parse_sum) : parse_operand(p);
    int plus = left && parser_is(p, "+");
    if (!left || is_sum(left) || (!plus && !parser_is(p, "-")))
        return left;
    parser_advance(p);
    struct node *right = parse_operand(p);
    struct node *node = right ? parser_node(p, plus ? NODE_PLUS : NODE_MINUS, 2) : NULL;
    if (!node)
        return NULL;
    parser_count_operator(p);
    node->args[0] = left;
    node->args[1] = right;
    check_nested(p, node);
    check_types(p, node, plus ? "+" : "-", VALUE_N);
    return node;
}

static const char *long_type_name(enum value_type type)
{
    static const char *const names[VALUE_TYPES] = {"STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL",
                                                   "MAP",    "LIST",   "SS",     "NS",      "BS"};
    return names[type];
}

static void check_set_operand(struct parser *p, const struct action *action)
{
    int type = node_literal_type(action->operand);
    const char *name = action->type == ACTION_ADD ? "ADD" : "DELETE";
    if (type < 0 || value_is_set((enum value_type)type) ||
        (action->type == ACTION_ADD && type == VALUE_N))
        return;
    parser_error(p, RANK_OPERAND,
                 "Incorrect operand type for operator or function; operator: %s, operand type: %s",
                 name, long_type_name((enum value_type)type));
}

static int parse_action(struct parser *p, struct action *action)
{
    if (parser_path(p, &action->path) < 0)
        return -1;
    if (action->type == ACTION_REMOVE)
        return 0;
    if (action->type == ACTION_SET) {
        if (parser_expect(p, "=") < 0)
            return -1;
        action->operand = parse_sum(p);
        return action->operand ? 0 : -1;
    }
    if (p->current.type != TOKEN_VALUE)
        return parser_syntax_error(p);
    action->operand = parser_value(p);
    if (!action->operand)
        return -1;
    check_set_operand(p, action);
    return 0;
}

static const char *const sections[] = {"SET", "REMOVE", "ADD", "DELETE"};

static int find_section(const struct parser *p)
{
    for (int i = 0; i < 4; i++)
        if (parser_is(p, sections[i]))
            return i;
    return -1;
}

static int parse_section(struct parser *p, int section, struct update *out)
{
    parser_advance(p);
    do {
        struct action *action = &out->actions[out->count];
        action->type = (enum action_type)section;
        if (parse_action(p, action) < 0)
            return -1;
        for (size_t i = 0; i < out->count && p->rank > RANK_OVERLAP; i++)
            parser_check_overlap(p, &out->actions[i].path, &action->path);
        out->count++;
    } while (parser_take(p, ","));
    return 0;
}

int update_parse(struct substitutions *s, const char *text, struct update *out, struct err *err)
{
    struct parser p;
    int seen[4] = {0};
    if (parser_init(&p, s, "UpdateExpression", text, err) < 0)
        return -1;
    out->count = 0;
    out->actions = arena_new(s->arena, struct action, strlen(text) / 2 + 1);
    if (!out->actions)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    p.in_update = 1;
    do {
        int section = find_section(&p);
        if (section < 0)
            return parser_syntax_error(&p);
        if (seen[section]++)
            parser_error(&p, RANK_SECTION,
                         "The \"%s\" section can only be used once in an update expression;",
                         sections[section]);
        if (parse_section(&p, section, out) < 0)
            return -1;
    } while (p.current.type != TOKEN_END);
    return parser_finish(&p);
}
