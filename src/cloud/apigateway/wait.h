#ifndef CLOUD_APIGATEWAY_WAIT_H
#define CLOUD_APIGATEWAY_WAIT_H

#include "base/err.h"
#include "cloud/exchange.h"

#include <stddef.h>

/* Exchanges that wait for their functions: the function's answer and the clock race, whoever comes
 * first answers. */
struct wait_room;
struct cloud;

/* How an answer, and the lack of one, look. */
enum wait_form { WAIT_REST, WAIT_HTTP_1, WAIT_HTTP_2, WAIT_URL };

struct wait_request {
    struct exchange *x;
    enum wait_form form;
    const char *function; /* name or ARN, copied */
    const void *event;    /* copied */
    size_t event_bytes;
    long timeout_ms;       /* 0: as long as the function may take */
    int owns_cors;         /* what the function says of CORS is dropped */
    const char *api_label; /* of the metrics: "ApiName" or "ApiId"; NULL: none are put */
    const char *api_name;
};

struct wait_room *wait_room_create(struct cloud *cloud, struct err *err);
/* After all requests are answered. NULL is fine. */
void wait_room_destroy(struct wait_room *room);

/* Defers the exchange, which is answered later and may be gone when this returns. -1 when there is
 * no memory: the exchange is as it was. */
int wait_for_function(struct wait_room *room, const struct wait_request *request) MUST_USE;

/* Answer at once: {"message": message} in the form's way. */
void wait_respond_message(struct exchange *x, enum wait_form form, int status, const char *message);
/* Count, Latency and errors of one request. */
void wait_put_metrics(struct cloud *cloud, const char *label, const char *name,
                      const struct exchange *x, int status);

#endif
