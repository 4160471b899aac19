#ifndef CLOUD_LAMBDA_MAPPING_PARTS_H
#define CLOUD_LAMBDA_MAPPING_PARTS_H

#include "base/random.h"
#include "cloud/lambda/mapping.h"
#include "cloud/lambda/service.h"

#include <limits.h>
#include <pthread.h>

/* Between mapping.c, which keeps mappings, and mapping_run.c, the thread that serves them. */

struct source { /* what runs of a mapping; the thread's, but for `in_flight` */
    struct source *next;
    char uuid[RANDOM_UUID_BYTES];
    json_t *gathering; /* messages; NULL: none yet */
    size_t gathering_bytes;
    int64_t since_ms, not_before_ms;
    long in_flight;
};

struct flight { /* a batch with its function */
    struct flight *next;
    struct mappings *mappings;
    char uuid[RANDOM_UUID_BYTES], arn[FUNCTION_ARN_BYTES];
    json_t *messages;
    int reports_failures;
    int status;   /* of the result */
    char *answer; /* NULL: it failed */
    size_t answer_bytes;
};

struct mappings {
    struct lambda *lambda;
    char path[PATH_MAX];
    pthread_mutex_t changes; /* one at a time */
    pthread_t thread;
    int thread_started;
    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    json_t *all; /* by UUID */
    struct flight *finished;
    size_t flights;
    int is_stopping, is_gone;
    struct source *sources; /* the thread's */
};

const char *mapping_text(const json_t *object, const char *name); /* "" when absent */
void mapping_free_flight(struct flight *flight);
void *mappings_run(void *mappings); /* the thread */

#endif
