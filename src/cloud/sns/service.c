#include "cloud/sns/sns.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/access.h"
#include "cloud/metrics.h"
#include "cloud/services.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SNS over HTTP, by the query protocol, and as a target of cloud_deliver(). */

static const struct wire_name names[] = {
    {"Attributes", "Attributes", WIRE_ENTRY, NULL},
    {"MessageAttributes", "MessageAttributes", WIRE_ENTRY, NULL},
};

static const struct wire_error errors[] = {
    {SNS_INVALID, "InvalidParameterException", 400},
    {"ParameterValueInvalid", "InvalidParameterValueException", 400},
    {"NotFound", "NotFoundException", 404},
    {"ResourceNotFound", "ResourceNotFoundException", 404},
    {"AuthorizationError", "AuthorizationErrorException", 403},
    {"SubscriptionLimitExceeded", "SubscriptionLimitExceededException", 403},
    {"TopicLimitExceeded", "TopicLimitExceededException", 403},
    {"ValidationError", "ValidationException", 400},
    {"MissingAuthenticationToken", "MissingAuthenticationToken", 403},
    {"InternalError", "InternalErrorException", 500},
};

static const struct wire_service wire_service = {
    .target = "AmazonSimpleNotificationService",
    .name_space = "http://sns.amazonaws.com/doc/2010-03-31/",
    .shape_prefix = "com.amazonaws.sns#",
    .names = names,
    .name_count = sizeof names / sizeof *names,
    .errors = errors,
    .error_count = sizeof errors / sizeof *errors,
};

#define MESSAGE_PARAMETERS                                                                         \
    "Message Subject MessageStructure MessageAttributes MessageDeduplicationId MessageGroupId"

static const struct operation {
    const char *name;
    const char *action;     /* that policies know; NULL: the same */
    const char *topic;      /* the parameter that names a topic; NULL: none */
    const char *parameters; /* all of them */
    sns_operation *run;
} operations[] = {
    {"AddPermission", NULL, "TopicArn", "TopicArn Label AWSAccountId ActionName",
     sns_add_permission},
    {"ConfirmSubscription", NULL, "TopicArn", "TopicArn Token AuthenticateOnUnsubscribe",
     sns_confirm},
    {"CreateTopic", NULL, NULL, "Name Attributes Tags DataProtectionPolicy", sns_create_topic},
    {"DeleteTopic", NULL, NULL, "TopicArn", sns_delete_topic},
    {"GetSubscriptionAttributes", NULL, NULL, "SubscriptionArn", sns_get_subscription_attributes},
    {"GetTopicAttributes", NULL, "TopicArn", "TopicArn", sns_get_topic_attributes},
    {"ListSubscriptions", NULL, NULL, "NextToken", sns_list_subscriptions},
    {"ListSubscriptionsByTopic", NULL, "TopicArn", "TopicArn NextToken", sns_list_by_topic},
    {"ListTagsForResource", NULL, "ResourceArn", "ResourceArn", sns_list_tags},
    {"ListTopics", NULL, NULL, "NextToken", sns_list_topics},
    {"Publish", NULL, "TopicArn", "TopicArn TargetArn PhoneNumber " MESSAGE_PARAMETERS,
     sns_publish},
    {"PublishBatch", "Publish", "TopicArn", "TopicArn PublishBatchRequestEntries",
     sns_publish_batch},
    {"RemovePermission", NULL, "TopicArn", "TopicArn Label", sns_remove_permission},
    {"SetSubscriptionAttributes", NULL, NULL, "SubscriptionArn AttributeName AttributeValue",
     sns_set_subscription_attributes},
    {"SetTopicAttributes", NULL, "TopicArn", "TopicArn AttributeName AttributeValue",
     sns_set_topic_attributes},
    {"Subscribe", NULL, "TopicArn", "TopicArn Protocol Endpoint Attributes ReturnSubscriptionArn",
     sns_subscribe},
    {"TagResource", NULL, "ResourceArn", "ResourceArn Tags", sns_tag},
    {"Unsubscribe", NULL, NULL, "SubscriptionArn", sns_unsubscribe},
    {"UntagResource", NULL, "ResourceArn", "ResourceArn TagKeys", sns_untag},
};

void sns_count(struct sns *sns, const char *topic_arn, const char *metric, double value)
{
    const char *name = sns_topic_name(sns, topic_arn);
    const struct metric_dimension dimension = {"TopicName", name};
    const char *unit = strcmp(metric, "PublishSize") ? "Count" : "Bytes";
    if (name && sns->cloud->metrics)
        metrics_put(sns->cloud->metrics, &(struct metric_value){"AWS/SNS", metric, &dimension, 1,
                                                                value, unit, clock_unix_ms(), 1});
}

int sns_is_action(const char *name)
{
    return WIRE_FIND(operations, name) || strcmp(name, "Receive") == 0 || strcmp(name, "*") == 0;
}

/* -- helpers of the operations -- */

int sns_fail(struct sns_call *call, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_args(&call->err, ERR_INVALID, format, args);
    va_end(args);
    call->code = code;
    return -1;
}

