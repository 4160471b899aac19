#include "cloud/dynamodb/request.h"

#include <stdio.h>
#include <string.h>

/* Writing items: what runs for one writer of the database at a time, one item after another, so
 * that reading an item, checking its condition and storing the new one are one step. */

enum item_sql { SQL_LOAD, SQL_STORE, SQL_REMOVE, SQL_INDEX_REMOVE, SQL_INDEX_STORE };

static sqlite3_stmt *prepare(struct connection *connection, const struct table *table,
                             enum item_sql which, int index, struct err *err)
{
    char sql[TABLE_SQL_BYTES];
    long long id = (long long)table->id;
    switch (which) {
    case SQL_LOAD:
        snprintf(sql, sizeof sql, "SELECT item, size FROM i%lld WHERE key = ?1", id);
        break;
    case SQL_STORE:
        snprintf(sql, sizeof sql, "REPLACE INTO i%lld(key, item, size) VALUES(?1, ?2, ?3)", id);
        break;
    case SQL_REMOVE:
        snprintf(sql, sizeof sql, "DELETE FROM i%lld WHERE key = ?1", id);
        break;
    case SQL_INDEX_REMOVE:
        snprintf(sql, sizeof sql, "DELETE FROM x%lld_%d WHERE key = ?1", id, index);
        break;
    default:
        snprintf(sql, sizeof sql, "REPLACE INTO x%lld_%d(key, base) VALUES(?1, ?2)", id, index);
    }
    return connection_prepare(connection, sql, err);
}

static void bind_key(sqlite3_stmt *s, int at, const struct key *key)
{
    sqlite3_bind_blob(s, at, key->data, (int)key->size, SQLITE_STATIC);
}

int fail_table(struct request *r, const struct table *table)
{
    r->stale = table->stale && !table->dropped;
    if (r->stale)
        return err_set(&r->err, ERR_BUSY, "the table changed");
    return table->dropped ? err_set(&r->err, ERR_NOT_FOUND, "Requested resource not found") : -1;
}

int item_load(struct connection *connection, struct request *r, const struct table *table,
              const struct key *key, struct stored *out)
{
    sqlite3_stmt *s = prepare(connection, table, SQL_LOAD, 0, &r->err);
    if (!s)
        return fail_table(r, table);
    bind_key(s, 1, key);
    int step = sqlite3_step(s), found = step == SQLITE_ROW;
    if (found) {
        out->text_size = (size_t)sqlite3_column_bytes(s, 0);
        out->text = arena_copy(r->arena, sqlite3_column_text(s, 0), out->text_size);
        out->size = (size_t)sqlite3_column_int64(s, 1);
        if (!out->text)
            found = err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    } else if (step != SQLITE_DONE) {
        found = connection_fail(connection, "read an item", &r->err);
    }
    connection_reset(s);
    return found;
}

int item_parse(struct request *r, const char *text, size_t size, struct value *out)
{
    json_t *json = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    if (!json || request_own(r, json) < 0 || item_from_json(json, out, r->arena, &r->err) < 0)
        return err_set(&r->err, ERR_IO, "a stored item is damaged");
    return 0;
}

static int store_item(struct connection *connection, struct request *r, struct write *w,
                      const struct key *key)
{
    struct buf text;
    buf_init(&text, REQUEST_MAX_OUT_BYTES);
    item_write(&text, &w->new);
    sqlite3_stmt *s = text.failed ? NULL : prepare(connection, w->table, SQL_STORE, 0, &r->err);
    int result = -1;
    if (s) {
        bind_key(s, 1, key);
        sqlite3_bind_text(s, 2, text.data, (int)text.size, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, (int64_t)w->new_size);
        result = connection_run(connection, s, &r->err);
    } else if (text.failed) {
        err_set(&r->err, ERR_NO_MEMORY, "store an item: out of memory");
    }
    buf_finish(&text);
    return result;
}

static int remove_item(struct connection *connection, struct request *r, const struct write *w,
                       const struct key *key)
{
    sqlite3_stmt *s = prepare(connection, w->table, SQL_REMOVE, 0, &r->err);
    if (!s)
        return -1;
    bind_key(s, 1, key);
    return connection_run(connection, s, &r->err);
}

/* The item as an index holds it, its size; 0 when it is not in there. */
static int index_view(struct request *r, const struct table_index *index, const struct value *item,
                      struct value *view, size_t *size)
{
    *view = *item;
    if (index->type != PROJECTION_ALL &&
        projection_apply(&index->projection, item, view, r->arena, &r->err) < 0)
        return -1;
    *size = item_size(view);
    return 0;
}

