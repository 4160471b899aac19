#include "base/clock.h"
#include "base/random.h"
#include "cloud/deliver.h"
#include "cloud/sns/sns.h"

#include <stdlib.h>
#include <string.h>

/* Subscriptions. Queues and functions of this cloud are confirmed at once; an HTTP address when it
 * has answered the confirmation message, by the API or by visiting the address in it. */

/* -- subscribe -- */

static int is_fifo_name(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".fifo") == 0;
}

static int count_parts(const char *arn)
{
    int parts = 1;
    for (; *arn; arn++)
        parts += *arn == ':';
    return parts;
}

/* A queue or function that is not there is subscribed all the same, as in AWS: what it does not get
 * goes to the dead-letter queue. */
static int check_queue(struct sns_call *call, const char *endpoint)
{
    if (strncmp(endpoint, "arn:aws:sqs:", 12) != 0 || count_parts(endpoint) != 6)
        return sns_invalid(call, "SQS endpoint ARN");
    if (is_fifo_name(endpoint) && !is_fifo_name(call->name))
        return sns_invalid(call, "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
                                 "subscribed to standard SNS topics");
    return 0;
}

static int check_function(struct sns_call *call, const char *endpoint)
{
    return strncmp(endpoint, "arn:aws:lambda:", 15) != 0 || count_parts(endpoint) < 7
               ? sns_invalid(call, "Lambda endpoint ARN")
               : 0;
}

static int check_address(struct sns_call *call, const char *protocol, const char *endpoint)
{
    size_t size = strlen(protocol);
    if (strncmp(endpoint, protocol, size) != 0 || strncmp(endpoint + size, "://", 3) != 0 ||
        !endpoint[size + 3] || strlen(endpoint) > 2000 || strpbrk(endpoint, " \r\n\t"))
        return sns_invalid(call, "Endpoint must match the specified protocol");
    return 0;
}

static int check_endpoint(struct sns_call *call, const char *protocol, const char *endpoint)
{
    static const char *const others[] = {"email", "email-json", "sms", "application", "firehose"};
    if (!protocol)
        return sns_invalid(call, "Protocol");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(protocol, others[i]) == 0)
            return sns_invalid(call, "Protocol: ken cloud does not deliver by %s", protocol);
    int is_queue = !strcmp(protocol, "sqs"), is_function = !strcmp(protocol, "lambda");
    if (!is_queue && !is_function && strcmp(protocol, "http") != 0 &&
        strcmp(protocol, "https") != 0)
        return sns_invalid(call, "Amazon SNS does not support this protocol string: %.100s",
                           protocol);
    if (!endpoint || !*endpoint)
        return sns_invalid(call, "Endpoint");
    if (is_fifo_name(call->name) && !is_queue)
        return sns_invalid(call,
                           "Invalid parameter: Endpoint Reason: FIFO topics deliver to SQS queues");
    return is_queue      ? check_queue(call, endpoint)
           : is_function ? check_function(call, endpoint)
                         : check_address(call, protocol, endpoint);
}

/* Who has a topic deliver to a queue must be let by one or the other. */
static int authorize_queue(struct sns_call *call, const char *protocol, const char *endpoint)
{
    struct err err = {0};
    if (strcmp(protocol, "sqs") != 0 ||
        cloud_may_deliver(call->sns->cloud, call->x, endpoint, sns_text(call->topic, "arn"),
                          "sns.amazonaws.com", &err) == 0)
        return 0;
    return sns_fail(call, "AuthorizationError", "%s", err.message);
}

/* The subscription of that endpoint: a reference. */
static json_t *find_same(struct sns_call *call, const char *protocol, const char *endpoint)
{
    json_t *all = sns_subscriptions(call->sns, call->name), *subscription, *found = NULL;
    size_t i;
    json_array_foreach(all, i, subscription)
    {
        if (!strcmp(sns_text(subscription, "Protocol"), protocol) &&
            !strcmp(sns_text(subscription, "Endpoint"), endpoint)) {
            found = json_incref(subscription);
            break;
        }
    }
    json_decref(all);
    return found;
}

static json_t *new_subscription(struct sns_call *call, const char *protocol, const char *endpoint,
                                json_t *attributes)
{
    char uuid[RANDOM_UUID_BYTES], token[SNS_TOKEN_BYTES];
    const char *arn = sns_text(call->topic, "arn"), *who = call->x->identity.arn;
    int confirmed = strncmp(protocol, "http", 4) != 0;
    random_uuid(uuid);
    random_text(token, SNS_TOKEN_BYTES - 1, RANDOM_HEX);
    return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:O}", "SubscriptionArn",
                     json_sprintf("%s:%s", arn, uuid), "TopicArn", arn, "Protocol", protocol,
                     "Endpoint", endpoint, "Owner", call->sns->cloud->account_id, "Principal",
                     who ? who : "", "Token", token, "confirmed", confirmed, "authenticated",
                     confirmed, "attributes", attributes);
}

