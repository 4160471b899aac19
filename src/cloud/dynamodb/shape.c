#include "cloud/dynamodb/shape.h"

#include "base/buf.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ERRORS = 10, MAX_PATH_BYTES = 512, MAX_DUMP_BYTES = 256 * 1024 };

/* One check on its way through the body. */
struct check {
    struct buf errors; /* joined by "; " */
    int count, first_only;
    struct err *err;
};

const struct shape *shape_member(const struct shape *members, const char *name)
{
    for (; members->name; members++)
        if (!strcmp(members->name, name))
            return members;
    return NULL;
}

/* A value as AWS's messages show it: structures by their name, strings bare. */
static void dump(struct buf *out, const struct shape *shape, const json_t *json)
{
    int n = 0;
    if (shape && shape->shown_as_json) {
        char *text = json_dumps(json, JSON_COMPACT);
        buf_puts(out, text ? text : "");
        free(text);
        return;
    }
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
                 is_struct                           ? shape_member(shape->of, key)
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
    if (shape_is_present(json)) {
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

static int is_name(const char *text)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    return *text && !text[strspn(text, allowed)];
}

int shape_is_table_name(const char *text)
{
    size_t size = strlen(text);
    return !strncmp(text, "arn:", 4) || (size >= 3 && size <= 255 && is_name(text));
}

static void check_pattern(struct check *check, const char *path, const struct shape *shape,
                          const json_t *json)
{
    if (is_name(json_string_value(json)))
        return;
    char constraint[96];
    snprintf(constraint, sizeof constraint, "Member must satisfy regular expression pattern: %s",
             shape->pattern);
    broken(check, path, shape, json, constraint);
}

/* A table may be named by its ARN. */
static void check_table_name(struct check *check, const struct shape *shape, const json_t *name)
{
    const char *text = json_string_value(name);
    if (!*text) {
        broken(check, "tableName", shape, name,
               "Member must have length greater than or equal to 1");
    } else if (strncmp(text, "arn:", 4)) {
        check_pattern(check, "tableName", shape, name);
        check_bounds(check, "tableName", shape, name);
    }
}

/* The keys of a map are tables' names. */
static void check_keys(struct check *check, const char *path, const struct shape *shape,
                       const json_t *json)
{
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        if (!shape_is_table_name(json_object_iter_key(at)))
            broken(check, path, shape, json, SHAPE_TABLE_KEYS);
    }
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
            shape->of->type != SHAPE_VALUE &&
            (shape->of->type != SHAPE_STRING || shape->of->has_max));
}

static int check_member(struct check *check, const char *path, const struct shape *member,
                        const json_t *value)
{
    char below[MAX_PATH_BYTES];
    if (shape_is_present(value) ? !is_constrained(member) : !member->required)
        return 0;
    join_path(below, path, member->name);
    if (!shape_is_present(value))
        broken(check, below, member, NULL, "Member must not be null");
    else if (!*path && !strcmp(member->name, "TableName"))
        check_table_name(check, member, value);
    else
        return check_constraints(check, below, member, value);
    return 0;
}

static int check_members(struct check *check, const char *path, const struct shape *members,
                         const json_t *json)
{
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at)) {
        const char *name = json_object_iter_key(at);
        const struct shape *member = shape_member(members, name);
        if (!member || (member->refused && shape_is_present(json_object_iter_value(at))))
            return refuse(check, path, name, member != NULL);
    }
    for (; members->name; members++)
        if (check_member(check, path, members, json_object_get(json, members->name)) < 0)
            return -1;
    return 0;
}

/* Strings of a wrong length are told about once, at their list. */
static void check_strings(struct check *check, const char *path, const struct shape *shape,
                          const json_t *json)
{
    char text[160];
    size_t i;
    json_t *element;
    snprintf(text, sizeof text,
             "Member must satisfy constraint: [Member must have length less than or equal to %ld, "
             "Member must have length greater than or equal to %ld]",
             shape->of->max, shape->of->min);
    json_array_foreach(json, i, element)
    {
        long size = measure(shape->of, element);
        if (shape_is_present(element) && (size < shape->of->min || size > shape->of->max)) {
            broken(check, path, shape, json, text);
            return;
        }
    }
}

static int check_elements(struct check *check, const char *path, const struct shape *shape,
                          const json_t *json)
{
    char below[MAX_PATH_BYTES];
    size_t i;
    json_t *element;
    if (shape->of->type == SHAPE_STRING && shape->of->has_max) {
        check_strings(check, path, shape, json);
        return 0;
    }
    json_array_foreach(json, i, element)
    {
        snprintf(below, sizeof below, "%.400s.%zu.member", path, i + 1);
        if (!shape_is_present(element))
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
        if (!shape_is_present(value))
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
    if (shape->keyed_by_table)
        check_keys(check, path, shape, json);
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

/* A request that lacks something is read by an older part of AWS, which reports everything. */
static int lacks_something(const struct shape *members, const json_t *body)
{
    for (; members->name; members++)
        if (members->required && !shape_is_present(json_object_get(body, members->name)))
            return 1;
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

/* A wrong TableName is reported alone where nothing lacks; to the operations on tables themselves
 * one of a wrong length always. */
static int check_all(struct check *check, const struct shape *members, const json_t *body,
                     int is_control)
{
    const struct shape *table = shape_member(members, "TableName");
    const json_t *name = json_object_get(body, "TableName");
    size_t size = json_string_length(name);
    int alone = is_control && shape_is_present(name) && (size < 3 || size > 255);
    if (!alone && lacks_something(members, body))
        check->first_only = 0;
    else if (table && shape_is_present(name))
        check_table_name(check, table, name);
    return check->count ? 0 : check_members(check, "", members, body);
}

int shape_check(const struct shape *members, enum shape_style style, const json_t *body,
                struct arena *arena, const char **message, struct err *err)
{
    struct check check = {.first_only = style == SHAPE_FIRST, .err = err};
    if (shape_check_types(members, body, err) < 0)
        return -1;
    if (style == SHAPE_REQUIRED_TABLE && !shape_is_present(json_object_get(body, "TableName")))
        return err_set(err, ERR_INVALID,
                       "The parameter 'TableName' is required but was not present in the request");
    buf_init(&check.errors, MAX_DUMP_BYTES);
    int result = check_all(&check, members, body, style == SHAPE_REQUIRED_TABLE);
    if (result == 0 && check.count)
        result = report(&check, arena, message);
    buf_finish(&check.errors);
    return result;
}
