#include "cloud/dynamodb/definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations on tables. */

char *table_arn(struct request *r, const char *name)
{
    return arena_printf(r->arena, "arn:aws:dynamodb:%s:%s:table/%s", r->service->region,
                        r->service->account_id, name);
}

static int count_items(struct request *r, const struct table *table, struct index_size *out)
{
    struct connection *connection = database_read_begin(r->service->database, &r->err);
    if (!connection)
        return -1;
    sqlite3_stmt *s =
        connection_prepare(connection, "SELECT items, bytes FROM tables WHERE id = ?1", &r->err);
    *out = (struct index_size){0};
    if (s) {
        sqlite3_bind_int64(s, 1, table->id);
        if (sqlite3_step(s) == SQLITE_ROW) {
            out->items = sqlite3_column_int64(s, 0);
            out->bytes = sqlite3_column_int64(s, 1);
        }
        connection_reset(s);
    }
    database_read_end(r->service->database, connection);
    return s ? 0 : -1;
}

/* What is ken's own in a definition is not shown; `sizes` (NULL: not known) are. */
static void show_indexes(json_t *definition, const struct index_size *sizes)
{
    static const char *const members[] = {"LocalSecondaryIndexes", "GlobalSecondaryIndexes"};
    size_t j;
    json_t *index;
    json_object_del(definition, "ken:ttl");
    for (size_t i = 0; i < 2; i++)
        json_array_foreach(json_object_get(definition, members[i]), j, index)
        {
            json_object_del(index, "ken:number");
            if (!sizes)
                continue;
            json_object_set_new(index, "IndexSizeBytes", json_integer(sizes->bytes));
            json_object_set_new(index, "ItemCount", json_integer(sizes->items));
            sizes++;
        }
}

const char *table_status(const struct table *table)
{
    for (size_t i = 0; i < table->index_count; i++)
        if (table->indexes[i].backfilling)
            return "UPDATING";
    return "ACTIVE";
}

int table_answer(struct request *r, struct table *table, const char *member, const char *status)
{
    struct index_size whole, sizes[TABLE_MAX_INDEXES];
    if (count_items(r, table, &whole) < 0)
        return -1;
    int known = table->index_count ? index_sizes_get(r, table, &whole, sizes) : 0;
    if (known < 0)
        return -1;
    json_t *shown = json_deep_copy(table->definition);
    show_indexes(shown, known ? sizes : NULL);
    json_object_set_new(shown, "TableStatus", json_string(status));
    json_object_set_new(shown, "ItemCount", json_integer(whole.items));
    json_object_set_new(shown, "TableSizeBytes", json_integer(whole.bytes));
    json_t *answer = json_pack("{s:o}", member, shown);
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    int result = text ? buf_puts(&r->out, text)
                      : err_set(&r->err, ERR_NO_MEMORY, "describe table: out of memory");
    free(text);
    json_decref(answer);
    return result;
}

struct table_job {
    struct request *request;
    struct table *table; /* of delete and update */
    json_t *definition;
    const char *name;
    int64_t id;
};

static int make_sql_tables(struct connection *connection, const struct table_job *job,
                           struct err *err)
{
    char sql[TABLE_SQL_BYTES];
    size_t indexes = json_array_size(json_object_get(job->definition, "LocalSecondaryIndexes")) +
                     json_array_size(json_object_get(job->definition, "GlobalSecondaryIndexes"));
    snprintf(sql, sizeof sql,
             "CREATE TABLE i%lld(key BLOB PRIMARY KEY, item TEXT NOT NULL, size INTEGER NOT NULL) "
             "WITHOUT ROWID",
             (long long)job->id);
    if (connection_exec(connection, sql, err) < 0)
        return -1;
    for (size_t i = 0; i < indexes; i++) {
        snprintf(sql, sizeof sql,
                 "CREATE TABLE x%lld_%zu(key BLOB PRIMARY KEY, base BLOB NOT NULL) WITHOUT ROWID",
                 (long long)job->id, i);
        if (connection_exec(connection, sql, err) < 0)
            return -1;
    }
    return 0;
}

static int run_create(struct connection *connection, void *context, struct err *err)
{
    struct table_job *job = context;
    sqlite3_stmt *s = connection_prepare(
        connection,
        "INSERT INTO tables(name, definition, tags) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING "
        "RETURNING id",
        err);
    char *text = json_dumps(job->definition, JSON_COMPACT);
    const json_t *tags = json_object_get(job->request->body, "Tags");
    char *tags_text = tags ? json_dumps(tags, JSON_COMPACT) : NULL;
    if (s) {
        sqlite3_bind_text(s, 1, job->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, tags_text ? tags_text : "[]", -1, SQLITE_STATIC);
        int step = sqlite3_step(s);
        if (step == SQLITE_ROW)
            job->id = sqlite3_column_int64(s, 0);
        else if (step == SQLITE_DONE)
            err_set(err, ERR_EXISTS, "Table already exists: %s", job->name);
        else
            connection_fail(connection, "create table", err);
        connection_reset(s);
    }
    free(text);
    free(tags_text);
    return job->id ? make_sql_tables(connection, job, err) : -1;
}

static int create_alone(struct request *r)
{
    struct table_job job = {.request = r};
    if (param_table_name(r, NULL, &job.name) < 0 || request_authorize(r, NULL, job.name, NULL) < 0)
        return -1;
    job.definition = definition_make(r, job.name);
    if (!job.definition)
        return -1;
    if (database_write(r->service->database, run_create, &job, &r->err) < 0) {
        json_decref(job.definition);
        return -1;
    }
    struct table *table = table_create(job.id, job.definition, &r->err);
    if (!table)
        return -1;
    atomic_fetch_add(&table->references, 1);
    int result = catalogue_add(r->service, table, &r->err);
    if (result == 0)
        result = table_answer(r, table, "TableDescription", "ACTIVE");
    table_release(table);
    return result;
}

