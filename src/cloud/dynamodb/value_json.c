#include "cloud/dynamodb/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between DynamoDB's JSON and values. */

static int no_memory(struct err *err)
{
    return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
}

static int wrong_json(const json_t *json, const char *wanted, struct err *err)
{
    switch (json_typeof(json)) {
    case JSON_TRUE:
        return err_set(err, ERR_CORRUPT, "TRUE_VALUE cannot be converted to %s", wanted);
    case JSON_FALSE:
        return err_set(err, ERR_CORRUPT, "FALSE_VALUE cannot be converted to %s", wanted);
    case JSON_INTEGER:
        return err_set(err, ERR_CORRUPT, "NUMBER_VALUE cannot be converted to %s", wanted);
    case JSON_REAL:
        return err_set(err, ERR_CORRUPT, "DECIMAL_VALUE cannot be converted to %s", wanted);
    case JSON_STRING:
        return err_set(err, ERR_CORRUPT, "STRING_VALUE cannot be converted to %s", wanted);
    case JSON_ARRAY:
        return err_set(err, ERR_CORRUPT, "Unrecognized collection type class java.lang.%s", wanted);
    default:
        return err_set(err, ERR_CORRUPT, "Start of structure or map found where not expected");
    }
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the decoded size, or -1. `size` is a multiple of 4. */
static long base64_decode(const char *text, size_t size, unsigned char *out)
{
    size_t padding = size && text[size - 1] == '=' ? (text[size - 2] == '=' ? 2 : 1) : 0;
    size_t made = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = i >= size - padding ? 0 : base64_digit(text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        out[made++] = (unsigned char)(bits >> 16);
        out[made++] = (unsigned char)(bits >> 8);
        out[made++] = (unsigned char)bits;
    }
    for (size_t i = 0; i < padding; i++)
        if (out[--made])
            return -1;
    return (long)made;
}

static int read_binary(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    if (!json_is_string(json))
        return json_is_object(json) || json_is_array(json)
                   ? wrong_json(json, "nio.ByteBuffer", err)
                   : err_set(err, ERR_CORRUPT,
                             "only base-64-encoded strings are convertible to bytes");
    size_t size = json_string_length(json);
    if (size % 4)
        return err_set(err, ERR_CORRUPT,
                       "Base64 encoded length is expected a multiple of 4 bytes but found: %zu",
                       size);
    unsigned char *data = arena_alloc(arena, size / 4 * 3 + 1, 1);
    if (!data)
        return no_memory(err);
    long made = base64_decode(json_string_value(json), size, data);
    if (made < 0)
        return err_set(err, ERR_CORRUPT, "Invalid last non-pad Base64 character dectected");
    out->bytes.data = (char *)data;
    out->bytes.size = (size_t)made;
    return 0;
}

static int read_scalar(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    if (out->type == VALUE_B)
        return read_binary(json, out, arena, err);
    if (!json_is_string(json))
        return wrong_json(json, "String", err);
    const char *text = json_string_value(json);
    size_t size = json_string_length(json);
    if (out->type == VALUE_N)
        return number_parse(text, size, &out->number, err);
    out->bytes.data = text;
    out->bytes.size = size;
    return 0;
}

static int compare_pointers(const void *a, const void *b)
{
    const struct value *const *x = a, *const *y = b;
    return value_compare(*x, *y);
}

static int has_duplicates(const struct value *set, struct arena *arena, struct err *err)
{
    const struct value **sorted = arena_alloc(arena, set->list.count, sizeof *sorted);
    if (!sorted)
        return no_memory(err);
    for (size_t i = 0; i < set->list.count; i++)
        sorted[i] = &set->list.items[i];
    qsort(sorted, set->list.count, sizeof *sorted, compare_pointers);
    for (size_t i = 1; i < set->list.count; i++)
        if (value_compare(sorted[i - 1], sorted[i]) == 0)
            return 1;
    return 0;
}

/* "[a, b]" of the JSON strings, for messages; cut where the message would be cut anyway. */
static void list_text(const json_t *json, char *out, size_t out_bytes)
{
    size_t at = 1, i;
    const json_t *element;
    out[0] = '[';
    out[1] = 0;
    json_array_foreach(json, i, element)
    {
        int n =
            snprintf(out + at, out_bytes - at, "%s%s", i ? ", " : "", json_string_value(element));
        at += n > 0 ? (size_t)n : 0;
        if (at + 2 >= out_bytes)
            return;
    }
    snprintf(out + at, out_bytes - at, "]");
}

static int refuse_duplicates(enum value_type type, const json_t *json, struct err *err)
{
    char text[256];
    list_text(json, text, sizeof text);
    if (type == VALUE_NS)
        return err_set(err, ERR_INVALID, "Input collection contains duplicates");
    return err_set(err, ERR_INVALID,
                   "One or more parameter values were invalid: Input collection %s%scontains "
                   "duplicates.",
                   text, type == VALUE_BS ? "of type BS " : " ");
}

static int read_set(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    static const char *const empty[] = {"An string set  may not be empty",
                                        "An number set  may not be empty",
                                        "Binary sets should not be empty"};
    if (!json_is_array(json))
        return json_is_object(json) ? wrong_json(json, "", err)
                                    : err_set(err, ERR_CORRUPT, "Unexpected field type");
    size_t count = json_array_size(json);
    if (!count)
        return err_set(err, ERR_INVALID, "One or more parameter values were invalid: %s",
                       empty[out->type - VALUE_SS]);
    out->list.items = arena_new(arena, struct value, count);
    if (!out->list.items)
        return no_memory(err);
    out->list.count = count;
    for (size_t i = 0; i < count; i++) {
        out->list.items[i].type = value_element_type(out->type);
        if (read_scalar(json_array_get(json, i), &out->list.items[i], arena, err) < 0)
            return -1;
    }
    int duplicates = has_duplicates(out, arena, err);
    return duplicates > 0 ? refuse_duplicates(out->type, json, err) : duplicates;
}

static int read_value(const json_t *json, struct value *out, int depth, struct arena *arena,
                      struct err *err);

static int read_list(const json_t *json, struct value *out, int depth, struct arena *arena,
                     struct err *err)
{
    if (!json_is_array(json))
        return json_is_object(json) ? wrong_json(json, "", err)
                                    : err_set(err, ERR_CORRUPT, "Unexpected field type");
    out->list.count = json_array_size(json);
    out->list.items = arena_new(arena, struct value, out->list.count);
    if (!out->list.items)
        return no_memory(err);
    for (size_t i = 0; i < out->list.count; i++)
        if (read_value(json_array_get(json, i), &out->list.items[i], depth + 1, arena, err) < 0)
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

static int read_map(const json_t *json, struct value *out, int depth, struct arena *arena,
                    struct err *err)
{
    if (!json_is_object(json))
        return json_is_array(json)
                   ? err_set(err, ERR_CORRUPT,
                             "Unrecognized collection type java.util.Map<java.lang.String, "
                             "com.amazonaws.dynamodb.v20120810.AttributeValue>")
                   : err_set(err, ERR_CORRUPT, "Unexpected field type");
    out->type = VALUE_M;
    out->map.count = 0;
    out->map.members = arena_new(arena, struct member, json_object_size(json));
    if (!out->map.members)
        return no_memory(err);
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        struct member *member = &out->map.members[out->map.count++];
        member->name = json_object_iter_key(at);
        if (value_check_name(member->name, err) < 0 ||
            read_value(json_object_iter_value(at), &member->value, depth + 1, arena, err) < 0)
            return -1;
    }
    return 0;
}

static int read_boolean(const json_t *json, struct value *out, struct err *err)
{
    if (!json_is_boolean(json))
        return json_is_string(json)
                   ? err_set(err, ERR_CORRUPT, "Unexpected token received from parser")
                   : wrong_json(json, "Boolean", err);
    out->boolean = json_is_true(json);
    return 0;
}

static int read_null(const json_t *json, struct value *out, struct err *err)
{
    if (read_boolean(json, out, err) < 0)
        return -1;
    return out->boolean ? 0
                        : err_set(err, ERR_INVALID,
                                  "One or more parameter values were invalid: Null attribute value "
                                  "types must have the value of true");
}

static int read_typed(const json_t *json, struct value *out, int depth, struct arena *arena,
                      struct err *err)
{
    switch (out->type) {
    case VALUE_S:
    case VALUE_N:
    case VALUE_B:
        return read_scalar(json, out, arena, err);
    case VALUE_BOOL:
        return read_boolean(json, out, err);
    case VALUE_NULL:
        return read_null(json, out, err);
    case VALUE_M:
        return read_map(json, out, depth, arena, err);
    case VALUE_L:
        return read_list(json, out, depth, arena, err);
    default:
        return read_set(json, out, arena, err);
    }
}

static int read_value(const json_t *json, struct value *out, int depth, struct arena *arena,
                      struct err *err)
{
    if (depth > VALUE_MAX_DEPTH)
        return err_set(err, ERR_INVALID,
                       "Nesting Levels have exceeded supported limits: Attributes in the item "
                       "have nested levels beyond supported limit");
    if (!json_is_object(json))
        return json_is_array(json) ? err_set(err, ERR_CORRUPT,
                                             "Unrecognized collection type class "
                                             "com.amazonaws.dynamodb.v20120810.AttributeValue")
                                   : err_set(err, ERR_CORRUPT, "Unexpected value type in payload");
    int found = 0;
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *key = json_object_iter_key(at);
        int type = value_type_find(key, strlen(key));
        if (type < 0 || json_is_null(json_object_iter_value(at)))
            continue;
        if (found++)
            return err_set(err, ERR_INVALID,
                           "Supplied AttributeValue has more than one datatypes set, must contain "
                           "exactly one of the supported datatypes");
        *out = (struct value){.type = (enum value_type)type};
        if (read_typed(json_object_iter_value(at), out, depth, arena, err) < 0)
            return -1;
    }
    return found ? 0
                 : err_set(err, ERR_INVALID,
                           "Supplied AttributeValue is empty, must contain exactly one of the "
                           "supported datatypes");
}

