#include "aws/dynamodb.h"

#include "aws/attribute.h"
#include "aws/json.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define TARGET "DynamoDB_20120810"
enum { MAX_REQUEST_BYTES = 16 * 1024 * 1024, POLL_MS = 200 };

/* Takes what was put into `body` as the request, and finishes it. */
static json_t *call(struct aws_client *client, const char *operation, struct buf *body,
                    struct err *err)
{
    json_t *answer = NULL;
    if (body->failed)
        err_set(err, ERR_TOO_BIG, "%s: the request is too big", operation);
    else
        answer = aws_json_target(client, AWS_DYNAMODB, TARGET, operation, body->data, err);
    buf_finish(body);
    return answer;
}

static void start(struct buf *body, const char *table)
{
    buf_init(body, MAX_REQUEST_BYTES);
    buf_puts(body, "{\"TableName\":");
    attribute_put_string(body, table);
}

static void put_key(struct buf *body, const char *key_name, const char *key)
{
    buf_puts(body, ",\"Key\":{");
    attribute_put_string(body, key_name);
    buf_puts(body, ":{\"S\":");
    attribute_put_string(body, key);
    buf_puts(body, "}}");
}

/* 1: ACTIVE, 0: not yet, -1. */
static int is_active(struct aws_client *client, const char *table, struct err *err)
{
    struct buf body;
    start(&body, table);
    buf_puts(&body, "}");
    json_t *answer = call(client, "DescribeTable", &body, err);
    if (!answer)
        return -1;
    const char *status = aws_json_text(json_object_get(answer, "Table"), "TableStatus");
    int active = strcmp(status, "ACTIVE") == 0 || strcmp(status, "UPDATING") == 0;
    json_decref(answer);
    return active;
}

static int wait_active(struct aws_client *client, const char *table, int timeout_ms,
                       struct err *err)
{
    uint64_t start_ns = clock_monotonic_ns();
    for (;;) {
        int active = is_active(client, table, err);
        if (active != 0)
            return active < 0 ? err_wrap(err, "table %s", table) : 0;
        if (clock_ms_since(start_ns) > timeout_ms)
            return err_set(err, ERR_TIMEOUT, "table %s: not active after %d s", table,
                           timeout_ms / 1000);
        clock_sleep_until_ns(clock_monotonic_ns() + POLL_MS * 1000000ull);
    }
}

int aws_dynamodb_create_table(struct aws_client *client, const char *table, const char *key_name,
                              int timeout_ms, struct err *err)
{
    int active = is_active(client, table, err);
    if (active == 1)
        return 0;
    if (active < 0 && err->code != ERR_NOT_FOUND)
        return err_wrap(err, "table %s", table);
    if (active == 0)
        return wait_active(client, table, timeout_ms, err);
    struct buf body;
    start(&body, table);
    buf_puts(&body, ",\"AttributeDefinitions\":[{\"AttributeName\":");
    attribute_put_string(&body, key_name);
    buf_puts(&body, ",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":");
    attribute_put_string(&body, key_name);
    buf_puts(&body, ",\"KeyType\":\"HASH\"}],\"BillingMode\":\"PAY_PER_REQUEST\"}");
    json_t *answer = call(client, "CreateTable", &body, err);
    if (!answer && err->code != ERR_EXISTS)
        return err_wrap(err, "table %s", table);
    json_decref(answer);
    return wait_active(client, table, timeout_ms, err) < 0 ? -1 : 1;
}

int aws_dynamodb_get_item(struct aws_client *client, const char *table, const char *key_name,
                          const char *key, struct buf *plain, struct err *err)
{
    struct buf body;
    start(&body, table);
    put_key(&body, key_name, key);
    buf_puts(&body, "}");
    json_t *answer = call(client, "GetItem", &body, err);
    if (!answer)
        return -1;
    const json_t *item = json_object_get(answer, "Item");
    int found = item ? 1 : 0;
    if (item && attribute_to_plain(item, plain, err) < 0)
        found = err_wrap(err, "GetItem");
    json_decref(answer);
    return found;
}

int aws_dynamodb_delete_item(struct aws_client *client, const char *table, const char *key_name,
                             const char *key, struct err *err)
{
    struct buf body;
    start(&body, table);
    put_key(&body, key_name, key);
    buf_puts(&body, ",\"ReturnValues\":\"ALL_OLD\"}");
    json_t *answer = call(client, "DeleteItem", &body, err);
    if (!answer)
        return -1;
    int deleted = json_object_size(json_object_get(answer, "Attributes")) > 0;
    json_decref(answer);
    return deleted;
}

static void wait_round(int round)
{
    uint64_t wait_ms = 50ull << (round < 6 ? round : 6);
    clock_sleep_until_ns(clock_monotonic_ns() + wait_ms * 1000000);
}

/* `requests` (taken) is what RequestItems wants: {"table": [...]}. Sends until nothing is left. */
static int send_batch(struct aws_client *client, json_t *requests, struct err *err)
{
    for (int round = 0; round < DYNAMODB_MAX_ROUNDS; round++) {
        json_t *body = json_pack("{s:o}", "RequestItems", requests);
        char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
        json_decref(body);
        if (!text)
            return err_set(err, ERR_NO_MEMORY, "BatchWriteItem: out of memory");
        json_t *answer = aws_json_target(client, AWS_DYNAMODB, TARGET, "BatchWriteItem", text, err);
        free(text);
        if (!answer)
            return -1;
        requests = json_incref(json_object_get(answer, "UnprocessedItems"));
        json_decref(answer);
        if (json_object_size(requests) == 0) {
            json_decref(requests);
            return 0;
        }
        wait_round(round);
    }
    json_decref(requests);
    return err_set(err, ERR_BUSY, "BatchWriteItem: some items are still unprocessed after %d tries",
                   DYNAMODB_MAX_ROUNDS);
}

int aws_dynamodb_put_batch(struct aws_client *client, const char *table, const char *const *typed,
                           size_t count, struct err *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_loads(typed[i], 0, NULL);
        if (json_array_append_new(list, json_pack("{s:{s:o}}", "PutRequest", "Item", item)) < 0) {
            json_decref(list);
            return err_set(err, ERR_INVALID, "BatchWriteItem: item %zu is no typed item", i);
        }
    }
    return send_batch(client, json_pack("{s:o}", table, list), err);
}

/* One page; `*next` (taken, may be NULL) is where it starts, and then where the next one does. */
static int scan_page(struct aws_client *client, const char *table, json_t **next,
                     const struct aws_dynamodb_reader *reader, struct err *err)
{
    struct buf body;
    start(&body, table);
    char *from = *next ? json_dumps(*next, JSON_COMPACT) : NULL;
    if (from)
        buf_printf(&body, ",\"ExclusiveStartKey\":%s", from);
    free(from);
    json_decref(*next);
    *next = NULL;
    buf_puts(&body, "}");
    json_t *answer = call(client, "Scan", &body, err);
    if (!answer)
        return -1;
    size_t index;
    const json_t *item;
    int done = 0;
    json_array_foreach(json_object_get(answer, "Items"), index, item)
    {
        done = reader->each(reader->context, item, err);
        if (done < 0)
            break;
    }
    *next = json_incref(json_object_get(answer, "LastEvaluatedKey"));
    json_decref(answer);
    return done;
}

int aws_dynamodb_scan(struct aws_client *client, const char *table,
                      const struct aws_dynamodb_reader *reader, struct err *err)
{
    json_t *next = NULL;
    int done;
    do
        done = scan_page(client, table, &next, reader, err);
    while (done == 0 && next);
    json_decref(next);
    return done;
}
