#include "cloud/dynamodb/request.h"

#include <string.h>

/* BatchWriteItem, BatchGetItem, TransactWriteItems, TransactGetItems. */

enum {
    BATCH_MAX_WRITES = 25,
    BATCH_MAX_READS = 100,
    TRANSACTION_MAX_ITEMS = 100,
    BATCH_MAX_ANSWER_BYTES = 16 * 1024 * 1024
};

struct batch {
    struct write writes[TRANSACTION_MAX_ITEMS];
    struct expressions expressions[TRANSACTION_MAX_ITEMS];
    int wants_failed_item[TRANSACTION_MAX_ITEMS];
    size_t count;
    enum capacity_detail capacity;
};

static void release_tables(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        table_release(batch->writes[i].table);
}

static struct batch *make_batch(struct request *r)
{
    struct batch *batch = arena_new(r->arena, struct batch, 1);
    if (!batch)
        err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    return batch;
}

static int same_key(const struct write *a, const struct write *b)
{
    if (a->table != b->table)
        return 0;
    for (size_t i = 0; i < a->table->keys.count; i++) {
        const char *name = a->table->keys.parts[i].name;
        if (!value_equal(value_member(&a->item, name), value_member(&b->item, name)))
            return 0;
    }
    return 1;
}

static int check_write(struct request *r, struct write *w)
{
    if (w->type != WRITE_PUT)
        return table_check_key(w->table, &w->item, &r->err);
    if (item_size(&w->item) > ITEM_MAX_BYTES)
        return err_set(&r->err, ERR_INVALID, "Item size has exceeded the maximum allowed size");
    return table_check_item(w->table, &w->item, &r->err);
}

static int add_write(struct request *r, struct batch *batch, const char *table, const json_t *json)
{
    const json_t *put = json_object_get(json, "PutRequest");
    const json_t *delete = json_object_get(json, "DeleteRequest");
    if (!put == !delete)
        return err_set(&r->err, ERR_INVALID,
                       "Supplied AttributeValue has more than one datatypes set, must contain "
                       "exactly one of the supported datatypes");
    struct write *w = &batch->writes[batch->count];
    w->type = put ? WRITE_PUT : WRITE_DELETE;
    const json_t *item = put ? json_object_get(put, "Item") : json_object_get(delete, "Key");
    if (!item)
        return fail_constraint(r, NULL,
                               put ? "requestItems.member.putRequest.item"
                                   : "requestItems.member.deleteRequest.key",
                               "Member must not be null");
    if (item_from_json(item, &w->item, r->arena, &r->err) < 0)
        return -1;
    w->table = request_find_table(r, table);
    if (!w->table)
        return -1;
    batch->count++;
    if (check_write(r, w) < 0)
        return -1;
    for (size_t i = 0; i + 1 < batch->count; i++)
        if (same_key(&batch->writes[i], w))
            return err_set(&r->err, ERR_INVALID, "Provided list of item keys contains duplicates");
    return 0;
}

static int check_count(struct request *r, size_t count, size_t limit, const char *name)
{
    if (!count)
        return fail_constraint(r, "{}", name, "Member must have length greater than or equal to 1");
    if (count > limit && limit == BATCH_MAX_READS)
        return err_set(&r->err, ERR_INVALID, "Too many items requested for the BatchGetItem call");
    if (count > limit)
        return err_set(&r->err, ERR_INVALID,
                       "Too many items requested for the BatchWriteItem call");
    return 0;
}

static int read_batch(struct request *r, struct batch *batch)
{
    const json_t *tables;
    const char *table;
    json_t *requests, *one;
    size_t count = 0, i;
    if (param_capacity(r, &batch->capacity) < 0 || param_object(r, "RequestItems", &tables) < 0)
        return -1;
    if (!tables)
        return fail_constraint(r, NULL, "RequestItems", "Member must not be null");
    json_object_foreach((json_t *)tables, table, requests)
    {
        count += json_array_size(requests);
    }
    if (check_count(r, count, BATCH_MAX_WRITES, "RequestItems") < 0)
        return -1;
    json_object_foreach((json_t *)tables, table, requests)
    {
        json_array_foreach(requests, i, one)
        {
            if (add_write(r, batch, table, one) < 0)
                return -1;
        }
    }
    return 0;
}

