#include "cloud/dynamodb/definition.h"
#include "cloud/dynamodb/worker.h"

#include <stdio.h>
#include <string.h>

/* UpdateTable: throughput, billing, options, and one global index made or removed at a time. */

#define INVALID "One or more parameter values were invalid: "

/* A change on its way: the new definition, and what happens to the SQL tables with it. */
struct change {
    const struct table *table;
    json_t *definition;
    int made, removed; /* numbers of indexes; -1: none */
};

static json_t *find_index(const json_t *definition, const char *name)
{
    size_t i;
    json_t *index;
    json_array_foreach(json_object_get(definition, "GlobalSecondaryIndexes"), i, index)
    {
        if (!strcmp(json_string_value(json_object_get(index, "IndexName")), name))
            return index;
    }
    return NULL;
}

static int is_free(const struct table *table, int number)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].number == number)
            return 0;
    return 1;
}

static int free_number(const struct table *table)
{
    int number = 0;
    while (!is_free(table, number))
        number++;
    return number;
}

static int is_on_demand(const json_t *definition)
{
    const char *mode = json_string_value(
        json_object_get(json_object_get(definition, "BillingModeSummary"), "BillingMode"));
    return mode && !strcmp(mode, "PAY_PER_REQUEST");
}

static int64_t units(const json_t *throughput, const char *name)
{
    return json_integer_value(json_object_get(throughput, name));
}

/* The same throughput once more is an error. */
static int set_throughput(struct request *r, json_t *of, const json_t *wanted, const char *what)
{
    const json_t *old = json_object_get(of, "ProvisionedThroughput");
    int64_t reads = units(wanted, "ReadCapacityUnits"),
            writes = units(wanted, "WriteCapacityUnits");
    int64_t old_reads = units(old, "ReadCapacityUnits"),
            old_writes = units(old, "WriteCapacityUnits");
    if (reads == old_reads && writes == old_writes)
        return err_set(&r->err, ERR_INVALID,
                       "The provisioned throughput for the %s will not change. The requested value "
                       "equals the current value. Current ReadCapacityUnits provisioned for the "
                       "%s: %lld. Requested ReadCapacityUnits: %lld. Current WriteCapacityUnits "
                       "provisioned for the %s: %lld. Requested WriteCapacityUnits: %lld. Refer to "
                       "the Amazon DynamoDB Developer Guide for current limits and how to request "
                       "higher limits.",
                       what, what, (long long)old_reads, (long long)reads, what,
                       (long long)old_writes, (long long)writes);
    json_t *made = definition_throughput(reads, writes);
    double now_s = (double)r->now_ms / 1000;
    if (reads > old_reads || writes > old_writes)
        json_object_set_new(made, "LastIncreaseDateTime", json_real(now_s));
    if (reads < old_reads || writes < old_writes)
        json_object_set_new(made, "LastDecreaseDateTime", json_real(now_s));
    return json_object_set_new(of, "ProvisionedThroughput", made);
}

static int set_billing(struct request *r, struct change *change)
{
    const json_t *wanted = json_object_get(r->body, "ProvisionedThroughput");
    const char *mode = json_string_value(json_object_get(r->body, "BillingMode"));
    int was = is_on_demand(change->definition);
    int on_demand = mode ? !strcmp(mode, "PAY_PER_REQUEST") : was;
    if (on_demand && wanted)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified "
                               "when BillingMode is PAY_PER_REQUEST");
    if (mode && on_demand && !was) {
        json_object_set_new(change->definition, "ProvisionedThroughput",
                            definition_throughput(0, 0));
        json_object_set_new(change->definition, "BillingModeSummary",
                            json_pack("{s:s,s:f}", "BillingMode", mode,
                                      "LastUpdateToPayPerRequestDateTime",
                                      (double)r->now_ms / 1000));
    } else if (mode && !on_demand) {
        json_object_set_new(change->definition, "BillingModeSummary",
                            json_pack("{s:s}", "BillingMode", mode));
    }
    return wanted ? set_throughput(r, change->definition, wanted, "table") : 0;
}

