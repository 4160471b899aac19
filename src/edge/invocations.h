#ifndef EDGE_INVOCATIONS_H
#define EDGE_INVOCATIONS_H

#include "base/err.h"
#include "edge/deployment.h"

#include <stdint.h>

/* How often the function ran between two moments, by CloudWatch's GetMetricStatistics (AWS/Lambda,
 * Invocations, Sum), in whole minutes: AWS keeps no finer ones. Returns the count, or -1. */
int64_t invocations_count(const struct deployment *deployment, int64_t from_unix_ms,
                          int64_t to_unix_ms, struct err *err);

#endif
