#include "cloud/sqs/sqs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/access.h"
#include "cloud/metrics.h"
#include "cloud/services.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SQS over HTTP, and as a target of cloud_deliver(). */

static const struct wire_name names[] = {
    {"Attributes", "Attribute", WIRE_NAME_VALUE, NULL},
    {"AttributeNames", "AttributeName", WIRE_LIST, NULL},
    {"MessageAttributes", "MessageAttribute", WIRE_NAME_VALUE, NULL},
    {"MessageAttributeNames", "MessageAttributeName", WIRE_LIST, NULL},
    {"MessageSystemAttributes", "MessageSystemAttribute", WIRE_NAME_VALUE, NULL},
    {"MessageSystemAttributeNames", "MessageSystemAttributeName", WIRE_LIST, NULL},
    {"tags", "Tag", WIRE_KEY_VALUE, "CreateQueue"},
    {"Tags", "Tag", WIRE_KEY_VALUE, NULL},
    {"TagKeys", "TagKey", WIRE_LIST, NULL},
    {"AWSAccountIds", "AWSAccountId", WIRE_LIST, NULL},
    {"Actions", "ActionName", WIRE_LIST, NULL},
    {"Entries", "SendMessageBatchRequestEntry", WIRE_LIST, "SendMessageBatch"},
    {"Entries", "DeleteMessageBatchRequestEntry", WIRE_LIST, "DeleteMessageBatch"},
    {"Entries", "ChangeMessageVisibilityBatchRequestEntry", WIRE_LIST,
     "ChangeMessageVisibilityBatch"},
    {"Successful", "SendMessageBatchResultEntry", WIRE_LIST, "SendMessageBatch"},
    {"Successful", "DeleteMessageBatchResultEntry", WIRE_LIST, "DeleteMessageBatch"},
    {"Successful", "ChangeMessageVisibilityBatchResultEntry", WIRE_LIST,
     "ChangeMessageVisibilityBatch"},
    {"Failed", "BatchResultErrorEntry", WIRE_LIST, NULL},
    {"Messages", "Message", WIRE_LIST, NULL},
    {"QueueUrls", "QueueUrl", WIRE_LIST, NULL},
    {"queueUrls", "QueueUrl", WIRE_LIST, NULL},
    {"Results", "ListMessageMoveTasksResultEntry", WIRE_LIST, NULL},
};

