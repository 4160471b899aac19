#ifndef CLOUD_DYNAMODB_EXPRESSION_H
#define CLOUD_DYNAMODB_EXPRESSION_H

#include "cloud/dynamodb/value.h"

/* DynamoDB's expression language: parsed into trees in an arena, with every #name and :value looked
 * up on the way, then evaluated against items. Errors carry AWS's texts (ERR_INVALID).
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html */
enum {
    EXPRESSION_MAX_BYTES = 4096,
    EXPRESSION_MAX_OPERATORS = 300,
    EXPRESSION_MAX_DEPTH = 200, /* of parentheses and NOTs; 4096 bytes could nest 4096 deep */
    EXPRESSION_MAX_SUBSTITUTIONS_BYTES = 2 * 1024 * 1024,
    PATH_MAX_STEPS = 32,
};

/* What #names and :values stand for, and which were used. */
struct substitutions {
    struct arena *arena;
    struct {
        const char *key, *name;
        int used;
    } * names;
    struct {
        const char *key;
        struct value value;
        int used;
    } * values;
    size_t name_count, value_count;
};

/* From ExpressionAttributeNames and ExpressionAttributeValues, either may be NULL. */
int substitutions_init(struct substitutions *s, const json_t *names, const json_t *values,
                       enum value_layer layer, struct arena *arena, struct err *err) MUST_USE;
/* After all expressions are parsed: those that none used are an error. */
int substitutions_check_used(const struct substitutions *s, struct err *err) MUST_USE;

/* A document path: a.b[3]. */
struct step {
    const char *name; /* NULL for an index */
    size_t index;
};
struct path {
    size_t count;
    struct step *steps;
};

enum node_type {
    NODE_PATH,
    NODE_VALUE,
    NODE_SIZE, /* args[0] */
    NODE_EQ,
    NODE_NE,
    NODE_LT,
    NODE_LE,
    NODE_GT,
    NODE_GE,
    NODE_BETWEEN, /* args[0] between args[1] and args[2] */
    NODE_IN,      /* args[0] in args[1..] */
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_ATTRIBUTE_EXISTS,
    NODE_ATTRIBUTE_NOT_EXISTS,
    NODE_ATTRIBUTE_TYPE,
    NODE_BEGINS_WITH,
    NODE_CONTAINS,
    NODE_IF_NOT_EXISTS, /* updates only, as the next three */
    NODE_LIST_APPEND,
    NODE_PLUS,
    NODE_MINUS,
};

struct node {
    enum node_type type;
    int parenthesised;
    size_t count;
    struct node **args;
    struct path path;    /* NODE_PATH */
    struct value *value; /* NODE_VALUE */
};

/* `kind` is the parameter's name, for messages: "ConditionExpression", "FilterExpression", ... */
struct node *condition_parse(struct substitutions *s, const char *kind, const char *text,
                             struct err *err);
/* Whether the item (a map; NULL: no item) meets the condition. */
int condition_holds(const struct node *condition, const struct value *item);

struct projection {
    struct path *paths;
    size_t count;
};
int projection_parse(struct substitutions *s, const char *text, struct projection *out,
                     struct err *err) MUST_USE;
/* The part of `item` that the paths name, as a new map. */
int projection_apply(const struct projection *projection, const struct value *item,
                     struct value *out, struct arena *arena, struct err *err) MUST_USE;

enum action_type { ACTION_SET, ACTION_REMOVE, ACTION_ADD, ACTION_DELETE };
struct action {
    enum action_type type;
    struct path path;
    struct node *operand; /* NULL for REMOVE */
    int legacy;           /* from AttributeUpdates, which has a message of its own */
};
struct update {
    struct action *actions;
    size_t count;
};
int update_parse(struct substitutions *s, const char *text, struct update *out,
                 struct err *err) MUST_USE;
/* `item` (a map in the arena) becomes what the update makes of it; all operands see it as it was.
 */
int update_apply(const struct update *update, struct value *item, struct arena *arena,
                 struct err *err) MUST_USE;

/* Bytes of an UpdateExpression that UpdateItem counts against the limit of an item; `old` is the
 * item as it was (NULL: there is none). */
size_t update_charge(const struct update *update, const struct value *old);

/* What the path leads to in the item, or NULL. */
struct value *path_find(const struct path *path, const struct value *item);
/* A deep copy whose nodes may be edited; strings stay shared. */
int value_copy(struct value *out, const struct value *from, struct arena *arena,
               struct err *err) MUST_USE;

int is_reserved_word(const char *text, size_t size);

#endif
