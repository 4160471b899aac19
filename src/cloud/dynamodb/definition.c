#include "cloud/dynamodb/definition.h"

#include "base/random.h"

#include <stdio.h>
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

static int check_definitions(struct request *r, const json_t *definitions)
{
    size_t i;
    json_t *attribute;
    if (!json_is_array(definitions))
        return fail_constraint(r, NULL, "AttributeDefinitions", "Member must not be null");
    json_array_foreach(definitions, i, attribute)
    {
        const char *name = text_of(attribute, "AttributeName");
        const char *type = text_of(attribute, "AttributeType");
        char member[96];
        snprintf(member, sizeof member, "attributeDefinitions.%zu.member.attributeName", i + 1);
        if (!*name || strlen(name) > 255)
            return fail_constraint(r, name, member,
                                   *name ? "Member must have length less than or equal to 255"
                                         : "Member must have length greater than or equal to 1");
        snprintf(member, sizeof member, "attributeDefinitions.%zu.member.attributeType", i + 1);
        if (strcmp(type, "S") && strcmp(type, "N") && strcmp(type, "B"))
            return fail_constraint(r, type, member,
                                   "Member must satisfy enum value set: [B, N, S]");
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
    size_t count = json_array_size(keys), i;
    json_t *key;
    if (!json_is_array(keys))
        return fail_constraint(r, NULL, "KeySchema", "Member must not be null");
    if (count < 1 || count > 2)
        return fail_constraint(r, names_of(r, keys), "KeySchema",
                               count ? "Member must have length less than or equal to 2"
                                     : "Member must have length greater than or equal to 1");
    json_array_foreach(keys, i, key)
    {
        if (!is_defined(definitions, text_of(key, "AttributeName")))
            return err_set(&r->err, ERR_INVALID,
                           INVALID "Some index key attributes are not defined in "
                                   "AttributeDefinitions. Keys: %s, AttributeDefinitions: %s",
                           names_of(r, keys), names_of(r, definitions));
    }
    const json_t *hash = json_array_get(keys, 0), *range = json_array_get(keys, 1);
    if (range && !strcmp(text_of(hash, "AttributeName"), text_of(range, "AttributeName")))
        return err_set(&r->err, ERR_INVALID,
                       "Both the Hash Key and the Range Key element in the KeySchema have the same "
                       "name");
    if (strcmp(text_of(hash, "KeyType"), "HASH"))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (range && strcmp(text_of(range, "KeyType"), "RANGE"))
        return err_set(&r->err, ERR_INVALID,
                       "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    return 0;
}

static int check_projection(struct request *r, const json_t *projection)
{
    const char *type = text_of(projection, "ProjectionType");
    const json_t *names = json_object_get(projection, "NonKeyAttributes");
    size_t i;
    json_t *name;
    if (strcmp(type, "ALL") && strcmp(type, "KEYS_ONLY") && strcmp(type, "INCLUDE"))
        return err_set(&r->err, ERR_INVALID, INVALID "Unknown ProjectionType: %s",
                       *type ? type : "null");
    if (names && strcmp(type, "INCLUDE"))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ProjectionType is %s, but NonKeyAttributes is specified", type);
    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            return err_set(&r->err, ERR_CORRUPT, "Unexpected field type");
    }
    return 0;
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
        if (strlen(name) < 3 || strlen(name) > 255)
            return fail_constraint(r, name, "indexName",
                                   "Member must have length greater than or equal to 3");
        if (check_keys(r, json_object_get(index, "KeySchema"),
                       json_object_get(r->body, "AttributeDefinitions")) < 0 ||
            (!global && check_local(r, index, keys) < 0) ||
            check_projection(r, json_object_get(index, "Projection")) < 0)
            return -1;
        if (json_object_get(names, name))
            return err_set(&r->err, ERR_INVALID, INVALID "Duplicate index name: %s", name);
        json_object_set_new(names, name, json_true());
    }
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
    for (size_t i = 0; i < 2; i++)
        if (json_is_true(json_object_get(json_object_get(r->body, enabled[i][0]), enabled[i][1])))
            return err_set(&r->err, ERR_INVALID, "%s is not supported by ken", enabled[i][0]);
    return 0;
}

static int check(struct request *r)
{
    const json_t *definitions = json_object_get(r->body, "AttributeDefinitions");
    const json_t *keys = json_object_get(r->body, "KeySchema");
    int local = json_object_get(r->body, "LocalSecondaryIndexes") != NULL;
    int global = json_object_get(r->body, "GlobalSecondaryIndexes") != NULL;
    if (check_definitions(r, definitions) < 0 || check_keys(r, keys, definitions) < 0)
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
    return result < 0 ? -1 : refuse_unsupported(r);
}

json_t *definition_throughput(int64_t reads, int64_t writes)
{
    return json_pack("{s:i,s:I,s:I}", "NumberOfDecreasesToday", 0, "ReadCapacityUnits",
                     (json_int_t)reads, "WriteCapacityUnits", (json_int_t)writes);
}

static void add_indexes(struct request *r, json_t *definition, const char *member, int global)
{
    json_t *indexes = json_deep_copy(json_object_get(r->body, member));
    size_t i;
    json_t *index;
    json_array_foreach(indexes, i, index)
    {
        const char *arn = json_string_value(json_object_get(definition, "TableArn"));
        json_object_set_new(index, "IndexArn",
                            json_sprintf("%s/index/%s", arn, text_of(index, "IndexName")));
        if (!global)
            continue;
        const json_t *given = json_object_get(index, "ProvisionedThroughput");
        json_t *throughput =
            definition_throughput(json_integer_value(json_object_get(given, "ReadCapacityUnits")),
                                  json_integer_value(json_object_get(given, "WriteCapacityUnits")));
        json_object_set_new(index, "ProvisionedThroughput", throughput);
        json_object_set_new(index, "IndexStatus", json_string("ACTIVE"));
    }
    if (indexes)
        json_object_set_new(definition, member, indexes);
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
    return definition;
}
