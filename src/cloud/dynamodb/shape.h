#ifndef CLOUD_DYNAMODB_SHAPE_H
#define CLOUD_DYNAMODB_SHAPE_H

#include "base/arena.h"
#include "base/err.h"

#include <jansson.h>

/* What a request may hold: each operation's parameters as data, checked before the operation runs.
 * First the JSON types (SerializationException), then the constraints, of which all that are broken
 * are reported in one message (at most ten), as AWS's front does. A parameter that is in AWS's
 * model but not served here is refused by name, and so is one that nobody knows. */
enum shape_type {
    SHAPE_STRING,
    SHAPE_FLAG,
    SHAPE_INTEGER,
    SHAPE_LONG,
    SHAPE_VALUE,  /* an attribute value: only its place is noted; value.h reads it */
    SHAPE_STRUCT, /* members in `of`, which ends with a nameless one */
    SHAPE_LIST,   /* elements as `of[0]` says */
    SHAPE_MAP,    /* values as `of[0]` says */
    SHAPE_ANY,    /* read by nobody */
};

struct shape {
    const char *name; /* of the parameter; of an element: the structure's name in messages */
    enum shape_type type;
    int required, refused; /* refused: not served, an error that names it */
    int has_min, has_max;  /* of the length, or the value of a number */
    long min, max;
    const char *pattern;       /* for messages; only "[a-zA-Z0-9_.-]+" is checked */
    const char *const *values; /* the only ones allowed, in AWS's order; NULL-terminated */
    const struct shape *of;
    int keyed_by_table, shown_as_json; /* a map's keys name tables; how messages show the value */
    const char *java; /* the structure's name in messages, where that is not `name` */
};

/* How an operation reports (AWS's operations differ). */
enum shape_style {
    SHAPE_ALL,            /* every broken constraint */
    SHAPE_FIRST,          /* only the first */
    SHAPE_REQUIRED_TABLE, /* every one; a missing TableName has a message of its own */
};

/* The whole body against the shapes. On failure the message may be longer than err's: then it is
 * also in *message (the arena's). ERR_CORRUPT: SerializationException. */
int shape_check(const struct shape *members, enum shape_style style, const json_t *body,
                struct arena *arena, const char **message, struct err *err) MUST_USE;
/* Only its JSON types. */
int shape_check_types(const struct shape *members, const json_t *body, struct err *err) MUST_USE;
/* JSON types inside attribute values, wherever `members` has any: AWS looks at these before any
 * constraint, so call it when a request fails. */
int shape_check_values(const struct shape *members, const json_t *body, struct err *err) MUST_USE;

/* "1 validation error detected: Value '..' at 'path' failed to satisfy constraint: ..", with the
 * value in the words of `shape`; in the arena. */
const char *shape_message(const struct shape *shape, const char *path, const json_t *json,
                          const char *constraint, struct arena *arena);

/* What the keys of a map of tables must be: an ARN, or a name of 3 to 255 of certain letters. */
#define SHAPE_TABLE_KEYS                                                                           \
    "Map keys must satisfy constraint: [Member must have length less than or equal to 255, "       \
    "Member must have length greater than or equal to 3, Member must satisfy regular expression "  \
    "pattern: [a-zA-Z0-9_.-]+]"
int shape_is_table_name(const char *text);

/* The member of that name, or NULL. */
const struct shape *shape_member(const struct shape *members, const char *name);
static inline int shape_is_present(const json_t *json)
{
    return json && !json_is_null(json);
}

/* The parameters of an operation; NULL when it is not served. */
const struct shape *shape_of_operation(const char *operation, enum shape_style *style);

#endif
