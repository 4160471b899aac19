#include "cloud/dynamodb/page.h"

#include <stdio.h>
#include <string.h>

/* Reading a page: the rows of a range of keys, filtered, projected and counted. */

enum { PAGE_MAX_BYTES = 1024 * 1024, ROW_MEMORY = 64 * 1024 * 1024 };

/* One row on its way into the answer. */
struct row {
    const char *text;
    size_t text_size, size; /* `size`: as DynamoDB counts the item */
    json_t *json;           /* NULL while the text was not needed as a value */
    struct value item;
    struct arena arena;
};

static int row_parse(struct request *r, struct row *row)
{
    if (row->json)
        return 0;
    row->json = json_loadb(row->text, row->text_size, JSON_ALLOW_NUL, NULL);
    if (row->json && item_from_json(row->json, &row->item, &row->arena, &r->err) == 0)
        return 0;
    return err_set(&r->err, ERR_IO, "a stored item is damaged");
}

/* An index is charged for what it holds, and a local one's missing attributes are read from the
 * table, item by item. The row becomes what is read. */
static int count_row(struct request *r, struct page *page, struct row *row)
{
    struct value view;
    if (!page->index || page->index->type == PROJECTION_ALL) {
        page->bytes += row->size;
        return 0;
    }
    if (row_parse(r, row) < 0 ||
        projection_apply(&page->index->projection, &row->item, &view, &row->arena, &r->err) < 0)
        return -1;
    page->bytes += item_size(&view);
    if (page->fetches)
        page->fetched_units += read_units(row->size, page->consistent);
    else
        row->item = view;
    return 0;
}

static int show_row(struct request *r, struct page *page, struct row *row)
{
    const struct expressions *expressions = &page->expressions;
    int shown = page->select != SELECT_COUNT;
    if (expressions->filter &&
        (row_parse(r, row) < 0 || !condition_holds(expressions->filter, &row->item)))
        return r->err.code ? -1 : 0;
    buf_puts(&r->out, shown && page->count ? "," : "");
    page->count++;
    if (!shown)
        return 0;
    if (expressions->has_projection &&
        (row_parse(r, row) < 0 || projection_apply(&expressions->projection, &row->item, &row->item,
                                                   &row->arena, &r->err) < 0))
        return -1;
    if (expressions->has_projection || (row->json && page->index))
        item_write(&r->out, &row->item);
    else
        buf_append(&r->out, row->text, row->text_size);
    return 0;
}

static sqlite3_stmt *prepare(struct connection *connection, const struct page *page,
                             struct err *err)
{
    char sql[TABLE_SQL_BYTES];
    const char *until = page->high.size ? "AND k.key < ?2" : "";
    const char *order = page->backward ? "DESC" : "ASC";
    long long id = (long long)page->table->id;
    if (page->index)
        snprintf(sql, sizeof sql,
                 "SELECT i.item, i.size FROM x%lld_%d k JOIN i%lld i ON i.key = k.base "
                 "WHERE k.key >= ?1 %s ORDER BY k.key %s",
                 id, page->index->number, id, until, order);
    else
        snprintf(sql, sizeof sql,
                 "SELECT k.item, k.size FROM i%lld k WHERE k.key >= ?1 %s ORDER BY k.key %s", id,
                 until, order);
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return NULL;
    sqlite3_bind_blob(s, 1, page->low.size ? (const void *)page->low.data : "", (int)page->low.size,
                      SQLITE_STATIC);
    if (page->high.size)
        sqlite3_bind_blob(s, 2, page->high.data, (int)page->high.size, SQLITE_STATIC);
    return s;
}

static int see_row(struct request *r, struct page *page, sqlite3_stmt *s)
{
    struct row row = {.text = (const char *)sqlite3_column_text(s, 0),
                      .text_size = (size_t)sqlite3_column_bytes(s, 0),
                      .size = (size_t)sqlite3_column_int64(s, 1)};
    buf_clear(&page->last);
    if (buf_append(&page->last, row.text, row.text_size) < 0)
        return err_set(&r->err, ERR_NO_MEMORY, "read items: out of memory");
    arena_init(&row.arena, ROW_MEMORY);
    page->scanned++;
    int result = count_row(r, page, &row);
    if (result == 0)
        result = show_row(r, page, &row);
    json_decref(row.json);
    arena_finish(&row.arena);
    return result;
}

static int read_page(struct request *r, struct page *page)
{
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    sqlite3_stmt *s = prepare(connection, page, &r->err);
    int result = s ? 0 : fail_table(r, page->table), step = SQLITE_ROW;
    while (result == 0 && !page->more && (step = sqlite3_step(s)) == SQLITE_ROW) {
        if (page->bytes >= PAGE_MAX_BYTES) {
            page->more = 1;
            break;
        }
        result = see_row(r, page, s);
        page->more = page->limit && page->scanned == (size_t)page->limit;
    }
    if (result == 0 && step != SQLITE_ROW && step != SQLITE_DONE)
        result = connection_fail(connection, "read items", &r->err);
    connection_reset(s);
    database_read_end(r->service->database, connection);
    return result;
}

static int write_last_key(struct request *r, const struct page *page)
{
    struct value item, key = {.type = VALUE_M};
    const struct key_schema *schemas[2] = {&page->table->keys, page->keys};
    if (item_parse(r, page->last.data, page->last.size, &item) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < schemas[i]->count; j++) {
            const char *name = schemas[i]->parts[j].name;
            const struct value *value = value_member(&item, name);
            if (value && value_set_member(&key, name, value, r->arena, &r->err) < 0)
                return -1;
        }
    buf_puts(&r->out, ",\"LastEvaluatedKey\":");
    item_write(&r->out, &key);
    return 0;
}

/* An index is charged for what it holds; a local one's missing attributes are read from the table,
 * item by item. */
static void write_page_usage(struct request *r, const struct page *page)
{
    struct usage usage = {.table = page->table};
    double units = read_units(page->bytes, page->consistent);
    if (!page->index) {
        usage.table_units = units;
    } else {
        usage.index_units[page->index - page->table->indexes] = units;
        usage.table_units = page->fetched_units;
    }
    usage_write(r, page->capacity, &usage);
}

int page_answer(struct request *r, struct page *page)
{
    buf_init(&page->last, REQUEST_MAX_OUT_BYTES);
    buf_puts(&r->out, page->select == SELECT_COUNT ? "{" : "{\"Items\":[");
    int result = read_page(r, page);
    if (result == 0) {
        buf_printf(&r->out, "%s\"Count\":%zu,\"ScannedCount\":%zu",
                   page->select == SELECT_COUNT ? "" : "],", page->count, page->scanned);
        if (page->more)
            result = write_last_key(r, page);
        if (page->capacity) {
            buf_puts(&r->out, ",\"ConsumedCapacity\":");
            write_page_usage(r, page);
        }
        buf_puts(&r->out, "}");
    }
    buf_finish(&page->last);
    return result;
}
