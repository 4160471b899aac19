#include "cloud/sqs/sqs.h"
#include "cloud/statements.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* AddPermission and RemovePermission: statements of the queue's policy. */

static json_t *load_policy(struct sqs_call *call, const json_t *attributes)
{
    char arn[SQS_ARN_BYTES], id[SQS_ARN_BYTES + 32];
    queue_arn(call->sqs, call->queue, arn);
    snprintf(id, sizeof id, "%s/SQSDefaultPolicy", arn);
    return statements_load(sqs_text(attributes, "Policy"), id);
}

/* Stores the changed policy; takes it. */
static int store_policy(struct sqs_call *call, json_t *present, json_t *policy)
{
    json_t *attributes = json_copy(present);
    char *text = json_dumps(policy, JSON_COMPACT);
    if (json_array_size(json_object_get(policy, "Statement")))
        json_object_set_new(attributes, "Policy", json_string(text ? text : "{}"));
    else
        json_object_del(attributes, "Policy");
    free(text);
    json_decref(policy);
    json_decref(present);
    return queue_store(call, attributes, queue_hold(call, &call->queue->tags), NULL);
}

/* What an owner may hand on. */
static int check_actions(struct sqs_call *call, const json_t *actions)
{
    static const char known[] =
        "* ChangeMessageVisibility DeleteMessage GetQueueAttributes GetQueueUrl "
        "ListDeadLetterSourceQueues PurgeQueue ReceiveMessage SendMessage";
    size_t i;
    json_t *action;
    json_array_foreach(actions, i, action)
    {
        const char *name = json_string_value(action);
        if (!name || !wire_has_word(known, name))
            return sqs_fail(call, SQS_INVALID,
                            "Value SQS:%.80s for parameter ActionName is invalid. Reason: Only the "
                            "queue owner is allowed to invoke this action.",
                            name ? name : "");
    }
    return 0;
}

static int check_permission(struct sqs_call *call, const char *label, const json_t *accounts,
                            const json_t *actions)
{
    size_t size = label ? strlen(label) : 0;
    if (!size)
        return sqs_fail_missing(call, "Label");
    for (size_t i = 0; i < size; i++)
        if (size > 80 || (!isalnum((unsigned char)label[i]) && !strchr("-_", label[i])))
            return sqs_fail(call, SQS_INVALID,
                            "Value %.80s for parameter Label is invalid. Reason: Can only include "
                            "alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
                            label);
    if (!json_array_size(accounts))
        return sqs_fail(call, SQS_INVALID,
                        "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify.");
    if (!json_array_size(actions))
        return sqs_fail_missing(call, "Actions");
    return json_array_size(actions) <= 7 && json_array_size(accounts) <= 50
               ? check_actions(call, actions)
               : sqs_fail(call, "OverLimit", "%zu Actions were found, maximum allowed is 7.",
                          json_array_size(actions));
}

int sqs_add_permission(struct sqs_call *call)
{
    const char *label = sqs_text(call->body, "Label");
    const json_t *accounts = json_object_get(call->body, "AWSAccountIds"),
                 *actions = json_object_get(call->body, "Actions");
    char arn[SQS_ARN_BYTES];
    if (check_permission(call, label, accounts, actions) < 0)
        return -1;
    json_t *present = queue_hold(call, &call->queue->attributes),
           *policy = load_policy(call, present);
    queue_arn(call->sqs, call->queue, arn);
    if (statements_add(policy, &(struct statement){label, "SQS", accounts, actions, arn}) == 0)
        return store_policy(call, present, policy);
    json_decref(policy);
    json_decref(present);
    return sqs_fail(call, SQS_INVALID,
                    "Value %s for parameter Label is invalid. Reason: Already exists.", label);
}

int sqs_remove_permission(struct sqs_call *call)
{
    const char *label = sqs_text(call->body, "Label");
    if (!label)
        return sqs_fail_missing(call, "Label");
    json_t *present = queue_hold(call, &call->queue->attributes),
           *policy = load_policy(call, present);
    if (statements_remove(policy, label) == 0)
        return store_policy(call, present, policy);
    json_decref(policy);
    json_decref(present);
    return sqs_fail(call, SQS_INVALID,
                    "Value %s for parameter Label is invalid. Reason: can't find label.", label);
}
