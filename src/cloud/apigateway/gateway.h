#ifndef CLOUD_APIGATEWAY_GATEWAY_H
#define CLOUD_APIGATEWAY_GATEWAY_H

#include "cloud/apigateway/path.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

/* What requests are answered from: the deployed stages, the API keys and the usage plans as they
 * were after some change. Immutable and counted; every change makes a new one. */
struct gateway_stage {
    const char *api_id, *name, *deployment_id; /* borrowed from the API's document */
    json_t *api;                               /* held */
    const json_t *stage, *validators;          /* validators of the deployment */
    struct path_tree *tree;                    /* of a REST API */
    struct http_routes *routes;                /* of an HTTP API */
    const json_t *integrations;                /* of an HTTP API's deployment */
};
/* An API's document is an HTTP API's. */
int gateway_is_http(const json_t *document);

struct gateway {
    atomic_int references;
    struct gateway_stage *stages;
    size_t stage_count;
    json_t *plans; /* {"keys": {..}, "plans": {..}}; held */
};

/* `apis`: documents by id, as store.h describes them. NULL without memory. */
struct gateway *gateway_create(const json_t *apis, json_t *plans);
struct gateway *gateway_hold(struct gateway *gateway);
void gateway_release(struct gateway *gateway); /* NULL is fine */

const struct gateway_stage *gateway_find(const struct gateway *gateway, const char *api_id,
                                         const char *stage);

/* The method of a resource for an HTTP method: its own, or ANY; NULL for none. */
const json_t *gateway_method(const json_t *resource, const char *http_method);

/* Whether an API key lets a request to a stage pass. */
struct gateway_pass {
    const json_t *key, *plan; /* borrowed; NULL: refused */
    double rate, burst;       /* of the plan; rate 0: no limit */
};
struct gateway_pass gateway_check_key(const struct gateway *gateway,
                                      const struct gateway_stage *stage, const char *key);

/* The function in the URI of an AWS_PROXY integration, as ARN or name; the length goes to `size`.
 * NULL: another URI. */
const char *gateway_function(const char *uri, size_t *size);

#endif
