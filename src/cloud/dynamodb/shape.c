#include "cloud/dynamodb/shape.h"

#include "base/buf.h"
#include "cloud/dynamodb/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_ERRORS = 10, MAX_PATH_BYTES = 512, MAX_DUMP_BYTES = 256 * 1024 };

/* One check on its way through the body. */
struct check {
    struct buf errors; /* joined by "; " */
    int count, first_only;
    struct err *err;
};

static int is_present(const json_t *json)
{
    return json && !json_is_null(json);
}

static int wrong_type(struct err *err, const char *text)
{
    return err_set(err, ERR_CORRUPT, "%s", text);
}

static const char *java_type(enum shape_type type)
{
    return type == SHAPE_STRING    ? "String"
           : type == SHAPE_FLAG    ? "Boolean"
           : type == SHAPE_INTEGER ? "Integer"
                                   : "Long";
}

static const char *scalar_token(const json_t *json)
{
    return json_is_true(json)      ? "TRUE_VALUE"
           : json_is_false(json)   ? "FALSE_VALUE"
           : json_is_string(json)  ? "STRING_VALUE"
           : json_is_integer(json) ? "NUMBER_VALUE"
                                   : "DECIMAL_VALUE";
}

static int check_scalar_type(const struct shape *shape, const json_t *json, struct err *err)
{
    int right = shape->type == SHAPE_STRING ? json_is_string(json)
                : shape->type == SHAPE_FLAG ? json_is_boolean(json)
                                            : json_is_number(json);
    if (right)
        return 0;
    if (json_is_array(json))
        return err_set(err, ERR_CORRUPT, "Unrecognized collection type class java.lang.%s",
                       java_type(shape->type));
    if (json_is_object(json))
        return wrong_type(err, "Start of structure or map found where not expected");
    if (shape->type == SHAPE_FLAG && json_is_string(json))
        return wrong_type(err, "Unexpected token received from parser");
    return err_set(err, ERR_CORRUPT, "%s cannot be converted to %s", scalar_token(json),
                   java_type(shape->type));
}

static int check_types(const struct shape *shape, const json_t *json, struct err *err);

static const struct shape *find_member(const struct shape *members, const char *name)
{
    for (; members->name; members++)
        if (!strcmp(members->name, name))
            return members;
    return NULL;
}

static int check_member_types(const struct shape *members, const json_t *json, struct err *err)
{
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const struct shape *member = find_member(members, json_object_iter_key(at));
        const json_t *value = json_object_iter_value(at);
        if (member && !member->refused && is_present(value) && check_types(member, value, err) < 0)
            return -1;
    }
    return 0;
}

static int check_list_types(const struct shape *shape, const json_t *json, struct err *err)
{
    size_t i;
    json_t *element;
    if (!json_is_array(json))
        return wrong_type(err, json_is_object(json)
                                   ? "Start of structure or map found where not expected"
                                   : "Unexpected field type");
    json_array_foreach(json, i, element)
    {
        if (is_present(element) && check_types(shape->of, element, err) < 0)
            return -1;
    }
    return 0;
}

static int check_map_types(const struct shape *shape, const json_t *json, struct err *err)
{
    if (json_is_array(json))
        return err_set(
            err, ERR_CORRUPT, "Unrecognized collection type java.util.Map<java.lang.String, %s%s>",
            shape->of->type == SHAPE_STRING ? "java.lang." : "com.amazonaws.dynamodb.v20120810.",
            shape->of->type == SHAPE_STRING  ? "String"
            : shape->of->type == SHAPE_VALUE ? "AttributeValue"
                                             : shape->of->name);
    if (!json_is_object(json))
        return wrong_type(err, "Unexpected field type");
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const json_t *value = json_object_iter_value(at);
        if (is_present(value) && check_types(shape->of, value, err) < 0)
            return -1;
    }
    return 0;
}

