#ifndef CLOUD_REST_REST_H
#define CLOUD_REST_REST_H

#include "cloud/exchange.h"

#include <jansson.h>

/* What the services with REST-JSON protocols (Lambda, API Gateway) share: a table of operations by
 * method and path, bodies and answers as JSON. */

enum { REST_MAX_PARAMETERS = 4, REST_MAX_JSON_BYTES = 128 * 1024 * 1024 };

struct rest_call {
    struct exchange *x;
    const struct rest_operation *operation;
    /* What stands in the path's {} places, decoded; NULL behind the last. */
    const char *parameters[REST_MAX_PARAMETERS + 1];
};

struct rest_operation {
    const char *name;   /* "GetFunction" */
    const char *method; /* "GET" */
    const char *path;   /* "/2015-03-31/functions/{}"; a last part "{*}" takes all that follows */
    void (*handle)(void *self, struct rest_call *call);
    const char *members; /* that the body may have, separated by spaces; NULL: any */
};

/* Find the operation and call it, or answer that there is none. `operations` ends with .name ==
 * NULL.
 */
void rest_dispatch(const struct rest_operation *operations, void *self, struct exchange *x);

/* The operation for a request, or NULL; fills call->parameters when that is not NULL. */
const struct rest_operation *rest_find(const struct rest_operation *operations,
                                       const struct exchange *x, struct rest_call *call);

/* The body, a JSON object ({} when empty). NULL: it was none, and the error is answered. The caller
 * releases it by json_decref(). */
json_t *rest_body(struct exchange *x);

/* The same for an operation that lists its members: one that it does not know is refused by name
 * with the error `code`. */
json_t *rest_call_body(struct rest_call *call, const char *code);

/* Answer with JSON; takes `value`. NULL answers with {}. */
void rest_reply(struct exchange *x, int status, json_t *value);

/* The URL of a host below the endpoint ("http://127.0.0.1:4566"): its scheme and port with the name
 * "ID.KIND.REGION.localhost". Names below localhost are this machine. */
enum { REST_URL_BYTES = 320 };
void rest_host_url(const char *endpoint, const char *name, char url[REST_URL_BYTES]);

/* An integer in the query. Returns `otherwise` when absent, wrong or outside min..max. */
long rest_query_integer(struct exchange *x, const char *name, long min, long max, long otherwise);

#endif
