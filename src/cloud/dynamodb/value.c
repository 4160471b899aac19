#include "cloud/dynamodb/value.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[VALUE_TYPES] = {"S", "N", "B",  "BOOL", "NULL",
                                                    "M", "L", "SS", "NS",   "BS"};

const char *value_type_name(enum value_type type)
{
    return type_names[type];
}

int value_type_find(const char *name, size_t size)
{
    for (int i = 0; i < VALUE_TYPES; i++)
        if (strlen(type_names[i]) == size && !memcmp(type_names[i], name, size))
            return i;
    return -1;
}

int value_is_set(enum value_type type)
{
    return type == VALUE_SS || type == VALUE_NS || type == VALUE_BS;
}

enum value_type value_element_type(enum value_type set)
{
    return set == VALUE_SS ? VALUE_S : set == VALUE_NS ? VALUE_N : VALUE_B;
}

static int bytes_compare(const struct value *a, const struct value *b)
{
    size_t common = a->bytes.size < b->bytes.size ? a->bytes.size : b->bytes.size;
    int order = common ? memcmp(a->bytes.data, b->bytes.data, common) : 0;
    return order ? order : (a->bytes.size > b->bytes.size) - (a->bytes.size < b->bytes.size);
}

int value_compare(const struct value *a, const struct value *b)
{
    return a->type == VALUE_N ? number_compare(&a->number, &b->number) : bytes_compare(a, b);
}

int value_holds(const struct value *list, const struct value *element)
{
    for (size_t i = 0; i < list->list.count; i++)
        if (value_equal(&list->list.items[i], element))
            return 1;
    return 0;
}

static int compare_elements(const void *a, const void *b)
{
    return value_compare(a, b);
}

void value_sort_set(struct value *set)
{
    qsort(set->list.items, set->list.count, sizeof *set->list.items, compare_elements);
}

int value_set_holds(const struct value *sorted, const struct value *element)
{
    return bsearch(element, sorted->list.items, sorted->list.count, sizeof *sorted->list.items,
                   compare_elements) != NULL;
}

/* Sets of one size, in any order. */
static int sets_equal(const struct value *a, const struct value *b)
{
    struct value sorted = *b;
    sorted.list.items = calloc(b->list.count + 1, sizeof *sorted.list.items);
    if (!sorted.list.items)
        return 0;
    memcpy(sorted.list.items, b->list.items, b->list.count * sizeof *sorted.list.items);
    value_sort_set(&sorted);
    int equal = 1;
    for (size_t i = 0; equal && i < a->list.count; i++)
        equal = value_set_holds(&sorted, &a->list.items[i]);
    free(sorted.list.items);
    return equal;
}

static int lists_equal(const struct value *a, const struct value *b)
{
    if (a->list.count != b->list.count)
        return 0;
    if (a->type != VALUE_L)
        return sets_equal(a, b);
    for (size_t i = 0; i < a->list.count; i++) {
        if (!value_equal(&a->list.items[i], &b->list.items[i]))
            return 0;
    }
    return 1;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

/* Maps of one size, in any order: a map may have tens of thousands of members. */
static int members_equal(const struct value *a, const struct value *b)
{
    struct member *sorted = calloc(b->map.count + 1, sizeof *sorted);
    if (!sorted)
        return 0;
    memcpy(sorted, b->map.members, b->map.count * sizeof *sorted);
    qsort(sorted, b->map.count, sizeof *sorted, compare_members);
    int equal = 1;
    for (size_t i = 0; equal && i < a->map.count; i++) {
        const struct member *other =
            bsearch(&a->map.members[i], sorted, b->map.count, sizeof *sorted, compare_members);
        equal = other && value_equal(&a->map.members[i].value, &other->value);
    }
    free(sorted);
    return equal;
}

static int maps_equal(const struct value *a, const struct value *b)
{
    size_t i = 0;
    if (a->map.count != b->map.count)
        return 0;
    for (; i < a->map.count && !compare_members(&a->map.members[i], &b->map.members[i]); i++)
        if (!value_equal(&a->map.members[i].value, &b->map.members[i].value))
            return 0;
    return i == a->map.count || members_equal(a, b);
}

int value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return 0;
    switch (a->type) {
    case VALUE_S:
    case VALUE_B:
    case VALUE_N:
        return value_compare(a, b) == 0;
    case VALUE_BOOL:
        return a->boolean == b->boolean;
    case VALUE_NULL:
        return 1;
    case VALUE_M:
        return maps_equal(a, b);
    default:
        return lists_equal(a, b);
    }
}

struct value *value_member(const struct value *map, const char *name)
{
    for (size_t i = 0; i < map->map.count; i++)
        if (!strcmp(map->map.members[i].name, name))
            return &map->map.members[i].value;
    return NULL;
}

/* A larger copy of an array: an update may append hundreds of times to one of tens of thousands. */
static void *grow(const void *array, size_t size, size_t count, size_t *room, struct arena *arena,
                  struct err *err)
{
    size_t wanted = count + count / 8 + 8;
    void *larger = arena_alloc(arena, wanted, size);
    if (!larger) {
        err_set(err, ERR_TOO_BIG, "The request needs too much memory");
        return NULL;
    }
    if (count)
        memcpy(larger, array, count * size);
    *room = wanted;
    return larger;
}

int value_set_member(struct value *map, const char *name, const struct value *value,
                     struct arena *arena, struct err *err)
{
    struct value *known = value_member(map, name);
    if (known) {
        *known = *value;
        return 0;
    }
    if (map->map.count >= map->map.room) {
        struct member *members =
            grow(map->map.members, sizeof *members, map->map.count, &map->map.room, arena, err);
        if (!members)
            return -1;
        map->map.members = members;
    }
    map->map.members[map->map.count++] = (struct member){name, *value};
    return 0;
}

int value_append(struct value *list, const struct value *value, struct arena *arena,
                 struct err *err)
{
    if (list->list.count >= list->list.room) {
        struct value *items =
            grow(list->list.items, sizeof *items, list->list.count, &list->list.room, arena, err);
        if (!items)
            return -1;
        list->list.items = items;
    }
    list->list.items[list->list.count++] = *value;
    return 0;
}

void value_remove_member(struct value *map, const char *name)
{
    struct value *known = value_member(map, name);
    if (!known)
        return;
    size_t at = (size_t)((struct member *)((char *)known - offsetof(struct member, value)) -
                         map->map.members);
    map->map.count--;
    memmove(map->map.members + at, map->map.members + at + 1,
            (map->map.count - at) * sizeof *map->map.members);
}

size_t value_size(const struct value *value)
{
    size_t size = 0;
    switch (value->type) {
    case VALUE_S:
    case VALUE_B:
        return value->bytes.size;
    case VALUE_N:
        return number_size(&value->number);
    case VALUE_BOOL:
    case VALUE_NULL:
        return 1;
    case VALUE_M:
        for (size_t i = 0; i < value->map.count; i++)
            size +=
                1 + strlen(value->map.members[i].name) + value_size(&value->map.members[i].value);
        return size + 3;
    case VALUE_L:
        size = 3 + value->list.count;
        break;
    default:
        break;
    }
    for (size_t i = 0; i < value->list.count; i++)
        size += value_size(&value->list.items[i]);
    return size;
}

size_t item_size(const struct value *item)
{
    size_t size = 0;
    for (size_t i = 0; i < item->map.count; i++)
        size += strlen(item->map.members[i].name) + value_size(&item->map.members[i].value);
    return size;
}
