#include "cloud/dynamodb/worker.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    FILL_ITEMS = 500,   /* a step of filling, which writers wait for */
    EXPIRE_ITEMS = 200, /* a step of deleting */
    ROUND_MS = 1000,
    FIVE_YEARS_S = 5 * 365 * 24 * 3600, /* what expired longer ago was never meant to */
    STEP_MEMORY = 256 * 1024 * 1024,
};

struct worker {
    struct dynamodb *service;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    int closing, wanted;
};

/* One chore, a write of the database; `request` carries its memory. */
struct chore {
    struct request request;
    struct arena arena;
    struct table *table;
    struct key cursor; /* filling: the last item seen, in `bytes` */
    unsigned char bytes[8192];
    size_t done; /* items of this step */
};

static void chore_begin(struct chore *chore, struct dynamodb *service)
{
    arena_init(&chore->arena, STEP_MEMORY);
    chore->request =
        (struct request){.service = service, .arena = &chore->arena, .now_ms = clock_unix_ms()};
    chore->done = 0;
}

static void chore_end(struct chore *chore)
{
    request_release_owned(&chore->request);
    arena_finish(&chore->arena);
}

static int is_gone(const struct table *table)
{
    return table->dropped || table->stale;
}

/* Entries of one item in the indexes that are being filled. */
static int fill_item(struct connection *connection, struct chore *chore, const char *text,
                     size_t size)
{
    struct request *r = &chore->request;
    const struct table *table = chore->table;
    struct value item;
    struct key base, key;
    if (item_parse(r, text, size, &item) < 0 ||
        table_key(table, &item, &base, r->arena, &r->err) < 0)
        return -1;
    for (size_t i = 0; i < table->index_count; i++) {
        const struct table_index *index = &table->indexes[i];
        int has =
            index->backfilling ? table_index_key(table, index, &item, &key, r->arena, &r->err) : 0;
        if (has < 0 || (has && index_store(connection, r, table, index->number, &key, &base) < 0))
            return -1;
    }
    int has = table->ttl_backfilling ? table_ttl_key(table, &item, &key, r->arena, &r->err) : 0;
    if (has <= 0)
        return has;
    return index_store(connection, r, table, TABLE_TTL_NUMBER, &key, &base);
}

static int fill_rows(struct connection *connection, struct chore *chore, sqlite3_stmt *s)
{
    int row;
    while ((row = sqlite3_step(s)) == SQLITE_ROW) {
        chore->cursor = (struct key){chore->bytes, (size_t)sqlite3_column_bytes(s, 0)};
        if (chore->cursor.size > sizeof chore->bytes)
            return err_set(&chore->request.err, ERR_CORRUPT, "fill an index: a key is too long");
        memcpy(chore->bytes, sqlite3_column_blob(s, 0), chore->cursor.size);
        chore->done++;
        if (fill_item(connection, chore, (const char *)sqlite3_column_text(s, 1),
                      (size_t)sqlite3_column_bytes(s, 1)) < 0)
            return -1;
    }
    return row == SQLITE_DONE ? 0
                              : connection_fail(connection, "fill an index", &chore->request.err);
}

static int run_fill(struct connection *connection, void *context, struct err *err)
{
    struct chore *chore = context;
    char sql[TABLE_SQL_BYTES];
    if (is_gone(chore->table))
        return 0;
    snprintf(sql, sizeof sql, "SELECT key, item FROM i%lld WHERE key > ?1 ORDER BY key LIMIT %d",
             (long long)chore->table->id, FILL_ITEMS);
    sqlite3_stmt *s = connection_prepare(connection, sql, err);
    if (!s)
        return -1;
    sqlite3_bind_blob(s, 1, chore->bytes, (int)chore->cursor.size, SQLITE_STATIC);
    int result = fill_rows(connection, chore, s);
    connection_reset(s);
    if (result < 0)
        *err = chore->request.err;
    return result;
}

static int is_closing(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    int closing = worker->closing;
    pthread_mutex_unlock(&worker->lock);
    return closing;
}

static int is_filling(const struct table *table)
{
    int filling = table->ttl_backfilling;
    for (size_t i = 0; i < table->index_count; i++)
        filling |= table->indexes[i].backfilling;
    return filling;
}

