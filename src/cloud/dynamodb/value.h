#ifndef CLOUD_DYNAMODB_VALUE_H
#define CLOUD_DYNAMODB_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "cloud/dynamodb/number.h"

#include <jansson.h>

/* Attribute values. Trees live in an arena; strings that came from JSON are borrowed from it, so
 * the json_t must outlive the values. */
enum value_type {
    VALUE_S,
    VALUE_N,
    VALUE_B,
    VALUE_BOOL,
    VALUE_NULL,
    VALUE_M,
    VALUE_L,
    VALUE_SS,
    VALUE_NS,
    VALUE_BS,
    VALUE_TYPES
};

enum { VALUE_MAX_DEPTH = 32, VALUE_MAX_NAME_BYTES = 65535, ITEM_MAX_BYTES = 400 * 1024 };

struct member;
struct value {
    enum value_type type;
    union {
        struct {
            const char *data; /* not 0-terminated */
            size_t size;
        } bytes; /* S, B (decoded) */
        struct number number;
        int boolean;
        struct {
            struct value *items;
            size_t count;
            size_t room; /* of a value_copy(): how many fit `items` */
        } list;          /* L, and the sets: of S, N or B values */
        struct {
            struct member *members; /* in the order of the request */
            size_t count;
            size_t room;
        } map;
    };
};

struct member {
    const char *name; /* 0-terminated */
    struct value value;
};

const char *value_type_name(enum value_type type);  /* "S", "BOOL", ... */
int value_type_find(const char *name, size_t size); /* -1 when there is none such */
int value_is_set(enum value_type type);
enum value_type value_element_type(enum value_type set); /* of a set: S, N or B */

/* AWS reads values in one of two layers, which differ in words: PutItem, UpdateItem, DeleteItem,
 * GetItem, BatchGetItem and Query in the current one, the other operations in the older one. */
enum value_layer { VALUE_OLDER, VALUE_CURRENT };

/* {"S": "text"} to a value. Failures carry AWS's message: ERR_INVALID for a ValidationException,
 * ERR_CORRUPT for a SerializationException. */
int value_read(const json_t *json, struct value *out, enum value_layer layer, struct arena *arena,
               struct err *err) MUST_USE;
int value_from_json(const json_t *json, struct value *out, struct arena *arena,
                    struct err *err) MUST_USE;
/* {"name": {"S": ..}, ..} to a map value. */
int item_read(const json_t *json, struct value *out, enum value_layer layer, struct arena *arena,
              struct err *err) MUST_USE;
int item_from_json(const json_t *json, struct value *out, struct arena *arena,
                   struct err *err) MUST_USE;
/* No attribute of an item of a request is nameless (inside of maps they may be). */
int item_check_names(const json_t *json, struct err *err) MUST_USE;

/* Whether an attribute may have the name. */
int value_check_name(const char *name, struct err *err) MUST_USE;

/* Whether the JSON types inside {"S": "text"} are right, whatever the values: a wrong one is a
 * SerializationException (ERR_CORRUPT), which AWS reports before anything else. `is_member`: of a
 * structure, not of a list or a map. */
int value_check_types(const json_t *json, int is_member, struct err *err) MUST_USE;
/* 0 or 1, also of the words that AWS takes for one; -1: not a boolean. */
int value_boolean(const json_t *json);
/* Base64 of a JSON string; `out` takes 3 bytes for each 4 characters, NULL: only a check. Returns
 * the size, or -1 with ERR_CORRUPT. */
long value_decode(const json_t *json, unsigned char *out, struct err *err) MUST_USE;

void value_write(struct buf *out, const struct value *value); /* {"S":"text"} */
void item_write(struct buf *out, const struct value *item);   /* {"name":{"S":"text"},..} */
void json_write_string(struct buf *out, const char *text, size_t size);

/* Bytes as DynamoDB counts them. */
size_t value_size(const struct value *value);
size_t item_size(const struct value *item);

int value_equal(const struct value *a, const struct value *b); /* sets and maps without order */
/* < 0, 0, > 0 for two S, N or B values of one type. */
int value_compare(const struct value *a, const struct value *b);
/* The member's value, or NULL. */
struct value *value_member(const struct value *map, const char *name);
/* Put a set's elements in order, so that value_set_holds() can look them up. */
void value_sort_set(struct value *set);
int value_set_holds(const struct value *sorted, const struct value *element);
/* Whether a set or list holds an equal element. */
int value_holds(const struct value *list, const struct value *element);

/* Edit a map or list that value_copy() made: add or replace, remove, append. */
int value_append(struct value *list, const struct value *value, struct arena *arena,
                 struct err *err) MUST_USE;
int value_set_member(struct value *map, const char *name, const struct value *value,
                     struct arena *arena, struct err *err) MUST_USE;
void value_remove_member(struct value *map, const char *name);

#endif
