#ifndef CLOUD_LOGS_EMF_H
#define CLOUD_LOGS_EMF_H

#include "cloud/metrics.h"

#include <stddef.h>
#include <stdint.h>

/* The Embedded Metric Format: a line of JSON with "_aws": {"Timestamp", "CloudWatchMetrics":
 * [{"Namespace", "Dimensions": [[NAME, ..], ..], "Metrics": [{"Name", "Unit"}, ..]}]}, whose other
 * members are the values and the dimensions.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
enum {
    EMF_MAX_BYTES = 256 * 1024,
    EMF_MAX_DIRECTIVES = 100,
    EMF_MAX_METRICS = 100, /* of a directive */
    EMF_MAX_SETS = 100,    /* of dimensions */
    EMF_MAX_VALUES = 100,  /* of a metric */
};

typedef void emf_put(void *context, const struct metric_value *value);

/* Calls `put` for every value of the line, once for each set of dimensions. A line that is no EMF
 * gives nothing; nor do directives and metrics that are malformed. Returns how many values. */
size_t emf_read(const char *text, size_t size, int64_t received_ms, emf_put *put, void *context);

#endif