static json_t *filled_definition(const struct table *table)
{
    json_t *definition = json_deep_copy(table->definition), *index;
    size_t i;
    json_array_foreach(json_object_get(definition, "GlobalSecondaryIndexes"), i, index)
    {
        if (!json_object_get(index, "Backfilling"))
            continue;
        json_object_del(index, "Backfilling");
        json_object_set_new(index, "IndexStatus", json_string("ACTIVE"));
    }
    json_object_del(json_object_get(definition, "ken:ttl"), "Backfilling");
    return definition;
}

static int finish_filling(struct dynamodb *service, struct table *table, struct err *err)
{
    pthread_mutex_lock(&service->changes);
    struct table *changed =
        is_gone(table) ? NULL
                       : table_replace(service, table, filled_definition(table), NULL, NULL, err);
    int result = changed || is_gone(table) ? 0 : -1;
    pthread_mutex_unlock(&service->changes);
    table_release(changed);
    return result;
}

static int fill(struct worker *worker, struct chore *chore)
{
    struct err err = {0};
    int result = 0;
    chore->cursor = (struct key){chore->bytes, 0};
    do {
        chore_begin(chore, worker->service);
        result = database_write(worker->service->database, run_fill, chore, &err);
        chore_end(chore);
    } while (result == 0 && chore->done == FILL_ITEMS && !is_closing(worker));
    if (result == 0 && chore->done < FILL_ITEMS && !is_gone(chore->table))
        result = finish_filling(worker->service, chore->table, &err);
    if (result < 0)
        log_line(LOG_ERROR, "dynamodb: fill an index of %s: %s", chore->table->name, err.message);
    return result;
}

static void put_seconds(unsigned char out[8], int64_t seconds)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)seconds >> (56 - 8 * i));
}

/* The expired items' texts, in the step's memory; ends with NULL. */
static const char **find_expired(struct connection *connection, struct chore *chore)
{
    struct request *r = &chore->request;
    unsigned char low[8], high[8];
    char sql[TABLE_SQL_BYTES];
    long long id = (long long)chore->table->id;
    const char **texts = arena_alloc(r->arena, EXPIRE_ITEMS + 1, sizeof *texts);
    snprintf(sql, sizeof sql,
             "SELECT i.item FROM x%lld_%d k JOIN i%lld i ON i.key = k.base WHERE k.key >= ?1 AND "
             "k.key < ?2 ORDER BY k.key LIMIT %d",
             id, TABLE_TTL_NUMBER, id, EXPIRE_ITEMS);
    sqlite3_stmt *s = texts ? connection_prepare(connection, sql, &r->err) : NULL;
    if (!s)
        return NULL;
    put_seconds(low, r->now_ms / 1000 - FIVE_YEARS_S);
    put_seconds(high, r->now_ms / 1000);
    sqlite3_bind_blob(s, 1, low, 8, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, high, 8, SQLITE_STATIC);
    size_t count = 0;
    while (sqlite3_step(s) == SQLITE_ROW)
        texts[count++] =
            arena_copy(r->arena, sqlite3_column_text(s, 0), (size_t)sqlite3_column_bytes(s, 0));
    connection_reset(s);
    return texts;
}

static int run_expire(struct connection *connection, void *context, struct err *err)
{
    struct chore *chore = context;
    if (is_gone(chore->table))
        return 0;
    const char **texts = find_expired(connection, chore);
    int result = texts ? 0 : -1;
    for (; result == 0 && texts[chore->done]; chore->done++) {
        struct write w = {.type = WRITE_DELETE, .table = chore->table};
        const char *text = texts[chore->done];
        result = item_parse(&chore->request, text, strlen(text), &w.item);
        if (result == 0)
            result = write_run(connection, &chore->request, &w);
    }
    if (result < 0)
        *err = chore->request.err;
    return result;
}

static void expire(struct worker *worker, struct chore *chore)
{
    struct err err = {0};
    int result;
    do {
        chore_begin(chore, worker->service);
        result = database_write(worker->service->database, run_expire, chore, &err);
        chore_end(chore);
    } while (result == 0 && chore->done == EXPIRE_ITEMS && !is_closing(worker));
    if (result < 0)
        log_line(LOG_ERROR, "dynamodb: delete expired items of %s: %s", chore->table->name,
                 err.message);
}

