#include "cloud/dynamodb/request.h"
#include "cloud/dynamodb/shape.h"

#include <stdlib.h>
#include <string.h>

/* BatchGetItem. */

/* Of items as they are stored: of a hundred with 300 KB each AWS gives 52. */
enum { BATCH_MAX_READS = 100, BATCH_MAX_READ_BYTES = 16000000 };

/* What is asked of one table. */
struct wanted {
    const char *name;
    const json_t *from;
    struct expressions expressions;
    struct value *keys;
    size_t count;
    int consistent;
};

struct reading {
    struct connection *connection;
    const struct table *table; /* the one at hand */
    const struct wanted *wanted;
    int left_over, tables, full;
    size_t bytes; /* read so far, of all tables */
    double units;
    enum capacity_detail detail;
    struct buf unprocessed, capacity; /* of all tables, JSON members */
};

static void leave_key(struct reading *reading, const struct value *values)
{
    reading->full = 1;
    buf_puts(&reading->unprocessed, reading->left_over++ ? "," : "");
    item_write(&reading->unprocessed, values);
}

static int read_key(struct request *r, struct reading *reading, const struct value *values,
                    int *shown)
{
    const struct expressions *expressions = &reading->wanted->expressions;
    struct key key;
    struct stored stored = {0};
    if (table_key(reading->table, values, &key, r->arena, &r->err) < 0)
        return -1;
    int found = item_load(reading->connection, r, reading->table, &key, &stored);
    if (found < 0)
        return -1;
    reading->bytes += stored.size;
    if (reading->bytes > BATCH_MAX_READ_BYTES) {
        leave_key(reading, values);
        return 0;
    }
    reading->units += read_units(stored.size, reading->wanted->consistent);
    if (!found)
        return 0;
    buf_puts(&r->out, (*shown)++ ? "," : "");
    return write_projected(r, expressions->has_projection ? &expressions->projection : NULL,
                           stored.text, stored.text_size);
}