static int check_types(const struct shape *shape, const json_t *json, struct err *err)
{
    switch (shape->type) {
    case SHAPE_VALUE:
    case SHAPE_ANY:
        return 0;
    case SHAPE_LIST:
        return check_list_types(shape, json, err);
    case SHAPE_MAP:
        return check_map_types(shape, json, err);
    case SHAPE_STRUCT:
        if (json_is_array(json))
            return err_set(err, ERR_CORRUPT,
                           "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.%s",
                           shape->name);
        if (!json_is_object(json))
            return wrong_type(err, "Unexpected field type");
        return check_member_types(shape->of, json, err);
    default:
        return check_scalar_type(shape, json, err);
    }
}

/* A value as AWS's messages show it: structures by their name, strings bare. */
static void dump(struct buf *out, const struct shape *shape, const json_t *json)
{
    int n = 0;
    if (json_is_string(json)) {
        buf_puts(out, json_string_value(json));
    } else if (json_is_integer(json)) {
        buf_printf(out, "%lld", (long long)json_integer_value(json));
    } else if (json_is_array(json)) {
        const struct shape *of = shape && shape->type == SHAPE_LIST ? shape->of : NULL;
        buf_puts(out, "[");
        for (size_t i = 0; i < json_array_size(json); i++) {
            buf_puts(out, i ? ", " : "");
            dump(out, of, json_array_get(json, i));
        }
        buf_puts(out, "]");
    } else if (json_is_object(json)) {
        int is_struct = shape && shape->type == SHAPE_STRUCT;
        int is_value = shape && shape->type == SHAPE_VALUE;
        buf_printf(out, "%s%s",
                   is_struct  ? shape->name
                   : is_value ? "AttributeValue"
                              : "",
                   is_struct || is_value ? "(" : "{");
        for (void *at = json_object_iter((json_t *)json); at;
             at = json_object_iter_next((json_t *)json, at)) {
            const char *key = json_object_iter_key(at);
            buf_printf(out, "%s%c%s=", n++ ? ", " : "",
                       is_struct ? tolower((unsigned char)*key) : *key, *key ? key + 1 : "");
            dump(out,
                 is_struct                           ? find_member(shape->of, key)
                 : shape && shape->type == SHAPE_MAP ? shape->of
                                                     : NULL,
                 json_object_iter_value(at));
        }
        buf_puts(out, is_struct || is_value ? ")" : "}");
    } else {
        buf_puts(out, json_is_true(json) ? "true" : json_is_false(json) ? "false" : "null");
    }
}

static void broken(struct check *check, const char *path, const struct shape *shape,
                   const json_t *json, const char *constraint)
{
    if (check->count >= MAX_ERRORS || (check->first_only && check->count))
        return;
    buf_puts(&check->errors, check->count++ ? "; " : "");
    if (is_present(json)) {
        buf_puts(&check->errors, "Value '");
        dump(&check->errors, shape, json);
        buf_puts(&check->errors, "'");
    } else {
        buf_puts(&check->errors, "Value null");
    }
    buf_printf(&check->errors, " at '%s' failed to satisfy constraint: %s", path, constraint);
}

static long measure(const struct shape *shape, const json_t *json)
{
    switch (shape->type) {
    case SHAPE_STRING:
        return (long)json_string_length(json);
    case SHAPE_LIST:
        return (long)json_array_size(json);
    case SHAPE_MAP:
        return (long)json_object_size(json);
    default:
        return json_is_integer(json) ? (long)json_integer_value(json)
                                     : (long)json_number_value(json);
    }
}

static void check_bounds(struct check *check, const char *path, const struct shape *shape,
                         const json_t *json)
{
    int is_number = shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG;
    const char *what = is_number ? "value" : "length";
    long size = measure(shape, json);
    char text[96];
    if (shape->has_min && size < shape->min) {
        snprintf(text, sizeof text, "Member must have %s greater than or equal to %ld", what,
                 shape->min);
        broken(check, path, shape, json, text);
    }
    if (shape->has_max && size > shape->max) {
        snprintf(text, sizeof text, "Member must have %s less than or equal to %ld", what,
                 shape->max);
        broken(check, path, shape, json, text);
    }
}