/* Whether any item of the table may have expired: a read, so that idle tables cost no write. */
static int has_expired(struct dynamodb *service, const struct table *table)
{
    char sql[TABLE_SQL_BYTES];
    unsigned char low[8], high[8];
    struct err err;
    int64_t now_s = clock_unix_ms() / 1000;
    struct connection *connection = database_read_begin(service->database, &err);
    if (!connection)
        return 0;
    snprintf(sql, sizeof sql, "SELECT 1 FROM x%lld_%d WHERE key >= ?1 AND key < ?2 LIMIT 1",
             (long long)table->id, TABLE_TTL_NUMBER);
    sqlite3_stmt *s = connection_prepare(connection, sql, &err);
    put_seconds(low, now_s - FIVE_YEARS_S);
    put_seconds(high, now_s);
    int found = 0;
    if (s) {
        sqlite3_bind_blob(s, 1, low, 8, SQLITE_STATIC);
        sqlite3_bind_blob(s, 2, high, 8, SQLITE_STATIC);
        found = sqlite3_step(s) == SQLITE_ROW;
        connection_reset(s);
    }
    database_read_end(service->database, connection);
    return found;
}

/* The first table behind `name` that has something to do, with a reference; NULL at the end. */
static struct table *next_table(struct dynamodb *service, const char *name)
{
    struct table *found = NULL;
    pthread_rwlock_rdlock(&service->lock);
    for (size_t at = name ? catalogue_place(service, name) : 0; at < service->table_count; at++) {
        struct table *table = service->tables[at];
        if ((name && !strcmp(table->name, name)) ||
            (!is_filling(table) && !table->ttl_name && !table->sizes_wanted))
            continue;
        found = table;
        atomic_fetch_add(&table->references, 1);
        break;
    }
    pthread_rwlock_unlock(&service->lock);
    return found;
}

static void count_indexes(struct dynamodb *service, struct table *table)
{
    struct err err = {0};
    if (index_sizes_count(service, table, &err) < 0 && !is_gone(table))
        log_line(LOG_ERROR, "dynamodb: count the indexes of %s: %s", table->name, err.message);
}

static void run_round(struct worker *worker, struct chore *chore)
{
    struct table *table = next_table(worker->service, NULL), *next;
    for (; table && !is_closing(worker); table = next) {
        chore->table = table;
        if (is_filling(table))
            fill(worker, chore);
        else if (has_expired(worker->service, table))
            expire(worker, chore);
        if (table->sizes_wanted && !is_gone(table))
            count_indexes(worker->service, table);
        next = next_table(worker->service, table->name);
        table_release(table);
    }
    table_release(table);
}

/* Until somebody wakes it or the round is over; 0 when the end has come. */
static int wait_round(struct worker *worker)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ROUND_MS / 1000;
    pthread_mutex_lock(&worker->lock);
    while (!worker->closing && !worker->wanted)
        if (pthread_cond_timedwait(&worker->change, &worker->lock, &until) != 0)
            break;
    worker->wanted = 0;
    int goes_on = !worker->closing;
    pthread_mutex_unlock(&worker->lock);
    return goes_on;
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct chore *chore = calloc(1, sizeof *chore);
    if (!chore)
        log_line(LOG_ERROR, "dynamodb: no memory to fill indexes and delete expired items");
    while (chore && wait_round(worker))
        run_round(worker, chore);
    free(chore);
    return NULL;
}

struct worker *worker_start(struct dynamodb *service, struct err *err)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (!worker) {
        err_set(err, ERR_NO_MEMORY, "start the tables' worker: out of memory");
        return NULL;
    }
    worker->service = service;
    worker->wanted = 1;
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->change, NULL);
    if (pthread_create(&worker->thread, NULL, worker_main, worker)) {
        err_set(err, ERR_NO_MEMORY, "start the tables' worker: no thread");
        free(worker);
        return NULL;
    }
    return worker;
}

void worker_wake(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->wanted = 1;
    pthread_cond_signal(&worker->change);
    pthread_mutex_unlock(&worker->lock);
}

void worker_stop(struct worker *worker)
{
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->closing = 1;
    pthread_cond_signal(&worker->change);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->change);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}
