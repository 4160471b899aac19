#ifndef CLOUD_REQUEST_H
#define CLOUD_REQUEST_H

#include "cloud/auth.h"
#include "cloud/body.h"
#include "cloud/cloud.h"
#include "cloud/reply.h"
#include "cloud/sqlite/database.h"
#include "cloud/workers.h"

/* One request on its way through the front, without any HTTP library: head, body, answer. Each step
 * either goes on or leaves an answer in the exchange's reply. */

enum request_state {
    REQUEST_HEAD,    /* only the request line is known */
    REQUEST_BODY,    /* taking the body */
    REQUEST_REFUSED, /* an error is the answer; the rest of the body is thrown away */
    REQUEST_HANDLED, /* with the service, or answered */
};

struct request {
    struct exchange x;
    struct reply reply;
    struct auth auth;
    struct body_receiver body;
    struct chunked chunked; /* of an aws-chunked body */
    struct worker_job job;
    struct database_task task;
    enum request_state state;
    int moves;      /* the writer's thread gave it to a worker */
    int must_close; /* where the next request begins cannot be known */
    struct cloud *cloud;
    void *connection; /* the front's */
    struct front *front;
};

/* `uri` is path and query as on the wire. NULL when there is no memory. */
struct request *request_create(struct cloud *cloud, const char *uri);
void request_destroy(struct request *request); /* NULL is fine */

/* The head is complete: x.method, x.headers, x.source_ip are set. */
void request_head(struct request *request);
void request_body(struct request *request, const void *data, size_t size);
/* The body is complete. Returns 1 when the service shall handle the exchange, 0 when it is answered
 * already. */
int request_complete(struct request *request);

#endif