/* One entry a table, with the units of its writes (twice in a transaction). */
static void write_batch_capacity(struct request *r, const struct batch *batch, double factor)
{
    int first = 1;
    if (!batch->capacity)
        return;
    buf_puts(&r->out, ",\"ConsumedCapacity\":[");
    for (size_t i = 0; i < batch->count; i++) {
        double units = 0;
        int seen = 0;
        for (size_t j = 0; j < batch->count; j++) {
            const struct write *w = &batch->writes[j];
            if (w->table != batch->writes[i].table)
                continue;
            seen |= j < i;
            units += write_units(w->old_size > w->new_size ? w->old_size : w->new_size) * factor;
        }
        if (seen)
            continue;
        buf_puts(&r->out, first ? "" : ",");
        first = 0;
        write_capacity(r, batch->capacity, batch->writes[i].table->name, NULL, units);
    }
    buf_puts(&r->out, "]");
}

int batch_write_item(struct request *r)
{
    size_t failed;
    struct batch *batch = make_batch(r);
    if (!batch)
        return -1;
    int result = read_batch(r, batch);
    if (result == 0)
        result = write_all(r, batch->writes, batch->count, &failed);
    if (result == 0) {
        buf_puts(&r->out, "{\"UnprocessedItems\":{}");
        write_batch_capacity(r, batch, 1);
        buf_puts(&r->out, "}");
    }
    release_tables(batch);
    return result;
}

struct reading {
    struct connection *connection;
    const struct table *table; /* the one at hand, and what goes with it */
    struct expressions expressions;
    int consistent, left_over, tables;
    double units;
    enum capacity_detail detail;
    struct buf unprocessed, capacity; /* of all tables, JSON members */
};

static int read_keys(struct request *r, const json_t *keys, struct reading *reading)
{
    int shown = 0, left = 0;
    struct write *seen = arena_new(r->arena, struct write, json_array_size(keys));
    if (!seen)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        struct key key;
        struct stored stored = {0};
        seen[i].table = (struct table *)reading->table;
        if (item_from_json(json_array_get(keys, i), &seen[i].item, r->arena, &r->err) < 0 ||
            table_check_key(reading->table, &seen[i].item, &r->err) < 0 ||
            table_key(reading->table, &seen[i].item, &key, r->arena, &r->err) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (same_key(&seen[j], &seen[i]))
                return err_set(&r->err, ERR_INVALID,
                               "Provided list of item keys contains duplicates");
        if (r->out.size > BATCH_MAX_ANSWER_BYTES) {
            buf_puts(&reading->unprocessed, left++ ? "," : "");
            item_write(&reading->unprocessed, &seen[i].item);
            continue;
        }
        int found = item_load(reading->connection, r, reading->table, &key, &stored);
        if (found < 0)
            return -1;
        reading->units += read_units(stored.size, reading->consistent);
        if (!found)
            continue;
        buf_puts(&r->out, shown++ ? "," : "");
        const struct projection *projection =
            reading->expressions.has_projection ? &reading->expressions.projection : NULL;
        if (write_projected(r, projection, stored.text, stored.text_size) < 0)
            return -1;
    }
    reading->left_over = left;
    return 0;
}

/* One table's keys, and what could not be read of them any more. */
static int read_listed(struct request *r, const json_t *keys, struct reading *reading)
{
    struct buf *left = &reading->unprocessed;
    const char *name = reading->table->name;
    size_t before = left->size;
    buf_puts(&r->out, reading->tables++ ? "," : "");
    json_write_string(&r->out, name, strlen(name));
    buf_puts(&r->out, ":[");
    buf_printf(left, "%s\"%s\":{\"Keys\":[", before ? "," : "", name);
    reading->units = 0;
    int result = read_keys(r, keys, reading);
    buf_puts(&r->out, "]");
    buf_puts(left, "]}");
    if (!reading->left_over && left->data)
        left->data[left->size = before] = 0;
    if (reading->detail)
        buf_printf(&reading->capacity, "%s{\"TableName\":\"%s\",\"CapacityUnits\":%.1f}",
                   reading->capacity.size ? "," : "", name, reading->units);
    return result;
}

static int read_table(struct request *r, const char *name, const json_t *from,
                      struct reading *reading)
{
    reading->consistent = json_is_true(json_object_get(from, "ConsistentRead"));
    if (expressions_parse(r, from, USES_PROJECTION, &reading->expressions) < 0)
        return -1;
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    reading->table = table;
    int result = expressions_check_keys(r, table, &reading->expressions);
    if (result == 0)
        result = read_listed(r, json_object_get(from, "Keys"), reading);
    table_release(table);
    return result;
}

