
#include "base/clock.h"
#include "cloud/sqs/sqs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The queues: in memory by name, on the disk in the table `queues`. */

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS queues(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE NOT "
    "NULL, attributes TEXT NOT NULL, tags TEXT NOT NULL, created_s INT, modified_s INT);"
    "CREATE TABLE IF NOT EXISTS messages(id INTEGER PRIMARY KEY AUTOINCREMENT, queue INT NOT NULL,"
    " visible_ms INT NOT NULL, sent_ms INT NOT NULL, receives INT NOT NULL DEFAULT 0, first_ms INT,"
    " nonce INT, uuid TEXT NOT NULL, sender TEXT, grp TEXT, dedup TEXT, source TEXT, attributes "
    "TEXT, trace TEXT, body TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS messages_visible ON messages(queue, visible_ms);"
    "CREATE INDEX IF NOT EXISTS messages_sent ON messages(queue, sent_ms);"
    "CREATE INDEX IF NOT EXISTS messages_group ON messages(queue, grp, id) WHERE grp IS NOT NULL;"
    "DROP INDEX IF EXISTS messages_flight;" /* earlier folders have it */
    "CREATE TABLE IF NOT EXISTS groups(queue INT, grp TEXT, head INT, ready_ms INT, "
    "PRIMARY KEY(queue, grp)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS groups_ready ON groups(queue, ready_ms, head);"
    "CREATE INDEX IF NOT EXISTS groups_head ON groups(queue, head);"
    "CREATE TABLE IF NOT EXISTS dedup(queue INT, scope TEXT, id TEXT, until_ms INT, message INT, "
    "uuid TEXT, PRIMARY KEY(queue, scope, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS dedup_until ON dedup(until_ms);"
    "CREATE TABLE IF NOT EXISTS attempts(queue INT, id TEXT, until_ms INT, messages TEXT, "
    "PRIMARY KEY(queue, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS moves(id INTEGER PRIMARY KEY AUTOINCREMENT, handle TEXT, source "
    "TEXT, target TEXT, status TEXT, rate INT, moved INT, total INT, started_ms INT, reason TEXT);";

static size_t bucket_of(const char *name, size_t size)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return hash % SQS_BUCKETS;
}

void queue_free(struct queue *queue)
{
    json_decref(queue->attributes);
    json_decref(queue->tags);
    free(queue);
}

void queue_link(struct sqs *sqs, struct queue *queue)
{
    struct queue **bucket = &sqs->buckets[bucket_of(queue->name, strlen(queue->name))];
    queue->next = *bucket;
    *bucket = queue;
    sqs->queue_count++;
}

void queue_unlink(struct sqs *sqs, struct queue *queue)
{
    struct queue **at = &sqs->buckets[bucket_of(queue->name, strlen(queue->name))];
    while (*at != queue)
        at = &(*at)->next;
    *at = queue->next;
    sqs->queue_count--;
    queue->is_deleted = 1;
    queue->next_ms = SQS_NEVER;
}

struct queue *queue_find(struct sqs *sqs, const char *name, size_t size)
{
    pthread_mutex_lock(&sqs->lock);
    struct queue *queue = sqs->buckets[bucket_of(name, size)];
    while (queue && (strlen(queue->name) != size || memcmp(queue->name, name, size) != 0))
        queue = queue->next;
    if (queue) {
        queue->holders++;
        queue->used_ms = clock_unix_ms();
        if (queue->measured_minute != queue->used_ms / SQS_MEASURE_MS)
            sqs->has_unmeasured = 1;
    }
    pthread_mutex_unlock(&sqs->lock);
    return queue;
}

/* "arn:aws:sqs:REGION:ACCOUNT:NAME" */
struct queue *queue_find_arn(struct sqs *sqs, const char *arn)
{
    const char *name = strrchr(arn, ':');
    char own[SQS_ARN_BYTES];
    struct queue *queue = name && strncmp(arn, "arn:aws:sqs:", 12) == 0
                              ? queue_find(sqs, name + 1, strlen(name + 1))
                              : NULL;
    if (!queue)
        return NULL;
    queue_arn(sqs, queue, own);
    if (strcmp(own, arn) == 0)
        return queue;
    queue_drop(sqs, queue);
    return NULL;
}

