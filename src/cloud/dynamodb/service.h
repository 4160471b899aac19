#ifndef CLOUD_DYNAMODB_SERVICE_H
#define CLOUD_DYNAMODB_SERVICE_H

#include "base/err.h"
#include "cloud/exchange.h"

/* DynamoDB's tables in one SQLite file (docs/dynamodb.md). Thread safe. */
struct dynamodb;

/* `account_id` and `region` are borrowed, for ARNs. */
struct dynamodb *dynamodb_open(const char *path, const char *account_id, const char *region,
                               struct err *err);
void dynamodb_close(struct dynamodb *service); /* NULL is fine */
void dynamodb_handle(struct dynamodb *service, struct exchange *x);
/* Whether the request is one that waits for nobody: a read of one item. */
int dynamodb_is_quick(const struct exchange *x);
/* The database, where the request is a small write of one item: `writes_to` in struct service. */
struct database *dynamodb_writes_to(struct dynamodb *service, const struct exchange *x);

#endif
