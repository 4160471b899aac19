#include "cloud/dynamodb/legacy.h"

#include <string.h>

/* PutItem, GetItem, UpdateItem, DeleteItem. */

/* ReturnValues of the three writes, in one list: each takes some of them. */
enum returned {
    RETURN_NONE,
    RETURN_ALL_OLD,
    RETURN_UPDATED_OLD,
    RETURN_ALL_NEW,
    RETURN_UPDATED_NEW
};
static const char *const return_values[] = {"NONE",    "ALL_OLD",     "UPDATED_OLD",
                                            "ALL_NEW", "UPDATED_NEW", NULL};

struct item_write {
    struct write write;
    struct expressions expressions;
    enum capacity_detail capacity;
    int returned, wants_failed_item, wants_metrics;
};

static int read_write_params(struct request *r, struct item_write *w, unsigned uses)
{
    static const char *const on_failure[] = {"NONE", "ALL_OLD", NULL};
    static const char *const metrics[] = {"NONE", "SIZE", NULL};
    if (param_choice(r, "ReturnValues", return_values, &w->returned) < 0 ||
        param_choice(r, "ReturnValuesOnConditionCheckFailure", on_failure, &w->wants_failed_item) <
            0 ||
        param_choice(r, "ReturnItemCollectionMetrics", metrics, &w->wants_metrics) < 0 ||
        param_capacity(r, &w->capacity) < 0)
        return -1;
    if (!(uses & USES_UPDATE) && w->returned > RETURN_ALL_OLD)
        return err_set(&r->err, ERR_INVALID, "ReturnValues can only be ALL_OLD or NONE");
    if (expressions_parse(r, r->body, uses, &w->expressions) < 0)
        return -1;
    w->write.condition = w->expressions.condition;
    w->write.update = w->expressions.has_update ? &w->expressions.update : NULL;
    w->write.wants_old =
        w->returned == RETURN_ALL_OLD || w->returned == RETURN_UPDATED_OLD || w->wants_failed_item;
    return 0;
}

/* The item as it was goes with the failure when it was asked for. */
static int fail_write(struct request *r, const struct item_write *w)
{
    if (r->err.code != ERR_DENIED || !w->wants_failed_item || !w->write.had_old)
        return -1;
    struct buf extra;
    buf_init(&extra, REQUEST_MAX_OUT_BYTES);
    buf_puts(&extra, ",\"Item\":");
    item_write(&extra, &w->write.old);
    r->error_extra = extra.data ? arena_copy(r->arena, extra.data, extra.size) : NULL;
    buf_finish(&extra);
    return -1;
}

/* The attributes that an update named, as they are in `item`. */
static int write_updated(struct request *r, const struct item_write *w, const struct value *item,
                         int *first)
{
    struct projection named = {
        .paths = arena_new(r->arena, struct path, w->expressions.update.count + 1)};
    struct value part;
    if (!named.paths)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    for (size_t i = 0; i < w->expressions.update.count; i++)
        named.paths[named.count++] = w->expressions.update.actions[i].path;
    if (projection_apply(&named, item, &part, r->arena, &r->err) < 0)
        return -1;
    if (part.map.count) {
        write_member(r, first, "Attributes");
        item_write(&r->out, &part);
    }
    return 0;
}

static int write_attributes(struct request *r, const struct item_write *w, int *first)
{
    const struct value *old = w->write.had_old ? &w->write.old : NULL;
    const struct value *new = w->write.has_new ? &w->write.new : NULL;
    if (w->returned == RETURN_UPDATED_OLD && old)
        return write_updated(r, w, old, first);
    if (w->returned == RETURN_UPDATED_NEW && new)
        return write_updated(r, w, new, first);
    const struct value *whole = w->returned == RETURN_ALL_OLD   ? old
                                : w->returned == RETURN_ALL_NEW ? new
                                                                : NULL;
    if (whole) {
        write_member(r, first, "Attributes");
        item_write(&r->out, whole);
    }
    return 0;
}

static int answer_write(struct request *r, const struct item_write *w)
{
    int first = 1;
    buf_puts(&r->out, "{");
    if (write_attributes(r, w, &first) < 0)
        return -1;
    if (w->capacity) {
        struct usage usage = {.table = w->write.table};
        usage_add_write(&usage, &w->write, 1);
        write_member(r, &first, "ConsumedCapacity");
        usage_write(r, w->capacity, &usage);
    }
    if (w->wants_metrics && collection_counts(w->write.table)) {
        write_member(r, &first, "ItemCollectionMetrics");
        collection_write(r, &w->write);
    }
    buf_puts(&r->out, "}");
    return 0;
}