/* Attributes of the definition, with those of the request that are new. */
static json_t *joined_attributes(const json_t *own, const json_t *given)
{
    json_t *joined = json_copy((json_t *)own), *attribute, *known;
    size_t i, j;
    json_array_foreach(given, i, attribute)
    {
        int found = 0;
        json_array_foreach(own, j, known)
        {
            found |= json_equal(json_object_get(known, "AttributeName"),
                                json_object_get(attribute, "AttributeName"));
        }
        if (!found)
            json_array_append(joined, attribute);
    }
    return joined;
}

static int is_key_of(const json_t *keys, const json_t *name)
{
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key)
    {
        if (json_equal(json_object_get(key, "AttributeName"), name))
            return 1;
    }
    return 0;
}

static int is_used(const json_t *definition, const json_t *name)
{
    static const char *const members[] = {"LocalSecondaryIndexes", "GlobalSecondaryIndexes"};
    size_t j;
    json_t *index;
    int used = is_key_of(json_object_get(definition, "KeySchema"), name);
    for (size_t i = 0; i < 2; i++)
        json_array_foreach(json_object_get(definition, members[i]), j, index)
        {
            used |= is_key_of(json_object_get(index, "KeySchema"), name);
        }
    return used;
}

/* What no key uses any more is not defined any more. */
static void drop_unused_attributes(json_t *definition)
{
    json_t *attributes = json_object_get(definition, "AttributeDefinitions");
    for (size_t i = json_array_size(attributes); i-- > 0;)
        if (!is_used(definition, json_object_get(json_array_get(attributes, i), "AttributeName")))
            json_array_remove(attributes, i);
}

/* Indexes without a number have their position: say it before positions change. */
static void number_indexes(const struct table *table, json_t *definition)
{
    size_t i;
    json_t *index;
    json_array_foreach(json_object_get(definition, "GlobalSecondaryIndexes"), i, index)
    {
        const struct table_index *known =
            table_find_index(table, json_string_value(json_object_get(index, "IndexName")));
        if (known)
            json_object_set_new(index, "ken:number", json_integer(known->number));
    }
}

static const char *type_of(const json_t *attributes, const char *name)
{
    size_t i;
    json_t *attribute;
    json_array_foreach(attributes, i, attribute)
    {
        if (!strcmp(json_string_value(json_object_get(attribute, "AttributeName")), name))
            return json_string_value(json_object_get(attribute, "AttributeType"));
    }
    return NULL;
}

/* A key that the table knows already keeps its type. */
static int check_redefined(struct request *r, const json_t *keys, const json_t *own,
                           const json_t *given)
{
    size_t i;
    json_t *key;
    json_array_foreach(keys, i, key)
    {
        const char *name = json_string_value(json_object_get(key, "AttributeName"));
        const char *kind = json_string_value(json_object_get(key, "KeyType"));
        const char *was = type_of(own, name), *wanted = type_of(given, name);
        if (was && strcmp(was, wanted) != 0)
            return err_set(&r->err, ERR_INVALID,
                           INVALID "Attributes cannot be redefined. Please check that your "
                                   "attribute has the same type as previously defined. Existing "
                                   "schema: Schema:[SchemaElement: key{%.255s:%s:%s}] New schema: "
                                   "Schema:[SchemaElement: key{%.255s:%s:%s}]",
                           name, was, kind, name, wanted, kind);
    }
    return 0;
}

static int create_index(struct request *r, struct change *change, const json_t *index)
{
    const char *name = json_string_value(json_object_get(index, "IndexName"));
    const json_t *given = json_object_get(r->body, "AttributeDefinitions");
    const json_t *own = json_object_get(change->definition, "AttributeDefinitions");
    if (table_find_index(change->table, name))
        return err_set(&r->err, ERR_INVALID, "Attempting to create an index which already exists");
    if (change->table->index_count == TABLE_MAX_INDEXES ||
        json_array_size(json_object_get(change->definition, "GlobalSecondaryIndexes")) >= 20)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "GlobalSecondaryIndex count exceeds the per-table limit of 20");
    if (definition_check_index(r, index, given) < 0 ||
        check_redefined(r, json_object_get(index, "KeySchema"), own, given) < 0)
        return -1;
    json_object_set_new(change->definition, "AttributeDefinitions", joined_attributes(own, given));
    const char *arn = json_string_value(json_object_get(change->definition, "TableArn"));
    json_t *made = definition_global_index(index, arn);
    change->made = free_number(change->table);
    json_object_set_new(made, "ken:number", json_integer(change->made));
    json_object_set_new(made, "IndexStatus", json_string("CREATING"));
    json_object_set_new(made, "Backfilling", json_true());
    if (!json_object_get(change->definition, "GlobalSecondaryIndexes"))
        json_object_set_new(change->definition, "GlobalSecondaryIndexes", json_array());
    json_array_append_new(json_object_get(change->definition, "GlobalSecondaryIndexes"), made);
    drop_unused_attributes(change->definition);
    return 0;
}

