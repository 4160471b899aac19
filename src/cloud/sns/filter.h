#ifndef CLOUD_SNS_FILTER_H
#define CLOUD_SNS_FILTER_H

#include "base/err.h"

#include <jansson.h>

/* Filter policies of subscriptions: {NAME: [CONDITION, ...], ...}, all names must hold, of each one
 * condition. A condition is a text, number, true, false or null, or one of {"prefix"}, {"suffix"},
 * {"equals-ignore-case"}, {"anything-but"} (a value, a list, a prefix or a suffix), {"numeric":
 * [OP, NUMBER, OP, NUMBER]}, {"exists"}, {"cidr"}. "$or": [POLICY, ...] holds when one does. In the
 * message's body policies may nest as the body does.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html */

enum {
    FILTER_MAX_KEYS = 5,
    FILTER_MAX_COMBINATIONS = 150,
    FILTER_MAX_BYTES = 256 * 1024,
    FILTER_MAX_NESTING = 16,
};

/* ERR_INVALID with SNS's words. `in_body`: the scope is the message's body. */
int filter_policy_check(const json_t *policy, int in_body, struct err *err) MUST_USE;

/* The same without SNS's limits on keys and combinations: patterns of other services. */
int filter_pattern_check(const json_t *pattern, struct err *err) MUST_USE;

/* `data` is an object: the body, or sns_filter_attributes(). Of a list any element may hold. */
int filter_policy_matches(const json_t *policy, const json_t *data);

/* The same with names' dots as levels, {"a.b": 1} as {"a": {"b": 1}}: for policies on bodies, and
 * for the bodies. Takes it, returns a new reference; NULL for NULL. */
json_t *filter_nested(json_t *json);

/* Message attributes in SNS's form ({NAME: {"DataType", "StringValue"}}) as such an object: a new
 * reference. */
json_t *filter_attributes(const json_t *attributes);

#endif
