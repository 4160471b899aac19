#ifndef CLOUD_SNS_SNS_H
#define CLOUD_SNS_SNS_H

#include "aws/sqs.h"
#include "cloud/cloud.h"
#include "cloud/deliver.h"
#include "cloud/sqlite/database.h"
#include "cloud/wire.h"

#include <pthread.h>
#include <stdint.h>

/* SNS in ken cloud. Topics and subscriptions are documents, in memory and in DIR/sns.sqlite:
 *   a topic         {"arn", "attributes": {..}, "tags": {..}}
 *   a subscription  {"SubscriptionArn", "TopicArn", "Protocol", "Endpoint", "Owner", "Token",
 *                    "confirmed", "attributes": {..}}
 * A document is never changed, only replaced, so one that was taken may be read without the lock.
 *
 * Publish answers when every queue and function among the subscribers has the message on its disk;
 * what goes to an HTTP address waits in the table `outbox`. */

enum {
    SNS_MAX_TOPICS = 100000,
    SNS_MAX_SUBSCRIPTIONS = 10000, /* of a topic */
    SNS_MAX_TOPIC_NAME = 256,
    SNS_MAX_SUBJECT = 100,
    SNS_MAX_MESSAGE_BYTES = 256 * 1024,
    SNS_MAX_TAGS = 50,
    SNS_ARN_BYTES = 512,
    SNS_PAGE = 100,
    SNS_DEDUPLICATION_MS = 5 * 60 * 1000,
    SNS_TOKEN_BYTES = 129,
    SNS_SEQUENCE_BYTES = 24,
};

struct sns {
    struct cloud *cloud;
    struct database *database;
    pthread_mutex_t changes; /* held by whoever changes documents, through the write */
    pthread_mutex_t lock;    /* of the two maps */
    json_t *topics;          /* by name */
    json_t *subscriptions;   /* by topic name, then by ARN */
    json_t *placing;         /* under the lock too: messages of FIFO topics on their way out */
    pthread_cond_t placed;   /* one of them is out */
    struct signer *signer;
    struct outbox *outbox;
};

struct sns_call {
    struct sns *sns;
    struct exchange *x;
    struct wire wire;
    const json_t *body;
    json_t *answer;   /* an object to fill */
    json_t *topic;    /* a reference; of operations on a topic */
    const char *name; /* the topic's */
    const char *code; /* of a failure */
    struct err err;
};
typedef int sns_operation(struct sns_call *call);
sns_operation sns_create_topic, sns_delete_topic, sns_list_topics, sns_get_topic_attributes,
    sns_set_topic_attributes, sns_tag, sns_untag, sns_list_tags, sns_add_permission,
    sns_remove_permission, sns_subscribe, sns_unsubscribe, sns_confirm, sns_list_subscriptions,
    sns_list_by_topic, sns_get_subscription_attributes, sns_set_subscription_attributes,
    sns_publish, sns_publish_batch;

#define SNS_INVALID "InvalidParameter"
int sns_fail(struct sns_call *call, const char *code, const char *format, ...) PRINTF(3, 4);
/* "Invalid parameter: ..." */
int sns_invalid(struct sns_call *call, const char *format, ...) PRINTF(2, 3);
const char *sns_text(const json_t *from, const char *name); /* NULL: absent */
/* Is that an action that a policy may allow? */
int sns_is_action(const char *name);
/* For CloudWatch: AWS/SNS by TopicName. */
void sns_count(struct sns *sns, const char *topic_arn, const char *metric, double value);
/* A page of `all` under `member`; tokens are places in it. */
int sns_page(struct sns_call *call, json_t *all, const char *member);

/* -- documents (store.c) -- */

int sns_load(struct sns *sns, struct err *err) MUST_USE;
void sns_unload(struct sns *sns);
/* A reference; NULL: there is none. */
json_t *sns_topic(struct sns *sns, const char *name);
json_t *sns_subscription(struct sns *sns, const char *arn);
/* A new list of references to the topic's subscriptions; empty when there are none. */
json_t *sns_subscriptions(struct sns *sns, const char *topic);
/* The name at the end of a topic's ARN, or before the end of a subscription's; NULL: it is none of
 * this cloud. The latter goes to `out`. */
const char *sns_topic_name(const struct sns *sns, const char *arn);
int sns_subscription_topic(const struct sns *sns, const char *arn, char out[SNS_ARN_BYTES]);
/* Under sns->changes. `document` NULL: take it away, a topic with its subscriptions; else it is
 * taken. */
int sns_put_topic(struct sns *sns, const char *name, json_t *document, struct err *err) MUST_USE;
int sns_put_subscription(struct sns *sns, const char *arn, json_t *document,
                         struct err *err) MUST_USE;