/* To its address: the question whether it wants to be subscribed, or that it no longer is. */
static int send_letter(struct sns_call *call, const json_t *subscription, int is_farewell)
{
    struct sns *sns = call->sns;
    const char *arn = sns_text(subscription, "SubscriptionArn"),
               *token = sns_text(subscription, "Token");
    struct notification n = {.topic_arn = sns_text(subscription, "TopicArn"),
                             .endpoint = sns->cloud->endpoint,
                             .signature_version = 1};
    random_uuid(n.message_id);
    clock_text(clock_unix_ms(), n.timestamp);
    json_t *envelope = is_farewell ? envelope_farewell(sns, &n, arn, token)
                                   : envelope_confirmation(sns, &n, token);
    char *body = json_dumps(envelope, JSON_INDENT(2));
    struct post post = {.subscription_arn = arn,
                        .topic_arn = n.topic_arn,
                        .url = sns_text(subscription, "Endpoint"),
                        .body = body,
                        .type =
                            is_farewell ? "UnsubscribeConfirmation" : "SubscriptionConfirmation",
                        .message_id = n.message_id};
    int result = body ? sns_outbox_put(sns, &post, &call->err)
                      : err_set(&call->err, ERR_NO_MEMORY, "confirm: out of memory");
    free(body);
    json_decref(envelope);
    return result;
}

static int answer_arn(struct sns_call *call, const json_t *subscription)
{
    int shows = json_is_true(json_object_get(subscription, "confirmed")) ||
                wire_truth(call->body, "ReturnSubscriptionArn", 0);
    return json_object_set_new(
        call->answer, "SubscriptionArn",
        json_string(shows ? sns_text(subscription, "SubscriptionArn") : "pending confirmation"));
}

static int is_full(struct sns_call *call)
{
    json_t *all = sns_subscriptions(call->sns, call->name);
    size_t count = json_array_size(all);
    json_decref(all);
    return count >= SNS_MAX_SUBSCRIPTIONS;
}

/* Is what was given of them what they are? */
static int has_all(const json_t *attributes, const json_t *given)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)given, name, value)
    {
        if (!json_equal(json_object_get(attributes, name), value))
            return 0;
    }
    return 1;
}

/* Under sns->changes. The new or the present subscription: a reference. */
static json_t *make(struct sns_call *call, const char *protocol, const char *endpoint,
                    json_t *attributes)
{
    json_t *subscription = find_same(call, protocol, endpoint);
    if (subscription) {
        if (has_all(json_object_get(subscription, "attributes"), attributes))
            return subscription;
        json_decref(subscription);
        sns_invalid(call,
                    "Attributes Reason: Subscription already exists with different attributes");
        return NULL;
    }
    if (is_full(call)) {
        sns_fail(call, "SubscriptionLimitExceeded", "The topic has too many subscriptions.");
        return NULL;
    }
    subscription = new_subscription(call, protocol, endpoint, attributes);
    if (subscription && sns_put_subscription(call->sns, sns_text(subscription, "SubscriptionArn"),
                                             json_incref(subscription), &call->err) == 0)
        return subscription;
    json_decref(subscription);
    return NULL;
}

int sns_subscribe(struct sns_call *call)
{
    const char *protocol = sns_text(call->body, "Protocol"),
               *endpoint = sns_text(call->body, "Endpoint");
    if (check_endpoint(call, protocol, endpoint) < 0 ||
        authorize_queue(call, protocol, endpoint) < 0)
        return -1;
    json_t *attributes = sns_read_settings(call, protocol);
    if (!attributes)
        return -1;
    pthread_mutex_lock(&call->sns->changes);
    json_t *subscription = make(call, protocol, endpoint, attributes);
    pthread_mutex_unlock(&call->sns->changes);
    json_decref(attributes);
    int result = subscription ? answer_arn(call, subscription) : -1;
    if (result == 0 && !json_is_true(json_object_get(subscription, "confirmed")))
        result = send_letter(call, subscription, 0);
    json_decref(subscription);
    return result;
}

/* -- confirm and leave -- */