int value_from_json(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    return read_value(json, out, 1, arena, err);
}

int item_from_json(const json_t *json, struct value *out, struct arena *arena, struct err *err)
{
    return read_map(json, out, 0, arena, err);
}

static int check_content(enum value_type type, const json_t *json, struct err *err)
{
    struct value ignored = {.type = type};
    size_t i;
    json_t *element;
    if (type == VALUE_BOOL || type == VALUE_NULL)
        return read_boolean(json, &ignored, err);
    if (type == VALUE_S || type == VALUE_N)
        return json_is_string(json) ? 0 : wrong_json(json, "String", err);
    if (type == VALUE_B)
        return json_is_string(json) ? 0 : read_binary(json, &ignored, NULL, err);
    if (type == VALUE_M) {
        if (!json_is_object(json))
            return read_map(json, &ignored, 1, NULL, err);
        for (void *at = json_object_iter((json_t *)json); at;
             at = json_object_iter_next((json_t *)json, at))
            if (value_check_types(json_object_iter_value(at), err) < 0)
                return -1;
        return 0;
    }
    if (!json_is_array(json))
        return json_is_object(json) ? wrong_json(json, "", err)
                                    : err_set(err, ERR_CORRUPT, "Unexpected field type");
    json_array_foreach(json, i, element)
    {
        int result = type == VALUE_L ? value_check_types(element, err)
                                     : check_content(value_element_type(type), element, err);
        if (result < 0)
            return -1;
    }
    return 0;
}

