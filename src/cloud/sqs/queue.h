#ifndef CLOUD_SQS_QUEUE_H
#define CLOUD_SQS_QUEUE_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

/* Receiving from inside the cloud, for who polls a queue on behalf of another: event source
 * mappings. Queues are named by their ARNs; ERR_NOT_FOUND when there is none. Thread safe. */
struct sqs;

enum { QUEUE_SOURCE_MOST = 10 }; /* messages of one receive, handles of one delete */

struct queue_source {
    int visibility_s, is_fifo;
};
int queue_source_look(struct sqs *sqs, const char *arn, struct queue_source *out,
                      struct err *err) MUST_USE;

/* May there be something to receive? Costs next to nothing. */
int queue_source_is_ready(struct sqs *sqs, const char *arn);

/* Appends up to `most` messages as ReceiveMessage gives them, with all attributes, for the queue's
 * visibility timeout; of a FIFO queue a run of one group. */
int queue_source_receive(struct sqs *sqs, const char *arn, int most, json_t *messages,
                         struct err *err) MUST_USE;

/* Deletes by receipt handles, durably. Handles that have expired are passed over. */
int queue_source_delete(struct sqs *sqs, const char *arn, const char *const *handles, size_t count,
                        struct err *err) MUST_USE;

#endif
