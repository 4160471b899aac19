#include "aws/sqs_client.h"

#include "aws/json.h"
#include "aws/sqs.h"

#include <stdio.h>
#include <stdlib.h>

#define TARGET "AmazonSQS"

/* Takes the reference to `body`. */
static json_t *call(struct aws_client *client, const char *operation, json_t *body, struct err *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_t *answer = NULL;
    if (text)
        answer = aws_json_target(client, AWS_SQS, TARGET, operation, text, err);
    else
        err_set(err, ERR_NO_MEMORY, "%s: out of memory", operation);
    free(text);
    json_decref(body);
    return answer;
}

json_t *aws_sqs_receive(struct aws_client *client, const char *queue_url, int wait_s,
                        struct err *err)
{
    json_t *answer = call(client, "ReceiveMessage",
                          json_pack("{s:s, s:i, s:i}", "QueueUrl", queue_url, "MaxNumberOfMessages",
                                    SQS_MAX_BATCH, "WaitTimeSeconds", wait_s),
                          err);
    if (!answer)
        return NULL;
    json_t *messages = json_incref(json_object_get(answer, "Messages"));
    json_decref(answer);
    if (messages && !json_is_array(messages)) {
        json_decref(messages);
        err_set(err, ERR_CORRUPT, "ReceiveMessage: the messages are no list");
        return NULL;
    }
    return messages ? messages : json_array();
}

int aws_sqs_delete(struct aws_client *client, const char *queue_url, const json_t *messages,
                   struct err *err)
{
    json_t *entries = json_array(), *message;
    size_t i;
    json_array_foreach(messages, i, message)
    {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        json_array_append_new(entries, json_pack("{s:s, s:O}", "Id", id, "ReceiptHandle",
                                                 json_object_get(message, "ReceiptHandle")));
    }
    json_t *answer = call(client, "DeleteMessageBatch",
                          json_pack("{s:s, s:o}", "QueueUrl", queue_url, "Entries", entries), err);
    if (!answer)
        return -1;
    size_t failed = json_array_size(json_object_get(answer, "Failed"));
    json_decref(answer);
    return failed
               ? err_set(err, ERR_UNAVAILABLE, "DeleteMessageBatch: %zu were not deleted", failed)
               : 0;
}
