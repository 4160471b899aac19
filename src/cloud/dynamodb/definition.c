#include "cloud/dynamodb/definition.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What CreateTable is given, checked; and the definition made from it. */

#define INVALID "One or more parameter values were invalid: "

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

static int is_defined(const json_t *definitions, const char *name)
{
    size_t i;
    json_t *attribute;
    json_array_foreach(definitions, i, attribute)
    {
        if (!strcmp(text_of(attribute, "AttributeName"), name))
            return 1;
    }
    return 0;
}

/* "[a, b]" of one member of each element. */
static const char *names_of(struct request *r, const json_t *array)
{
    struct buf text;
    size_t i;
    json_t *element;
    buf_init(&text, 4096);
    buf_puts(&text, "[");
    json_array_foreach(array, i, element)
    {
        buf_printf(&text, "%s%s", i ? ", " : "", text_of(element, "AttributeName"));
    }
    buf_puts(&text, "]");
    const char *copy = text.data ? arena_strdup(r->arena, text.data) : NULL;
    buf_finish(&text);
    return copy ? copy : "";
}

static int check_keys(struct request *r, const json_t *keys, const json_t *definitions)
{
    size_t i;
    json_t *key;
    if (definitions && json_array_size(keys) > json_array_size(definitions))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: Some index key attribute have no definition");
    json_array_foreach(keys, i, key)
    {
        if (!is_defined(definitions, text_of(key, "AttributeName")))
            return err_set(&r->err, ERR_INVALID,
                           INVALID "Some index key attributes are not defined in "
                                   "AttributeDefinitions. Keys: %s, AttributeDefinitions: %s",
                           names_of(r, keys), names_of(r, definitions));
    }
    return 0;
}

static int is_kind(const json_t *key, const char *kind)
{
    return !strcmp(text_of(key, "KeyType"), kind);
}

static int check_kinds(struct request *r, const json_t *keys)
{
    const json_t *hash = json_array_get(keys, 0), *range = json_array_get(keys, 1);
    if (range && !strcmp(text_of(hash, "AttributeName"), text_of(range, "AttributeName")))
        return err_set(&r->err, ERR_INVALID,
                       "Both the Hash Key and the Range Key element in the KeySchema have the same "
                       "name");
    if (!is_kind(hash, "HASH"))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (range && !is_kind(range, "RANGE"))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    return 0;
}

static int has_same_name(const json_t *keys)
{
    for (size_t i = 0; i < json_array_size(keys); i++)
        for (size_t j = 0; j < i; j++)
            if (json_equal(json_object_get(json_array_get(keys, i), "AttributeName"),
                           json_object_get(json_array_get(keys, j), "AttributeName")))
                return 1;
    return 0;
}

/* Up to four attributes make a global index's partition key, and up to four its sort key. */
static int check_global_kinds(struct request *r, const json_t *keys)
{
    size_t i, counts[2] = {0, 0};
    json_t *key;
    if (has_same_name(keys))
        return err_set(&r->err, ERR_INVALID,
                       "Both the Hash Key and the Range Key element in the KeySchema have the same "
                       "name");
    if (!is_kind(json_array_get(keys, 0), "HASH"))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    json_array_foreach(keys, i, key)
    {
        int is_range = !is_kind(key, "HASH");
        if (!is_range && counts[1])
            return err_set(&r->err, ERR_INVALID,
                           "Invalid KeySchema: All HASH key attributes must precede RANGE key "
                           "attributes in the KeySchema");
        if (++counts[is_range] > KEY_MAX_SIDE)
            return err_set(&r->err, ERR_INVALID,
                           "Invalid KeySchema: The KeySchema exceeds the maximum allowed number of "
                           "%s key attributes",
                           is_range ? "RANGE" : "HASH");
    }
    return 0;
}

static int check_projection(struct request *r, const json_t *projection)
{
    const char *type = text_of(projection, "ProjectionType");
    const json_t *names = json_object_get(projection, "NonKeyAttributes");
    if (!*type)
        return err_set(&r->err, ERR_INVALID, INVALID "Unknown ProjectionType: null");
    if (names && strcmp(type, "INCLUDE"))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ProjectionType is %s, but NonKeyAttributes is specified", type);
    if (!names && !strcmp(type, "INCLUDE"))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ProjectionType is %s, but NonKeyAttributes is not specified", type);
    return 0;
}