static const char *text_of(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

static int read_all(struct request *r, const json_t *tables, enum capacity_detail detail)
{
    const char *name;
    json_t *from;
    int result = 0;
    struct reading reading = {.detail = detail};
    reading.connection = database_read_begin(r->service->database, &r->err);
    if (!reading.connection)
        return -1;
    buf_init(&reading.unprocessed, REQUEST_MAX_OUT_BYTES);
    buf_init(&reading.capacity, REQUEST_MAX_OUT_BYTES);
    buf_puts(&r->out, "{\"Responses\":{");
    json_object_foreach((json_t *)tables, name, from)
    {
        result = read_table(r, name, from, &reading);
        if (result < 0)
            break;
    }
    buf_puts(&r->out, "},\"UnprocessedKeys\":{");
    buf_puts(&r->out, text_of(&reading.unprocessed));
    buf_puts(&r->out, "}");
    if (detail)
        buf_printf(&r->out, ",\"ConsumedCapacity\":[%s]", text_of(&reading.capacity));
    buf_puts(&r->out, "}");
    buf_finish(&reading.unprocessed);
    buf_finish(&reading.capacity);
    database_read_end(r->service->database, reading.connection);
    return result;
}

int batch_get_item(struct request *r)
{
    const json_t *tables;
    const char *name;
    json_t *from;
    size_t count = 0;
    enum capacity_detail detail;
    if (param_capacity(r, &detail) < 0 || param_object(r, "RequestItems", &tables) < 0)
        return -1;
    if (!tables)
        return fail_constraint(r, NULL, "RequestItems", "Member must not be null");
    json_object_foreach((json_t *)tables, name, from)
    {
        count += json_array_size(json_object_get(from, "Keys"));
    }
    if (check_count(r, count, BATCH_MAX_READS, "RequestItems") < 0)
        return -1;
    return read_all(r, tables, detail);
}

static const struct transaction_type {
    const char *name;
    enum write_type type;
    unsigned uses;
    const char *action; /* to be allowed */
} transaction_types[] = {
    {"Put", WRITE_PUT, USES_CONDITION, "dynamodb:PutItem"},
    {"Delete", WRITE_DELETE, USES_CONDITION, "dynamodb:DeleteItem"},
    {"Update", WRITE_UPDATE, USES_CONDITION | USES_UPDATE, "dynamodb:UpdateItem"},
    {"ConditionCheck", WRITE_CHECK, USES_CONDITION, "dynamodb:ConditionCheckItem"},
};

static int add_transaction(struct request *r, struct batch *batch, const json_t *item)
{
    size_t at = batch->count;
    struct write *w = &batch->writes[at];
    const struct transaction_type *type = NULL;
    for (size_t i = 0; i < 4; i++)
        if (json_object_get(item, transaction_types[i].name))
            type = &transaction_types[i];
    if (!type || json_object_size(item) != 1)
        return err_set(&r->err, ERR_INVALID,
                       "TransactItems can only contain one of Check, Put, Update or Delete");
    const json_t *from = json_object_get(item, type->name), *failure;
    const json_t *key = json_object_get(from, type->type == WRITE_PUT ? "Item" : "Key");
    const char *name;
    w->type = type->type;
    failure = json_object_get(from, "ReturnValuesOnConditionCheckFailure");
    batch->wants_failed_item[at] =
        json_is_string(failure) && !strcmp(json_string_value(failure), "ALL_OLD");
    if (!key)
        return fail_constraint(r, NULL, "transactItems.member.key", "Member must not be null");
    if (param_table_name(r, from, &name) < 0 ||
        item_from_json(key, &w->item, r->arena, &r->err) < 0 ||
        expressions_parse(r, from, type->uses, &batch->expressions[at]) < 0)
        return -1;
    w->condition = batch->expressions[at].condition;
    w->update = batch->expressions[at].has_update ? &batch->expressions[at].update : NULL;
    w->wants_old = batch->wants_failed_item[at];
    w->table = request_find_table_for(r, type->action, name);
    if (!w->table)
        return -1;
    batch->count++;
    if (check_write(r, w) < 0 || (w->update && update_check_keys(r, w->table, w->update) < 0))
        return -1;
    for (size_t i = 0; i + 1 < batch->count; i++)
        if (same_key(&batch->writes[i], w))
            return err_set(&r->err, ERR_INVALID,
                           "Transaction request cannot include multiple operations on one item");
    return 0;
}

static int read_transaction(struct request *r, struct batch *batch)
{
    const json_t *items;
    size_t i;
    json_t *item;
    if (param_capacity(r, &batch->capacity) < 0 || param_array(r, "TransactItems", &items) < 0)
        return -1;
    if (!items)
        return fail_constraint(r, NULL, "TransactItems", "Member must not be null");
    if (!json_array_size(items) || json_array_size(items) > TRANSACTION_MAX_ITEMS)
        return fail_constraint(r, "[]", "TransactItems",
                               json_array_size(items)
                                   ? "Member must have length less than or equal to 100"
                                   : "Member must have length greater than or equal to 1");
    json_array_foreach(items, i, item)
    {
        if (add_transaction(r, batch, item) < 0)
            return -1;
    }
    return 0;
}

/* One reason an item: the failed one's, None for the others. */
static int cancel(struct request *r, const struct batch *batch, size_t failed)
{
    const char *code = r->err.code == ERR_DENIED ? "ConditionalCheckFailed" : "ValidationError";
    struct buf extra, codes;
    if (r->err.code != ERR_DENIED && r->err.code != ERR_INVALID)
        return -1;
    buf_init(&extra, REQUEST_MAX_OUT_BYTES);
    buf_init(&codes, 4096);
    buf_puts(&extra, ",\"CancellationReasons\":[");
    for (size_t i = 0; i < batch->count; i++) {
        buf_puts(&extra, i ? "," : "");
        buf_printf(&codes, "%s%s", i ? ", " : "", i == failed ? code : "None");
        if (i != failed) {
            buf_puts(&extra, "{\"Code\":\"None\"}");
            continue;
        }
        buf_printf(&extra, "{\"Code\":\"%s\",\"Message\":", code);
        json_write_string(&extra, r->err.message, strlen(r->err.message));
        if (batch->wants_failed_item[i] && batch->writes[i].had_old) {
            buf_puts(&extra, ",\"Item\":");
            item_write(&extra, &batch->writes[i].old);
        }
        buf_puts(&extra, "}");
    }
    buf_puts(&extra, "]");
    r->error_extra = extra.data ? arena_copy(r->arena, extra.data, extra.size) : NULL;
    r->error_type = "TransactionCanceledException";
    err_set(&r->err, ERR_INVALID,
            "Transaction cancelled, please refer cancellation reasons for specific reasons [%s]",
            codes.data ? codes.data : "");
    buf_finish(&extra);
    buf_finish(&codes);
    return -1;
}

int transact_write_items(struct request *r)
{
    size_t failed;
    struct batch *batch = make_batch(r);
    if (!batch)
        return -1;
    int result = read_transaction(r, batch);
    if (result == 0 && write_all(r, batch->writes, batch->count, &failed) < 0)
        result = cancel(r, batch, failed);
    if (result == 0) {
        buf_puts(&r->out, "{");
        write_batch_capacity(r, batch, 2);
        buf_puts(&r->out, "}");
        if (r->out.size > 2) /* the comma in front of ConsumedCapacity */
            r->out.data[1] = ' ';
    }
    release_tables(batch);
    return result;
}

static int get_one(struct request *r, struct connection *connection, const json_t *get)
{
    const char *name;
    struct value item;
    struct key key;
    struct stored stored;
    struct expressions expressions;
    const json_t *key_json = json_object_get(get, "Key");
    if (!key_json)
        return fail_constraint(r, NULL, "transactItems.member.get.key", "Member must not be null");
    if (param_table_name(r, get, &name) < 0 ||
        item_from_json(key_json, &item, r->arena, &r->err) < 0 ||
        expressions_parse(r, get, USES_PROJECTION, &expressions) < 0)
        return -1;
    struct table *table = request_find_table_for(r, "dynamodb:GetItem", name);
    if (!table)
        return -1;
    int found = table_check_key(table, &item, &r->err) < 0 ||
                        table_key(table, &item, &key, r->arena, &r->err) < 0
                    ? -1
                    : item_load(connection, r, table, &key, &stored);
    table_release(table);
    if (found <= 0)
        return found < 0 ? -1 : buf_puts(&r->out, "{}");
    buf_puts(&r->out, "{\"Item\":");
    if (write_projected(r, expressions.has_projection ? &expressions.projection : NULL, stored.text,
                        stored.text_size) < 0)
        return -1;
    return buf_puts(&r->out, "}");
}

/* All in one read transaction: no write comes between. */
int transact_get_items(struct request *r)
{
    const json_t *items;
    if (param_array(r, "TransactItems", &items) < 0)
        return -1;
    if (!json_array_size(items) || json_array_size(items) > TRANSACTION_MAX_ITEMS)
        return fail_constraint(r, "[]", "TransactItems",
                               "Member must have length between 1 and 100");
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    int result = connection_exec(connection, "BEGIN", &r->err), begun = result == 0;
    buf_puts(&r->out, "{\"Responses\":[");
    for (size_t i = 0; result == 0 && i < json_array_size(items); i++) {
        buf_puts(&r->out, i ? "," : "");
        result = get_one(r, connection, json_object_get(json_array_get(items, i), "Get"));
    }
    buf_puts(&r->out, "]}");
    struct err ignored;
    if (begun && connection_exec(connection, "COMMIT", &ignored) < 0)
        result = result < 0 ? -1 : err_set(&r->err, ERR_IO, "%s", ignored.message);
    database_read_end(r->service->database, connection);
    return result;
}
