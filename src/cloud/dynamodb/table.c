#include "cloud/dynamodb/table.h"

#include <stdlib.h>
#include <string.h>

static enum value_type attribute_type(const json_t *definition, const char *name)
{
    size_t i;
    json_t *attribute;
    json_array_foreach(json_object_get(definition, "AttributeDefinitions"), i, attribute)
    {
        const char *type = json_string_value(json_object_get(attribute, "AttributeType"));
        if (!strcmp(json_string_value(json_object_get(attribute, "AttributeName")), name))
            return type[0] == 'S' ? VALUE_S : type[0] == 'N' ? VALUE_N : VALUE_B;
    }
    return VALUE_S;
}

static int read_keys(struct table *table, const json_t *schema, struct key_schema *out,
                     struct err *err)
{
    out->count = json_array_size(schema);
    if (out->count < 1 || out->count > KEY_MAX_PARTS)
        return err_set(err, ERR_CORRUPT, "open table: no key schema");
    for (size_t i = 0; i < out->count; i++) {
        const json_t *element = json_array_get(schema, i);
        const char *name = json_string_value(json_object_get(element, "AttributeName"));
        const char *kind = json_string_value(json_object_get(element, "KeyType"));
        out->hashes += kind && !strcmp(kind, "HASH");
        out->parts[i].name = name ? arena_strdup(&table->arena, name) : NULL;
        if (!out->parts[i].name)
            return err_set(err, ERR_CORRUPT, "open table: no key schema");
        out->parts[i].type = attribute_type(table->definition, name);
    }
    return 0;
}

int key_schema_has(const struct key_schema *keys, const char *name)
{
    for (size_t i = 0; i < keys->count; i++)
        if (!strcmp(keys->parts[i].name, name))
            return 1;
    return 0;
}

static void project_name(struct table *table, struct projection *out, const char *name)
{
    struct step *step = arena_new(&table->arena, struct step, 1);
    if (!step)
        return;
    step->name = name;
    out->paths[out->count++] = (struct path){1, step};
}

static int read_projection(struct table *table, const json_t *json, struct table_index *index,
                           struct err *err)
{
    const char *type = json_string_value(json_object_get(json, "ProjectionType"));
    const json_t *names = json_object_get(json, "NonKeyAttributes");
    index->type = !type || !strcmp(type, "ALL") ? PROJECTION_ALL
                  : !strcmp(type, "KEYS_ONLY")  ? PROJECTION_KEYS_ONLY
                                                : PROJECTION_INCLUDE;
    index->projection.paths =
        arena_new(&table->arena, struct path, 2 + KEY_MAX_PARTS + json_array_size(names));
    if (!index->projection.paths)
        return err_set(err, ERR_NO_MEMORY, "open table: out of memory");
    for (size_t i = 0; i < table->keys.count; i++)
        project_name(table, &index->projection, table->keys.parts[i].name);
    for (size_t i = 0; i < index->keys.count; i++)
        if (!key_schema_has(&table->keys, index->keys.parts[i].name))
            project_name(table, &index->projection, index->keys.parts[i].name);
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        char *copy = arena_strdup(&table->arena, json_string_value(name));
        if (copy)
            project_name(table, &index->projection, copy);
    }
    return 0;
}

static int index_number(const json_t *json, size_t position)
{
    const json_t *number = json_object_get(json, "ken:number");
    return json_is_integer(number) ? (int)json_integer_value(number) : (int)position;
}

static int read_ttl(struct table *table, struct err *err)
{
    const json_t *ttl = json_object_get(table->definition, "ken:ttl");
    const char *name = json_string_value(json_object_get(ttl, "AttributeName"));
    table->ttl_backfilling = json_is_true(json_object_get(ttl, "Backfilling"));
    table->ttl_name = name ? arena_strdup(&table->arena, name) : NULL;
    return !name || table->ttl_name ? 0 : err_set(err, ERR_NO_MEMORY, "open table: out of memory");
}

static int read_indexes(struct table *table, const char *member, int global, struct err *err)
{
    size_t i;
    json_t *json;
    json_array_foreach(json_object_get(table->definition, member), i, json)
    {
        if (table->index_count == TABLE_MAX_INDEXES)
            return err_set(err, ERR_CORRUPT, "open table: too many indexes");
        struct table_index *index = &table->indexes[table->index_count];
        index->global = global;
        index->number = index_number(json, table->index_count++);
        index->backfilling = json_is_true(json_object_get(json, "Backfilling"));
        index->name =
            arena_strdup(&table->arena, json_string_value(json_object_get(json, "IndexName")));
        if (!index->name ||
            read_keys(table, json_object_get(json, "KeySchema"), &index->keys, err) ||
            read_projection(table, json_object_get(json, "Projection"), index, err) < 0)
            return -1;
    }
    return 0;
}

struct table *table_create(int64_t id, json_t *definition, struct err *err)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table) {
        err_set(err, ERR_NO_MEMORY, "open table: out of memory");
        json_decref(definition);
        return NULL;
    }
    arena_init(&table->arena, 1 << 20);
    table->id = id;
    table->definition = definition;
    table->references = 1;
    pthread_mutex_init(&table->sizes_lock, NULL);
    const char *name = json_string_value(json_object_get(definition, "TableName"));
    table->name = name ? arena_strdup(&table->arena, name) : NULL;
    if (!table->name)
        err_set(err, ERR_CORRUPT, "open table: no name");
    if (!table->name ||
        read_keys(table, json_object_get(definition, "KeySchema"), &table->keys, err) < 0 ||
        read_indexes(table, "LocalSecondaryIndexes", 0, err) < 0 ||
        read_indexes(table, "GlobalSecondaryIndexes", 1, err) < 0 || read_ttl(table, err) < 0) {
        table_release(table);
        return NULL;
    }
    return table;
}