int sns_confirm(struct sns_call *call)
{
    const char *token = sns_text(call->body, "Token");
    if (!token || token[strspn(token, "0123456789abcdef")])
        return sns_fail(call, SNS_INVALID, "Invalid token");
    json_t *all = sns_subscriptions(call->sns, call->name), *subscription, *found = NULL;
    size_t i;
    json_array_foreach(all, i, subscription)
    {
        if (!strcmp(sns_text(subscription, "Token"), token))
            found = subscription;
    }
    int result = found ? 0 : sns_invalid(call, "Token");
    if (found) {
        json_t *changed = json_copy(found);
        json_object_set_new(changed, "confirmed", json_true());
        json_object_set_new(changed, "authenticated",
                            json_boolean(call->x->identity.access_key_id != NULL &&
                                         wire_truth(call->body, "AuthenticateOnUnsubscribe", 0)));
        pthread_mutex_lock(&call->sns->changes);
        result = sns_put_subscription(call->sns, sns_text(found, "SubscriptionArn"), changed,
                                      &call->err);
        pthread_mutex_unlock(&call->sns->changes);
        json_object_set(call->answer, "SubscriptionArn", json_object_get(found, "SubscriptionArn"));
    }
    json_decref(all);
    return result;
}

json_t *sns_need_subscription(struct sns_call *call)
{
    const char *arn = sns_text(call->body, "SubscriptionArn");
    if (!arn || count_parts(arn) < 6)
        return sns_invalid(call,
                           "SubscriptionArn Reason: An ARN must have at least 6 elements, not %d",
                           arn ? count_parts(arn) : 1),
               NULL;
    json_t *subscription = sns_subscription(call->sns, arn);
    if (!subscription)
        sns_fail(call, "NotFound", "Subscription does not exist");
    return subscription;
}

static int take_away(struct sns_call *call, const json_t *subscription)
{
    pthread_mutex_lock(&call->sns->changes);
    int result = sns_put_subscription(call->sns, sns_text(subscription, "SubscriptionArn"), NULL,
                                      &call->err);
    pthread_mutex_unlock(&call->sns->changes);
    int is_address = !strncmp(sns_text(subscription, "Protocol"), "http", 4) &&
                     json_is_true(json_object_get(subscription, "confirmed"));
    return result == 0 && is_address ? send_letter(call, subscription, 1) : result;
}

int sns_unsubscribe(struct sns_call *call)
{
    const char *arn = sns_text(call->body, "SubscriptionArn");
    if (!arn || !*arn)
        return sns_invalid(call, "SubscriptionArn Reason: no value for required parameter");
    if (count_parts(arn) == 6)
        return sns_invalid(call, "SubscriptionId");
    json_t *subscription = sns_need_subscription(call);
    if (!subscription) {
        int gone = call->code && !strcmp(call->code, "NotFound"); /* that is what was wanted */
        return gone ? 0 : -1;
    }
    int is_open = !json_is_true(json_object_get(subscription, "authenticated")) ||
                  call->x->identity.access_key_id;
    int result;
    if (!is_open) {
        result = sns_fail(call, "AuthorizationError",
                          "The subscription wants a signed request to end it");
    } else {
        result = take_away(call, subscription);
    }
    json_decref(subscription);
    return result;
}

/* -- lists -- */

static json_t *summary(const json_t *subscription)
{
    static const char *const members[] = {"SubscriptionArn", "Owner", "Protocol", "Endpoint",
                                          "TopicArn"};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        json_object_set(out, members[i], json_object_get(subscription, members[i]));
    if (!json_is_true(json_object_get(subscription, "confirmed")))
        json_object_set_new(out, "SubscriptionArn", json_string("PendingConfirmation"));
    return out;
}

static void add_topic(struct sns *sns, const char *topic, json_t *out)
{
    json_t *all = sns_subscriptions(sns, topic), *subscription;
    size_t i;
    json_array_foreach(all, i, subscription)
    {
        json_array_append_new(out, summary(subscription));
    }
    json_decref(all);
}

int sns_list_by_topic(struct sns_call *call)
{
    json_t *out = json_array();
    add_topic(call->sns, call->name, out);
    return sns_page(call, out, "Subscriptions");
}

int sns_list_subscriptions(struct sns_call *call)
{
    struct sns *sns = call->sns;
    const char *topic, *arn;
    json_t *all, *subscription, *out = json_array();
    pthread_mutex_lock(&sns->lock);
    json_object_foreach(sns->subscriptions, topic, all)
    {
        json_object_foreach(all, arn, subscription)
        {
            json_array_append_new(out, summary(subscription));
        }
    }
    pthread_mutex_unlock(&sns->lock);
    return sns_page(call, out, "Subscriptions");
}
