#include "cloud/dynamodb/expression.h"

#include "base/buf.h"

#include <string.h>

enum { MAX_UNUSED_BYTES = 64 * 1024 };

static int is_key(const char *key, char sign)
{
    if (key[0] != sign || !key[1])
        return 0;
    return key[1 + strspn(key + 1, "0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ_")] == 0;
}

static int check_object(const json_t *json, const char *parameter, char sign, struct err *err)
{
    if (!json_is_object(json))
        return err_set(err, ERR_CORRUPT, "Unexpected field type");
    if (!json_object_size(json))
        return err_set(err, ERR_INVALID, "%s must not be empty", parameter);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        if (!is_key(key, sign))
            return err_set(err, ERR_INVALID, "%s contains invalid key: Syntax error; key: \"%s\"",
                           parameter, key);
        if (sign == '#' && !json_is_string(value))
            return err_set(err, ERR_CORRUPT, "Unexpected field type");
    }
    return 0;
}

static int read_names(struct substitutions *s, const json_t *names, struct err *err)
{
    if (check_object(names, "ExpressionAttributeNames", '#', err) < 0)
        return -1;
    s->names = arena_alloc(s->arena, json_object_size(names), sizeof *s->names);
    if (!s->names)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)names, key, value)
    {
        if (value_check_name(json_string_value(value), err) < 0)
            return -1;
        s->names[s->name_count].key = key;
        s->names[s->name_count++].name = json_string_value(value);
    }
    return 0;
}

static int read_values(struct substitutions *s, const json_t *values, enum value_layer layer,
                       struct err *err)
{
    if (check_object(values, "ExpressionAttributeValues", ':', err) < 0)
        return -1;
    s->values = arena_alloc(s->arena, json_object_size(values), sizeof *s->values);
    if (!s->values)
        return err_set(err, ERR_TOO_BIG, "The request needs too much memory");
    const char *key;
    json_t *json;
    json_object_foreach((json_t *)values, key, json)
    {
        struct value *value = &s->values[s->value_count].value;
        s->values[s->value_count++].key = key;
        if (value_read(json, value, layer, s->arena, err) == 0)
            continue;
        struct err cause = *err;
        if (cause.code != ERR_INVALID || layer == VALUE_CURRENT)
            return -1;
        return err_set(err, ERR_INVALID,
                       "ExpressionAttributeValues contains invalid value: %.300s for key %s",
                       cause.message, key);
    }
    return 0;
}

int substitutions_init(struct substitutions *s, const json_t *names, const json_t *values,
                       enum value_layer layer, struct arena *arena, struct err *err)
{
    *s = (struct substitutions){.arena = arena};
    if (names && read_names(s, names, err) < 0)
        return -1;
    return values ? read_values(s, values, layer, err) : 0;
}

static int refuse_unused(const char *parameter, const struct buf *keys, struct err *err)
{
    return err_set(err, ERR_INVALID, "Value provided in %s unused in expressions: keys: {%.300s}",
                   parameter, keys->data ? keys->data : "");
}

int substitutions_check_used(const struct substitutions *s, struct err *err)
{
    struct buf names, values;
    buf_init(&names, MAX_UNUSED_BYTES);
    buf_init(&values, MAX_UNUSED_BYTES);
    for (size_t i = 0; i < s->name_count; i++)
        if (!s->names[i].used)
            buf_printf(&names, "%s%s", names.size ? ", " : "", s->names[i].key);
    for (size_t i = 0; i < s->value_count; i++)
        if (!s->values[i].used)
            buf_printf(&values, "%s%s", values.size ? ", " : "", s->values[i].key);
    int result = names.data    ? refuse_unused("ExpressionAttributeNames", &names, err)
                 : values.data ? refuse_unused("ExpressionAttributeValues", &values, err)
                               : 0;
    buf_finish(&names);
    buf_finish(&values);
    return result;
}
