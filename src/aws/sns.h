#ifndef AWS_SNS_H
#define AWS_SNS_H

#include "aws/client.h"

/* Topics, as one who publishes sees them.
 * https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */

struct sns_message {
    const char *topic_arn, *text;
    const char *group_id, *deduplication_id; /* of FIFO topics; NULL elsewhere */
};

int aws_sns_publish(struct aws_client *client, const struct sns_message *message,
                    struct err *err) MUST_USE;

#endif