static int check_index(struct request *r, const json_t *index, const json_t *definitions,
                       int global)
{
    const json_t *keys = json_object_get(index, "KeySchema");
    if (check_keys(r, keys, definitions) < 0 ||
        (global ? check_global_kinds(r, keys) : check_kinds(r, keys)) < 0)
        return -1;
    return check_projection(r, json_object_get(index, "Projection"));
}

int definition_check_index(struct request *r, const json_t *index, const json_t *definitions)
{
    return check_index(r, index, definitions, 1);
}

static int check_local(struct request *r, const json_t *index, const json_t *keys)
{
    const json_t *own = json_object_get(index, "KeySchema");
    const char *hash = text_of(json_array_get(keys, 0), "AttributeName");
    const char *own_hash = text_of(json_array_get(own, 0), "AttributeName");
    if (json_array_size(own) != 2)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Index KeySchema does not have a range key for index: %s",
                       text_of(index, "IndexName"));
    if (strcmp(hash, own_hash))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Index KeySchema does not have the same leading hash key as table "
                               "KeySchema for index: %s. index hash key: %s, table hash key: %s",
                       text_of(index, "IndexName"), own_hash, hash);
    return 0;
}

static int check_index_throughput(struct request *r, const json_t *index)
{
    const char *mode = text_of(r->body, "BillingMode");
    if (strcmp(mode, "PAY_PER_REQUEST") || !json_object_get(index, "ProvisionedThroughput"))
        return 0;
    return err_set(&r->err, ERR_INVALID,
                   INVALID "ProvisionedThroughput should not be specified for index: %s when "
                           "BillingMode is PAY_PER_REQUEST",
                   text_of(index, "IndexName"));
}

static int check_indexes(struct request *r, const char *member, int global, json_t *names)
{
    const json_t *indexes, *keys = json_object_get(r->body, "KeySchema");
    size_t i, limit = global ? 20 : 5;
    json_t *index;
    if (param_array(r, member, &indexes) < 0)
        return -1;
    if (!indexes)
        return 0;
    if (!json_array_size(indexes))
        return err_set(&r->err, ERR_INVALID, INVALID "List of %s is empty", member);
    if (!global && json_array_size(keys) != 2)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Table KeySchema does not have a range key, which is required when "
                               "specifying a LocalSecondaryIndex");
    if (json_array_size(indexes) > limit)
        return err_set(
            &r->err, ERR_INVALID,
            global ? INVALID "GlobalSecondaryIndex count exceeds the per-table limit of 20"
                   : INVALID "Number of LocalSecondaryIndexes exceeds per-table limit of 5");
    json_array_foreach(indexes, i, index)
    {
        const char *name = text_of(index, "IndexName");
        if (check_index(r, index, json_object_get(r->body, "AttributeDefinitions"), global) < 0 ||
            (!global && check_local(r, index, keys) < 0) ||
            (global && check_index_throughput(r, index) < 0))
            return -1;
        if (json_object_get(names, name))
            return err_set(&r->err, ERR_INVALID, INVALID "Duplicate index name: %s", name);
        json_object_set_new(names, name, json_true());
    }
    return 0;
}

static int check_units(struct request *r, const char *name, int64_t units)
{
    const int64_t most = 1000000000000;
    return units <= most ? 0
                         : err_set(&r->err, ERR_INVALID, "Given value %lld for %s is out of bounds",
                                   (long long)units, name);
}

int definition_check_throughput(struct request *r, const json_t *throughput)
{
    static const char *const names[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
    for (size_t i = 0; i < 2; i++)
        if (check_units(r, names[i], json_integer_value(json_object_get(throughput, names[i]))) < 0)
            return -1;
    return 0;
}

int definition_read_throughput(struct request *r, int64_t *reads, int64_t *writes, int *on_demand)
{
    static const char *const modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
    const json_t *throughput;
    if (param_choice(r, "BillingMode", modes, on_demand) < 0 ||
        param_object(r, "ProvisionedThroughput", &throughput) < 0)
        return -1;
    *reads = json_integer_value(json_object_get(throughput, "ReadCapacityUnits"));
    *writes = json_integer_value(json_object_get(throughput, "WriteCapacityUnits"));
    if (definition_check_throughput(r, throughput) < 0)
        return -1;
    if (*on_demand && throughput)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                               "when BillingMode is PAY_PER_REQUEST");
    if (!*on_demand && (*reads < 1 || *writes < 1))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified "
                               "when BillingMode is PROVISIONED");
    return 0;
}

