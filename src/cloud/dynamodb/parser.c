#include "cloud/dynamodb/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A name with an underscore in front needs a placeholder. */
static int is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_word(char c)
{
    return is_word_start(c) || is_digit(c) || c == '_';
}

static struct token scan(struct parser *p)
{
    while (p->at < p->end && strchr(" \t\r\n", *p->at))
        p->at++;
    struct token token = {TOKEN_END, p->at, 0};
    if (p->at == p->end)
        return token;
    const char *at = p->at + 1;
    char first = *p->at;
    if (is_word_start(first) || first == '#' || first == ':') {
        token.type = first == '#' ? TOKEN_NAME : first == ':' ? TOKEN_VALUE : TOKEN_WORD;
        while (at < p->end && is_word(*at))
            at++;
        if (token.type != TOKEN_WORD && at == p->at + 1)
            token.type = TOKEN_BAD;
    } else if (is_digit(first)) {
        token.type = TOKEN_INDEX;
        while (at < p->end && is_digit(*at))
            at++;
    } else {
        token.type = strchr("()[].,=<>+-", first) ? TOKEN_SIGN : TOKEN_BAD;
        if (at < p->end &&
            ((first == '<' && (*at == '>' || *at == '=')) || (first == '>' && *at == '=')))
            at++;
    }
    token.size = (size_t)(at - p->at);
    p->at = at;
    return token;
}

void parser_advance(struct parser *p)
{
    p->previous = p->current;
    p->current = p->next;
    p->next = scan(p);
}

int parser_init(struct parser *p, struct substitutions *s, const char *kind, const char *text,
                struct err *err)
{
    size_t size = strlen(text);
    *p = (struct parser){.substitutions = s,
                         .kind = kind,
                         .at = text,
                         .end = text + size,
                         .rank = RANK_NONE,
                         .err = err};
    if (!size)
        return err_set(err, ERR_INVALID, "Invalid %s: The expression can not be empty;", kind);
    if (size > EXPRESSION_MAX_BYTES && !strcmp(kind, "UpdateExpression")) /* without the size */
        return err_set(err, ERR_INVALID,
                       "Invalid %s: Expression size has exceeded the maximum allowed size;", kind);
    if (size > EXPRESSION_MAX_BYTES)
        return err_set(err, ERR_INVALID,
                       "Invalid %s: Expression size has exceeded the maximum allowed size; "
                       "expression size: %zu",
                       kind, size);
    p->current = scan(p);
    p->next = scan(p);
    return 0;
}

static int token_is(const struct token *token, const char *text)
{
    return (token->type == TOKEN_SIGN || token->type == TOKEN_WORD) &&
           strlen(text) == token->size && !strncasecmp(token->text, text, token->size);
}

int parser_is(const struct parser *p, const char *sign_or_keyword)
{
    return token_is(&p->current, sign_or_keyword);
}

int parser_next_is(const struct parser *p, const char *sign)
{
    return token_is(&p->next, sign);
}

int parser_take(struct parser *p, const char *sign_or_keyword)
{
    if (!parser_is(p, sign_or_keyword))
        return 0;
    parser_advance(p);
    return 1;
}

int parser_expect(struct parser *p, const char *sign_or_keyword)
{
    return parser_take(p, sign_or_keyword) ? 0 : parser_syntax_error(p);
}

/* Names the token and what stands around it, as far as it goes. */
int parser_syntax_error(struct parser *p)
{
    if (p->syntax_error)
        return -1;
    p->syntax_error = 1;
    const struct token *from = p->previous.size ? &p->previous : &p->current;
    const struct token *to = p->current.type == TOKEN_END ? from
                             : p->next.type == TOKEN_END  ? &p->current
                                                          : &p->next;
    const char *end = to->text + to->size;
    int near_size = (int)(end - from->text);
    if (p->current.type == TOKEN_END)
        return err_set(p->err, ERR_INVALID,
                       "Invalid %s: Syntax error; token: \"<EOF>\", near: \"%.*s\"", p->kind,
                       near_size, from->text);
    return err_set(p->err, ERR_INVALID, "Invalid %s: Syntax error; token: \"%.*s\", near: \"%.*s\"",
                   p->kind, (int)p->current.size, p->current.text, near_size, from->text);
}

