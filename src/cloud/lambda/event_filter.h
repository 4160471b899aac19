#ifndef CLOUD_LAMBDA_EVENT_FILTER_H
#define CLOUD_LAMBDA_EVENT_FILTER_H

#include "base/err.h"

#include <jansson.h>

/* FilterCriteria of an event source mapping: {"Filters": [{"Pattern": TEXT}, ..]}. A pattern is
 * JSON in the language of EventBridge (cloud/sns/filter.h has the conditions) about a record as the
 * function gets it. Below "body" it looks into the message: a pattern that is an object wants a
 * body of JSON, one that is a list of conditions a body that is plain text; a body of the other
 * kind does not pass. Without filters every record passes.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html */

enum { EVENT_FILTERS_MOST = 10, EVENT_FILTER_MAX_BYTES = 4096 };

/* ERR_INVALID. NULL or null criteria are fine. */
int event_filter_check(const json_t *criteria, struct err *err) MUST_USE;
/* Does one of the filters hold? */
int event_filter_passes(const json_t *criteria, const json_t *record);

#endif
