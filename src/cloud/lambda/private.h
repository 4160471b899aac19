#ifndef CLOUD_LAMBDA_PRIVATE_H
#define CLOUD_LAMBDA_PRIVATE_H

#include "base/random.h"
#include "cloud/identity.h"
#include "cloud/lambda/manager.h"
#include "cloud/lambda/output.h"
#include "cloud/lambda/process.h"
#include "cloud/lambda/runtime_api.h"
#include "cloud/lambda/undertaker.h"

#include <limits.h>
#include <pthread.h>

/* The parts of the instance manager: manager.c (thread, clock), inbox.c (messages), dispatch.c
 * (which request goes to which instance), instance.c (the life of one), outcome.c (what the caller,
 * the log and the metrics are told). All but manager.c run on the manager's thread only. */

struct job { /* a request */
    struct job *next;
    struct function *function; /* held */
    struct function *latest;   /* held */
    char arn[FUNCTION_ARN_BYTES];
    char request_id[RANDOM_UUID_BYTES];
    char *payload, *client_context; /* client_context: NULL for none */
    size_t payload_bytes;
    int is_event;
    lambda_done *done;
    void *context;
    uint64_t came_ns;
    uint64_t give_up_ns; /* when it stops waiting for an instance; 0: never */
    uint64_t begun_ns;   /* handed to an instance */
};
void job_destroy(struct job *job);

enum watch_kind { WATCH_MESSAGES, WATCH_API, WATCH_ACCEPT, WATCH_OUTPUT, WATCH_EXIT };
struct watch { /* what epoll says became ready */
    enum watch_kind kind;
    struct instance *instance;
};

enum instance_state {
    INSTANCE_STARTING,
    INSTANCE_IDLE,
    INSTANCE_BUSY,
    INSTANCE_SETTLING,
    INSTANCE_ENDING, /* killed, its exit is awaited */
    INSTANCE_GONE    /* freed at the end of the round */
};

struct instance {
    struct instance *next; /* in its pool: most recently used first; or in the list of the gone */
    struct manager *manager;
    struct pool *pool;
    struct function *function; /* held */
    enum instance_state state;
    struct process process;
    struct watch accept_watch, output_watch, exit_watch;
    int listen_fd;
    struct runtime_poll *poll; /* waits for work: IDLE */
    struct job *job;           /* BUSY */
    uint64_t deadline_ns;      /* of the state; 0: none */
    uint64_t started_ns;
    double init_ms;
    int has_reported_init;
    size_t peak_memory_bytes;
    struct output output;
    char temporary[PATH_MAX];
    char access_key_id[IDENTITY_KEY_BYTES]; /* "" for none */
};

struct pool { /* the instances and waiting requests of one function or version */
    struct pool *next;
    char key[FUNCTION_KEY_BYTES], name[FUNCTION_NAME_BYTES];
    long reserved; /* of all versions of the name together; -1: none */
    uint64_t reserved_generation;
    size_t provisioned;          /* instances to keep */
    uint64_t provision_retry_ns; /* not before; 0: now */
    struct function *function;   /* held; the newest revision, NULL when deleted */
    struct instance *instances;
    struct job *queue, **queue_end;
    size_t queued;
};

struct message {
    struct message *next;
    enum { MESSAGE_INVOKE, MESSAGE_UPDATE, MESSAGE_RETIRE, MESSAGE_PROVISION, MESSAGE_DRAIN } kind;
    size_t instances;
    struct job *job;
    struct function *function; /* held */
};

struct manager {
    struct manager_options options;
    pthread_t thread;
    int epoll_fd, event_fd;
    struct watch message_watch, api_watch;
    struct runtime_api *api;
    struct undertaker *undertaker;
    struct sandbox *sandbox;
    size_t processors; /* of the machine */
    int runnable_fd;   /* base/runnable.h */

    pthread_mutex_t lock; /* what other threads touch: from here ... */
    pthread_cond_t chosen;
    int is_chosen; /* what the sandbox says of itself stays as it is */
    struct message *messages, **messages_end;
    int is_stopping;
    struct manager_counts counts; /* ... to here */