void queue_drop(struct sqs *sqs, struct queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_lock(&sqs->lock);
    int last = --queue->holders == 0 && queue->is_deleted;
    pthread_mutex_unlock(&sqs->lock);
    if (last)
        queue_free(queue);
}

struct queue_settings queue_settings(struct sqs *sqs, struct queue *queue)
{
    pthread_mutex_lock(&sqs->lock);
    struct queue_settings settings = queue->settings;
    pthread_mutex_unlock(&sqs->lock);
    return settings;
}

void queue_arn(const struct sqs *sqs, const struct queue *queue, char out[SQS_ARN_BYTES])
{
    snprintf(out, SQS_ARN_BYTES, "arn:aws:sqs:%s:%s:%s", sqs->cloud->region, sqs->cloud->account_id,
             queue->name);
}

struct queue *queue_next(struct sqs *sqs, const struct queue *queue)
{
    size_t bucket = queue ? bucket_of(queue->name, strlen(queue->name)) + 1 : 0;
    if (queue && queue->next)
        return queue->next;
    while (bucket < SQS_BUCKETS && !sqs->buckets[bucket])
        bucket++;
    return bucket < SQS_BUCKETS ? sqs->buckets[bucket] : NULL;
}

/* By the address that the client has used: it sends what follows there. */
char *queue_url(struct sqs_call *call, const char *name)
{
    const struct cloud *cloud = call->sqs->cloud;
    const char *host = exchange_header(call->x, "Host"), *colon = strstr(cloud->endpoint, "://");
    return arena_printf(&call->x->arena, "%.*s://%s/%s/%s", (int)(colon - cloud->endpoint),
                        cloud->endpoint, host ? host : colon + 3, cloud->account_id, name);
}

int queue_name_is_valid(const char *name, size_t size, int is_fifo)
{
    size_t plain = size;
    if (is_fifo) {
        if (size < 6 || memcmp(name + size - 5, ".fifo", 5) != 0)
            return 0;
        plain = size - 5;
    }
    for (size_t i = 0; i < plain; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
            return 0;
    return plain >= 1 && size <= SQS_MAX_QUEUE_NAME;
}

/* -- reading them at the start -- */

static struct queue *read_row(sqlite3_stmt *row)
{
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->id = sqlite3_column_int64(row, 0);
    snprintf(queue->name, sizeof queue->name, "%s", (const char *)sqlite3_column_text(row, 1));
    queue->attributes = json_loads((const char *)sqlite3_column_text(row, 2), 0, NULL);
    queue->tags = json_loads((const char *)sqlite3_column_text(row, 3), 0, NULL);
    queue->created_s = sqlite3_column_int64(row, 4);
    queue->modified_s = sqlite3_column_int64(row, 5);
    queue->next_ms = 0; /* look once */
    if (!json_is_object(queue->attributes) || !json_is_object(queue->tags)) {
        queue_free(queue);
        return NULL;
    }
    attributes_settings(queue->attributes, &queue->settings);
    return queue;
}

static int read_queues(struct sqs *sqs, struct connection *connection, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(
        connection, "SELECT id, name, attributes, tags, created_s, modified_s FROM queues", err);
    int step = SQLITE_ERROR, result = 0;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW) {
        struct queue *queue = read_row(row);
        if (!queue)
            result = err_set(err, ERR_CORRUPT, "read the queues: a row is damaged");
        else
            queue_link(sqs, queue);
    }
    connection_reset(row);
    return !row || step != SQLITE_DONE ? connection_fail(connection, "read the queues", err)
                                       : result;
}

int sqs_load(struct sqs *sqs, struct err *err)
{
    char path[4096];
    if (cloud_path(sqs->cloud, "sqs.sqlite", path, sizeof path, err) < 0)
        return -1;
    sqs->database = database_open(path, schema, err);
    struct connection *connection = sqs->database ? database_read_begin(sqs->database, err) : NULL;
    int result = connection ? read_queues(sqs, connection, err) : -1;
    if (connection)
        database_read_end(sqs->database, connection);
    return result;
}

void sqs_unload(struct sqs *sqs)
{
    database_close(sqs->database);
    for (size_t i = 0; i < SQS_BUCKETS; i++)
        while (sqs->buckets[i]) {
            struct queue *queue = sqs->buckets[i];
            sqs->buckets[i] = queue->next;
            queue_free(queue);
        }
}