static int read_keys(struct request *r, struct reading *reading)
{
    const struct wanted *wanted = reading->wanted;
    int shown = 0;
    reading->left_over = 0;
    for (size_t i = 0; i < wanted->count; i++)
        if (table_check_key(reading->table, &wanted->keys[i], &r->err) < 0)
            return -1;
    for (size_t i = 0; i < wanted->count; i++) {
        if (reading->full)
            leave_key(reading, &wanted->keys[i]);
        else if (read_key(r, reading, &wanted->keys[i], &shown) < 0)
            return -1;
    }
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

/* What is left is a request again: what stood beside the keys goes with them. */
static int echo_parameters(struct buf *out, const json_t *from, struct err *err)
{
    json_t *others = json_copy((json_t *)(uintptr_t)from);
    json_object_del(others, "Keys");
    char *text = json_dumps(others, JSON_COMPACT);
    if (text && json_object_size(others)) /* "{...}" */
        buf_printf(out, ",%.*s", (int)strlen(text) - 2, text + 1);
    json_decref(others);
    free(text);
    return text ? 0 : err_set(err, ERR_NO_MEMORY, "read items: out of memory");
}

/* One table's keys, and what could not be read of them any more. */
static int read_listed(struct request *r, struct reading *reading)
{
    struct buf *left = &reading->unprocessed;
    const char *name = reading->table->name;
    size_t before = left->size;
    buf_puts(&r->out, reading->tables++ ? "," : "");
    json_write_string(&r->out, name, strlen(name));
    buf_puts(&r->out, ":[");
    buf_printf(left, "%s\"%s\":{\"Keys\":[", before ? "," : "", name);
    reading->units = 0;
    int result = read_keys(r, reading);
    buf_puts(&r->out, "]");
    buf_puts(left, "]");
    if (result == 0)
        result = echo_parameters(left, reading->wanted->from, &r->err);
    buf_puts(left, "}");
    if (!reading->left_over && left->data)
        left->data[left->size = before] = 0;
    if (reading->detail && result == 0)
        result = note_usage(r, reading);
    return result;
}

static int read_table(struct request *r, const struct wanted *wanted, struct reading *reading)
{
    struct table *table = request_find_table(r, wanted->name);
    if (!table)
        return -1;
    reading->table = table;
    reading->wanted = wanted;
    int result = expressions_check_keys(r, table, &wanted->expressions);
    if (result == 0)
        result = read_listed(r, reading);
    table_release(table);
    return result;
}

static const char *text_of(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

static int read_all(struct request *r, const struct wanted *wanted, size_t tables,
                    enum capacity_detail detail)
{
    int result = 0;
    struct reading reading = {.detail = detail};
    reading.connection = database_read_begin(r->service->database, &r->err);
    if (!reading.connection)
        return -1;
    buf_init(&reading.unprocessed, REQUEST_MAX_OUT_BYTES);
    buf_init(&reading.capacity, REQUEST_MAX_OUT_BYTES);
    buf_puts(&r->out, "{\"Responses\":{");
    for (size_t i = 0; result == 0 && i < tables; i++)
        result = read_table(r, &wanted[i], &reading);
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

static int refuse_length(struct request *r, const char *table, const char *limit)
{
    return err_set(&r->err, ERR_INVALID,
                   "1 validation error detected: Value at 'RequestItems%s%.255s%s' failed to "
                   "satisfy constraint: Member must have length %s",
                   table ? "." : "", table ? table : "", table ? ".member.Keys" : "", limit);
}

/* What can be wrong with the keys whatever their table is. */
static int read_wanted(struct request *r, const char *name, const json_t *from, struct wanted *out)
{
    const json_t *keys = json_object_get(from, "Keys");
    *out = (struct wanted){.name = name, .from = from, .count = json_array_size(keys)};
    out->consistent = json_is_true(json_object_get(from, "ConsistentRead"));
    if (expressions_parse(r, from, USES_PROJECTION, &out->expressions) < 0)
        return -1;
    out->keys = arena_new(r->arena, struct value, out->count);
    if (!out->keys)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    for (size_t i = 0; i < out->count; i++) {
        if (request_read_item(r, json_array_get(keys, i), &out->keys[i]) < 0)
            return -1;
        for (size_t j = 0; j < i; j++)
            if (value_equal(&out->keys[j], &out->keys[i]))
                return err_set(&r->err, ERR_INVALID,
                               "Provided list of item keys contains duplicates");
    }
    return 0;
}

static int check_key_counts(struct request *r, const json_t *tables)
{
    const char *name;
    json_t *from;
    size_t count = 0;
    if (!json_object_size(tables))
        return refuse_length(r, NULL, "greater than or equal to 1");
    json_object_foreach((json_t *)tables, name, from)
    {
        size_t keys = json_array_size(json_object_get(from, "Keys"));
        count += keys;
        if (!keys || keys > BATCH_MAX_READS)
            return refuse_length(r, name,
                                 keys ? "less than or equal to 100" : "greater than or equal to 1");
    }
    return count <= BATCH_MAX_READS ? 0
                                    : err_set(&r->err, ERR_INVALID,
                                              "Too many items requested for the BatchGetItem call");
}

/* Projections and AttributesToGet do not go together, in different tables neither. */
static int check_mixed(struct request *r, const json_t *tables)
{
    const char *name;
    json_t *from;
    int legacy = 0, expressions = 0;
    json_object_foreach((json_t *)tables, name, from)
    {
        legacy |= shape_is_present(json_object_get(from, "AttributesToGet"));
        expressions |= shape_is_present(json_object_get(from, "ProjectionExpression"));
    }
    return legacy && expressions
               ? err_set(&r->err, ERR_INVALID,
                         "Can not use both expression and non-expression parameters in the same "
                         "request: Non-expression parameters: {AttributesToGet} Expression "
                         "parameters: {ProjectionExpression}")
               : 0;
}

int batch_get_item(struct request *r)
{
    const json_t *tables = json_object_get(r->body, "RequestItems");
    const char *name;
    json_t *from;
    enum capacity_detail detail;
    size_t count = 0;
    if (param_capacity(r, &detail) < 0 || check_key_counts(r, tables) < 0 ||
        check_mixed(r, tables) < 0)
        return -1;
    struct wanted *wanted = arena_new(r->arena, struct wanted, json_object_size(tables));
    if (!wanted)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    json_object_foreach((json_t *)tables, name, from)
    {
        if (read_wanted(r, name, from, &wanted[count++]) < 0)
            return -1;
    }
    return read_all(r, wanted, count, detail);
}
