#include "cloud/apigateway/patch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PART_BYTES = 256 };

/* A path's parts, with ~1 for '/' and ~0 for '~' (RFC 6901). */
struct parts {
    char text[PATCH_MAX_DEPTH][MAX_PART_BYTES];
    size_t count;
};

static int add_part(struct parts *parts, const char *text, size_t size)
{
    if (parts->count == PATCH_MAX_DEPTH || size == 0 || size >= MAX_PART_BYTES)
        return -1;
    char *to = parts->text[parts->count++];
    for (size_t i = 0; i < size; i++) {
        int is_escape =
            text[i] == '~' && i + 1 < size && (text[i + 1] == '0' || text[i + 1] == '1');
        *to++ = is_escape ? (text[i + 1] == '1' ? '/' : '~') : text[i];
        i += (size_t)is_escape;
    }
    *to = 0;
    return 0;
}

static int split(const char *path, struct parts *parts)
{
    parts->count = 0;
    while (*path == '/') {
        size_t size = strcspn(++path, "/");
        if (add_part(parts, path, size) < 0)
            return -1;
        path += size;
    }
    return *path || parts->count == 0 ? -1 : 0;
}

static int is_allowed(const char *name, const char *const *allowed)
{
    while (*allowed && strcmp(*allowed, name) != 0)
        allowed++;
    return *allowed != NULL;
}

static int is_number_name(const char *name)
{
    static const char *const names[] = {"rateLimit", "burstLimit",      "limit",
                                        "offset",    "timeoutInMillis", "minimumCompressionSize"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return 1;
    return 0;
}

/* The text as a value of the type that is there now. NULL: it is not of that type. */
static json_t *convert(const char *text, const char *name, const json_t *now)
{
    char *end;
    if (json_is_boolean(now) || strncmp(name, "method.request.", 15) == 0)
        return strcmp(text, "true") == 0    ? json_true()
               : strcmp(text, "false") == 0 ? json_false()
                                            : NULL;
    if (!json_is_number(now) && !is_number_name(name))
        return json_string(text);
    errno = 0;
    double number = strtod(text, &end);
    if (errno || end == text || *end || !(number > -1e15 && number < 1e15))
        return NULL;
    return number == (double)(json_int_t)number ? json_integer((json_int_t)number)
                                                : json_real(number);
}

static size_t find_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0)
            break;
    }
    return i;
}

/* Lists (binaryMediaTypes) hold texts: the part behind the list is the text. "replace" takes it
 * away and puts the value at the end, as AWS does. */
static int patch_list(json_t *list, const char *op, const char *text, const char *value)
{
    size_t at = find_text(list, text), count = json_array_size(list);
    int is_there = at < count;
    if (strcmp(op, "remove") == 0)
        return is_there ? json_array_remove(list, at) : -1;
    if (strcmp(op, "add") == 0)
        return is_there ? 0 : json_array_append_new(list, json_string(text));
    if (strcmp(op, "replace") != 0 || !is_there || !value || !*value)
        return -1;
    int is_known = find_text(list, value) < count;
    if (json_array_remove(list, at) < 0)
        return -1;
    return is_known ? 0 : json_array_append_new(list, json_string(value));
}

/* The object or list that holds the path's last part; objects on the way are made. */
static json_t *find_holder(json_t *object, const struct parts *parts)
{
    for (size_t i = 0; i + 1 < parts->count; i++) {
        json_t *inner = json_object_get(object, parts->text[i]);
        if (!json_is_object(object))
            return NULL;
        if (!inner) {
            inner = json_object();
            json_object_set_new(object, parts->text[i], inner);
        }
        object = inner;
    }
    return object;
}

static int apply(json_t *object, const char *op, const struct parts *parts, const char *value)
{
    const char *last = parts->text[parts->count - 1];
    json_t *holder = find_holder(object, parts);
    if (json_is_array(holder))
        return patch_list(holder, op, last, value);
    if (!json_is_object(holder) || json_is_array(json_object_get(holder, last)))
        return -1; /* a list is changed by its items */
    if (strcmp(op, "remove") == 0)
        return json_object_del(holder, last);
    if (!value || (strcmp(op, "replace") != 0 && strcmp(op, "add") != 0))
        return -1;
    json_t *new_value = convert(value, last, json_object_get(holder, last));
    return new_value ? json_object_set_new(holder, last, new_value) : -1;
}

int patch_apply(json_t *object, const json_t *request, const char *const *allowed, struct err *err)
{
    size_t i;
    json_t *operation;
    struct parts parts;
    const json_t *list = json_object_get(request, "patchOperations");
    if (json_array_size(list) > PATCH_MAX_OPERATIONS)
        return err_set(err, ERR_TOO_BIG, "more than %d patch operations", PATCH_MAX_OPERATIONS);
    json_array_foreach(list, i, operation)
    {
        const char *op = json_string_value(json_object_get(operation, "op"));
        const char *path = json_string_value(json_object_get(operation, "path"));
        const char *value = json_string_value(json_object_get(operation, "value"));
        if (!op || !path || split(path, &parts) < 0 || !is_allowed(parts.text[0], allowed))
            return err_set(err, ERR_INVALID, "Invalid patch path %.200s", path ? path : "(none)");
        if (apply(object, op, &parts, value) < 0)
            return err_set(err, ERR_INVALID, "Invalid patch operation %.20s %.200s", op, path);
    }
    return 0;
}