static void check_enum(struct check *check, const char *path, const struct shape *shape,
                       const json_t *json)
{
    struct buf text;
    for (const char *const *value = shape->values; *value; value++)
        if (!strcmp(*value, json_string_value(json)))
            return;
    buf_init(&text, 1024);
    buf_puts(&text, "Member must satisfy enum value set: [");
    for (const char *const *value = shape->values; *value; value++)
        buf_printf(&text, "%s%s", value == shape->values ? "" : ", ", *value);
    buf_puts(&text, "]");
    broken(check, path, shape, json, text.data ? text.data : "");
    buf_finish(&text);
}

static void check_pattern(struct check *check, const char *path, const struct shape *shape,
                          const json_t *json)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    const char *text = json_string_value(json);
    if (*text && !text[strspn(text, allowed)])
        return;
    char constraint[96];
    snprintf(constraint, sizeof constraint, "Member must satisfy regular expression pattern: %s",
             shape->pattern);
    broken(check, path, shape, json, constraint);
}

static int check_constraints(struct check *check, const char *path, const struct shape *shape,
                             const json_t *json);

static void join_path(char out[MAX_PATH_BYTES], const char *path, const char *name)
{
    snprintf(out, MAX_PATH_BYTES, "%s%s%c%s", path, *path ? "." : "",
             tolower((unsigned char)name[0]), name + 1);
}

static int refuse(struct check *check, const char *path, const char *name, int known)
{
    return err_set(check->err, ERR_INVALID, "%s: %.100s%s%.200s",
                   known ? "The parameter is not supported by ken" : "Unknown parameter", path,
                   *path ? "." : "", name);
}

/* Whether anything of a value of this shape can break a constraint. */
static int is_constrained(const struct shape *shape)
{
    if (shape->pattern || shape->has_min || shape->has_max || shape->values)
        return 1;
    return shape->type == SHAPE_STRUCT ||
           ((shape->type == SHAPE_LIST || shape->type == SHAPE_MAP) &&
            shape->of->type != SHAPE_VALUE && shape->of->type != SHAPE_STRING);
}

static int check_member(struct check *check, const char *path, const struct shape *member,
                        const json_t *value)
{
    char below[MAX_PATH_BYTES];
    int done = !*path && !strcmp(member->name, "TableName"); /* by check_table() */
    if (is_present(value) ? done || !is_constrained(member) : !member->required)
        return 0;
    join_path(below, path, member->name);
    if (is_present(value))
        return check_constraints(check, below, member, value);
    broken(check, below, member, NULL, "Member must not be null");
    return 0;
}

static int check_members(struct check *check, const char *path, const struct shape *members,
                         const json_t *json)
{
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *name = json_object_iter_key(at);
        const struct shape *member = find_member(members, name);
        if (!member || (member->refused && is_present(json_object_iter_value(at))))
            return refuse(check, path, name, member != NULL);
    }
    for (; members->name; members++)
        if (check_member(check, path, members, json_object_get(json, members->name)) < 0)
            return -1;
    return 0;
}

static int check_elements(struct check *check, const char *path, const struct shape *shape,
                          const json_t *json)
{
    char below[MAX_PATH_BYTES];
    size_t i;
    json_t *element;
    json_array_foreach(json, i, element)
    {
        snprintf(below, sizeof below, "%.400s.%zu.member", path, i + 1);
        if (!is_present(element))
            broken(check, below, shape->of, NULL, "Member must not be null");
        else if (check_constraints(check, below, shape->of, element) < 0)
            return -1;
    }
    return 0;
}

static int check_map(struct check *check, const char *path, const struct shape *shape,
                     const json_t *json)
{
    char below[MAX_PATH_BYTES];
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const json_t *value = json_object_iter_value(at);
        snprintf(below, sizeof below, "%.200s.%.255s.member", path, json_object_iter_key(at));
        if (!is_present(value))
            broken(check, below, shape->of, NULL, "Member must not be null");
        else if (check_constraints(check, below, shape->of, value) < 0)
            return -1;
    }
    return 0;
}

