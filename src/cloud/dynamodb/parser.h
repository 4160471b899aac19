#ifndef CLOUD_DYNAMODB_PARSER_H
#define CLOUD_DYNAMODB_PARSER_H

#include "cloud/dynamodb/expression.h"

/* What the parsers of conditions, projections and updates share: tokens, paths, and the errors. */

enum token_type {
    TOKEN_END,
    TOKEN_BAD, /* a character that begins no token */
    TOKEN_WORD,
    TOKEN_NAME,  /* #name */
    TOKEN_VALUE, /* :value */
    TOKEN_INDEX, /* digits */
    TOKEN_SIGN,  /* one of ( ) [ ] . , = <> < <= > >= + - */
};

struct token {
    enum token_type type;
    const char *text;
    size_t size;
};

/* Semantic errors do not stop the parser, because AWS reports a syntax error first whatever stands
 * before it, and then the gravest: the lowest rank. */
enum rank {
    RANK_PARENTHESES,
    RANK_RESERVED_UPDATE, /* updates and projections look for reserved words first */
    RANK_UNKNOWN_FUNCTION,
    RANK_MISUSED_FUNCTION,
    RANK_SECTION,
    RANK_RESERVED,
    RANK_OPERATORS,
    RANK_SUBSTITUTION, /* from here on the first condition with an error wins */
    RANK_OVERLAP,
    RANK_CONFLICT,
    RANK_OPERAND_COUNT,
    RANK_DISTINCT,
    RANK_OPERAND,
    RANK_NONE,
};

struct parser {
    struct substitutions *substitutions;
    const char *kind, *at, *end;
    struct token previous, current, next;
    enum rank rank; /* of the error so far */
    int syntax_error, frozen, depth, operators, in_update;
    struct err *err;
};

int parser_init(struct parser *p, struct substitutions *s, const char *kind, const char *text,
                struct err *err) MUST_USE;
void parser_advance(struct parser *p);
int parser_is(const struct parser *p, const char *sign_or_keyword);
int parser_next_is(const struct parser *p, const char *sign);
/* Take the token if it is that sign or keyword (in any case). */
int parser_take(struct parser *p, const char *sign_or_keyword);
int parser_expect(struct parser *p, const char *sign_or_keyword); /* or a syntax error: -1 */
int parser_syntax_error(struct parser *p);                        /* -1 */
void parser_error(struct parser *p, enum rank rank, const char *format, ...) PRINTF(3, 4);
int parser_enter(struct parser *p); /* one level deeper, -1 when too deep; then parser_leave() */
void parser_leave(struct parser *p);
void parser_count_operator(struct parser *p);

int parser_path(struct parser *p, struct path *out);
struct node *parser_node(struct parser *p, enum node_type type, size_t count);
struct node *parser_value(struct parser *p); /* at a TOKEN_VALUE */
/* `(a, b, ...)` by `operand` into out[0..max]; returns how many there were, or -1. */
enum { PARSER_MAX_ARGUMENTS = 101 };
typedef struct node *parser_operand(struct parser *p);
/* "(" is next: what `inner` reads, in parentheses; NULL on failure. */
struct node *parser_parentheses(struct parser *p, parser_operand *inner);
int parser_arguments(struct parser *p, parser_operand *operand,
                     struct node *out[PARSER_MAX_ARGUMENTS]);
/* At the end of the text: 0 when all is well. */
int parser_finish(struct parser *p);

/* "[a, [3], b]" as AWS writes paths in messages. */
const char *path_text(struct arena *arena, const struct path *path);
int path_equal(const struct path *a, const struct path *b);
/* Refuse two paths of which one is, contains or contradicts the other. */
void parser_check_overlap(struct parser *p, const struct path *a, const struct path *b);
/* Refuse a path as both operands. */
void parser_check_distinct(struct parser *p, const char *name, const struct node *a,
                           const struct node *b);
/* Type of a literal value, or -1. */
int node_literal_type(const struct node *node);

#endif