static int no_index(struct request *r, const char *name)
{
    return err_set(&r->err, ERR_NOT_FOUND, "Requested resource not found: Index: %.255s not found",
                   name);
}

static int delete_index(struct request *r, struct change *change, const json_t *which)
{
    const char *name = json_string_value(json_object_get(which, "IndexName"));
    const struct table_index *index = table_find_index(change->table, name);
    json_t *indexes = json_object_get(change->definition, "GlobalSecondaryIndexes");
    if (!index || !index->global)
        return no_index(r, name);
    change->removed = index->number;
    for (size_t i = json_array_size(indexes); i-- > 0;)
        if (json_array_get(indexes, i) == find_index(change->definition, name)) {
            json_array_remove(indexes, i);
            break;
        }
    if (!json_array_size(indexes))
        json_object_del(change->definition, "GlobalSecondaryIndexes");
    drop_unused_attributes(change->definition);
    return 0;
}

static int update_index(struct request *r, struct change *change, const json_t *which)
{
    const char *name = json_string_value(json_object_get(which, "IndexName"));
    const json_t *wanted = json_object_get(which, "ProvisionedThroughput");
    json_t *on_demand = json_object_get(which, "OnDemandThroughput");
    json_t *index = find_index(change->definition, name);
    if (!index)
        return no_index(r, name);
    if (json_is_object(on_demand))
        json_object_set(index, "OnDemandThroughput", on_demand);
    return wanted ? set_throughput(r, index, wanted, "index") : 0;
}

static int change_index(struct request *r, struct change *change, const json_t *update)
{
    static const struct {
        const char *name;
        int (*run)(struct request *r, struct change *change, const json_t *json);
    } kinds[] = {{"Create", create_index}, {"Delete", delete_index}, {"Update", update_index}};
    for (size_t i = 0; i < 3; i++) {
        const json_t *json = json_object_get(update, kinds[i].name);
        if (json_is_object(json))
            return kinds[i].run(r, change, json);
    }
    return err_set(&r->err, ERR_INVALID, "an index update without an action");
}

static int check_online(struct request *r, const json_t *updates)
{
    size_t i;
    int online = 0;
    json_t *update;
    json_array_foreach(updates, i, update)
    {
        online += !json_object_get(update, "Update");
    }
    if (online <= 1)
        return 0;
    r->error_type = "LimitExceededException";
    return err_set(&r->err, ERR_INVALID,
                   "Subscriber limit exceeded: Only 1 online index can be created or deleted "
                   "simultaneously per table");
}

static int change_indexes(struct request *r, struct change *change)
{
    size_t i;
    json_t *update;
    const json_t *updates = json_object_get(r->body, "GlobalSecondaryIndexUpdates");
    if (check_online(r, updates) < 0)
        return -1;
    json_array_foreach(updates, i, update)
    {
        if (change_index(r, change, update) < 0)
            return -1;
    }
    return 0;
}

static int change_index_tables(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    char sql[TABLE_SQL_BYTES];
    long long id = (long long)change->table->id;
    if (change->removed >= 0) {
        snprintf(sql, sizeof sql, "DROP TABLE x%lld_%d", id, change->removed);
        return connection_exec(connection, sql, err);
    }
    if (change->made < 0)
        return 0;
    snprintf(sql, sizeof sql,
             "CREATE TABLE x%lld_%d(key BLOB PRIMARY KEY, base BLOB NOT NULL) WITHOUT ROWID", id,
             change->made);
    return connection_exec(connection, sql, err);
}

