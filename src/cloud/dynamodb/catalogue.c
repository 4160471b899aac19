#include "cloud/access.h"
#include "cloud/dynamodb/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The tables there are, by name; and how a request finds its own. */

/* Index of the first table whose name is not below `name`. Under the lock. */
size_t catalogue_place(const struct dynamodb *service, const char *name)
{
    size_t low = 0, high = service->table_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(service->tables[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int catalogue_add(struct dynamodb *service, struct table *table, struct err *err)
{
    pthread_rwlock_wrlock(&service->lock);
    struct table **tables =
        realloc(service->tables, (service->table_count + 1) * sizeof *service->tables);
    if (tables) {
        service->tables = tables;
        size_t at = catalogue_place(service, table->name);
        memmove(tables + at + 1, tables + at, (service->table_count - at) * sizeof *tables);
        tables[at] = table;
        service->table_count++;
    }
    pthread_rwlock_unlock(&service->lock);
    return tables ? 0 : err_set(err, ERR_NO_MEMORY, "open table: out of memory");
}

void catalogue_remove(struct dynamodb *service, struct table *table)
{
    pthread_rwlock_wrlock(&service->lock);
    size_t at = catalogue_place(service, table->name);
    if (at < service->table_count && service->tables[at] == table) {
        service->table_count--;
        memmove(service->tables + at, service->tables + at + 1,
                (service->table_count - at) * sizeof *service->tables);
        table_release(table);
    }
    pthread_rwlock_unlock(&service->lock);
}

struct table *catalogue_get(struct dynamodb *service, const char *name)
{
    pthread_rwlock_rdlock(&service->lock);
    size_t at = catalogue_place(service, name);
    struct table *table = at < service->table_count ? service->tables[at] : NULL;
    if (table && strcmp(table->name, name))
        table = NULL;
    if (table)
        atomic_fetch_add(&table->references, 1);
    pthread_rwlock_unlock(&service->lock);
    return table;
}

int catalogue_open(struct dynamodb *service, struct err *err)
{
    pthread_mutex_init(&service->changes, NULL);
    pthread_rwlock_init(&service->lock, NULL);
    struct connection *connection = database_read_begin(service->database, err);
    if (!connection)
        return -1;
    sqlite3_stmt *s = connection_prepare(connection, "SELECT id, definition FROM tables", err);
    int step = s ? sqlite3_step(s) : SQLITE_ERROR, result = s ? 0 : -1;
    for (; result == 0 && step == SQLITE_ROW; step = sqlite3_step(s)) {
        json_t *definition = json_loads((const char *)sqlite3_column_text(s, 1), 0, NULL);
        struct table *table =
            definition ? table_create(sqlite3_column_int64(s, 0), definition, err) : NULL;
        if (!definition)
            err_set(err, ERR_CORRUPT, "open table: its definition is damaged");
        result = table ? catalogue_add(service, table, err) : -1;
    }
    if (result == 0 && step != SQLITE_DONE)
        result = connection_fail(connection, "read the tables", err);
    connection_reset(s);
    database_read_end(service->database, connection);
    return result;
}

void catalogue_close(struct dynamodb *service)
{
    for (size_t i = 0; i < service->table_count; i++)
        table_release(service->tables[i]);
    free(service->tables);
    pthread_rwlock_destroy(&service->lock);
    pthread_mutex_destroy(&service->changes);
}

/* The table's name in "arn:aws:dynamodb:REGION:ACCOUNT:table/NAME" when that is one of ours, or
 * what was given when it is no ARN; NULL for another's. */
static const char *name_of(const struct dynamodb *service, const char *given)
{
    char ours[256];
    if (strncmp(given, "arn:", 4))
        return given;
    int size = snprintf(ours, sizeof ours, "arn:aws:dynamodb:%s:%s:table/", service->region,
                        service->account_id);
    return strncmp(given, ours, (size_t)size) ? NULL : given + size;
}

int request_authorize(struct request *r, const char *action, const char *table, const char *index)
{
    const char *arn = table ? table_arn(r, table) : "*";
    if (table && index && arn)
        arn = arena_printf(r->arena, "%s/index/%s", arn, index);
    if (!arn)
        return err_set(&r->err, ERR_TOO_BIG, "The request needs too much memory");
    if (exchange_authorize(r->exchange, action ? action : r->action, arn) == 0)
        return 0;
    r->answered = 1;
    return err_set(&r->err, ERR_DENIED, "access denied");
}

static struct table *find(struct request *r, const char *action, const char *given,
                          const char *index)
{
    const char *name = name_of(r->service, given);
    r->looked_up = 1;
    if (name && request_authorize(r, action, name, index) < 0)
        return NULL;
    struct table *table = name ? catalogue_get(r->service, name) : NULL;
    if (!table)
        err_set(&r->err, ERR_NOT_FOUND, "Requested resource not found");
    return table;
}

struct table *request_find_table(struct request *r, const char *name)
{
    const char *index = json_string_value(json_object_get(r->body, "IndexName"));
    return find(r, NULL, name, index);
}

struct table *request_find_table_for(struct request *r, const char *action, const char *name)
{
    return find(r, action, name, NULL);
}

/* For operations on the table itself, whose message names it. */
struct table *request_table(struct request *r)
{
    const char *given;
    if (param_table_name(r, NULL, &given) < 0)
        return NULL;
    struct table *table = find(r, NULL, given, NULL);
    const char *name = name_of(r->service, given);
    if (!table && r->err.code == ERR_NOT_FOUND)
        err_set(&r->err, ERR_NOT_FOUND, "Requested resource not found: Table: %.255s not found",
                name ? name : given);
    return table;
}

const struct table_index *request_index(struct request *r, const struct table *table,
                                        const char *name)
{
    const struct table_index *index = table_find_index(table, name);
    if (!index)
        err_set(&r->err, ERR_INVALID, "The table does not have the specified index: %s", name);
    return index;
}
