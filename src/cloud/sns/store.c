#include "cloud/sns/sns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS topics(name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE TABLE IF NOT EXISTS subscriptions(arn TEXT PRIMARY KEY, topic TEXT NOT NULL, document "
    "TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS subscriptions_topic ON subscriptions(topic);"
    "CREATE TABLE IF NOT EXISTS sequences(topic TEXT PRIMARY KEY, last INT) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS dedup(topic TEXT, scope TEXT, id TEXT, until_ms INT, message TEXT,"
    " sequence TEXT, PRIMARY KEY(topic, scope, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS dedup_until ON dedup(until_ms);"
    "CREATE TABLE IF NOT EXISTS unfinished(topic TEXT, scope TEXT, id TEXT, PRIMARY KEY(topic, "
    "scope, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT "
    "NULL, topic TEXT NOT NULL, url TEXT NOT NULL, type TEXT NOT NULL, message TEXT NOT NULL, raw "
    "INT, body TEXT NOT NULL, attempts INT NOT NULL DEFAULT 0, next_ms INT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS outbox_next ON outbox(next_ms);";

/* -- ARNs -- */

const char *sns_topic_name(const struct sns *sns, const char *arn)
{
    char prefix[SNS_ARN_BYTES];
    int size = snprintf(prefix, sizeof prefix, "arn:aws:sns:%s:%s:", sns->cloud->region,
                        sns->cloud->account_id);
    return strncmp(arn, prefix, (size_t)size) == 0 && arn[size] && !strchr(arn + size, ':')
               ? arn + size
               : NULL;
}

int sns_subscription_topic(const struct sns *sns, const char *arn, char out[SNS_ARN_BYTES])
{
    const char *end = strrchr(arn, ':');
    size_t size = end ? (size_t)(end - arn) : 0;
    if (!size || size >= SNS_ARN_BYTES)
        return -1;
    memcpy(out, arn, size);
    out[size] = 0;
    const char *name = sns_topic_name(sns, out);
    if (!name)
        return -1;
    memmove(out, name, strlen(name) + 1);
    return 0;
}

/* -- memory -- */

static json_t *take(struct sns *sns, json_t *map, const char *key)
{
    pthread_mutex_lock(&sns->lock);
    json_t *found = json_incref(json_object_get(map, key));
    pthread_mutex_unlock(&sns->lock);
    return found;
}

json_t *sns_topic(struct sns *sns, const char *name)
{
    return take(sns, sns->topics, name);
}

json_t *sns_subscription(struct sns *sns, const char *arn)
{
    char topic[SNS_ARN_BYTES];
    if (sns_subscription_topic(sns, arn, topic) < 0)
        return NULL;
    pthread_mutex_lock(&sns->lock);
    json_t *found = json_incref(json_object_get(json_object_get(sns->subscriptions, topic), arn));
    pthread_mutex_unlock(&sns->lock);
    return found;
}

json_t *sns_subscriptions(struct sns *sns, const char *topic)
{
    const char *arn;
    json_t *document, *list = json_array();
    pthread_mutex_lock(&sns->lock);
    json_object_foreach(json_object_get(sns->subscriptions, topic), arn, document)
    {
        json_array_append(list, document);
    }
    pthread_mutex_unlock(&sns->lock);
    return list;
}

/* -- the disk -- */

struct change {
    const char *sql, *key, *topic;
    char *text;
};

static int run_change(struct connection *connection, void *context, struct err *err)
{
    const struct change *change = context;
    sqlite3_stmt *statement = connection_prepare(connection, change->sql, err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, change->key, -1, SQLITE_STATIC);
    if (change->text)
        sqlite3_bind_text(statement, 2, change->text, -1, SQLITE_STATIC);
    if (change->text && change->topic)
        sqlite3_bind_text(statement, 3, change->topic, -1, SQLITE_STATIC);
    return connection_run(connection, statement, err);
}

static int write_document(struct sns *sns, struct change *change, const json_t *document,
                          struct err *err)
{
    change->text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    if (document && !change->text)
        return err_set(err, ERR_NO_MEMORY, "store: out of memory");
    int result = database_write(sns->database, run_change, change, err);
    free(change->text);
    return result;
}

