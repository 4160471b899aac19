#ifndef CLOUD_DYNAMODB_LEGACY_H
#define CLOUD_DYNAMODB_LEGACY_H

#include "cloud/dynamodb/request.h"

/* What requests said before there were expressions: AttributesToGet, AttributeUpdates, Expected,
 * QueryFilter, ScanFilter, KeyConditions and ConditionalOperator. They become the same trees as
 * expressions do; so the rest of the service knows nothing of them.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
 */

/* The two ways do not mix, but for KeyConditions with a FilterExpression. */
int legacy_check_mixed(struct request *r, const json_t *from, unsigned uses) MUST_USE;
/* Reads those that `uses` allows into `out`; nothing given: nothing changed. */
int legacy_parse(struct request *r, const json_t *from, unsigned uses,
                 struct expressions *out) MUST_USE;
/* The request's KeyConditions, which AWS looks at behind the expressions. */
int legacy_parse_keys(struct request *r, struct expressions *out) MUST_USE;

#endif
