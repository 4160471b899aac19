#include "cloud/dynamodb/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From DynamoDB's JSON to values. */

#define INVALID "One or more parameter values were invalid: "

struct reader {
    struct arena *arena;
    enum value_layer layer;
};

enum { WRONG_JSON = -2 };

static int no_memory(struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
}

/* The wrong JSON type that is somewhere inside `json`, an attribute value's. */
static int wrong_json(const json_t *json, struct err *err)
{
    return value_check_types(json, 0, err) < 0
               ? -1
               : err_set(err, ERR_CORRUPT, "Unexpected value type in payload");
}

static int read_binary(const json_t *json, struct value *out, const struct reader *reader,
                       struct err *err)
{
    unsigned char *data = arena_alloc(reader->arena, json_string_length(json) / 4 * 3 + 1, 1);
    if (!data)
        return no_memory(err);
    long made = value_decode(json, data, err);
    if (made < 0)
        return -1;
    out->bytes.data = (char *)data;
    out->bytes.size = (size_t)made;
    return 0;
}

static int read_number(const json_t *json, struct value *out, const struct reader *reader,
                       struct err *err)
{
    size_t size = json_string_length(json);
    if (number_parse(json_string_value(json), size, &out->number, err) == 0)
        return 0;
    return size || reader->layer == VALUE_OLDER
               ? -1
               : err_set(err, ERR_INVALID,
                         "The parameter cannot be converted to a numeric value: ");
}

/* Returns WRONG_JSON, without a message, for another JSON type. */
static int read_scalar(const json_t *json, struct value *out, const struct reader *reader,
                       struct err *err)
{
    if (!json_is_string(json))
        return WRONG_JSON;
    if (out->type == VALUE_B)
        return read_binary(json, out, reader, err);
    if (out->type == VALUE_N)
        return read_number(json, out, reader, err);
    out->bytes.data = json_string_value(json);
    out->bytes.size = json_string_length(json);
    return 0;
}

/* By value, and equal ones as they came. */
static int compare_pointers(const void *a, const void *b)
{
    const struct value *const *x = a, *const *y = b;
    int order = value_compare(*x, *y);
    return order ? order : (*x > *y) - (*x < *y);
}

/* The first `count` elements in order. */
static const struct value **sort_elements(const struct value *set, size_t count,
                                          struct arena *arena, struct err *err)
{
    const struct value **sorted = arena_alloc(arena, count, sizeof *sorted);
    if (!sorted) {
        no_memory(err);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &set->list.items[i];
    qsort(sorted, count, sizeof *sorted, compare_pointers);
    return sorted;
}

/* How many elements come before the first that is there already; all: there is none. -1: err. */
static long count_distinct(const struct value *set, struct arena *arena, struct err *err)
{
    size_t first = set->list.count;
    const struct value **sorted = sort_elements(set, set->list.count, arena, err);
    if (!sorted)
        return -1;
    for (size_t i = 1; i < set->list.count; i++) {
        size_t place = (size_t)(sorted[i] - set->list.items);
        if (place < first && value_compare(sorted[i - 1], sorted[i]) == 0)
            first = place;
    }
    return (long)first;
}

enum { MAX_SHOWN = 256 };

/* "[a, b]" of the JSON strings, cut where the message would be cut anyway. `quote` and `comma` as
 * the layer has them; the first `ordered` are shown in the order of `sorted`. */
static void list_text(const json_t *json, const struct value *set, const struct value **sorted,
                      size_t ordered, char out[MAX_SHOWN])
{
    const char *quote = sorted ? "\"" : "", *comma = sorted && set->type == VALUE_BS ? "," : ", ";
    size_t at = 1;
    out[0] = '[';
    for (size_t i = 0; i < set->list.count; i++) {
        size_t place = sorted && i < ordered ? (size_t)(sorted[i] - set->list.items) : i;
        int n = snprintf(out + at, MAX_SHOWN - at, "%s%s%s%s", i ? comma : "", quote,
                         json_string_value(json_array_get(json, place)), quote);
        at += n > 0 ? (size_t)n : 0;
        if (at + 2 >= MAX_SHOWN)
            return;
    }
    snprintf(out + at, MAX_SHOWN - at, "]");
}

/* The current layer shows the elements in order up to the one that is there twice. */
static int refuse_duplicates(const struct value *set, const json_t *json, size_t distinct,
                             const struct reader *reader, struct err *err)
{
    int current = reader->layer == VALUE_CURRENT;
    char text[MAX_SHOWN];
    const struct value **sorted = NULL;
    if (set->type == VALUE_NS)
        return err_set(err, ERR_INVALID, "%sInput collection contains duplicates%s",
                       current ? INVALID : "", current ? "." : "");
    if (current && !(sorted = sort_elements(set, distinct, reader->arena, err)))
        return -1;
    list_text(json, set, sorted, distinct, text);
    return err_set(err, ERR_INVALID, INVALID "Input collection %s%scontains duplicates.", text,
                   set->type == VALUE_BS ? "of type BS " : " ");
}

static int read_set(const json_t *json, struct value *out, const struct reader *reader,
                    struct err *err)
{
    static const char *const empty[] = {"An string set  may not be empty",
                                        "An number set  may not be empty",
                                        "Binary sets should not be empty"};
    if (!json_is_array(json))
        return WRONG_JSON;
    size_t count = json_array_size(json);
    if (!count)
        return err_set(err, ERR_INVALID, INVALID "%s", empty[out->type - VALUE_SS]);
    out->list.items = arena_new(reader->arena, struct value, count);
    if (!out->list.items)
        return no_memory(err);
    out->list.count = count;
    for (size_t i = 0; i < count; i++) {
        out->list.items[i].type = value_element_type(out->type);
        int result = read_scalar(json_array_get(json, i), &out->list.items[i], reader, err);
        if (result)
            return result;
    }
    long distinct = count_distinct(out, reader->arena, err);
    if (distinct < 0)
        return -1;
    return (size_t)distinct == count ? 0
                                     : refuse_duplicates(out, json, (size_t)distinct, reader, err);
}

static int read_value(const json_t *json, struct value *out, int depth, const struct reader *reader,
                      struct err *err);

static int read_list(const json_t *json, struct value *out, int depth, const struct reader *reader,
                     struct err *err)
{
    if (!json_is_array(json))
        return WRONG_JSON;
    out->list.count = json_array_size(json);
    out->list.items = arena_new(reader->arena, struct value, out->list.count);
    if (!out->list.items)
        return no_memory(err);
    for (size_t i = 0; i < out->list.count; i++)
        if (read_value(json_array_get(json, i), &out->list.items[i], depth + 1, reader, err) < 0)
            return -1;
    return 0;
}

int value_check_name(const char *name, struct err *err)
{
    return strlen(name) <= VALUE_MAX_NAME_BYTES
               ? 0
               : err_set(err, ERR_INVALID,
                         "Attribute name is too large, must be less than %d bytes",
                         VALUE_MAX_NAME_BYTES + 1);
}

static int read_map(const json_t *json, struct value *out, int depth, const struct reader *reader,
                    struct err *err)
{
    if (!json_is_object(json))
        return WRONG_JSON;
    out->type = VALUE_M;
    out->map.count = 0;
    out->map.members = arena_new(reader->arena, struct member, json_object_size(json));
    if (!out->map.members)
        return no_memory(err);
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        struct member *member = &out->map.members[out->map.count++];
        member->name = json_object_iter_key(at);
        if (value_check_name(member->name, err) < 0 ||
            read_value(json_object_iter_value(at), &member->value, depth + 1, reader, err) < 0)
            return -1;
    }
    return 0;
}

