#ifndef CLOUD_APIGATEWAY_TARGET_H
#define CLOUD_APIGATEWAY_TARGET_H

#include "cloud/apigateway/event.h"
#include "cloud/apigateway/execute.h"
#include "cloud/apigateway/throttle.h"
#include "cloud/apigateway/wait.h"
#include "cloud/cloud.h"

/* The parts of execute.c, which are a file for each kind of API. */

struct execution {
    struct cloud *cloud;
    struct store *store;
    struct throttle *throttle;
    struct wait_room *room;
};

/* What a request is for, as it is found out. Lives as long as the exchange. */
struct target {
    enum wait_form form;
    char api_id[64], stage_name[129];
    const char *path;     /* decoded, begins with '/' */
    const char *raw_path; /* as it came */
    struct gateway *gateway;
    const struct gateway_stage *stage;
    struct path_match match;
    const json_t *method, *integration; /* of an HTTP API: its route */
    struct gateway_pass pass;
    struct event_pair query[EXECUTE_MAX_QUERY];
    size_t query_count;
    const char *label, *name; /* of the metrics; NULL: none yet */
    int refused;              /* the status of what was answered already */
};

/* A member that is a text; "" when it is absent. */
const char *target_text(const json_t *object, const char *name);
/* Answers with an error. Returns -1. */
int target_refuse(struct exchange *x, struct target *t, int status, const char *message);
/* May who signed invoke this? -1: answered. */
int target_authorize(struct execution *e, struct exchange *x, struct target *t);
int target_read_query(struct exchange *x, struct target *t);
/* What both versions of the event are told. -1: answered. */
int target_event(struct execution *e, struct exchange *x, struct target *t,
                 struct event_request *out);

/* Does the function allow API Gateway to invoke it for this resource ("/faces/{name}")? -1:
 * answered, as AWS does, with 500. */
int target_may_invoke(struct execution *e, struct exchange *x, struct target *t,
                      const char *function, const char *resource);

/* Hands the event (from malloc(), taken; NULL: it could not be made) to the function. -1: answered.
 * Otherwise the exchange may be gone. */
struct invocation {
    const char *function;
    char *event;
    size_t event_bytes;
    long timeout_ms;
    int owns_cors;
};
int target_invoke(struct execution *e, struct exchange *x, struct target *t,
                  const struct invocation *invocation);

/* execute_rest.c, execute_http.c: -1: answered, t->refused is its status. */
int execute_rest(struct execution *e, struct exchange *x, struct target *t);
int execute_http(struct execution *e, struct exchange *x, struct target *t);

#endif
