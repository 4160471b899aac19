#include "cloud/dynamodb/batch.h"
#include "cloud/dynamodb/shape.h"

#include <string.h>

/* BatchWriteItem, and what it shares with transactions. */

enum { BATCH_MAX_WRITES = 25 };

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

static int check_size(struct request *r, const struct write *w)
{
    return item_size(&w->item) <= ITEM_MAX_BYTES
               ? 0
               : err_set(&r->err, ERR_TOO_BIG, "Item size has exceeded the maximum allowed size");
}

int batch_check_write(struct request *r, const struct write *w)
{
    if (w->type != WRITE_PUT)
        return table_check_key(w->table, &w->item, &r->err);
    return check_size(r, w) < 0 ? -1 : table_check_item(w->table, &w->item, &r->err);
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

/* What can be wrong with a write whatever its table is. */
static int read_write(struct request *r, struct batch *batch, size_t i, const json_t *json)
{
    const json_t *put = json_object_get(json, "PutRequest");
    const json_t *delete = json_object_get(json, "DeleteRequest");
    struct write *w = &batch->writes[i];
    if (!put == !delete)
        return err_set(&r->err, ERR_INVALID,
                       "Supplied AttributeValue has more than one datatypes set, must contain "
                       "exactly one of the supported datatypes");
    w->type = put ? WRITE_PUT : WRITE_DELETE;
    w->counts_units = batch->capacity != CAPACITY_NONE;
    if (request_read_item(r, put ? json_object_get(put, "Item") : json_object_get(delete, "Key"),
                          &w->item) < 0)
        return -1;
    return put ? check_size(r, w) : 0;
}

static int find_table(struct request *r, struct batch *batch, const char *table)
{
    struct write *w = &batch->writes[batch->count];
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
static int refuse_tables(struct request *r, const json_t *tables, const char *constraint)
{
    enum shape_style style;
    const struct shape *members = shape_of_operation(r->operation, &style);
    r->message = shape_message(&members[0], "requestItems", tables, constraint, r->arena);
    return err_set(&r->err, ERR_INVALID, "%s", constraint);
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
        if (!shape_is_table_name(table))
            return refuse_tables(r, tables, SHAPE_TABLE_KEYS);
        if (!json_array_size(requests) || json_array_size(requests) > BATCH_MAX_WRITES)
            return refuse_tables(r, tables,
                                 "Map value must satisfy constraint: [Member must have length less "
                                 "than or equal to 25, Member must have length greater than or "
                                 "equal to 1]");
    }
    if (count > BATCH_MAX_WRITES)
        return err_set(&r->err, ERR_INVALID,
                       "Too many items requested for the BatchWriteItem call");
    return 0;
}

static int read_batch(struct request *r, struct batch *batch)
{
    const json_t *tables = json_object_get(r->body, "RequestItems");
    const char *table;
    json_t *requests, *one;
    size_t i, count = 0;
    if (!json_object_size(tables))
        return err_set(&r->err, ERR_INVALID,
                       "The requestItems parameter is required for BatchWriteItem");
    if (param_capacity(r, &batch->capacity) < 0 || check_write_counts(r, tables) < 0)
        return -1;
    json_object_foreach((json_t *)tables, table, requests)
    {
        json_array_foreach(requests, i, one)
        {
            if (read_write(r, batch, count++, one) < 0)
                return -1;
        }
    }
    json_object_foreach((json_t *)tables, table, requests)
    {
        for (i = 0; i < json_array_size(requests); i++)
            if (find_table(r, batch, table) < 0)
                return -1;
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
