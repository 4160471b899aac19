#ifndef CLOUD_DELIVER_H
#define CLOUD_DELIVER_H

#include "base/arena.h"
#include "base/err.h"
#include "cloud/cloud.h"

#include <stddef.h>

/* How one service hands a message to what an ARN names, without knowing the other: an S3
 * notification, an alarm's action, a subscription, a dead letter. Queues, topics and functions
 * register themselves as targets. */

struct delivery {
    const char *target_arn;       /* "arn:aws:sqs:us-east-1:000000000000:jobs" */
    const char *source_arn;       /* on whose behalf: a bucket, a topic, an alarm, a function */
    const void *body;             /* what the receiver sees; copied */
    size_t body_bytes;            /* UTF-8 text without a 0 */
    const char *subject;          /* of topics; NULL: none */
    const char *group_id;         /* of FIFO queues and topics; NULL elsewhere */
    const char *deduplication_id; /* of FIFO queues and topics; NULL: by content */
    const char *attributes;       /* message attributes as SQS's JSON object; NULL: none */
    const char *trace;            /* the X-Amzn-Trace-Id that it came with; NULL: none */
};

/* A kind of target: "sqs", "sns" or "lambda", the third part of its ARNs. deliver() runs on any
 * worker thread, may block for the disk, and returns 0 when the message is durable there. */
struct delivery_target {
    const char *service;
    int (*deliver)(void *self, const struct delivery *delivery, struct err *err);
    /* Does the ARN name something that is there? ERR_NOT_FOUND otherwise. */
    int (*check)(void *self, const char *arn, struct err *err);
    void *self;
    /* Does it take what is handed over on behalf of `source_arn`? ERR_DENIED. NULL: from all. */
    int (*permits)(void *self, const char *arn, const char *source_arn, struct err *err);
    /* What who hands something over does ("sqs:SendMessage"), and the target's own policy, in the
     * arena, NULL for none. NULL: permits() is asked instead. */
    const char *action;
    const char *(*policy)(void *self, const char *arn, struct arena *arena);
};

/* In a service's create(); copied, its parts are borrowed. */
int cloud_add_target(struct cloud *cloud, const struct delivery_target *target,
                     struct err *err) MUST_USE;

/* ERR_NOT_FOUND: there is no such target; ERR_INVALID: not an ARN that takes messages;
 * ERR_BUSY: try later. */
int cloud_deliver(struct cloud *cloud, const struct delivery *delivery, struct err *err) MUST_USE;
int cloud_check_target(struct cloud *cloud, const char *arn, struct err *err) MUST_USE;
/* May the signer have `service` ("sns.amazonaws.com") hand over to the target on behalf of
 * `source_arn`? Either may send there himself, or the target's policy allows it the service.
 * ERR_DENIED. */
int cloud_may_deliver(struct cloud *cloud, struct exchange *x, const char *arn,
                      const char *source_arn, const char *service, struct err *err) MUST_USE;
/* It is there and takes what that source hands over. */
int cloud_check_delivery(struct cloud *cloud, const char *arn, const char *source_arn,
                         struct err *err) MUST_USE;

#endif