static int refuse_unsupported(struct request *r)
{
    static const char *const enabled[][2] = {{"StreamSpecification", "StreamEnabled"},
                                             {"SSESpecification", "Enabled"}};
    const json_t *stream = json_object_get(r->body, "StreamSpecification");
    for (size_t i = 0; i < 2; i++)
        if (json_is_true(json_object_get(json_object_get(r->body, enabled[i][0]), enabled[i][1])))
            return err_set(&r->err, ERR_INVALID, "The parameter is not supported by ken: %s",
                           enabled[i][0]);
    if (json_object_get(stream, "StreamViewType"))
        return err_set(&r->err, ERR_INVALID,
                       INVALID
                       "Table is being created with a stream disabled, UpdateViewType should "
                       "not be specified");
    return 0;
}

int definition_set_options(struct request *r, json_t *definition)
{
    json_t *protect = json_object_get(r->body, "DeletionProtectionEnabled");
    json_t *class = json_object_get(r->body, "TableClass");
    json_t *on_demand = json_object_get(r->body, "OnDemandThroughput");
    if (refuse_unsupported(r) < 0)
        return -1;
    if (json_is_boolean(protect))
        json_object_set(definition, "DeletionProtectionEnabled", protect);
    if (json_is_string(class))
        json_object_set_new(definition, "TableClassSummary",
                            json_pack("{s:O}", "TableClass", class));
    if (json_is_object(on_demand))
        json_object_set(definition, "OnDemandThroughput", on_demand);
    return 0;
}

static int check_defined_once(struct request *r, const json_t *definitions)
{
    size_t i;
    json_t *definition, *seen = json_object();
    const char *twice = NULL;
    json_array_foreach(definitions, i, definition)
    {
        const char *name = json_string_value(json_object_get(definition, "AttributeName"));
        if (json_object_get(seen, name))
            twice = twice ? twice : name;
        json_object_set_new(seen, name, json_true());
    }
    json_decref(seen);
    return twice ? err_set(&r->err, ERR_INVALID,
                           INVALID "Duplicate AttributeName in AttributeDefinitions: %s", twice)
                 : 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "[a, b]" of the members of an object, in order. */
static const char *sorted_names(struct request *r, json_t *object)
{
    size_t count = 0;
    const char *name, **names = arena_new(r->arena, const char *, json_object_size(object) + 1);
    json_t *value;
    struct buf text;
    if (!names)
        return "";
    json_object_foreach(object, name, value)
    {
        names[count++] = name;
    }
    qsort(names, count, sizeof *names, compare_names);
    buf_init(&text, 8192);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "[", names[i]);
    buf_puts(&text, "]");
    const char *copy = text.data ? arena_strdup(r->arena, text.data) : NULL;
    buf_finish(&text);
    return copy ? copy : "";
}

static void add_names(json_t *names, const json_t *elements)
{
    size_t i;
    json_t *element;
    json_array_foreach(elements, i, element)
    {
        json_object_set_new(names, text_of(element, "AttributeName"), json_true());
    }
}

/* Every attribute that is defined is part of a key. */
static int check_all_used(struct request *r)
{
    static const char *const members[] = {"LocalSecondaryIndexes", "GlobalSecondaryIndexes"};
    json_t *used = json_object(), *defined = json_object(), *index;
    size_t j;
    add_names(defined, json_object_get(r->body, "AttributeDefinitions"));
    add_names(used, json_object_get(r->body, "KeySchema"));
    for (size_t i = 0; i < 2; i++)
        json_array_foreach(json_object_get(r->body, members[i]), j, index)
        {
            add_names(used, json_object_get(index, "KeySchema"));
        }
    int result = 0;
    if (json_object_size(used) < json_object_size(defined))
        result = err_set(&r->err, ERR_INVALID,
                         INVALID "Some AttributeDefinitions are not used. AttributeDefinitions: "
                                 "%s, keys used: %s",
                         sorted_names(r, defined), sorted_names(r, used));
    json_decref(used);
    json_decref(defined);
    return result;
}

