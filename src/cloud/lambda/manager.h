#ifndef CLOUD_LAMBDA_MANAGER_H
#define CLOUD_LAMBDA_MANAGER_H

#include "base/err.h"
#include "cloud/lambda/function.h"
#include "cloud/lambda/invoke.h"
#include "cloud/lambda/isolation.h"

#include <stddef.h>
#include <stdint.h>

/* Runs functions: as many instances of a function as it has requests at the same time, up to its
 * limit. A warm instance is reused, the most recently used one first, so that the others grow idle
 * and end. One thread owns every instance, its Runtime API connections, its output and its clock;
 * others hand it messages, so nothing of an instance is locked.
 *
 * An instance: starting (the process runs, has not asked for work) -> idle -> busy -> settling (has
 * answered, not yet asked again) -> idle ...; it ends by its own exit, a timeout, an error of its
 * initialisation, idleness, or a newer revision of the function. */
struct manager;
struct identities;
struct metrics;
struct logs;

enum {
    MANAGER_DEFAULT_INSTANCES = 8,      /* of one function, without reserved concurrency */
    MANAGER_MAX_INSTANCES = 1000,       /* of all functions, as an account has on AWS */
    MANAGER_UNRESERVED_INSTANCES = 100, /* so many of them no function reserves for itself */
    MANAGER_DEFAULT_IDLE_MS = 300000,   /* an idle instance ends after this */
    MANAGER_DEFAULT_QUEUE_MS = 3000,    /* a request waits this long for an instance */
    MANAGER_TURN_MS = 250,              /* or so long, at most, for a processor (dispatch.c) */
    MANAGER_DEFAULT_INIT_MS = 10000,    /* start to the first request for work */
    MANAGER_DRAIN_MS = 5000,            /* what requests have left when the cloud stops */
    MANAGER_MAX_QUEUE = 1000,           /* waiting requests of one function */
    MANAGER_PROVISION_RETRY_MS = 2000,  /* after an instance that should be kept did not come up */
    MANAGER_MAX_EVENTS = 10000,         /* waiting asynchronous ones */
};

struct manager_options {
    const char *folder;      /* temporary folders of instances; emptied at the start */
    const char *data_folder; /* what no instance may see */
    enum isolation isolation;
    const char *region;
    const char *account_id;
    const char *endpoint;          /* AWS_ENDPOINT_URL of the functions */
    struct identities *identities; /* makes their temporary keys; NULL: they get none */
    struct metrics *metrics;       /* NULL: none are put */
    struct logs *logs;             /* NULL: output is dropped */
    long instances, idle_ms, queue_ms, init_ms; /* 0: the defaults above */
    size_t all_instances;                       /* of all functions; 0: MANAGER_MAX_INSTANCES */
};

/* Strings are copied; the rest is borrowed. */
struct manager *manager_create(const struct manager_options *options, struct err *err);
/* Ends all instances; every request still under way is answered first. NULL is fine. */
void manager_destroy(struct manager *manager);

struct manager_request {
    struct function *function; /* borrowed */
    struct function *latest;   /* whose reserved concurrency counts; NULL: the function's own */
    const char *arn;           /* as it was invoked: with an alias, say; NULL: the function's */
    const char *request_id;    /* UUID */
    const void *payload;       /* copied */
    size_t payload_bytes;
    const char *client_context; /* one line of JSON; copied; NULL: none */
    int is_event; /* asynchronous: waits for an instance as long as needed, or wait_ms */
    long wait_ms; /* of an event; 0: as long as needed */
    lambda_done *done;
    void *context;
};
/* `done` is called exactly once, from the manager's thread, or from this call when memory is out
 * or the function's code is damaged. */
void manager_invoke(struct manager *manager, const struct manager_request *request);

/* `function` replaces what ran under its name: idle instances of the older one end now, busy ones
 * when they have answered. */
void manager_update(struct manager *manager, struct function *function);
/* The function was deleted: the same, and what waits for an instance is refused. */
void manager_retire(struct manager *manager, struct function *function);

/* From now on so many instances of the function (a published version) are started beforehand and
 * kept; 0: as many as requests need. function->ready tells how many are there. */
void manager_provision(struct manager *manager, struct function *function, size_t instances);

/* The cloud is about to stop: what waits is refused, what runs has a few seconds left. */
void manager_drain(struct manager *manager);

/* "full", or what is missing; for people. Lives as long as the manager. Both wait until the manager
 * has tried it, in its first milliseconds. */
const char *manager_isolation(struct manager *manager);
int manager_runs_images(struct manager *manager); /* whose root is a file system of its own */

/* What runs now; for tests and the console. */
struct manager_counts {
    size_t starting, idle, busy;
    uint64_t started; /* instances ever */
};
void manager_count(struct manager *manager, struct manager_counts *out);

#endif
