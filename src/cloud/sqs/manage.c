#include "cloud/sqs/sqs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations on queues: make, delete, list, and their attributes and tags. */

/* -- the table -- */

struct queue_change {
    struct sqs *sqs;
    struct queue *queue;
    const json_t *attributes, *tags;
    int64_t now_s;
};

static int bind_change(sqlite3_stmt *statement, const struct queue_change *change)
{
    char *attributes = json_dumps(change->attributes, JSON_COMPACT);
    char *tags = json_dumps(change->tags, JSON_COMPACT);
    int result = attributes && tags ? 0 : -1;
    if (result == 0) {
        sqlite3_bind_text(statement, 1, attributes, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(statement, 2, tags, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(statement, 3, change->now_s);
    }
    free(attributes);
    free(tags);
    return result;
}

static int insert_queue(struct connection *connection, void *context, struct err *err)
{
    const struct queue_change *change = context;
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "INSERT INTO queues(attributes, tags, created_s, modified_s, name) VALUES(?,?,?3,?3,?4) "
        "RETURNING id",
        err);
    if (!statement)
        return -1;
    if (bind_change(statement, change) < 0)
        return err_set(err, ERR_NO_MEMORY, "make the queue: out of memory");
    sqlite3_bind_text(statement, 4, change->queue->name, -1, SQLITE_STATIC);
    int made = sqlite3_step(statement) == SQLITE_ROW;
    change->queue->id = made ? sqlite3_column_int64(statement, 0) : 0;
    int result = made ? 0 : connection_fail(connection, "make the queue", err);
    connection_reset(statement);
    return result;
}

static int update_queue(struct connection *connection, void *context, struct err *err)
{
    const struct queue_change *change = context;
    sqlite3_stmt *statement = connection_prepare(
        connection, "UPDATE queues SET attributes=?, tags=?, modified_s=? WHERE id=?", err);
    if (!statement || bind_change(statement, change) < 0)
        return -1;
    sqlite3_bind_int64(statement, 4, change->queue->id);
    return connection_run(connection, statement, err);
}

static int run_for_queue(struct connection *connection, const char *sql, int64_t queue,
                         struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(connection, sql, err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, queue);
    return connection_run(connection, statement, err);
}

static int empty_queue(struct connection *connection, void *context, struct err *err)
{
    const struct queue_change *change = context;
    static const char *const statements[] = {
        "DELETE FROM messages WHERE queue=?", "DELETE FROM groups WHERE queue=?",
        "DELETE FROM dedup WHERE queue=?", "DELETE FROM attempts WHERE queue=?"};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (run_for_queue(connection, statements[i], change->queue->id, err) < 0)
            return -1;
    return messages_refresh(connection, change->sqs, change->queue, err);
}

static int remove_queue(struct connection *connection, void *context, struct err *err)
{
    const struct queue_change *change = context;
    if (empty_queue(connection, context, err) < 0)
        return -1;
    return run_for_queue(connection, "DELETE FROM queues WHERE id=?", change->queue->id, err);
}

/* -- operations -- */

static int answer_url(struct sqs_call *call, const char *name)
{
    char *url = queue_url(call, name);
    return url ? json_object_set_new(call->answer, "QueueUrl", json_string(url))
               : err_set(&call->err, ERR_NO_MEMORY, "answer: out of memory");
}

/* A queue of that name is there: the same one is wanted, or it is refused. `settled` is what the
 * given attributes would come to. */
static int check_same(struct sqs_call *call, struct queue *queue, const json_t *settled)
{
    const json_t *given = json_object_get(call->body, "Attributes");
    const char *name;
    json_t *value;
    pthread_mutex_lock(&call->sqs->lock);
    json_t *present = json_incref(queue->attributes);
    pthread_mutex_unlock(&call->sqs->lock);
    int result = 0;
    json_object_foreach((json_t *)given, name, value)
    {
        const char *old = sqs_text(present, name), *new = sqs_text(settled, name);
        if (result == 0 && strcmp(old ? old : "", new ? new : "") != 0)
            result = sqs_fail(call, "QueueAlreadyExists",
                              "A queue already exists with the same name and a different value for "
                              "attribute %s",
                              name);
    }
    json_decref(present);
    return result;
}

static int check_tags(struct sqs_call *call, const json_t *tags)
{
    const char *key;
    json_t *value;
    if (json_object_size(tags) > SQS_MAX_TAGS)
        return sqs_fail(call, SQS_INVALID, "Too many tags added for queue %s.",
                        call->queue ? call->queue->name : "");
    json_object_foreach((json_t *)tags, key, value)
    {
        if (!*key || strlen(key) > 128 * 4 || !json_is_string(value) ||
            json_string_length(value) > 256 * 4)
            return sqs_fail(call, SQS_INVALID,
                            "Tag keys have 1 to 128 characters, values 0 to 256.");
    }
    return 0;
}

static struct queue *new_queue(struct sqs_call *call, const char *name, json_t *attributes,
                               const struct queue_settings *settings)
{
    const json_t *tags = json_object_get(call->body, "tags");
    struct queue *queue = calloc(1, sizeof *queue);
    if (!queue) {
        json_decref(attributes);
        return NULL;
    }
    snprintf(queue->name, sizeof queue->name, "%s", name);
    queue->attributes = attributes;
    queue->tags = json_is_object(tags) ? json_deep_copy(tags) : json_object();
    queue->settings = *settings;
    queue->created_s = queue->modified_s = call->now_ms / 1000;
    queue->next_ms = SQS_NEVER;
    return queue;
}

static int store_new(struct sqs_call *call, struct queue *queue)
{
    struct sqs *sqs = call->sqs;
    struct queue_change change = {sqs, queue, queue->attributes, queue->tags, queue->created_s};
    if (database_write(sqs->database, insert_queue, &change, &call->err) < 0) {
        struct queue *other =
            queue_find(sqs, queue->name, strlen(queue->name)); /* made beside us */
        int result = other ? check_same(call, other, queue->attributes) : -1;
        queue_free(queue);
        queue_drop(sqs, other);
        return result;
    }
    pthread_mutex_lock(&sqs->lock);
    queue_link(sqs, queue);
    pthread_mutex_unlock(&sqs->lock);
    return 0;
}

static int check_name(struct sqs_call *call, const char *name, const json_t *given)
{
    size_t size = strlen(name);
    const char *fifo = sqs_text(given, "FifoQueue");
    if (fifo && strcmp(fifo, "true") == 0)
        return queue_name_is_valid(name, size, 1)
                   ? 0
                   : sqs_fail(call, SQS_INVALID,
                              "The name of a FIFO queue can only include alphanumeric characters, "
                              "hyphens, or underscores, must end with .fifo suffix and be 1 to 80 "
                              "in length.");
    return queue_name_is_valid(name, size, 0)
               ? 0
               : sqs_fail(call, SQS_INVALID,
                          "Can only include alphanumeric characters, hyphens, or underscores. 1 to "
                          "80 in length");
}

static int is_full(struct sqs *sqs)
{
    pthread_mutex_lock(&sqs->lock);
    int full = sqs->queue_count >= SQS_MAX_QUEUES;
    pthread_mutex_unlock(&sqs->lock);
    return full;
}

int sqs_create_queue(struct sqs_call *call)
{
    const char *name = sqs_text(call->body, "QueueName");
    const json_t *given = json_object_get(call->body, "Attributes");
    struct queue_settings settings;
    if (!name)
        return sqs_fail_missing(call, "QueueName");
    if (check_name(call, name, given) < 0 ||
        check_tags(call, json_object_get(call->body, "tags")) < 0)
        return -1;
    json_t *attributes = attributes_apply(call, NULL, given, &settings);
    if (!attributes)
        return -1;
    struct queue *present = queue_find(call->sqs, name, strlen(name));
    int result;
    if (present) {
        result = check_same(call, present, attributes);
        json_decref(attributes);
        queue_drop(call->sqs, present);
    } else if (is_full(call->sqs)) {
        json_decref(attributes);
        result = sqs_fail(call, "OverLimit", "There are too many queues.");
    } else {
        struct queue *queue = new_queue(call, name, attributes, &settings);
        result = queue ? store_new(call, queue)
                       : err_set(&call->err, ERR_NO_MEMORY, "make a queue: out of memory");
    }
    return result == 0 ? answer_url(call, name) : -1;
}

int sqs_delete_queue(struct sqs_call *call)
{
    struct queue_change change = {.sqs = call->sqs, .queue = call->queue};
    if (database_write(call->sqs->database, remove_queue, &change, &call->err) < 0)
        return -1;
    pthread_mutex_lock(&call->sqs->lock);
    if (!call->queue->is_deleted)
        queue_unlink(call->sqs, call->queue);
    poller_wake(call->sqs);
    pthread_mutex_unlock(&call->sqs->lock);
    return 0;
}

int sqs_purge_queue(struct sqs_call *call)
{
    struct queue_change change = {.sqs = call->sqs, .queue = call->queue};
    pthread_mutex_lock(&call->sqs->lock);
    int64_t before_ms = call->queue->purged_ms;
    int is_early = before_ms && call->now_ms < before_ms + SQS_PURGE_MS;
    if (!is_early)
        call->queue->purged_ms = call->now_ms;
    pthread_mutex_unlock(&call->sqs->lock);
    if (is_early)
        return sqs_fail(call, "AWS.SimpleQueueService.PurgeQueueInProgress",
                        "Only one PurgeQueue operation on %s is allowed every 60 seconds.",
                        call->queue->name);
    if (database_write(call->sqs->database, empty_queue, &change, &call->err) == 0)
        return 0;
    pthread_mutex_lock(&call->sqs->lock);
    call->queue->purged_ms = before_ms; /* nothing was: it may be tried again at once */
    pthread_mutex_unlock(&call->sqs->lock);
    return -1;
}

int sqs_get_queue_url(struct sqs_call *call)
{
    const char *name = sqs_text(call->body, "QueueName");
    const char *owner = sqs_text(call->body, "QueueOwnerAWSAccountId");
    if (!name)
        return sqs_fail_missing(call, "QueueName");
    struct queue *queue = queue_find(call->sqs, name, strlen(name));
    queue_drop(call->sqs, queue);
    if (!queue || (owner && strcmp(owner, call->sqs->cloud->account_id) != 0))
        return sqs_fail_no_queue(call);
    return answer_url(call, name);
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the queues that `takes` accepts, in order, in the exchange's arena. */
typedef int queue_filter(const struct queue *queue, const void *context);
static char **queue_names(struct sqs_call *call, queue_filter *takes, const void *context,
                          size_t *count)
{
    struct sqs *sqs = call->sqs;
    pthread_mutex_lock(&sqs->lock);
    char **names = arena_new(&call->x->arena, char *, sqs->queue_count + 1);
    *count = 0;
    for (struct queue *q = queue_next(sqs, NULL); names && q; q = queue_next(sqs, q))
        if (takes(q, context) && (names[*count] = arena_strdup(&call->x->arena, q->name)))
            ++*count;
    pthread_mutex_unlock(&sqs->lock);
    if (names)
        qsort(names, *count, sizeof *names, compare_text);
    else
        err_set(&call->err, ERR_TOO_BIG, "list queues: too many");
    return names;
}

/* A page of URLs under `member`; a token is the last name of the page before. */
static int answer_page(struct sqs_call *call, char **names, size_t count, const char *member)
{
    int64_t most = 1000, range[2] = {1, 1000};
    const char *token = sqs_text(call->body, "NextToken");
    json_t *urls = json_array();
    size_t at = 0;
    if (json_object_set_new(call->answer, member, urls) < 0 ||
        sqs_number(call, call->body, "MaxResults", range, &most) < 0)
        return -1;
    while (token && at < count && strcmp(names[at], token) <= 0)
        at++;
    for (; at < count && json_array_size(urls) < (size_t)most; at++)
        json_array_append_new(urls, json_string(queue_url(call, names[at])));
    if (at < count && json_object_get(call->body, "MaxResults"))
        json_object_set_new(call->answer, "NextToken", json_string(names[at - 1]));
    return 0;
}

static int has_prefix(const struct queue *queue, const void *prefix)
{
    return !prefix || strncmp(queue->name, prefix, strlen(prefix)) == 0;
}

int sqs_list_queues(struct sqs_call *call)
{
    size_t count;
    char **names = queue_names(call, has_prefix, sqs_text(call->body, "QueueNamePrefix"), &count);
    if (!names || answer_page(call, names, count, "QueueUrls") < 0)
        return -1;
    if (!count)
        json_object_del(call->answer, "QueueUrls");
    return 0;
}

static int has_dead_letter(const struct queue *queue, const void *arn)
{
    return queue->settings.max_receives && strcmp(queue->settings.dead_letter, arn) == 0;
}

int sqs_list_sources(struct sqs_call *call)
{
    size_t count;
    char arn[SQS_ARN_BYTES];
    queue_arn(call->sqs, call->queue, arn);
    char **names = queue_names(call, has_dead_letter, arn, &count);
    return names ? answer_page(call, names, count, "queueUrls") : -1;
}

/* -- attributes and tags -- */

int queue_store(struct sqs_call *call, json_t *attributes, json_t *tags,
                const struct queue_settings *settings)
{
    struct sqs *sqs = call->sqs;
    struct queue *queue = call->queue;
    struct queue_change change = {sqs, queue, attributes, tags, call->now_ms / 1000};
    int result = database_write(sqs->database, update_queue, &change, &call->err);
    if (result == 0) {
        pthread_mutex_lock(&sqs->lock);
        json_t *old[2] = {queue->attributes, queue->tags};
        queue->attributes = attributes;
        queue->tags = tags;
        queue->modified_s = change.now_s;
        if (settings)
            queue->settings = *settings;
        pthread_mutex_unlock(&sqs->lock);
        attributes = old[0];
        tags = old[1];
    }
    json_decref(attributes);
    json_decref(tags);
    return result;
}

json_t *queue_hold(struct sqs_call *call, json_t *const *what)
{
    pthread_mutex_lock(&call->sqs->lock);
    json_t *held = json_incref(*what);
    pthread_mutex_unlock(&call->sqs->lock);
    return held;
}

int sqs_set_attributes(struct sqs_call *call)
{
    struct queue_settings settings;
    const json_t *given = json_object_get(call->body, "Attributes");
    if (!json_is_object(given))
        return sqs_fail_missing(call, "Attribute.Name");
    json_t *present = queue_hold(call, &call->queue->attributes);
    json_t *attributes = attributes_apply(call, present, given, &settings);
    json_decref(present);
    return attributes
               ? queue_store(call, attributes, queue_hold(call, &call->queue->tags), &settings)
               : -1;
}

int sqs_tag_queue(struct sqs_call *call)
{
    const json_t *given = json_object_get(call->body, "Tags");
    if (!json_object_size(given))
        return sqs_fail_missing(call, "Tags");
    json_t *present = queue_hold(call, &call->queue->tags), *tags = json_copy(present);
    json_decref(present);
    json_object_update(tags, (json_t *)given);
    if (check_tags(call, tags) < 0) {
        json_decref(tags);
        return -1;
    }
    return queue_store(call, queue_hold(call, &call->queue->attributes), tags, NULL);
}

int sqs_untag_queue(struct sqs_call *call)
{
    size_t i;
    json_t *key;
    const json_t *keys = json_object_get(call->body, "TagKeys");
    if (!json_array_size(keys))
        return sqs_fail(call, SQS_INVALID,
                        "Tag keys must be between 1 and 128 characters in length.");
    json_t *present = queue_hold(call, &call->queue->tags), *tags = json_copy(present);
    json_decref(present);
    json_array_foreach(keys, i, key)
    {
        if (json_is_string(key))
            json_object_del(tags, json_string_value(key));
    }
    return queue_store(call, queue_hold(call, &call->queue->attributes), tags, NULL);
}

int sqs_list_tags(struct sqs_call *call)
{
    return json_object_set_new(call->answer, "Tags", queue_hold(call, &call->queue->tags));
}
