#ifndef CLOUD_LOGS_DERIVE_H
#define CLOUD_LOGS_DERIVE_H

#include "base/err.h"
#include "cloud/metrics.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Metrics that come of log lines: the Embedded Metric Format, and the groups' metric filters. A
 * line that is neither costs a look for "_aws" and nothing more. Thread safe. */
struct derive;

enum { DERIVE_MAX_FILTERS = 1000, DERIVE_ARENA_BYTES = 1024 * 1024 };

struct derive *derive_create(struct metrics *metrics, struct err *err);
void derive_destroy(struct derive *derive); /* NULL is fine */

/* Make or replace a group's filter of that name. `transformation` is AWS's metricTransformations'
 * only element. ERR_INVALID: the pattern is wrong. */
struct derive_filter {
    const char *group, *name, *pattern;
    const json_t *transformation;
};
int derive_put(struct derive *derive, const struct derive_filter *filter, struct err *err) MUST_USE;
/* `name` NULL: all of the group. */
void derive_remove(struct derive *derive, const char *group, const char *name);

/* A line has come. */
void derive_line(struct derive *derive, const char *group, int64_t unix_ms, const char *text,
                 size_t size);

#endif