static int check_constraints(struct check *check, const char *path, const struct shape *shape,
                             const json_t *json)
{
    if (shape->pattern)
        check_pattern(check, path, shape, json);
    check_bounds(check, path, shape, json);
    if (shape->values)
        check_enum(check, path, shape, json);
    switch (shape->type) {
    case SHAPE_STRUCT:
        return check_members(check, path, shape->of, json);
    case SHAPE_LIST:
        return shape->of->type == SHAPE_VALUE ? 0 : check_elements(check, path, shape, json);
    case SHAPE_MAP:
        return shape->of->type == SHAPE_VALUE ? 0 : check_map(check, path, shape, json);
    default:
        return 0;
    }
}

/* A wrong TableName is reported alone. */
static int check_table(struct check *check, enum shape_style style, const struct shape *members,
                       const json_t *body)
{
    const struct shape *shape = find_member(members, "TableName");
    const json_t *name = json_object_get(body, "TableName");
    if (!shape || !shape->required)
        return 0;
    if (is_present(name)) {
        const char *text = json_string_value(name);
        if (!*text)
            broken(check, "tableName", shape, name,
                   "Member must have length greater than or equal to 1");
        else if (strncmp(text, "arn:", 4))
            return check_constraints(check, "tableName", shape, name);
        return 0;
    }
    if (style == SHAPE_REQUIRED_TABLE)
        return err_set(check->err, ERR_INVALID,
                       "The parameter 'TableName' is required but was not present in the request");
    return 0;
}

const char *shape_message(const struct shape *shape, const char *path, const json_t *json,
                          const char *constraint, struct arena *arena)
{
    struct check check = {0};
    buf_init(&check.errors, MAX_DUMP_BYTES);
    broken(&check, path, shape, json, constraint);
    char *text = check.errors.failed || !check.errors.data
                     ? NULL
                     : arena_printf(arena, "1 validation error detected: %s", check.errors.data);
    buf_finish(&check.errors);
    return text ? text : constraint;
}

static int report(struct check *check, struct arena *arena, const char **message)
{
    *message = check->errors.failed || !check->errors.data
                   ? NULL
                   : arena_printf(arena, "%d validation error%s detected: %s", check->count,
                                  check->count > 1 ? "s" : "", check->errors.data);
    return err_set(check->err, ERR_INVALID, "%.500s",
                   *message ? *message : "The request breaks a constraint");
}

int shape_check(const struct shape *members, enum shape_style style, const json_t *body,
                struct arena *arena, const char **message, struct err *err)
{
    struct check check = {.first_only = style == SHAPE_FIRST, .err = err};
    if (check_member_types(members, body, err) < 0)
        return -1;
    buf_init(&check.errors, MAX_DUMP_BYTES);
    int result = check_table(&check, style, members, body);
    if (result == 0 && !check.count)
        result = check_members(&check, "", members, body);
    if (result == 0 && check.count)
        result = report(&check, arena, message);
    buf_finish(&check.errors);
    return result;
}

static int check_values(const struct shape *shape, const json_t *json, struct err *err)
{
    size_t i;
    json_t *element;
    const char *name;
    if (!is_present(json))
        return 0;
    switch (shape->type) {
    case SHAPE_VALUE:
        return value_check_types(json, err);
    case SHAPE_STRUCT:
        return shape_check_values(shape->of, json, err);
    case SHAPE_LIST:
        json_array_foreach(json, i, element)
        {
            if (check_values(shape->of, element, err) < 0)
                return -1;
        }
        return 0;
    case SHAPE_MAP:
        json_object_foreach((json_t *)json, name, element)
        {
            if (check_values(shape->of, element, err) < 0)
                return -1;
        }
        return 0;
    default:
        return 0;
    }
}

int shape_check_values(const struct shape *members, const json_t *body, struct err *err)
{
    for (; members->name; members++)
        if (check_values(members, json_object_get(body, members->name), err) < 0)
            return -1;
    return 0;
}