void parser_error(struct parser *p, enum rank rank, const char *format, ...)
{
    if (p->syntax_error || rank >= p->rank || (rank >= RANK_SUBSTITUTION && p->frozen))
        return;
    char text[384];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    p->rank = rank;
    err_set(p->err, ERR_INVALID, "Invalid %s: %s", p->kind, text);
}

int parser_enter(struct parser *p)
{
    if (p->depth >= EXPRESSION_MAX_DEPTH) {
        p->syntax_error = 1;
        return err_set(p->err, ERR_INVALID,
                       "Invalid %s: The expression is nested too deeply; maximum depth: %d",
                       p->kind, EXPRESSION_MAX_DEPTH);
    }
    p->depth++;
    return 0;
}

void parser_leave(struct parser *p)
{
    p->depth--;
}

void parser_count_operator(struct parser *p)
{
    p->operators++;
    if (p->operators > EXPRESSION_MAX_OPERATORS)
        parser_error(p, RANK_OPERATORS,
                     "The expression contains too many operators; operator count: %d",
                     p->operators);
}

struct node *parser_node(struct parser *p, enum node_type type, size_t count)
{
    struct node *node = arena_new(p->substitutions->arena, struct node, 1);
    struct node **args = arena_new(p->substitutions->arena, struct node *, count);
    if (!node || !args) {
        p->syntax_error = 1;
        err_set(p->err, ERR_TOO_BIG, "The request needs too much memory");
        return NULL;
    }
    *node = (struct node){.type = type, .count = count, .args = args};
    return node;
}

struct node *parser_value(struct parser *p)
{
    struct node *node = parser_node(p, NODE_VALUE, 0);
    struct substitutions *s = p->substitutions;
    if (!node)
        return NULL;
    for (size_t i = 0; i < s->value_count; i++) {
        if (strlen(s->values[i].key) != p->current.size ||
            memcmp(s->values[i].key, p->current.text, p->current.size))
            continue;
        s->values[i].used = 1;
        node->value = &s->values[i].value;
    }
    if (!node->value) {
        parser_error(p, RANK_SUBSTITUTION,
                     "An expression attribute value used in expression is not defined; attribute "
                     "value: %.*s",
                     (int)p->current.size, p->current.text);
        static const struct value nothing = {.type = VALUE_NULL};
        node->value = (struct value *)&nothing; /* never evaluated: the error stands */
    }
    parser_advance(p);
    return node;
}

/* The name behind #name. */
static const char *substituted_name(struct parser *p)
{
    struct substitutions *s = p->substitutions;
    for (size_t i = 0; i < s->name_count; i++) {
        if (strlen(s->names[i].key) != p->current.size ||
            memcmp(s->names[i].key, p->current.text, p->current.size))
            continue;
        s->names[i].used = 1;
        return s->names[i].name;
    }
    parser_error(p, RANK_SUBSTITUTION,
                 "An expression attribute name used in the document path is not defined; attribute "
                 "name: %.*s",
                 (int)p->current.size, p->current.text);
    return "";
}

/* In updates and projections these are no words at all. */
static int is_section(const struct parser *p)
{
    return p->in_update && (parser_is(p, "SET") || parser_is(p, "REMOVE") || parser_is(p, "ADD") ||
                            parser_is(p, "DELETE"));
}

static int path_name(struct parser *p, struct step *out)
{
    if (p->current.type == TOKEN_NAME) {
        out->name = substituted_name(p);
    } else if (p->current.type == TOKEN_WORD && !is_section(p)) {
        if (is_reserved_word(p->current.text, p->current.size))
            parser_error(p, p->in_update ? RANK_RESERVED_UPDATE : RANK_RESERVED,
                         "Attribute name is a reserved keyword; reserved keyword: %.*s",
                         (int)p->current.size, p->current.text);
        out->name = arena_copy(p->substitutions->arena, p->current.text, p->current.size);
        if (!out->name)
            return parser_syntax_error(p);
    } else {
        return parser_syntax_error(p);
    }
    parser_advance(p);
    return 0;
}

static int path_index(struct parser *p, struct step *out)
{
    if (p->current.type != TOKEN_INDEX || p->current.size > 9)
        return parser_syntax_error(p);
    for (size_t i = 0; i < p->current.size; i++)
        out->index = out->index * 10 + (size_t)(p->current.text[i] - '0');
    parser_advance(p);
    return parser_expect(p, "]");
}