/* -- topics (topics.c) -- */

/* The topic as it is now, for a change: takes sns->changes, which sns_end_change() gives back,
 * returning `result`. -1, and nothing is taken: it has gone meanwhile. */
int sns_begin_change(struct sns_call *call) MUST_USE;
int sns_end_change(struct sns_call *call, int result) MUST_USE;
/* Between the two. "" takes an attribute away, or makes it the default. */
int sns_set_attribute(struct sns_call *call, const char *name, const char *value) MUST_USE;

/* -- FIFO topics (fifo.c) -- */

struct fifo_place {
    const char *topic, *group, *deduplication_id; /* borrowed until the end */
    int by_group;                                 /* duplicates are such within their group */
    int64_t now_ms;
    char message_id[37]; /* the new one's; a duplicate's is the first one's */
    char sequence[SNS_SEQUENCE_BYTES];
};
enum { FIFO_KEY_BYTES = SNS_MAX_TOPIC_NAME + 2 * 128 + 8 };
/* 0: it has its number and goes to the subscribers, then to sns_fifo_end(). 1: a message of the
 * last five minutes that all of them have; its id and number are filled in. */
int sns_fifo_begin(struct sns *sns, struct fifo_place *place, struct err *err) MUST_USE;
/* `is_out`: every subscriber has it; else the next one of the same id is no duplicate. */
int sns_fifo_end(struct sns *sns, struct fifo_place *place, int is_out, struct err *err) MUST_USE;

/* -- subscriptions (subscriptions.c, subscription_settings.c) -- */

/* The subscription of SubscriptionArn: a reference. NULL: the failure is the call's. */
json_t *sns_need_subscription(struct sns_call *call);
/* The request's Attributes, checked, as a subscription keeps them: a new object. NULL: the failure
 * is the call's. */
json_t *sns_read_settings(struct sns_call *call, const char *protocol);

/* -- messages (publish.c, message_attributes.c, envelope.c) -- */

/* `entry`: which of a batch, from 1; 0: of no batch. */
int sns_check_attributes(struct sns_call *call, const json_t *attributes, size_t entry) MUST_USE;

struct notification {
    const char *topic_arn, *message, *subject; /* subject NULL: none */
    const json_t *attributes;                  /* SQS's form; NULL: none */
    const char *group_id, *deduplication_id;   /* NULL: none */
    const char *trace;                         /* the request's X-Amzn-Trace-Id; NULL: none */
    const char *endpoint;                      /* "http://127.0.0.1:4566" */
    int signature_version;
    char message_id[37], sequence[SNS_SEQUENCE_BYTES], timestamp[25];
};

/* Hands it to all subscribers whose filter it passes. `structure`: texts by protocol, or NULL. */
int sns_fan_out(struct sns *sns, const char *name, struct notification *notification,
                const json_t *structure, struct err *err) MUST_USE;
/* What a subscriber gets, as JSON: a new reference. */
json_t *envelope_notification(struct sns *sns, const struct notification *notification,
                              const char *subscription_arn);
/* What asks an address to confirm, or tells it that its subscription has ended. */
json_t *envelope_confirmation(struct sns *sns, const struct notification *notification,
                              const char *token);
json_t *envelope_farewell(struct sns *sns, const struct notification *notification,
                          const char *subscription_arn, const char *token);
json_t *envelope_lambda(struct sns *sns, const struct notification *notification,
                        const char *subscription_arn);

/* The key that signs, made when it is first needed (DIR/sns-key.pem). */
struct signer *signer_create(const char *key_path, struct err *err);
void signer_destroy(struct signer *signer);
/* Base64 of the RSA signature, SHA-1 (version 1) or SHA-256 (2); from malloc(). */
char *signer_sign(struct signer *signer, int version, const char *text);
/* Its certificate as PEM; from malloc(). */
char *signer_certificate(struct signer *signer);
#define SNS_CERTIFICATE_PATH "/SimpleNotificationService-ken.pem"

/* -- HTTP (outbox.c) -- */

int sns_outbox_start(struct sns *sns, struct err *err) MUST_USE;
void sns_outbox_stop(struct sns *sns);
void sns_outbox_destroy(struct sns *sns);
/* One POST, kept until it is answered with 2xx or given up. */
struct post {
    const char *subscription_arn, *topic_arn, *url, *body, *type, *message_id;
    int is_raw;
};
int sns_outbox_put(struct sns *sns, const struct post *post, struct err *err) MUST_USE;

/* Hand what could not be delivered to the subscription's dead-letter queue, if it has one: as a
 * queue would have got it, or `body`, where there is one. */
void sns_bury(struct sns *sns, const json_t *subscription, const struct notification *notification,
              const char *body);

#endif
