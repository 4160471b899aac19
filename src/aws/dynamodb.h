#ifndef AWS_DYNAMODB_H
#define AWS_DYNAMODB_H

#include "aws/client.h"
#include "base/buf.h"

#include <jansson.h>
#include <stddef.h>

/* Records in a table whose key is one text attribute. Items go in and out as plain JSON
 * (aws/attribute.h). https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/ */

enum {
    DYNAMODB_BATCH = 25,      /* items of one BatchWriteItem */
    DYNAMODB_MAX_ROUNDS = 10, /* tries for what BatchWriteItem leaves unprocessed */
};

/* 1: made, 0: it was there, -1. Waits until the table is ACTIVE, `timeout_ms` at most. */
int aws_dynamodb_create_table(struct aws_client *client, const char *table, const char *key_name,
                              int timeout_ms, struct err *err) MUST_USE;

/* Append the item's plain JSON to `plain`. 1: found, 0: there is none, -1. */
int aws_dynamodb_get_item(struct aws_client *client, const char *table, const char *key_name,
                          const char *key, struct buf *plain, struct err *err) MUST_USE;

/* 1: deleted, 0: there was none, -1. */
int aws_dynamodb_delete_item(struct aws_client *client, const char *table, const char *key_name,
                             const char *key, struct err *err) MUST_USE;

/* Store up to DYNAMODB_BATCH items, given in typed form (attribute_from_plain()); what the service
 * leaves unprocessed is sent again. */
int aws_dynamodb_put_batch(struct aws_client *client, const char *table, const char *const *typed,
                           size_t count, struct err *err) MUST_USE;

/* All items, a page at a time; `each` gets a typed item and returns 0 to go on, or -1 with `err`.
 */
struct aws_dynamodb_reader {
    int (*each)(void *context, const json_t *item, struct err *err);
    void *context;
};
int aws_dynamodb_scan(struct aws_client *client, const char *table,
                      const struct aws_dynamodb_reader *reader, struct err *err) MUST_USE;

#endif