/* What the change costs the index: nothing when it holds the same as before; one write where its
 * copy changes; a removal and a write where its key does. */
static int count_index(struct request *r, struct write *w, size_t at, int had, int has, int moved)
{
    const struct table_index *index = &w->table->indexes[at];
    struct value old = {0}, new = {0};
    size_t old_size = 0, new_size = 0;
    if ((had && index_view(r, index, &w->old, &old, &old_size) < 0) ||
        (has && index_view(r, index, &w->new, &new, &new_size) < 0))
        return -1;
    if (had && has && !moved)
        w->index_units[at] =
            value_equal(&old, &new) ? 0 : write_units(old_size > new_size ? old_size : new_size);
    else
        w->index_units[at] = (had ? write_units(old_size) : 0) + (has ? write_units(new_size) : 0);
    return 0;
}

int index_store(struct connection *connection, struct request *r, const struct table *table,
                int number, const struct key *key, const struct key *base)
{
    sqlite3_stmt *s = prepare(connection, table, SQL_INDEX_STORE, number, &r->err);
    if (!s)
        return -1;
    bind_key(s, 1, key);
    bind_key(s, 2, base);
    return connection_run(connection, s, &r->err);
}

static int move_entry(struct connection *connection, struct request *r, const struct table *table,
                      int number, const struct key *old, const struct key *new,
                      const struct key *base)
{
    if (old->size) {
        sqlite3_stmt *s = prepare(connection, table, SQL_INDEX_REMOVE, number, &r->err);
        if (!s)
            return -1;
        bind_key(s, 1, old);
        if (connection_run(connection, s, &r->err) < 0)
            return -1;
    }
    return new->size ? index_store(connection, r, table, number, new, base) : 0;
}

static int change_index(struct connection *connection, struct request *r, struct write *w,
                        size_t at, const struct key *base)
{
    const struct table_index *index = &w->table->indexes[at];
    struct key old = {0}, new = {0};
    int had = w->had_old ? table_index_key(w->table, index, &w->old, &old, r->arena, &r->err) : 0;
    int has = w->has_new ? table_index_key(w->table, index, &w->new, &new, r->arena, &r->err) : 0;
    if (had < 0 || has < 0)
        return -1;
    int moved = old.size != new.size || (new.size &&memcmp(old.data, new.data, new.size));
    if (w->counts_units && count_index(r, w, at, had, has, moved) < 0)
        return -1;
    return moved ? move_entry(connection, r, w->table, index->number, &old, &new, base) : 0;
}

static int change_ttl(struct connection *connection, struct request *r, const struct write *w,
                      const struct key *base)
{
    struct key old = {0}, new = {0};
    if (!w->table->ttl_name)
        return 0;
    if ((w->had_old && table_ttl_key(w->table, &w->old, &old, r->arena, &r->err) < 0) ||
        (w->has_new && table_ttl_key(w->table, &w->new, &new, r->arena, &r->err) < 0))
        return -1;
    if (old.size == new.size && (!new.size || !memcmp(old.data, new.data, new.size)))
        return 0;
    return move_entry(connection, r, w->table, TABLE_TTL_NUMBER, &old, &new, base);
}

static int count_change(struct connection *connection, struct request *r, const struct write *w)
{
    sqlite3_stmt *s = connection_prepare(
        connection, "UPDATE tables SET items = items + ?2, bytes = bytes + ?3 WHERE id = ?1",
        &r->err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, w->table->id);
    sqlite3_bind_int(s, 2, w->has_new - w->had_old);
    sqlite3_bind_int64(s, 3, (int64_t)w->new_size - (int64_t)w->old_size);
    return connection_run(connection, s, &r->err);
}

static int refuse_size(struct request *r)
{
    return err_set(&r->err, ERR_INVALID,
                   "Item size to update has exceeded the maximum allowed size");
}

/* UpdateItem's expression has a limit of its own, which comes before the condition. */
static int check_charge(struct request *r, const struct write *w)
{
    if (!w->alone || !w->update || !w->update->count || w->update->actions[0].legacy)
        return 0;
    return update_charge(w->update, w->had_old ? &w->old : NULL) <= ITEM_MAX_BYTES ? 0
                                                                                   : refuse_size(r);
}

static int make_updated(struct request *r, struct write *w)
{
    const struct value *from = w->had_old ? &w->old : &w->item;
    if (value_copy(&w->new, from, r->arena, &r->err) < 0)
        return -1;
    if (w->update && update_apply(w->update, &w->new, r->arena, &r->err) < 0)
        return -1;
    if (table_check_index_keys(w->table, &w->new, 1, &r->err) < 0)
        return -1;
    return item_size(&w->new) <= ITEM_MAX_BYTES ? 0 : refuse_size(r);
}

