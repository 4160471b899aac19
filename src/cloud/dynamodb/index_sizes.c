#include "cloud/dynamodb/worker.h"

#include "base/clock.h"

#include <stdio.h>

/* ItemCount and IndexSizeBytes of indexes, counted when somebody asks: AWS refreshes them about
 * every six hours and lets them be that old. */

enum {
    AT_ONCE_ITEMS = 10000, /* larger tables are the worker's; until it is done nothing is said */
    AT_ONCE_BYTES = 16 * 1024 * 1024,
    COST_FACTOR = 100, /* counting takes at most a hundredth of the time */
    ROW_BYTES = 64 * 1024 * 1024,
};

/* The item as the index holds it. */
static int add_view(const struct table_index *index, sqlite3_stmt *s, struct index_size *out,
                    struct err *err)
{
    struct arena arena;
    struct value item, view;
    const char *text = (const char *)sqlite3_column_text(s, 1);
    json_t *json = json_loadb(text, (size_t)sqlite3_column_bytes(s, 1), JSON_ALLOW_NUL, NULL);
    arena_init(&arena, ROW_BYTES);
    int result = json ? item_from_json(json, &item, &arena, err)
                      : err_set(err, ERR_IO, "a stored item is damaged");
    if (result == 0)
        result = projection_apply(&index->projection, &item, &view, &arena, err);
    if (result == 0)
        out->bytes += (int64_t)item_size(&view);
    arena_finish(&arena);
    json_decref(json);
    return result;
}

static int count_index(struct connection *connection, const struct table *table,
                       const struct table_index *index, struct index_size *out, struct err *err)
{
    char sql[TABLE_SQL_BYTES];
    int whole = index->type == PROJECTION_ALL, row;
    snprintf(sql, sizeof sql,
             whole ? "SELECT sum(i.size), count(*) FROM x%lld_%d k JOIN i%lld i ON i.key = k.base"
                   : "SELECT i.size, i.item FROM x%lld_%d k JOIN i%lld i ON i.key = k.base",
             (long long)table->id, index->number, (long long)table->id);
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return -1;
    int result = 0;
    *out = (struct index_size){0};
    while (result == 0 && (row = sqlite3_step(s)) == SQLITE_ROW) {
        out->items += whole ? sqlite3_column_int64(s, 1) : 1;
        if (whole)
            out->bytes = sqlite3_column_int64(s, 0);
        else
            result = add_view(index, s, out, err);
    }
    if (result == 0 && row != SQLITE_DONE)
        result = connection_fail(connection, "count an index", err);
    connection_reset(s);
    return result;
}

int index_sizes_count(struct dynamodb *service, struct table *table, struct err *err)
{
    struct index_size sizes[TABLE_MAX_INDEXES];
    int64_t start_ms = clock_unix_ms();
    atomic_store(&table->sizes_wanted, 0);
    struct connection *connection = database_read_begin(service->database, err);
    int result = connection ? 0 : -1;
    for (size_t i = 0; result == 0 && i < table->index_count; i++)
        result = count_index(connection, table, &table->indexes[i], &sizes[i], err);
    if (connection)
        database_read_end(service->database, connection);
    if (result < 0)
        return -1;
    pthread_mutex_lock(&table->sizes_lock);
    for (size_t i = 0; i < table->index_count; i++)
        table->sizes[i] = sizes[i];
    table->sizes_ms = clock_unix_ms();
    table->sizes_cost_ms = table->sizes_ms - start_ms;
    pthread_mutex_unlock(&table->sizes_lock);
    return 0;
}

int index_sizes_get(struct request *r, struct table *table, const struct index_size *whole,
                    struct index_size *out)
{
    int at_once = whole->items <= AT_ONCE_ITEMS && whole->bytes <= AT_ONCE_BYTES;
    if (at_once && index_sizes_count(r->service, table, &r->err) < 0)
        return fail_table(r, table);
    pthread_mutex_lock(&table->sizes_lock);
    int known = table->sizes_ms != 0;
    int old = !known || clock_unix_ms() - table->sizes_ms > COST_FACTOR * table->sizes_cost_ms;
    for (size_t i = 0; known && i < table->index_count; i++)
        out[i] = table->sizes[i];
    pthread_mutex_unlock(&table->sizes_lock);
    if (!at_once && old) {
        atomic_store(&table->sizes_wanted, 1);
        worker_wake(r->service->worker);
    }
    return known;
}
