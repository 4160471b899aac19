#ifndef CLOUD_APIGATEWAY_STORE_H
#define CLOUD_APIGATEWAY_STORE_H

#include "base/err.h"
#include "cloud/apigateway/gateway.h"

#include <jansson.h>

/* The APIs, keys and plans as JSON documents on disk: FOLDER/apis/ID.json and FOLDER/plans.json
 * (mode 0600: it holds the keys). An API's document:
 *   {"api": RestApi, "resources": {ID: Resource with resourceMethods}, "validators": {ID: ..},
 *    "deployments": {ID: {.., "resources": as they were, "validators": ..}}, "stages": {NAME: ..}}
 * or, of an HTTP API, what http_service.h says.
 * plans.json: {"keys": {ID: ApiKey}, "plans": {ID: UsagePlan with "keys": {ID: true}}}.
 *
 * A document in the store never changes: a change puts a new one in its place, first on the disk.
 */
struct store;

enum {
    STORE_MAX_APIS = 300,
    STORE_MAX_RESOURCES = 300,   /* of one API */
    STORE_MAX_DEPLOYMENTS = 300, /* of one API */
    STORE_MAX_STAGES = 10,
    STORE_MAX_KEYS = 500,
    STORE_MAX_PLANS = 300,
};
#define STORE_MAX_DOCUMENT_BYTES ((size_t)32 * 1024 * 1024)

struct store *store_open(const char *folder, struct err *err);
void store_close(struct store *store); /* NULL is fine */

/* Operations are made one at a time between these two. What the others give is borrowed, and valid
 * until store_unlock(). */
void store_lock(struct store *store);
void store_unlock(struct store *store);
const json_t *store_apis(const struct store *store);          /* documents by id */
json_t *store_api(const struct store *store, const char *id); /* NULL for none */
json_t *store_plans(const struct store *store);
int store_put_api(struct store *store, json_t *document, struct err *err) MUST_USE; /* takes it */
int store_put_plans(struct store *store, json_t *document, struct err *err) MUST_USE;
int store_delete_api(struct store *store, const char *id, struct err *err) MUST_USE;

/* For requests, at any time: held for the caller. */
struct gateway *store_gateway(struct store *store);

#endif
