#include "cloud/dynamodb/batch.h"
#include "cloud/dynamodb/shape.h"

#include <string.h>

/* BatchWriteItem and BatchGetItem. */

enum { BATCH_MAX_WRITES = 25, BATCH_MAX_READS = 100, BATCH_MAX_ANSWER_BYTES = 16 * 1024 * 1024 };

void batch_release(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        table_release(batch->writes[i].table);
}

struct batch *batch_make(struct request *r)
{
    struct batch *batch = arena_new(r->arena, struct batch, 1);
    if (!batch)
        err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    return batch;
}

int batch_same_key(const struct write *a, const struct write *b)
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

int batch_check_write(struct request *r, const struct write *w)
{
    if (w->type != WRITE_PUT)
        return table_check_key(w->table, &w->item, &r->err);
    if (item_size(&w->item) > ITEM_MAX_BYTES)
        return err_set(&r->err, ERR_TOO_BIG, "Item size has exceeded the maximum allowed size");
    return table_check_item(w->table, &w->item, &r->err);
}

static int is_first_of_table(const struct batch *batch, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (batch->writes[i].table == batch->writes[at].table)
            return 0;
    return 1;
}

/* One entry a table. */
static void write_usages(struct request *r, const struct batch *batch, double factor,
                         const char *split)
{
    int shown = 0;
    buf_puts(&r->out, "[");
    for (size_t i = 0; i < batch->count; i++) {
        struct usage usage = {.table = batch->writes[i].table, .split = split};
        if (!is_first_of_table(batch, i))
            continue;
        for (size_t j = i; j < batch->count; j++) {
            const struct write *w = &batch->writes[j];
            if (w->table == usage.table && split && !strcmp(split, "Read"))
                usage.table_units += read_units(w->old_size, 1) * factor;
            else if (w->table == usage.table)
                usage_add_write(&usage, w, factor);
        }
        buf_puts(&r->out, shown++ ? "," : "");
        usage_write(r, batch->capacity, &usage);
    }
    buf_puts(&r->out, "]");
}

static void write_collections(struct request *r, const struct batch *batch)
{
    int tables = 0;
    buf_puts(&r->out, "{");
    for (size_t i = 0; i < batch->count; i++) {
        const struct table *table = batch->writes[i].table;
        if (!collection_counts(table) || !is_first_of_table(batch, i))
            continue;
        buf_puts(&r->out, tables++ ? "," : "");
        json_write_string(&r->out, table->name, strlen(table->name));
        buf_puts(&r->out, ":[");
        for (size_t j = i, shown = 0; j < batch->count; j++) {
            if (batch->writes[j].table != table)
                continue;
            buf_puts(&r->out, shown++ ? "," : "");
            collection_write(r, &batch->writes[j]);
        }
        buf_puts(&r->out, "]");
    }
    buf_puts(&r->out, "}");
}

void batch_write_answer(struct request *r, const struct batch *batch, double factor, int *first)
{
    const char *metrics =
        json_string_value(json_object_get(r->body, "ReturnItemCollectionMetrics"));
    if (batch->capacity) {
        write_member(r, first, "ConsumedCapacity");
        write_usages(r, batch, factor, factor > 1 ? "Write" : NULL);
    }
    if (metrics && !strcmp(metrics, "SIZE")) {
        write_member(r, first, "ItemCollectionMetrics");
        write_collections(r, batch);
    }
}

void batch_write_reads(struct request *r, const struct batch *batch, double factor)
{
    int first = 0;
    if (!batch->capacity)
        return;
    write_member(r, &first, "ConsumedCapacity");
    write_usages(r, batch, factor, "Read");
}

/* BatchWriteItem does not say which key is wrong where AWS's PutItem does. */
static int check_request(struct request *r, const struct write *w)
{
    if (batch_check_write(r, w) == 0)
        return 0;
    for (size_t i = 0; r->err.code == ERR_INVALID && i < w->table->keys.count; i++) {
        const struct key_part *part = &w->table->keys.parts[i];
        const struct value *value = value_member(&w->item, part->name);
        if (!value || value->type != part->type)
            return err_set(&r->err, ERR_INVALID,
                           "The provided key element does not match the schema");
    }
    return -1;
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
    w->counts_units = batch->capacity != CAPACITY_NONE;
    if (item_from_json(item, &w->item, r->arena, &r->err) < 0)
        return -1;
    w->table = request_find_table(r, table);
    if (!w->table)
        return -1;
    batch->count++;
    if (check_request(r, w) < 0)
        return -1;
    for (size_t i = 0; i + 1 < batch->count; i++)
        if (batch_same_key(&batch->writes[i], w))
            return err_set(&r->err, ERR_INVALID, "Provided list of item keys contains duplicates");
    return 0;
}