static int forget_topic(struct connection *connection, void *context, struct err *err)
{
    static const char *const statements[] = {
        "DELETE FROM subscriptions WHERE topic=?", "DELETE FROM topics WHERE name=?",
        "DELETE FROM dedup WHERE topic=?", "DELETE FROM unfinished WHERE topic=?",
        "DELETE FROM sequences WHERE topic=?"};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        struct change change = {statements[i], context, NULL, NULL};
        if (run_change(connection, &change, err) < 0)
            return -1;
    }
    return 0;
}

int sns_put_topic(struct sns *sns, const char *name, json_t *document, struct err *err)
{
    struct change change = {"INSERT OR REPLACE INTO topics(name, document) VALUES(?,?)", name, NULL,
                            NULL};
    int result = document
                     ? write_document(sns, &change, document, err)
                     : database_write(sns->database, forget_topic, (void *)(uintptr_t)name, err);
    pthread_mutex_lock(&sns->lock);
    if (result == 0 && document) {
        json_object_set(sns->topics, name, document);
    } else if (result == 0) {
        json_object_del(sns->topics, name);
        json_object_del(sns->subscriptions, name);
    }
    pthread_mutex_unlock(&sns->lock);
    json_decref(document);
    return result;
}

static void set_subscription(struct sns *sns, const char *topic, const char *arn, json_t *document)
{
    json_t *all = json_object_get(sns->subscriptions, topic);
    if (!all && document) {
        all = json_object();
        json_object_set_new(sns->subscriptions, topic, all);
    }
    if (document)
        json_object_set(all, arn, document);
    else
        json_object_del(all, arn);
}

int sns_put_subscription(struct sns *sns, const char *arn, json_t *document, struct err *err)
{
    char topic[SNS_ARN_BYTES];
    struct change change = {document ? "INSERT OR REPLACE INTO subscriptions(arn, document, topic) "
                                       "VALUES(?,?,?)"
                                     : "DELETE FROM subscriptions WHERE arn=?",
                            arn, topic, NULL};
    int result = sns_subscription_topic(sns, arn, topic) == 0
                     ? write_document(sns, &change, document, err)
                     : err_set(err, ERR_NOT_FOUND, "%s: no subscription", arn);
    if (result == 0) {
        pthread_mutex_lock(&sns->lock);
        set_subscription(sns, topic, arn, document);
        pthread_mutex_unlock(&sns->lock);
    }
    json_decref(document);
    return result;
}

/* -- the start -- */

static int load_topics(struct sns *sns, struct connection *connection, struct err *err)
{
    sqlite3_stmt *row = connection_prepare(connection, "SELECT name, document FROM topics", err);
    int step = SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW)
        json_object_set_new(sns->topics, (const char *)sqlite3_column_text(row, 0),
                            json_loads((const char *)sqlite3_column_text(row, 1), 0, NULL));
    connection_reset(row);
    return step == SQLITE_DONE ? 0 : connection_fail(connection, "read the topics", err);
}

static int load_subscriptions(struct sns *sns, struct connection *connection, struct err *err)
{
    sqlite3_stmt *row =
        connection_prepare(connection, "SELECT topic, arn, document FROM subscriptions", err);
    int step = SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW) {
        json_t *document = json_loads((const char *)sqlite3_column_text(row, 2), 0, NULL);
        set_subscription(sns, (const char *)sqlite3_column_text(row, 0),
                         (const char *)sqlite3_column_text(row, 1), document);
        json_decref(document);
    }
    connection_reset(row);
    return step == SQLITE_DONE ? 0 : connection_fail(connection, "read the subscriptions", err);
}

int sns_load(struct sns *sns, struct err *err)
{
    char path[4096];
    if (cloud_path(sns->cloud, "sns.sqlite", path, sizeof path, err) < 0)
        return -1;
    sns->topics = json_object();
    sns->subscriptions = json_object();
    sns->placing = json_object();
    sns->database = database_open(path, schema, err);
    struct connection *connection = sns->database ? database_read_begin(sns->database, err) : NULL;
    if (!connection)
        return -1;
    int result =
        load_topics(sns, connection, err) < 0 || load_subscriptions(sns, connection, err) < 0 ? -1
                                                                                              : 0;
    database_read_end(sns->database, connection);
    return result;
}

void sns_unload(struct sns *sns)
{
    database_close(sns->database);
    json_decref(sns->topics);
    json_decref(sns->subscriptions);
    json_decref(sns->placing);
}