static const struct wire_error errors[] = {
    {SQS_NO_QUEUE, "QueueDoesNotExist", 400},
    {"QueueAlreadyExists", "QueueNameExists", 400},
    {"ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404},
    {"OverLimit", "OverLimit", 403},
    {"AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress", 403},
    {"ResourceNotFoundException", "ResourceNotFoundException", 404},
    {"AWS.SimpleQueueService.MessageNotInflight", "MessageNotInflight", 400},
    {"AWS.SimpleQueueService.EmptyBatchRequest", "EmptyBatchRequest", 400},
    {"AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "TooManyEntriesInBatchRequest", 400},
    {"AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "BatchEntryIdsNotDistinct", 400},
    {"AWS.SimpleQueueService.BatchRequestTooLong", "BatchRequestTooLong", 400},
    {"AWS.SimpleQueueService.InvalidBatchEntryId", "InvalidBatchEntryId", 400},
    {"AWS.SimpleQueueService.UnsupportedOperation", "UnsupportedOperation", 400},
    {SQS_INVALID, "InvalidParameterValueException", 400},
    {SQS_MISSING, "MissingRequiredParameterException", 400},
    {"InvalidAction", "UnknownOperationException", 400},
    {"InternalError", "InternalFailure", 500},
    {"ServiceUnavailable", "ServiceUnavailable", 503},
};

static const struct wire_service wire_service = {
    .target = "AmazonSQS",
    .name_space = "http://queue.amazonaws.com/doc/2012-11-05/",
    .shape_prefix = "com.amazonaws.sqs#",
    .has_detail = 1,
    .names = names,
    .name_count = sizeof names / sizeof *names,
    .errors = errors,
    .error_count = sizeof errors / sizeof *errors,
};

static const struct operation {
    const char *name;
    const char *action;     /* that policies know; NULL: the same */
    const char *parameters; /* "QueueUrl" first: of a queue */
    sqs_operation *run;
} operations[] = {
    {"AddPermission", NULL, "QueueUrl Label AWSAccountIds Actions", sqs_add_permission},
    {"CancelMessageMoveTask", NULL, "TaskHandle", sqs_cancel_move},
    {"ChangeMessageVisibility", NULL, "QueueUrl ReceiptHandle VisibilityTimeout",
     sqs_change_visibility},
    {"ChangeMessageVisibilityBatch", "ChangeMessageVisibility", "QueueUrl Entries",
     sqs_change_visibility_batch},
    {"CreateQueue", NULL, "QueueName Attributes tags", sqs_create_queue},
    {"DeleteMessage", NULL, "QueueUrl ReceiptHandle", sqs_delete},
    {"DeleteMessageBatch", "DeleteMessage", "QueueUrl Entries", sqs_delete_batch},
    {"DeleteQueue", NULL, "QueueUrl", sqs_delete_queue},
    {"GetQueueAttributes", NULL, "QueueUrl AttributeNames", sqs_get_attributes},
    {"GetQueueUrl", NULL, "QueueName QueueOwnerAWSAccountId", sqs_get_queue_url},
    {"ListDeadLetterSourceQueues", NULL, "QueueUrl NextToken MaxResults", sqs_list_sources},
    {"ListMessageMoveTasks", NULL, "SourceArn MaxResults", sqs_list_moves},
    {"ListQueueTags", NULL, "QueueUrl", sqs_list_tags},
    {"ListQueues", NULL, "QueueNamePrefix NextToken MaxResults", sqs_list_queues},
    {"PurgeQueue", NULL, "QueueUrl", sqs_purge_queue},
    {"ReceiveMessage", NULL,
     "QueueUrl AttributeNames MessageSystemAttributeNames MessageAttributeNames "
     "MaxNumberOfMessages VisibilityTimeout WaitTimeSeconds ReceiveRequestAttemptId",
     sqs_receive},
    {"RemovePermission", NULL, "QueueUrl Label", sqs_remove_permission},
    {"SendMessage", NULL, "QueueUrl " SQS_MESSAGE_PARAMETERS, sqs_send},
    {"SendMessageBatch", "SendMessage", "QueueUrl Entries", sqs_send_batch},
    {"SetQueueAttributes", NULL, "QueueUrl Attributes", sqs_set_attributes},
    {"StartMessageMoveTask", NULL, "SourceArn DestinationArn MaxNumberOfMessagesPerSecond",
     sqs_start_move},
    {"TagQueue", NULL, "QueueUrl Tags", sqs_tag_queue},
    {"UntagQueue", NULL, "QueueUrl TagKeys", sqs_untag_queue},
};

/* -- helpers of the operations -- */

int sqs_fail(struct sqs_call *call, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_args(&call->err, ERR_INVALID, format, args);
    va_end(args);
    call->code = code;
    return -1;
}

int sqs_fail_missing(struct sqs_call *call, const char *name)
{
    return sqs_fail(call, SQS_MISSING, "The request must contain the parameter %s.", name);
}

int sqs_fail_no_queue(struct sqs_call *call)
{
    return sqs_fail(call, SQS_NO_QUEUE, "The specified queue does not exist%s.",
                    call->wire.protocol == WIRE_QUERY ? " for this wsdl version" : "");
}

int sqs_number(struct sqs_call *call, const json_t *from, const char *name, int64_t range[2],
               int64_t *out)
{
    int64_t value = *out;
    int given = wire_integer(from, name, &value);
    if (given < 0 || (given && (value < range[0] || value > range[1])))
        return sqs_fail(call, SQS_INVALID,
                        "Value %lld for parameter %s is invalid. Reason: Must be >= %lld and <= "
                        "%lld, if provided.",
                        (long long)value, name, (long long)range[0], (long long)range[1]);
    *out = value;
    return 0;
}

const char *sqs_text(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

/* -- a request -- */

/* The last two parts of the URL are the account and the name; a name alone will do. Without
 * QueueUrl the request's own path tells. */
static struct queue *find_queue(struct sqs_call *call)
{
    const char *url = sqs_text(call->body, "QueueUrl");
    if (url && !strchr(url, '/'))
        return queue_find(call->sqs, url, strlen(url));
    if (!url)
        url = call->x->path;
    const char *name = strrchr(url, '/'), *account = NULL;
    for (const char *at = url; name && at < name; at++)
        if (*at == '/')
            account = at + 1;
    const char *own = call->sqs->cloud->account_id;
    size_t size = account ? (size_t)(name - account) : 0;
    if (!account || size != strlen(own) || strncmp(account, own, size) != 0)
        return NULL;
    return queue_find(call->sqs, name + 1, strlen(name + 1));
}

/* The ARN that the operation is about; without a queue that of a name, or "*". */
static void resource_arn(struct sqs_call *call, char out[SQS_ARN_BYTES])
{
    const char *name = sqs_text(call->body, "QueueName"),
               *source = sqs_text(call->body, "SourceArn");
    const struct cloud *cloud = call->sqs->cloud;
    if (call->queue)
        queue_arn(call->sqs, call->queue, out);
    else if (name)
        snprintf(out, SQS_ARN_BYTES, "arn:aws:sqs:%s:%s:%s", cloud->region, cloud->account_id,
                 name);
    else
        snprintf(out, SQS_ARN_BYTES, "%s", source ? source : "*");
}

static int take_queue(struct sqs_call *call, const struct operation *operation)
{
    if (strncmp(operation->parameters, "QueueUrl", 8) != 0)
        return 0;
    if (!sqs_text(call->body, "QueueUrl") &&
        (call->wire.protocol == WIRE_JSON || !strchr(call->x->path + 1, '/')))
        return sqs_fail_missing(call, "QueueUrl");
    call->queue = find_queue(call);
    if (!call->queue)
        return sqs_fail_no_queue(call);
    call->settings = queue_settings(call->sqs, call->queue);
    return 0;
}

static void fail(struct sqs_call *call)
{
    if (call->code) {
        wire_fail(call->x, &call->wire, call->code, call->err.message);
        return;
    }
    log_line(LOG_ERROR, "sqs: %s", call->err.message);
    wire_fail(call->x, &call->wire,
              call->err.code == ERR_NO_SPACE ? "ServiceUnavailable" : "InternalError",
              call->err.code == ERR_NO_SPACE
                  ? "The cloud's disk is full."
                  : "We encountered an internal error. Please try again.");
}

static void release(struct sqs_call *call)
{
    queue_drop(call->sqs, call->queue);
    json_decref(call->answer);
    json_decref(call->wire.body);
}

void sqs_finish_call(struct sqs_call *call, int result)
{
    if (result == 0)
        wire_answer(call->x, &call->wire, call->answer);
    else
        fail(call);
    release(call);
}

static int refuse_unknown(struct sqs_call *call, const struct operation *operation)
{
    const char *unknown = wire_unknown(&call->wire, operation->parameters);
    return unknown
               ? sqs_fail(call, SQS_INVALID, "%s has no parameter %s.", operation->name, unknown)
               : 0;
}

/* The queue's own policy has a say. The action is in small letters, as SQS tells it whoever may
 * not. */
static int authorize(struct sqs_call *call, const struct operation *operation)
{
    char arn[SQS_ARN_BYTES], action[64];
    resource_arn(call, arn);
    snprintf(action, sizeof action, "sqs:%s",
             operation->action ? operation->action : operation->name);
    for (char *letter = action; *letter; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    json_t *attributes = call->queue ? queue_hold(call, &call->queue->attributes) : NULL;
    struct access_question question = {action, arn, sqs_text(attributes, "Policy")};
    int result = exchange_authorize_with(call->x, &question);
    json_decref(attributes);
    return result;
}

static void run(struct sqs_call *call, const struct operation *operation)
{
    int result = refuse_unknown(call, operation) < 0 || take_queue(call, operation) < 0 ? -1 : 0;
    if (result == 0) {
        if (authorize(call, operation) < 0) {
            release(call);
            return;
        }
        result = operation->run(call);
    }
    if (!call->is_deferred)
        sqs_finish_call(call, result);
}

/* A request without any action, to which AWS answers in no protocol. */
static void refuse_silence(struct exchange *x)
{
    static const char text[] = "<UnknownOperationException/>\n";
    exchange_respond(x, 404, "application/xml", text, sizeof text - 1);
}

/* What is about no queue is not asked of a queue's own address. */
static int is_misplaced(const struct sqs_call *call)
{
    return call->wire.protocol == WIRE_QUERY && strchr(call->x->path + 1, '/') &&
           (!strcmp(call->wire.operation, "CreateQueue") ||
            !strcmp(call->wire.operation, "ListQueues"));
}

static void handle(void *self, struct exchange *x)
{
    struct sqs_call call = {.sqs = self, .x = x, .now_ms = x->received_unix_ms};
    if (wire_read(x, &wire_service, &call.wire, &call.err) < 0) {
        if (call.wire.protocol == WIRE_QUERY && !x->body.size && !*x->query)
            refuse_silence(x);
        else
            wire_fail(x, &call.wire, "MalformedInput", call.err.message);
        return;
    }
    const struct operation *operation =
        is_misplaced(&call) ? NULL : WIRE_FIND(operations, call.wire.operation);
    call.body = call.wire.body;
    call.answer = json_object();
    if (operation) {
        run(&call, operation);
        return;
    }
    wire_fail(x, &call.wire, "InvalidAction",
              arena_printf(&x->arena, "The action %s is not valid for this endpoint.",
                           call.wire.operation));
    release(&call);
}

/* -- delivery -- */

static int deliver(void *self, const struct delivery *delivery, struct err *err)
{
    struct sqs *sqs = self;
    char uuids[1][37], content_id[65];
    struct queue *queue = queue_find_arn(sqs, delivery->target_arn);
    if (!queue)
        return err_set(err, ERR_NOT_FOUND, "deliver to %s: there is no such queue",
                       delivery->target_arn);
    struct message message = {.body = delivery->body,
                              .body_bytes = delivery->body_bytes,
                              .attributes = delivery->attributes,
                              .group = delivery->group_id,
                              .deduplication_id = delivery->deduplication_id,
                              .trace = delivery->trace ? sqs_trace_json(delivery->trace) : NULL,
                              .sender = "AIDAKENCLOUDKENCLOUD"};
    struct insertion insertion = {.sqs = sqs,
                                  .queue = queue,
                                  .settings = queue_settings(sqs, queue),
                                  .messages = &message,
                                  .count = 1,
                                  .now_ms = clock_unix_ms(),
                                  .uuids = uuids};
    random_uuid(uuids[0]);
    message.uuid = uuids[0];
    message.delay_ms = (int64_t)insertion.settings.delay_s * 1000;
    int result = 0;
    if (insertion.settings.is_fifo && !message.group)
        result = err_set(err, ERR_INVALID, "deliver to %s: a FIFO queue needs a message group",
                         delivery->target_arn);
    if (delivery->body_bytes > (size_t)insertion.settings.max_bytes)
        result = err_set(err, ERR_TOO_BIG, "deliver to %s: the message is too large",
                         delivery->target_arn);
    if (insertion.settings.is_fifo && !message.deduplication_id) {
        sqs_sha256(message.body, message.body_bytes, content_id);
        message.deduplication_id = content_id;
    }
    if (result == 0)
        result = database_write(sqs->database, messages_insert, &insertion, err);
    if (result == 0)
        sqs_count_sent(&insertion);
    free((char *)(uintptr_t)message.trace);
    queue_drop(sqs, queue);
    return result;
}

static int check(void *self, const char *arn, struct err *err)
{
    struct queue *queue = queue_find_arn(self, arn);
    queue_drop(self, queue);
    return queue ? 0 : err_set(err, ERR_NOT_FOUND, "%s: there is no such queue", arn);
}

static const char *policy_of(void *self, const char *arn, struct arena *arena)
{
    struct sqs_call call = {.sqs = self};
    struct queue *queue = queue_find_arn(self, arn);
    json_t *attributes = queue ? queue_hold(&call, &queue->attributes) : NULL;
    const char *text = sqs_text(attributes, "Policy");
    text = text ? arena_strdup(arena, text) : NULL;
    json_decref(attributes);
    queue_drop(self, queue);
    return text;
}

/* -- life -- */

static int start(void *self, struct err *err)
{
    struct sqs *sqs = self;
    if (sqs->cloud->metrics)
        metrics_on_read(sqs->cloud->metrics, sqs_measure, sqs);
    return poller_start(sqs, err);
}

static void stop(void *self)
{
    struct sqs *sqs = self;
    poller_stop(sqs);
    if (sqs->cloud->metrics)
        metrics_on_read(sqs->cloud->metrics, NULL, sqs);
}

static void destroy(void *self)
{
    struct sqs *sqs = self;
    poller_destroy(sqs);
    sqs_unload(sqs);
    pthread_mutex_destroy(&sqs->lock);
    free(sqs);
}

int sqs_service_create(struct cloud *cloud, struct err *err)
{
    struct sqs *sqs = calloc(1, sizeof *sqs);
    if (!sqs)
        return err_set(err, ERR_NO_MEMORY, "start SQS: out of memory");
    sqs->cloud = cloud;
    pthread_mutex_init(&sqs->lock, NULL);
    const struct service service = {.name = "sqs",
                                    .error_form = ERROR_FORM_QUERY,
                                    .handle = handle,
                                    .start = start,
                                    .stop = stop,
                                    .destroy = destroy,
                                    .self = sqs};
    const struct delivery_target target = {.service = "sqs",
                                           .deliver = deliver,
                                           .check = check,
                                           .self = sqs,
                                           .action = "sqs:SendMessage",
                                           .policy = policy_of};
    if (sqs_load(sqs, err) < 0 || cloud_add(cloud, &service, err) < 0) {
        destroy(sqs);
        return -1;
    }
    cloud->sqs = sqs;
    return cloud_add_target(cloud, &target, err);
}
