#ifndef CLOUD_APIGATEWAY_EXECUTE_H
#define CLOUD_APIGATEWAY_EXECUTE_H

#include "base/err.h"
#include "cloud/apigateway/store.h"
#include "cloud/exchange.h"

/* Requests to deployed APIs:
 *   http://HOST:PORT/restapis/{api}/{stage}/_user_request_/{path}
 *   http://{api}.execute-api.{anything}/{stage}/{path}        (by the Host header)
 * The resource is found, who asks is checked, the function is invoked with a proxy event, and what
 * it answers becomes the answer. */
struct cloud;
struct execution;

enum {
    EXECUTE_MAX_BODY_BYTES = 10 * 1024 * 1024, /* as API Gateway */
    EXECUTE_MAX_EVENT_BYTES = 6 * 1024 * 1024, /* as Lambda */
    EXECUTE_MAX_QUERY = 256,                   /* parameters */
    EXECUTE_MAX_TIMEOUT_MS = 29000,
};

struct execution *execution_create(struct cloud *cloud, struct store *store, struct err *err);
/* After all requests are answered. NULL is fine. */
void execution_destroy(struct execution *execution);

/*   http://{id}.lambda-url.{anything}/{path}, http://HOST:PORT/_lambda-url/{id}/{path} */
void execution_handle_url(void *self, struct exchange *x);
void execution_handle(void *self, struct exchange *x); /* self: a struct execution */
int execution_is_quick(void *self, const struct exchange *x);

#endif