static int read_boolean(const json_t *json, struct value *out, struct err *err)
{
    int boolean = value_boolean(json);
    if (boolean < 0)
        return WRONG_JSON;
    out->boolean = boolean;
    return out->type == VALUE_BOOL || boolean
               ? 0
               : err_set(err, ERR_INVALID,
                         INVALID "Null attribute value types must have the value of true");
}

static int read_typed(const json_t *json, struct value *out, int depth, const struct reader *reader,
                      struct err *err)
{
    switch (out->type) {
    case VALUE_S:
    case VALUE_N:
    case VALUE_B:
        return read_scalar(json, out, reader, err);
    case VALUE_BOOL:
    case VALUE_NULL:
        return read_boolean(json, out, err);
    case VALUE_M:
        return read_map(json, out, depth, reader, err);
    case VALUE_L:
        return read_list(json, out, depth, reader, err);
    default:
        return read_set(json, out, reader, err);
    }
}

static int read_value(const json_t *json, struct value *out, int depth, const struct reader *reader,
                      struct err *err)
{
    if (depth > VALUE_MAX_DEPTH)
        return err_set(err, ERR_INVALID,
                       "Nesting Levels have exceeded supported limits: Attributes in the item "
                       "have nested levels beyond supported limit");
    if (!json_is_object(json))
        return wrong_json(json, err);
    int found = 0;
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *key = json_object_iter_key(at);
        int type = value_type_find(key, strlen(key));
        if (type < 0 || json_is_null(json_object_iter_value(at)))
            continue;
        found++;
        *out = (struct value){.type = (enum value_type)type};
        int result = read_typed(json_object_iter_value(at), out, depth, reader, err);
        if (result)
            return result == WRONG_JSON ? wrong_json(json, err) : -1;
    }
    if (found == 1)
        return 0;
    return err_set(
        err, ERR_INVALID,
        "Supplied AttributeValue %s, must contain exactly one of the supported datatypes",
        found ? "has more than one datatypes set" : "is empty");
}

int value_read(const json_t *json, struct value *out, enum value_layer layer, struct arena *arena,
               struct err *err)
{
    return read_value(json, out, 1, &(struct reader){arena, layer}, err);
}

int value_from_json(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    return value_read(json, out, VALUE_OLDER, arena, err);
}

int item_read(const json_t *json, struct value *out, enum value_layer layer, struct arena *arena,
              struct err *err)
{
    int result = read_map(json, out, 0, &(struct reader){arena, layer}, err);
    return result == WRONG_JSON ? err_set(err, ERR_CORRUPT, "Unexpected field type") : result;
}

int item_check_names(const json_t *json, struct err *err)
{
    return json_object_get(json, "") ? err_set(err, ERR_INVALID, "Empty attribute name") : 0;
}

int item_from_json(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    return item_read(json, out, VALUE_OLDER, arena, err);
}