static int check(struct request *r)
{
    const json_t *definitions = json_object_get(r->body, "AttributeDefinitions");
    const json_t *keys = json_object_get(r->body, "KeySchema");
    int local = json_object_get(r->body, "LocalSecondaryIndexes") != NULL;
    int global = json_object_get(r->body, "GlobalSecondaryIndexes") != NULL;
    if (check_keys(r, keys, definitions) < 0 || check_kinds(r, keys) < 0 ||
        check_defined_once(r, definitions) < 0 || tags_check(r) < 0)
        return -1;
    if (!local && !global && json_array_size(definitions) != json_array_size(keys))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Number of attributes in KeySchema does not exactly match number of "
                               "attributes defined in AttributeDefinitions");
    json_t *names = json_object();
    int result = check_indexes(r, "LocalSecondaryIndexes", 0, names);
    if (result == 0)
        result = check_indexes(r, "GlobalSecondaryIndexes", 1, names);
    json_decref(names);
    return result < 0 ? -1 : check_all_used(r);
}

json_t *definition_throughput(int64_t reads, int64_t writes)
{
    return json_pack("{s:i,s:I,s:I}", "NumberOfDecreasesToday", 0, "ReadCapacityUnits",
                     (json_int_t)reads, "WriteCapacityUnits", (json_int_t)writes);
}

static json_t *index_definition(const json_t *index, const char *arn)
{
    json_t *made = json_deep_copy(index);
    json_object_set_new(made, "IndexArn",
                        json_sprintf("%s/index/%s", arn, text_of(index, "IndexName")));
    return made;
}

json_t *definition_global_index(const json_t *index, const char *arn)
{
    json_t *made = index_definition(index, arn);
    const json_t *given = json_object_get(index, "ProvisionedThroughput");
    json_object_set_new(
        made, "ProvisionedThroughput",
        definition_throughput(json_integer_value(json_object_get(given, "ReadCapacityUnits")),
                              json_integer_value(json_object_get(given, "WriteCapacityUnits"))));
    json_object_set_new(made, "IndexStatus", json_string("ACTIVE"));
    return made;
}

static void add_indexes(struct request *r, json_t *definition, const char *member, int global)
{
    const json_t *given = json_object_get(r->body, member);
    const char *arn = text_of(definition, "TableArn");
    json_t *indexes = json_array(), *index;
    size_t i;
    json_array_foreach(given, i, index)
    {
        json_array_append_new(indexes, global ? definition_global_index(index, arn)
                                              : index_definition(index, arn));
    }
    if (json_array_size(indexes))
        json_object_set(definition, member, indexes);
    json_decref(indexes);
}

json_t *definition_make(struct request *r, const char *name)
{
    int64_t reads, writes;
    int on_demand;
    char id[RANDOM_UUID_BYTES];
    if (definition_read_throughput(r, &reads, &writes, &on_demand) < 0 || check(r) < 0)
        return NULL;
    random_uuid(id);
    double now_s = (double)r->now_ms / 1000;
    json_t *definition =
        json_pack("{s:O,s:s,s:O,s:f,s:o,s:s,s:s,s:b}", "AttributeDefinitions",
                  json_object_get(r->body, "AttributeDefinitions"), "TableName", name, "KeySchema",
                  json_object_get(r->body, "KeySchema"), "CreationDateTime", now_s,
                  "ProvisionedThroughput", definition_throughput(reads, writes), "TableArn",
                  table_arn(r, name), "TableId", id, "DeletionProtectionEnabled",
                  json_is_true(json_object_get(r->body, "DeletionProtectionEnabled")));
    if (!definition) {
        err_set(&r->err, ERR_NO_MEMORY, "create table: out of memory");
        return NULL;
    }
    if (on_demand)
        json_object_set_new(definition, "BillingModeSummary",
                            json_pack("{s:s,s:f}", "BillingMode", "PAY_PER_REQUEST",
                                      "LastUpdateToPayPerRequestDateTime", now_s));
    add_indexes(r, definition, "LocalSecondaryIndexes", 0);
    add_indexes(r, definition, "GlobalSecondaryIndexes", 1);
    if (definition_set_options(r, definition) == 0)
        return definition;
    json_decref(definition);
    return NULL;
}