/* What only deletes makes no item where there is none. */
static int only_deletes(const struct write *w)
{
    if (w->had_old || !w->update || !w->update->count)
        return 0;
    for (size_t i = 0; i < w->update->count; i++)
        if (w->update->actions[i].type == ACTION_SET || w->update->actions[i].type == ACTION_ADD)
            return 0;
    return 1;
}

/* Nothing is removed from what is not there, and no path looked at. */
static int removes_nothing(const struct write *w)
{
    if (!only_deletes(w))
        return 0;
    for (size_t i = 0; i < w->update->count; i++)
        if (w->update->actions[i].type != ACTION_REMOVE)
            return 0;
    return 1;
}

static int make_new(struct request *r, struct write *w)
{
    w->has_new = w->type == WRITE_PUT || (w->type == WRITE_UPDATE && !only_deletes(w));
    if (w->type == WRITE_PUT)
        w->new = w->item;
    else if (w->type == WRITE_UPDATE && !removes_nothing(w) && make_updated(r, w) < 0)
        return -1;
    w->new_size = w->has_new ? item_size(&w->new) : 0;
    return 0;
}

static int load_old(struct connection *connection, struct request *r, struct write *w,
                    const struct key *key)
{
    struct stored stored = {0};
    int found = item_load(connection, r, w->table, key, &stored);
    if (found < 0)
        return -1;
    w->had_old = found;
    w->old_size = stored.size;
    int needed = w->condition || w->wants_old || w->type == WRITE_UPDATE || w->table->index_count ||
                 w->table->ttl_name;
    return found && needed ? item_parse(r, stored.text, stored.text_size, &w->old) : 0;
}

int write_run(struct connection *connection, struct request *r, struct write *w)
{
    struct key key;
    if (w->table->dropped || w->table->stale)
        return fail_table(r, w->table);
    if (table_key(w->table, &w->item, &key, r->arena, &r->err) < 0 ||
        load_old(connection, r, w, &key) < 0 || check_charge(r, w) < 0)
        return -1;
    if (w->condition && !condition_holds(w->condition, w->had_old ? &w->old : NULL))
        return err_set(&r->err, ERR_DENIED, "The conditional request failed");
    if (w->type == WRITE_CHECK)
        return 0;
    if (make_new(r, w) < 0)
        return -1;
    if (!w->had_old && !w->has_new)
        return 0;
    if ((w->has_new ? store_item(connection, r, w, &key) : remove_item(connection, r, w, &key)) < 0)
        return -1;
    for (size_t i = 0; i < w->table->index_count; i++)
        if (change_index(connection, r, w, i, &key) < 0)
            return -1;
    return change_ttl(connection, r, w, &key) < 0 ? -1 : count_change(connection, r, w);
}

struct write_job {
    struct request *request;
    struct write *writes;
    size_t count;
    int is_transaction;
    database_job *first;
    void *context;
};

/* Notes why a transaction's write failed; -1 when that ends everything. */
static int note_failure(struct request *r, struct write *w)
{
    if (r->err.code != ERR_DENIED && r->err.code != ERR_INVALID)
        return -1;
    w->failed = r->err.code;
    w->failure = arena_strdup(r->arena, r->err.message);
    return 0;
}

static int run_writes(struct connection *connection, void *context, struct err *err)
{
    struct write_job *job = context;
    struct request *r = job->request;
    int skip = job->first ? job->first(connection, job->context, &r->err) : 0, failed = 0;
    int result = skip < 0 ? -1 : 0;
    for (size_t i = 0; result == 0 && !skip && i < job->count; i++) {
        if (!job->writes[i].failed && write_run(connection, r, &job->writes[i]) < 0)
            result = job->is_transaction ? note_failure(r, &job->writes[i]) : -1;
        failed |= job->writes[i].failed != ERR_NONE;
    }
    if (result == 0 && failed)
        result = err_set(&r->err, ERR_DENIED, "the transaction is cancelled");
    if (result < 0)
        *err = r->err;
    return result;
}

static int run_job(struct request *r, struct write_job *job)
{
    struct err err = {0};
    int result = database_write(r->service->database, run_writes, job, &err);
    if (result < 0)
        r->err = err;
    return result;
}

int write_all(struct request *r, struct write *writes, size_t count)
{
    struct write_job job = {.request = r, .writes = writes, .count = count};
    return run_job(r, &job);
}

int write_transaction(struct request *r, struct write *writes, size_t count, database_job *first,
                      void *context)
{
    struct write_job job = {r, writes, count, 1, first, context};
    return run_job(r, &job);
}