    struct pool *pools; /* the thread's alone */
    struct instance *gone;
    size_t instance_count;
    uint64_t started;
    uint64_t prepare_ns;       /* when the next spare process is made; 0: there is one */
    uint64_t weigh_ns;         /* when busy instances are weighed next; 0: none is busy */
    uint64_t next_deadline_ns; /* the earliest; 0: none. May be too early, never too late */
};

/* manager.c */
void manager_arm(struct manager *m, uint64_t deadline_ns);
/* An instance took the spare process: make another, but not while the instance wants the CPU. */
void manager_prepare_later(struct manager *m);
/* An instance works: look at its memory now and then, as long as one does. */
void manager_weigh_later(struct manager *m);
int manager_watch(struct manager *m, int fd, struct watch *watch, struct err *err) MUST_USE;

/* inbox.c */
void manager_receive(struct manager *m); /* all that came */

/* dispatch.c */
struct pool *pool_find(struct manager *m, const struct function *function, int make);
void pool_take_job(struct manager *m, struct job *job);
void pool_update(struct manager *m, struct function *function);
void pool_retire(struct manager *m, struct function *function);
void pool_provision(struct manager *m, struct function *function, size_t instances);
int instance_is_current(const struct instance *instance);        /* of the newest revision */
int pool_must_keep(const struct pool *pool);                     /* it has no instance too many */
void pool_instance_failed(struct manager *m, struct pool *pool); /* it did not come up */
void pool_pump(struct manager *m, struct pool *pool); /* give waiting requests to instances */
void pool_pump_all(struct manager *m);
struct job *pool_pop(struct pool *pool);
void pool_drain(struct manager *m, struct pool *pool, uint64_t until_ns);
void pool_expire(struct manager *m, struct pool *pool, uint64_t now_ns);
void pool_remove_instance(struct pool *pool, struct instance *instance);
void pool_put_first(struct pool *pool, struct instance *instance);

/* instance.c */
extern const struct runtime_events instance_events;
struct instance *instance_start(struct manager *m, struct pool *pool, struct err *err);
void instance_give(struct manager *m, struct instance *instance, struct job *job);
void instance_end(struct manager *m, struct instance *instance); /* kill it; its job must be gone */
void instance_on_accept(struct manager *m, struct instance *instance);
void instance_on_output(struct instance *instance);
void instance_on_exit(struct manager *m, struct instance *instance);
/* Ends it when it has more memory than it may. */
void instance_weigh(struct manager *m, struct instance *instance);
void instance_on_deadline(struct manager *m, struct instance *instance);
void instance_free(struct instance *instance);

/* environment.c: "NAME=value" texts and NULL, from malloc(); NULL without memory. */
char **environment_create(const struct manager *m, const struct instance *instance, int port,
                          const struct identity_credentials *keys);
void environment_destroy(char **environment);

/* outcome.c: each ends the job. */
void outcome_answer(struct manager *m, struct instance *instance, const void *payload, size_t size);
/* The function failed; `payload` is what the caller gets. */
void outcome_error(struct manager *m, struct instance *instance, const char *kind,
                   const void *payload, size_t size);
/* The same with a payload of {"errorType", "errorMessage"}. */
void outcome_fail(struct manager *m, struct instance *instance, const char *type,
                  const char *message);
/* A request that never ran: init failed, throttled, no such function, shutdown. */
void outcome_init_error(struct manager *m, struct instance *instance, struct job *job,
                        const void *payload, size_t size);
void outcome_init_fail(struct manager *m, struct instance *instance, struct job *job,
                       const char *type, const char *message); /* instance: NULL when none began */
void outcome_refuse(struct job *job, int status, const char *type, const char *message);
/* 429: no room, of what is reserved for the function or of all. */
void outcome_throttle(struct manager *m, struct job *job);
void outcome_started(struct manager *m, struct instance *instance);

#endif
