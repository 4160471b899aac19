#ifndef CLOUD_SNS_DELIVERY_POLICY_H
#define CLOUD_SNS_DELIVERY_POLICY_H

#include <jansson.h>

/* Delivery policies of topics and of subscriptions to HTTP addresses, as AWS shows them: what was
 * given with the members that it has to have, and what holds when the defaults are added. Only the
 * content type is acted upon; the pace of retries is the outbox's own.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
 *
 * Policies are JSON texts; NULL: none. Results are new references or from malloc(). */

/* The text that is kept of a topic's policy, of a subscription's; NULL: it is no object. */
char *delivery_policy_of_topic(const char *given);
char *delivery_policy_of_subscription(const char *given);
/* What holds. */
json_t *delivery_policy_effective(const char *topic);
json_t *delivery_policy_effective_for(const char *subscription, const char *topic);
/* The Content-Type of messages; free() it. NULL: no memory. */
char *delivery_policy_content_type(const char *subscription, const char *topic);

#endif
