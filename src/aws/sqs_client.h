#ifndef AWS_SQS_CLIENT_H
#define AWS_SQS_CLIENT_H

#include "aws/client.h"

#include <jansson.h>

/* Queues, as one who takes messages from them sees them.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/ */

enum { SQS_MAX_WAIT_S = 20 };

/* Wait up to `wait_s` seconds for messages, at most ten at once. A new reference to the list (empty
 * when none came), each with "Body" and "ReceiptHandle"; NULL with `err`. */
json_t *aws_sqs_receive(struct aws_client *client, const char *queue_url, int wait_s,
                        struct err *err);

/* Done with all messages of such a list. */
int aws_sqs_delete(struct aws_client *client, const char *queue_url, const json_t *messages,
                   struct err *err) MUST_USE;

#endif