int sns_invalid(struct sns_call *call, const char *format, ...)
{
    char text[sizeof call->err.message - 32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return sns_fail(call, SNS_INVALID, "Invalid parameter: %s", text);
}

const char *sns_text(const json_t *from, const char *name)
{
    return json_string_value(json_object_get(from, name));
}

int sns_page(struct sns_call *call, json_t *all, const char *member)
{
    const char *token = sns_text(call->body, "NextToken");
    size_t from = token ? strtoul(token, NULL, 10) : 0, size = json_array_size(all);
    json_t *page = json_array();
    for (size_t i = from; i < size && i < from + SNS_PAGE; i++)
        json_array_append(page, json_array_get(all, i));
    json_object_set_new(call->answer, member, page);
    if (from + SNS_PAGE < size)
        json_object_set_new(call->answer, "NextToken", json_sprintf("%zu", from + SNS_PAGE));
    json_decref(all);
    return 0;
}

/* -- a request -- */

static int count_parts(const char *arn)
{
    int parts = 1;
    for (; *arn; arn++)
        parts += *arn == ':';
    return parts;
}

/* An ARN of SNS in another region than the cloud's. */
static int is_elsewhere(const struct sns *sns, const char *arn)
{
    const char *region = strncmp(arn, "arn:aws:sns:", 12) ? NULL : arn + 12;
    size_t size = strlen(sns->cloud->region);
    return region && (strncmp(region, sns->cloud->region, size) != 0 || region[size] != ':');
}

static int refuse_topic(struct sns_call *call, const struct operation *operation, const char *arn)
{
    if (operation->run == sns_confirm) /* no token is of that topic */
        return sns_invalid(call, "Token");
    if (strstr(arn, ":endpoint/"))
        return sns_invalid(call, "TargetArn Reason: No endpoint found for the target arn "
                                 "specified");
    if (is_elsewhere(call->sns, arn))
        return sns_invalid(call, "%s", operation->topic);
    return strcmp(operation->topic, "ResourceArn") == 0
               ? sns_fail(call, "ResourceNotFound", "Resource does not exist")
               : sns_fail(call, "NotFound", "Topic does not exist");
}

static const char *given_topic(struct sns_call *call, const struct operation *operation)
{
    const char *arn = sns_text(call->body, operation->topic);
    return arn || operation->run != sns_publish ? arn : sns_text(call->body, "TargetArn");
}

static int take_topic(struct sns_call *call, const struct operation *operation)
{
    if (!operation->topic)
        return 0;
    const char *arn = given_topic(call, operation);
    if (sns_text(call->body, "PhoneNumber"))
        return sns_invalid(call, "PhoneNumber: ken cloud sends no text messages");
    if (operation->run == sns_confirm && arn &&
        (count_parts(arn) < 6 || strncmp(arn, "arn:", 4) != 0 || is_elsewhere(call->sns, arn)))
        return sns_invalid(call, "Topic");
    if (!arn || count_parts(arn) < 6)
        return sns_invalid(call, "%s Reason: An ARN must have at least 6 elements, not %d",
                           operation->topic, arn ? count_parts(arn) : 1);
    call->name = sns_topic_name(call->sns, arn);
    call->topic = call->name ? sns_topic(call->sns, call->name) : NULL;
    if (call->topic)
        return 0;
    return refuse_topic(call, operation, arn);
}

static void finish(struct sns_call *call, int result)
{
    if (result == 0) {
        wire_answer(call->x, &call->wire, call->answer);
    } else if (call->code) {
        wire_fail(call->x, &call->wire, call->code, call->err.message);
    } else {
        log_line(LOG_ERROR, "sns: %s", call->err.message);
        wire_fail(call->x, &call->wire, "InternalError", "The service failed.");
    }
}

/* Confirming and leaving need no signature: the token is, or the subscription says so. */
static int is_open(const struct operation *operation)
{
    return operation->run == sns_confirm || operation->run == sns_unsubscribe;
}

static int authorize(struct sns_call *call, const struct operation *operation)
{
    char action[64];
    const char *arn = sns_text(call->topic, "arn"), *named[] = {"TopicArn", "SubscriptionArn"};
    if (!call->x->identity.access_key_id && is_open(operation))
        return 0;
    for (size_t i = 0; !arn && i < 2; i++)
        arn = sns_text(call->body, named[i]);
    if (!arn && sns_text(call->body, "Name"))
        arn = arena_printf(&call->x->arena, "arn:aws:sns:%s:%s:%s", call->sns->cloud->region,
                           call->sns->cloud->account_id, sns_text(call->body, "Name"));
    snprintf(action, sizeof action, "sns:%s",
             operation->action ? operation->action : operation->name);
    struct access_question question = {
        action, arn ? arn : "*", sns_text(json_object_get(call->topic, "attributes"), "Policy")};
    return exchange_authorize_with(call->x, &question);
}

static void run(struct sns_call *call, const struct operation *operation)
{
    const char *unknown = wire_unknown(&call->wire, operation->parameters);
    int result = 0;
    if (!call->x->identity.access_key_id && !is_open(operation))
        result =
            sns_fail(call, "MissingAuthenticationToken", "Request is missing Authentication Token");
    else if (unknown)
        result = sns_invalid(call, "%s has no parameter %s", operation->name, unknown);
    else
        result = take_topic(call, operation);
    if (result == 0 && authorize(call, operation) < 0)
        return;
    finish(call, result == 0 ? operation->run(call) : -1);
}

static void answer_certificate(struct sns *sns, struct exchange *x)
{
    char *text = signer_certificate(sns->signer);
    exchange_respond(x, text ? 200 : 500, "application/x-pem-file", text ? text : "",
                     text ? strlen(text) : 0);
    free(text);
}

static void handle(void *self, struct exchange *x)
{
    struct sns_call call = {.sns = self, .x = x};
    if (strcmp(x->path, SNS_CERTIFICATE_PATH) == 0) {
        answer_certificate(self, x);
        return;
    }
    if (wire_read(x, &wire_service, &call.wire, &call.err) < 0) {
        wire_fail(x, &call.wire, "MalformedInput", call.err.message);
        return;
    }
    const struct operation *operation = WIRE_FIND(operations, call.wire.operation);
    call.body = call.wire.body;
    call.answer = json_object();
    if (operation)
        run(&call, operation);
    else
        wire_fail(
            x, &call.wire, "InvalidAction",
            arena_printf(&x->arena, "ken cloud has no operation %s of SNS.", call.wire.operation));
    json_decref(call.topic);
    json_decref(call.answer);
    json_decref(call.wire.body);
}

/* -- delivery -- */

static int deliver(void *self, const struct delivery *delivery, struct err *err)
{
    struct sns *sns = self;
    const char *name = sns_topic_name(sns, delivery->target_arn);
    json_t *topic = name ? sns_topic(sns, name) : NULL;
    if (!topic)
        return err_set(err, ERR_NOT_FOUND, "deliver to %s: there is no such topic",
                       delivery->target_arn);
    char *message = strndup(delivery->body, delivery->body_bytes);
    json_t *attributes = delivery->attributes ? json_loads(delivery->attributes, 0, NULL) : NULL;
    struct notification n = {.topic_arn = delivery->target_arn,
                             .message = message,
                             .subject = delivery->subject,
                             .attributes = attributes,
                             .group_id = delivery->group_id,
                             .deduplication_id = delivery->deduplication_id,
                             .endpoint = sns->cloud->endpoint,
                             .signature_version = 1};
    random_uuid(n.message_id);
    int result = message ? sns_fan_out(sns, name, &n, NULL, err)
                         : err_set(err, ERR_NO_MEMORY, "deliver: out of memory");
    free(message);
    json_decref(attributes);
    json_decref(topic);
    return result;
}

static int check(void *self, const char *arn, struct err *err)
{
    const char *name = sns_topic_name(self, arn);
    json_t *topic = name ? sns_topic(self, name) : NULL;
    json_decref(topic);
    return topic ? 0 : err_set(err, ERR_NOT_FOUND, "%s: there is no such topic", arn);
}

static const char *policy_of(void *self, const char *arn, struct arena *arena)
{
    const char *name = sns_topic_name(self, arn);
    json_t *topic = name ? sns_topic(self, name) : NULL;
    const char *text = sns_text(json_object_get(topic, "attributes"), "Policy");
    text = text ? arena_strdup(arena, text) : NULL;
    json_decref(topic);
    return text;
}

/* -- life -- */

static int start(void *self, struct err *err)
{
    return sns_outbox_start(self, err);
}

static void stop(void *self)
{
    sns_outbox_stop(self);
}

static void destroy(void *self)
{
    struct sns *sns = self;
    sns_outbox_destroy(sns);
    signer_destroy(sns->signer);
    sns_unload(sns);
    pthread_mutex_destroy(&sns->lock);
    pthread_mutex_destroy(&sns->changes);
    pthread_cond_destroy(&sns->placed);
    free(sns);
}

int sns_service_create(struct cloud *cloud, struct err *err)
{
    char path[4096];
    struct sns *sns = calloc(1, sizeof *sns);
    if (!sns)
        return err_set(err, ERR_NO_MEMORY, "start SNS: out of memory");
    sns->cloud = cloud;
    pthread_mutex_init(&sns->lock, NULL);
    pthread_mutex_init(&sns->changes, NULL);
    pthread_cond_init(&sns->placed, NULL);
    const struct service service = {.name = "sns",
                                    .error_form = ERROR_FORM_QUERY,
                                    .anonymous = 1,
                                    .handle = handle,
                                    .start = start,
                                    .stop = stop,
                                    .destroy = destroy,
                                    .self = sns};
    const struct delivery_target target = {.service = "sns",
                                           .deliver = deliver,
                                           .check = check,
                                           .self = sns,
                                           .action = "sns:Publish",
                                           .policy = policy_of};
    if (cloud_path(cloud, "sns-key.pem", path, sizeof path, err) == 0)
        sns->signer = signer_create(path, err);
    if (!sns->signer || sns_load(sns, err) < 0 || cloud_add(cloud, &service, err) < 0) {
        destroy(sns);
        return -1;
    }
    return cloud_add_target(cloud, &target, err);
}