int value_check_types(const json_t *json, struct err *err)
{
    if (!json || json_is_null(json))
        return 0;
    if (!json_is_object(json))
        return json_is_array(json) ? err_set(err, ERR_CORRUPT,
                                             "Unrecognized collection type class "
                                             "com.amazonaws.dynamodb.v20120810.AttributeValue")
                                   : err_set(err, ERR_CORRUPT, "Unexpected value type in payload");
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *key = json_object_iter_key(at);
        const json_t *content = json_object_iter_value(at);
        int type = value_type_find(key, strlen(key));
        if (type >= 0 && !json_is_null(content) &&
            check_content((enum value_type)type, content, err) < 0)
            return -1;
    }
    return 0;
}

void json_write_string(struct buf *out, const char *text, size_t size)
{
    size_t plain = 0;
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(out, text + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\')
            buf_append(out, (char[]){'\\', (char)c}, 2);
        else
            buf_printf(out, "\\u%04x", c);
    }
    buf_append(out, text + plain, size - plain);
    buf_append(out, "\"", 1);
}

static void write_base64(struct buf *out, const char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = (const unsigned char *)data;
    buf_append(out, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        buf_append(out, text, 4);
    }
    buf_append(out, "\"", 1);
}

static void write_scalar(struct buf *out, const struct value *value)
{
    if (value->type == VALUE_S) {
        json_write_string(out, value->bytes.data, value->bytes.size);
    } else if (value->type == VALUE_B) {
        write_base64(out, value->bytes.data, value->bytes.size);
    } else {
        char text[NUMBER_TEXT_BYTES + 2];
        size_t size = number_format(&value->number, text + 1);
        text[0] = text[size + 1] = '"';
        buf_append(out, text, size + 2);
    }
}

static void write_list(struct buf *out, const struct value *value)
{
    buf_append(out, "[", 1);
    for (size_t i = 0; i < value->list.count; i++) {
        if (i)
            buf_append(out, ",", 1);
        if (value->type == VALUE_L)
            value_write(out, &value->list.items[i]);
        else
            write_scalar(out, &value->list.items[i]);
    }
    buf_append(out, "]", 1);
}

void item_write(struct buf *out, const struct value *item)
{
    buf_append(out, "{", 1);
    for (size_t i = 0; i < item->map.count; i++) {
        const struct member *member = &item->map.members[i];
        if (i)
            buf_append(out, ",", 1);
        json_write_string(out, member->name, strlen(member->name));
        buf_append(out, ":", 1);
        value_write(out, &member->value);
    }
    buf_append(out, "}", 1);
}

void value_write(struct buf *out, const struct value *value)
{
    buf_append(out, "{\"", 2);
    buf_puts(out, value_type_name(value->type));
    buf_append(out, "\":", 2);
    switch (value->type) {
    case VALUE_S:
    case VALUE_N:
    case VALUE_B:
        write_scalar(out, value);
        break;
    case VALUE_BOOL:
    case VALUE_NULL:
        buf_puts(out, value->boolean ? "true" : "false");
        break;
    case VALUE_M:
        item_write(out, value);
        break;
    default:
        write_list(out, value);
    }
    buf_append(out, "}", 1);
}