void table_release(struct table *table)
{
    if (!table || atomic_fetch_sub(&table->references, 1) > 1)
        return;
    json_decref(table->definition);
    pthread_mutex_destroy(&table->sizes_lock);
    arena_finish(&table->arena);
    free(table);
}

const struct table_index *table_find_index(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (!strcmp(table->indexes[i].name, name))
            return &table->indexes[i];
    return NULL;
}

static const char wrong_key[] = "The provided key element does not match the schema";

static int check_empty(const struct value *value, const char *name, struct err *err)
{
    if (value->type == VALUE_N || value->bytes.size)
        return 0;
    return err_set(err, ERR_TOO_BIG,
                   "One or more parameter values are not valid. The AttributeValue for a key "
                   "attribute cannot contain an empty %s value. Key: %s",
                   value->type == VALUE_S ? "string" : "binary", name);
}

static size_t key_bytes(const struct value *value)
{
    return value->type == VALUE_N ? 0 : value->bytes.size;
}

static int check_length(size_t size, int is_range, struct err *err)
{
    if (!is_range && size > TABLE_MAX_HASH_BYTES)
        return err_set(err, ERR_TOO_BIG,
                       "One or more parameter values were invalid: Size of hashkey has exceeded "
                       "the maximum size limit of2048 bytes");
    if (is_range && size > TABLE_MAX_RANGE_BYTES)
        return err_set(err, ERR_TOO_BIG,
                       "One or more parameter values were invalid: Aggregated size of all range "
                       "keys has exceeded the size limit of 1024 bytes");
    return 0;
}

int table_check_key(const struct table *table, const struct value *key, struct err *err)
{
    if (key->map.count != table->keys.count)
        return err_set(err, ERR_INVALID, "%s", wrong_key);
    for (size_t i = 0; i < table->keys.count; i++) {
        const struct key_part *part = &table->keys.parts[i];
        const struct value *value = value_member(key, part->name);
        if (!value || value->type != part->type)
            return err_set(err, ERR_INVALID, "%s", wrong_key);
        if (check_empty(value, part->name, err) < 0 ||
            check_length(key_bytes(value), (int)i, err) < 0)
            return -1;
    }
    return 0;
}

int table_check_item(const struct table *table, const struct value *item, struct err *err)
{
    for (size_t i = 0; i < table->keys.count; i++) {
        const struct key_part *part = &table->keys.parts[i];
        const struct value *value = value_member(item, part->name);
        if (!value)
            return err_set(err, ERR_INVALID,
                           "One or more parameter values were invalid: Missing the key %s in the "
                           "item",
                           part->name);
        if (value->type != part->type)
            return err_set(err, ERR_INVALID,
                           "One or more parameter values were invalid: Type mismatch for key %s "
                           "expected: %s actual: %s",
                           part->name, value_type_name(part->type), value_type_name(value->type));
        if (check_empty(value, part->name, err) < 0 ||
            check_length(key_bytes(value), (int)i, err) < 0)
            return -1;
    }
    return table_check_index_keys(table, item, 0, err);
}

static int refuse_empty_index_key(const struct table_index *index, const struct key_part *part,
                                  int updated, struct err *err)
{
    const char *kind = part->type == VALUE_S ? "string" : "binary";
    if (updated)
        return err_set(
            err, ERR_TOO_BIG,
            "One or more parameter values are not valid. The update expression attempted "
            "to update a secondary index key to a value that is not supported. The "
            "AttributeValue for a key attribute cannot contain an empty %s value.",
            kind);
    return err_set(err, ERR_TOO_BIG,
                   "One or more parameter values are not valid. A value specified for a secondary "
                   "index key is not supported. The AttributeValue for a key attribute cannot "
                   "contain an empty %s value. IndexName: %s, IndexKey: %s",
                   kind, index->name, part->name);
}

/* `sizes`: of the partition key and of the sort key so far. */
static int check_index_part(const struct table_index *index, size_t at, const struct value *item,
                            int updated, size_t *sizes, struct err *err)
{
    const struct key_part *part = &index->keys.parts[at];
    int is_range = at >= index->keys.hashes;
    const struct value *value = value_member(item, part->name);
    if (!value)
        return 0;
    if (value->type != part->type)
        return err_set(err, ERR_INVALID,
                       "One or more parameter values were invalid: Type mismatch for Index Key %s "
                       "Expected: %s Actual: %s IndexName: %s",
                       part->name, value_type_name(part->type), value_type_name(value->type),
                       index->name);
    if (value->type != VALUE_N && !value->bytes.size)
        return refuse_empty_index_key(index, part, updated, err);
    sizes[is_range] += key_bytes(value);
    return check_length(sizes[is_range], is_range, err);
}

/* Of several indexes that the item offends, AWS names the first in the alphabet. */
int table_check_index_keys(const struct table *table, const struct value *item, int updated,
                           struct err *err)
{
    const struct table_index *worst = NULL;
    for (size_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];
        struct err found = {0};
        size_t sizes[2] = {0, 0};
        for (size_t j = 0; j < index->keys.count && !found.code; j++)
            if (check_index_part(index, j, item, updated, sizes, &found) < 0)
                break;
        if (!found.code || (worst && strcmp(worst->name, index->name) < 0))
            continue;
        worst = index;
        *err = found;
    }
    return worst ? -1 : 0;
}