static int make_change(struct request *r, struct change *change)
{
    number_indexes(change->table, change->definition);
    if (definition_set_options(r, change->definition) < 0 || set_billing(r, change) < 0)
        return -1;
    return change_indexes(r, change);
}

static int run_change(struct request *r, struct table *table)
{
    struct change change = {.table = table, .made = -1, .removed = -1};
    if (strcmp(table_status(table), "ACTIVE"))
        return err_set(&r->err, ERR_EXISTS,
                       "Attempt to change a resource which is still in use: Table is being "
                       "updated: %s",
                       table->name);
    change.definition = json_deep_copy(table->definition);
    if (make_change(r, &change) < 0) {
        json_decref(change.definition);
        return -1;
    }
    struct table *changed =
        table_replace(r->service, table, change.definition, change_index_tables, &change, &r->err);
    int result = changed ? table_answer(r, changed, "TableDescription", "UPDATING") : -1;
    table_release(changed);
    worker_wake(r->service->worker);
    return result;
}

/* Each does one thing with an index, and none is named twice. */
static int check_index_update(struct request *r, const json_t *update, json_t *seen)
{
    static const char *const kinds[] = {"Update", "Create", "Delete"};
    const char *name = NULL;
    for (size_t i = 0; i < 3; i++) {
        const json_t *json = json_object_get(update, kinds[i]);
        if (name && json_is_object(json))
            return err_set(&r->err, ERR_INVALID,
                           INVALID "Only one of GlobalSecondaryIndexUpdate.Update, "
                                   "GlobalSecondaryIndexUpdate.Create, "
                                   "GlobalSecondaryIndexUpdate.Delete may be given at once");
        if (json_is_object(json))
            name = json_string_value(json_object_get(json, "IndexName"));
    }
    if (!name)
        return err_set(&r->err, ERR_INVALID,
                       INVALID "One of GlobalSecondaryIndexUpdate.Update, "
                               "GlobalSecondaryIndexUpdate.Create, "
                               "GlobalSecondaryIndexUpdate.Delete must not be null");
    if (json_object_get(seen, name))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "Only one global secondary index update per index is allowed "
                               "simultaneously. Index: %s",
                       name);
    return json_object_set_new(seen, name, json_true());
}

static int check_index_updates(struct request *r)
{
    const json_t *updates = json_object_get(r->body, "GlobalSecondaryIndexUpdates");
    json_t *seen = json_object();
    int result = 0;
    for (size_t i = 0; result == 0 && i < json_array_size(updates); i++)
        result = check_index_update(r, json_array_get(updates, i), seen);
    json_decref(seen);
    return result;
}

/* What is wrong with a request whatever the table is. */
static int check_update(struct request *r)
{
    const json_t *wanted = json_object_get(r->body, "ProvisionedThroughput");
    const char *mode = json_string_value(json_object_get(r->body, "BillingMode"));
    if (mode && !strcmp(mode, "PROVISIONED") && !json_is_object(wanted))
        return err_set(&r->err, ERR_INVALID,
                       INVALID "ProvisionedThroughput must be specified when BillingMode is "
                               "PROVISIONED");
    return definition_check_throughput(r, wanted) < 0 ? -1 : check_index_updates(r);
}

static int update_alone(struct request *r)
{
    static const char *const changes[] = {
        "BillingMode",        "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass",
        "OnDemandThroughput", "StreamSpecification",   "SSESpecification"};
    int any = json_array_size(json_object_get(r->body, "GlobalSecondaryIndexUpdates")) > 0;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        any |= json_object_get(r->body, changes[i]) != NULL;
    if (!any)
        return err_set(&r->err, ERR_INVALID,
                       "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, "
                       "GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is "
                       "required");
    struct table *table = check_update(r) < 0 ? NULL : request_table(r);
    if (!table)
        return -1;
    int result = run_change(r, table);
    table_release(table);
    return result;
}

int update_table(struct request *r)
{
    return change_alone(r, update_alone);
}
