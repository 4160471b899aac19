#include "aws/sns.h"

#include "aws/form.h"

int aws_sns_publish(struct aws_client *client, const struct sns_message *message, struct err *err)
{
    const struct aws_form_field fields[] = {{"TopicArn", message->topic_arn},
                                            {"Message", message->text},
                                            {"MessageGroupId", message->group_id},
                                            {"MessageDeduplicationId", message->deduplication_id},
                                            {NULL, NULL}};
    const struct aws_form form = {AWS_SNS, "2010-03-31", "Publish", fields};
    return aws_form_send(client, &form, err);
}