int parser_path(struct parser *p, struct path *out)
{
    struct step steps[PATH_MAX_STEPS] = {0};
    if (path_name(p, &steps[0]) < 0)
        return -1;
    size_t count = 1;
    while (parser_is(p, ".") || parser_is(p, "[")) {
        struct step step = {0};
        int is_name = parser_is(p, ".");
        parser_advance(p);
        if ((is_name ? path_name(p, &step) : path_index(p, &step)) < 0)
            return -1;
        if (count == PATH_MAX_STEPS)
            parser_error(p, RANK_OVERLAP,
                         "The document path has too many nesting elements; nesting levels: %zu",
                         count + 1);
        else
            steps[count++] = step;
    }
    out->count = count;
    out->steps = arena_new(p->substitutions->arena, struct step, count);
    if (!out->steps)
        return parser_syntax_error(p);
    memcpy(out->steps, steps, count * sizeof *steps);
    return 0;
}

int parser_arguments(struct parser *p, parser_operand *operand,
                     struct node *out[PARSER_MAX_ARGUMENTS])
{
    int count = 0;
    if (parser_expect(p, "(") < 0)
        return -1;
    do {
        struct node *node = operand(p);
        if (!node)
            return -1;
        if (count < PARSER_MAX_ARGUMENTS)
            out[count] = node;
        count++;
    } while (parser_take(p, ","));
    return parser_expect(p, ")") < 0 ? -1 : count;
}

int parser_finish(struct parser *p)
{
    if (p->current.type != TOKEN_END)
        return parser_syntax_error(p);
    return p->syntax_error || p->rank != RANK_NONE ? -1 : 0;
}

const char *path_text(struct arena *arena, const struct path *path)
{
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < path->count; i++) {
        const char *comma = i ? ", " : "[";
        if (path->steps[i].name)
            buf_printf(&text, "%s%s", comma, path->steps[i].name);
        else
            buf_printf(&text, "%s[%zu]", comma, path->steps[i].index);
    }
    buf_puts(&text, "]");
    const char *copy = text.data ? arena_strdup(arena, text.data) : NULL;
    buf_finish(&text);
    return copy ? copy : "";
}

static int step_equal(const struct step *a, const struct step *b)
{
    if (!a->name || !b->name)
        return !a->name && !b->name && a->index == b->index;
    return !strcmp(a->name, b->name);
}

int path_equal(const struct path *a, const struct path *b)
{
    if (a->count != b->count)
        return 0;
    for (size_t i = 0; i < a->count; i++)
        if (!step_equal(&a->steps[i], &b->steps[i]))
            return 0;
    return 1;
}

void parser_check_overlap(struct parser *p, const struct path *a, const struct path *b)
{
    const char *how = "overlap";
    enum rank rank = RANK_OVERLAP;
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (!a->steps[i].name != !b->steps[i].name) {
            how = "conflict";
            rank = RANK_CONFLICT;
            break;
        }
        if (!step_equal(&a->steps[i], &b->steps[i]))
            return;
    }
    struct arena *arena = p->substitutions->arena;
    parser_error(p, rank,
                 "Two document paths %s with each other; must remove or rewrite one of these "
                 "paths; path one: %s, path two: %s",
                 how, path_text(arena, a), path_text(arena, b));
}

void parser_check_distinct(struct parser *p, const char *name, const struct node *a,
                           const struct node *b)
{
    if (a->type == NODE_PATH && b->type == NODE_PATH && path_equal(&a->path, &b->path))
        parser_error(p, RANK_DISTINCT,
                     "The first operand must be distinct from the remaining operands for this "
                     "operator or function; operator: %s, first operand: %s",
                     name, path_text(p->substitutions->arena, &a->path));
}

int node_literal_type(const struct node *node)
{
    return node->type == NODE_VALUE ? (int)node->value->type : -1;
}

struct node *parser_parentheses(struct parser *p, parser_operand *inner)
{
    if (parser_enter(p) < 0)
        return NULL;
    parser_advance(p);
    struct node *node = inner(p);
    parser_leave(p);
    if (!node || parser_expect(p, ")") < 0)
        return NULL;
    if (node->parenthesised)
        parser_error(p, RANK_PARENTHESES, "The expression has redundant parentheses;");
    node->parenthesised = 1;
    return node;
}
