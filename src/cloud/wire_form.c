#include "cloud/query.h"
#include "cloud/wire.h"

#include <stdlib.h>
#include <string.h>

/* Forms to JSON: first a tree by the parts of the names, then the service's own names. */

/* One level down the name: `part` is a list index or a member's name. Returns what is there now:
 * the last part's text, or `fresh`, which is consumed. */
static json_t *descend(json_t *at, const char *part, json_t *fresh)
{
    char *end;
    json_t *found = NULL;
    if (json_is_array(at)) {
        unsigned long index = strtoul(part, &end, 10);
        size_t size = json_array_size(at);
        if (!*end && index >= 1 && index <= size)
            found = json_array_get(at, index - 1);
        else if (!*end && index == size + 1 && index <= WIRE_MAX_LIST &&
                 json_array_append(at, fresh) == 0)
            found = fresh;
    } else if (json_is_object(at)) {
        found = json_object_get(at, part);
        if (!found && json_object_set(at, part, fresh) == 0)
            found = fresh;
    }
    json_decref(fresh);
    return found;
}

static int is_index(const char *part)
{
    return part && *part >= '0' && *part <= '9';
}

/* Put "A.member.1.B" = value into the object. */
static int put_parameter(json_t *object, char *name, const char *value)
{
    char *rest = name, *part = strsep(&rest, ".");
    json_t *at = object;
    for (int depth = 0; part; depth++) {
        char *next = strsep(&rest, ".");
        int counts = next && (strcmp(next, "member") == 0 || strcmp(next, "entry") == 0);
        if (counts)
            next = strsep(&rest, ".");
        json_t *fresh = !next                      ? json_string(value)
                        : counts || is_index(next) ? json_array()
                                                   : json_object();
        if (depth == WIRE_MAX_DEPTH) {
            json_decref(fresh);
            return -1;
        }
        at = descend(at, part, fresh);
        if (!at || (next && json_is_string(at)))
            return -1;
        part = next;
    }
    return 0;
}

static const char *map_key(const json_t *pair)
{
    static const char *const names[] = {"Name", "Key", "key"};
    const char *key = NULL;
    for (size_t i = 0; !key && i < sizeof names / sizeof *names; i++)
        key = json_string_value(json_object_get(pair, names[i]));
    return key;
}

/* A list of pairs becomes a map. */
static json_t *to_map(const json_t *list)
{
    size_t i;
    json_t *pair, *map = json_object();
    json_array_foreach(list, i, pair)
    {
        const char *key = map_key(pair);
        json_t *value = json_object_get(pair, "Value");
        if (!value)
            value = json_object_get(pair, "value");
        if (!key || !value || json_object_set(map, key, value) < 0) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

/* Whose names, and which operation's. */
struct reader {
    const struct wire_service *service;
    const char *operation;
};

static const struct wire_name *find_element(const struct reader *reader, const char *element)
{
    for (size_t i = 0; i < reader->service->name_count; i++) {
        const struct wire_name *name = &reader->service->names[i];
        if (strcmp(name->element, element) == 0 &&
            (!name->operation || strcmp(name->operation, reader->operation) == 0))
            return name;
    }
    return NULL;
}

static json_t *rename_members(const struct reader *reader, const json_t *json);

static json_t *rename_member(const struct reader *reader, const struct wire_name *name,
                             const json_t *value)
{
    json_t *renamed = rename_members(reader, value);
    if (!renamed || !name || name->kind == WIRE_LIST ||
        !json_is_object(json_array_get(renamed, 0))) /* another operation's list of that name */
        return renamed;
    json_t *map = to_map(renamed);
    json_decref(renamed);
    return map;
}

/* A copy with the service's own names. */
static json_t *rename_members(const struct reader *reader, const json_t *json)
{
    const char *key;
    size_t i;
    json_t *value, *copy = json_is_array(json) ? json_array() : json_object();
    int failed = 0;
    if (json_is_string(json)) {
        json_decref(copy);
        return json_incref((json_t *)json);
    }
    json_array_foreach(json, i, value)
    {
        failed |= json_array_append_new(copy, rename_members(reader, value)) < 0;
    }
    json_object_foreach((json_t *)json, key, value)
    {
        const struct wire_name *name = json_is_array(value) ? find_element(reader, key) : NULL;
        failed |= json_object_set_new(copy, name ? name->member : key,
                                      rename_member(reader, name, value)) < 0;
    }
    if (failed) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

json_t *wire_read_form(struct exchange *x, const struct wire_service *service, const char *form,
                       struct err *err)
{
    struct query_pair pair;
    json_t *tree = json_object();
    int failed = 0;
    while (!failed && query_next(&form, &pair)) {
        char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        char *value = exchange_decode(x, pair.value, pair.value_size, 1);
        failed = !name || !value || put_parameter(tree, name, value) < 0;
    }
    const char *action = json_string_value(json_object_get(tree, "Action"));
    struct reader reader = {service, action ? action : ""};
    json_t *body = failed ? NULL : rename_members(&reader, tree);
    json_decref(tree);
    if (!body)
        err_set(err, ERR_INVALID, "a parameter's name or value is malformed");
    return body;
}
