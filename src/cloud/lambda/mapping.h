#ifndef CLOUD_LAMBDA_MAPPING_H
#define CLOUD_LAMBDA_MAPPING_H

#include "base/err.h"
#include "cloud/lambda/invoke.h"

#include <jansson.h>

/* Event source mappings: queues that are read on behalf of functions. One thread looks at all
 * queues that are enabled, gathers batches, and deletes what functions have dealt with; what they
 * have not becomes visible again by the queue's own timeout. */
struct mappings;
struct lambda;

enum {
    MAPPINGS_MOST = 1000,
    MAPPING_CONCURRENCY = 5, /* batches of one mapping under way, unless it says otherwise */
    MAPPING_MAX_EVENT_BYTES = 6 * 1024 * 1024,
    MAPPING_MAX_BATCH = 10000,
    MAPPING_MAX_WINDOW_S = 300,
};

/* `path`: the JSON file that holds them. */
struct mappings *mappings_open(const char *path, struct lambda *lambda, struct err *err);
int mappings_start(struct mappings *mappings, struct err *err) MUST_USE;
/* Receives nothing more; waits for what runs, a little longer than the manager does. */
void mappings_stop(struct mappings *mappings);
/* When no function runs any more. NULL is fine. */
void mappings_close(struct mappings *mappings);

/* A copy of each, in an array; or of one; NULL: there is none. */
json_t *mappings_list(struct mappings *mappings);
json_t *mappings_get(struct mappings *mappings, const char *uuid);
/* Make or replace (takes `mapping`, which has its "UUID"), or remove; durable. ERR_TOO_BIG,
 * ERR_NOT_FOUND. */
int mappings_put(struct mappings *mappings, json_t *mapping, struct err *err) MUST_USE;
int mappings_remove(struct mappings *mappings, const char *uuid, struct err *err) MUST_USE;

#endif