/* AWS shows the whole request in this message; so much of it as fits. */
static const char *batch_constraint(struct request *r, const json_t *tables)
{
    enum shape_style style;
    const struct shape *members = shape_of_operation(r->operation, &style);
    return shape_message(&members[0], "requestItems", tables,
                         "Map value must satisfy constraint: [Member must have length less than "
                         "or equal to 25, Member must have length greater than or equal to 1]",
                         r->arena);
}

/* RequestItems, not empty. */
static const json_t *read_tables(struct request *r)
{
    const json_t *tables = json_object_get(r->body, "RequestItems");
    if (json_object_size(tables))
        return tables;
    err_set(&r->err, ERR_INVALID, "The requestItems parameter is required for %s", r->operation);
    return NULL;
}

/* Each table's list, and all together. */
static int check_write_counts(struct request *r, const json_t *tables)
{
    const char *table;
    json_t *requests;
    size_t count = 0;
    json_object_foreach((json_t *)tables, table, requests)
    {
        count += json_array_size(requests);
        if (json_array_size(requests) >= 1 && json_array_size(requests) <= BATCH_MAX_WRITES)
            continue;
        r->message = batch_constraint(r, tables);
        return err_set(&r->err, ERR_INVALID, "RequestItems holds too much or nothing");
    }
    if (count > BATCH_MAX_WRITES)
        return err_set(&r->err, ERR_INVALID,
                       "Too many items requested for the BatchWriteItem call");
    return 0;
}

static int read_batch(struct request *r, struct batch *batch)
{
    const json_t *tables = read_tables(r);
    const char *table;
    json_t *requests, *one;
    size_t i;
    if (!tables || param_capacity(r, &batch->capacity) < 0 || check_write_counts(r, tables) < 0)
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

int batch_write_item(struct request *r)
{
    struct batch *batch = batch_make(r);
    if (!batch)
        return -1;
    int result = read_batch(r, batch), first = 0;
    if (result == 0)
        result = write_all(r, batch->writes, batch->count);
    if (result == 0) {
        buf_puts(&r->out, "{\"UnprocessedItems\":{}");
        batch_write_answer(r, batch, 1, &first);
        buf_puts(&r->out, "}");
    }
    batch_release(batch);
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
            if (batch_same_key(&seen[j], &seen[i]))
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

/* The answer's ConsumedCapacity comes behind all tables: kept aside until then. */
static int note_usage(struct request *r, struct reading *reading)
{
    struct usage usage = {.table = reading->table, .table_units = reading->units};
    struct buf out = r->out;
    r->out = reading->capacity;
    buf_puts(&r->out, r->out.size ? "," : "");
    usage_write(r, reading->detail, &usage);
    reading->capacity = r->out;
    r->out = out;
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
    if (reading->detail && result == 0)
        result = note_usage(r, reading);
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

static int check_keys(struct request *r, const char *table, const json_t *from, size_t *count)
{
    size_t keys = json_array_size(json_object_get(from, "Keys"));
    *count += keys;
    if (keys <= BATCH_MAX_READS)
        return 0;
    return err_set(&r->err, ERR_INVALID,
                   "1 validation error detected: Value at 'RequestItems.%.255s.member.Keys' failed "
                   "to satisfy constraint: Member must have length less than or equal to 100",
                   table);
}

int batch_get_item(struct request *r)
{
    const json_t *tables = read_tables(r);
    const char *name;
    json_t *from;
    size_t count = 0;
    enum capacity_detail detail;
    if (!tables || param_capacity(r, &detail) < 0)
        return -1;
    json_object_foreach((json_t *)tables, name, from)
    {
        if (check_keys(r, name, from, &count) < 0)
            return -1;
    }
    if (count > BATCH_MAX_READS)
        return err_set(&r->err, ERR_INVALID, "Too many items requested for the BatchGetItem call");
    return read_all(r, tables, detail);
}
