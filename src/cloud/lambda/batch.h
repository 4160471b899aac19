#ifndef CLOUD_LAMBDA_BATCH_H
#define CLOUD_LAMBDA_BATCH_H

#include <jansson.h>
#include <stddef.h>

/* What a function is given of a queue, and what it says about it.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html */

/* A message as ReceiveMessage gives it, as it stands in an event: a new reference. */
json_t *batch_record(const json_t *message, const char *queue_arn, const char *region);

/* The event of messages as ReceiveMessage gives them; malloc()ed, NULL without memory. */
char *batch_create_event(const json_t *messages, const char *queue_arn, const char *region);

/* The ids that {"batchItemFailures": [{"itemIdentifier": ID}]} names, as an object by id; empty:
 * all went well. NULL: the answer has another form or names what was not sent, and so nothing
 * went well. The text comes from the function. */
json_t *batch_read_failures(const char *answer, size_t size, const json_t *messages);

#endif