static int check_write(struct request *r, const struct item_write *w)
{
    const struct write *write = &w->write;
    int result = write->type == WRITE_PUT ? table_check_item(write->table, &write->item, &r->err)
                                          : table_check_key(write->table, &write->item, &r->err);
    if (result == 0 && write->type == WRITE_UPDATE)
        result = update_check_keys(r, write->table, &w->expressions.update);
    return result < 0 ? -1 : expressions_check_keys(r, write->table, &w->expressions);
}

static int run_write(struct request *r, struct item_write *w)
{
    if (check_write(r, w) < 0)
        return -1;
    if (write_all(r, &w->write, 1) < 0)
        return fail_write(r, w);
    return answer_write(r, w);
}

/* PutItem, DeleteItem and UpdateItem: what differs is in `type` and the expressions it uses. */
static int write_item(struct request *r, enum write_type type, unsigned uses)
{
    struct item_write w = {.write.type = type};
    const char *name;
    if (param_table_name(r, NULL, &name) < 0 || legacy_check_mixed(r, r->body, uses) < 0 ||
        param_item(r, type == WRITE_PUT ? "Item" : "Key", &w.write.item) < 0 ||
        read_write_params(r, &w, uses) < 0)
        return -1;
    if (type == WRITE_PUT && item_size(&w.write.item) > ITEM_MAX_BYTES)
        return err_set(&r->err, ERR_TOO_BIG, "Item size has exceeded the maximum allowed size");
    w.write.counts_units = w.capacity != CAPACITY_NONE;
    w.write.alone = 1;
    w.write.table = request_find_table(r, name);
    if (!w.write.table)
        return -1;
    int result = run_write(r, &w);
    table_release(w.write.table);
    return result;
}

int put_item(struct request *r)
{
    return write_item(r, WRITE_PUT, USES_CONDITION);
}

int delete_item(struct request *r)
{
    return write_item(r, WRITE_DELETE, USES_CONDITION);
}

int update_item(struct request *r)
{
    return write_item(r, WRITE_UPDATE, USES_CONDITION | USES_UPDATE);
}

int update_check_keys(struct request *r, const struct table *table, const struct update *update)
{
    for (size_t i = 0; i < update->count; i++) {
        const char *name = update->actions[i].path.steps[0].name;
        if (!key_schema_has(&table->keys, name))
            continue;
        return err_set(&r->err, ERR_INVALID,
                       "One or more parameter values were invalid: Cannot update attribute %s. "
                       "This attribute is part of the key",
                       name);
    }
    return 0;
}

int write_projected(struct request *r, const struct projection *projection, const char *text,
                    size_t size)
{
    struct value item, part;
    if (!projection)
        return buf_append(&r->out, text, size);
    if (item_parse(r, text, size, &item) < 0 ||
        projection_apply(projection, &item, &part, r->arena, &r->err) < 0)
        return -1;
    item_write(&r->out, &part);
    return 0;
}

static int answer_get(struct request *r, const struct table *table, const struct value *key_values,
                      const struct projection *projection, enum capacity_detail capacity,
                      int consistent)
{
    struct key key;
    struct stored stored = {0};
    if (table_key(table, key_values, &key, r->arena, &r->err) < 0)
        return -1;
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    int found = item_load(connection, r, table, &key, &stored), first = 1;
    database_read_end(r->service->database, connection);
    if (found < 0)
        return -1;
    buf_puts(&r->out, "{");
    if (found) {
        write_member(r, &first, "Item");
        if (write_projected(r, projection, stored.text, stored.text_size) < 0)
            return -1;
    }
    if (capacity) {
        struct usage usage = {.table = table, .table_units = read_units(stored.size, consistent)};
        write_member(r, &first, "ConsumedCapacity");
        usage_write(r, capacity, &usage);
    }
    buf_puts(&r->out, "}");
    return 0;
}

int get_item(struct request *r)
{
    struct expressions expressions;
    struct value key;
    enum capacity_detail capacity;
    const char *name;
    int consistent;
    if (param_table_name(r, NULL, &name) < 0 || param_item(r, "Key", &key) < 0 ||
        param_flag(r, "ConsistentRead", &consistent) < 0 || param_capacity(r, &capacity) < 0 ||
        expressions_parse(r, r->body, USES_PROJECTION, &expressions) < 0)
        return -1;
    struct table *table = request_find_table(r, name);
    if (!table)
        return -1;
    int result = table_check_key(table, &key, &r->err);
    if (result == 0)
        result =
            answer_get(r, table, &key, expressions.has_projection ? &expressions.projection : NULL,
                       capacity, consistent);
    table_release(table);
    return result;
}