int describe_table(struct request *r)
{
    struct table *table = request_table(r);
    if (!table)
        return -1;
    int result = table_answer(r, table, "Table", table_status(table));
    table_release(table);
    return result;
}

static int run_delete(struct connection *connection, void *context, struct err *err)
{
    struct table_job *job = context;
    char sql[TABLE_SQL_BYTES];
    if (job->table->dropped)
        return err_set(err, ERR_NOT_FOUND, "Requested resource not found: Table: %s not found",
                       job->table->name);
    snprintf(sql, sizeof sql, "DELETE FROM tables WHERE id = %lld; DROP TABLE i%lld",
             (long long)job->table->id, (long long)job->table->id);
    if (connection_exec(connection, sql, err) < 0)
        return -1;
    for (size_t i = 0; i < job->table->index_count; i++) {
        snprintf(sql, sizeof sql, "DROP TABLE x%lld_%d", (long long)job->table->id,
                 job->table->indexes[i].number);
        if (connection_exec(connection, sql, err) < 0)
            return -1;
    }
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS x%lld_%d", (long long)job->table->id,
             TABLE_TTL_NUMBER);
    if (connection_exec(connection, sql, err) < 0)
        return -1;
    job->table->dropped = 1; /* writes behind this one in the queue must see it */
    return 0;
}

static int delete_alone(struct request *r)
{
    struct table *table = request_table(r);
    struct table_job job = {.request = r, .table = table};
    if (!table)
        return -1;
    int result = -1;
    if (json_is_true(json_object_get(table->definition, "DeletionProtectionEnabled")))
        err_set(&r->err, ERR_INVALID,
                "Resource cannot be deleted as it is currently protected against deletion. Disable "
                "deletion protection first.");
    else
        result = table_answer(r, table, "TableDescription", "DELETING");
    if (result == 0 && database_write(r->service->database, run_delete, &job, &r->err) < 0)
        result = -1;
    if (result == 0)
        catalogue_remove(r->service, table);
    else if (r->err.code != ERR_NOT_FOUND)
        table->dropped = 0;
    table_release(table);
    return result;
}

int list_tables(struct request *r)
{
    const char *start;
    int64_t limit = 100;
    int present;
    if (param_string(r, "ExclusiveStartTableName", &start) < 0 ||
        param_integer(r, "Limit", &limit, &present) < 0 ||
        request_authorize(r, NULL, NULL, NULL) < 0)
        return -1;
    struct dynamodb *service = r->service;
    buf_puts(&r->out, "{\"TableNames\":[");
    pthread_rwlock_rdlock(&service->lock);
    size_t at = start ? catalogue_place(service, start) : 0, shown = 0;
    if (start && at < service->table_count && !strcmp(service->tables[at]->name, start))
        at++;
    for (; at < service->table_count && shown < (size_t)limit; at++, shown++)
        buf_printf(&r->out, "%s\"%s\"", shown ? "," : "", service->tables[at]->name);
    buf_puts(&r->out, "]");
    if (at < service->table_count)
        buf_printf(&r->out, ",\"LastEvaluatedTableName\":\"%s\"", service->tables[at - 1]->name);
    pthread_rwlock_unlock(&service->lock);
    return buf_puts(&r->out, "}");
}

int store_json(struct connection *connection, const char *sql, int64_t id, const json_t *json,
               struct err *err)
{
    char *text = json_dumps(json, JSON_COMPACT);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "store table: out of memory");
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    int result = -1;
    if (s) {
        sqlite3_bind_int64(s, 1, id);
        sqlite3_bind_text(s, 2, text, -1, SQLITE_STATIC);
        result = connection_run(connection, s, err);
    }
    free(text);
    return result;
}

struct replacement {
    struct table *table;
    const json_t *definition;
    table_change *change;
    void *context;
};

static int run_replacement(struct connection *connection, void *context, struct err *err)
{
    struct replacement *job = context;
    if (job->change && job->change(connection, job->context, err) < 0)
        return -1;
    if (store_json(connection, "UPDATE tables SET definition = ?2 WHERE id = ?1", job->table->id,
                   job->definition, err) < 0)
        return -1;
    job->table->stale = 1; /* writes behind this one in the queue must see it */
    return 0;
}

struct table *table_replace(struct dynamodb *service, struct table *table, json_t *definition,
                            table_change *change, void *context, struct err *err)
{
    struct replacement job = {table, definition, change, context};
    struct table *changed = table_create(table->id, definition, err);
    if (!changed)
        return NULL;
    if (database_write(service->database, run_replacement, &job, err) < 0) {
        table->stale = 0;
        table_release(changed);
        return NULL;
    }
    atomic_fetch_add(&changed->references, 1);
    catalogue_remove(service, table);
    if (catalogue_add(service, changed, err) < 0) {
        table_release(changed);
        table_release(changed);
        return NULL;
    }
    return changed;
}

int change_alone(struct request *r, operation_run *change)
{
    pthread_mutex_lock(&r->service->changes);
    int result = change(r);
    pthread_mutex_unlock(&r->service->changes);
    return result;
}

int create_table(struct request *r)
{
    return change_alone(r, create_alone);
}

int delete_table(struct request *r)
{
    return change_alone(r, delete_alone);
}
