#ifndef AWS_ATTRIBUTE_H
#define AWS_ATTRIBUTE_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

/* DynamoDB's typed attributes and plain JSON, both ways.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
 *
 *   plain   {"id": 1, "tags": ["a", null], "on": true}
 *   typed   {"id": {"N": "1"}, "tags": {"L": [{"S": "a"}, {"NULL": true}]}, "on": {"BOOL": true}}
 *
 * A number keeps its digits: it never passes through a floating-point variable. Sets become lists,
 * binary stays base64 text. */

enum { ATTRIBUTE_MAX_DEPTH = 32 }; /* DynamoDB's own limit */
#define ATTRIBUTE_MAX_ITEM_BYTES ((size_t)400 * 1024)

/* Append the typed form of a JSON object's text. ERR_INVALID: no JSON object, or too deep. */
int attribute_from_plain(const char *text, size_t size, struct buf *out, struct err *err) MUST_USE;

/* Append the plain text of an item (attribute name -> typed value). ERR_CORRUPT for what is no
 * typed attribute. */
int attribute_to_plain(const json_t *item, struct buf *out, struct err *err) MUST_USE;

/* Where the value of a plain object's member is, as it was written. The text is a well-formed
 * object, such as attribute_to_plain made; NULL when it has no such member. */
const char *attribute_plain_member(const char *text, size_t size, const char *name,
                                   size_t *value_bytes);

/* A plain text to look into, NULL when it is no JSON. DynamoDB's integers have 38 digits, a tree's
 * 64 bits: where one is longer, all numbers of this tree are floating-point. */
json_t *attribute_load_plain(const char *text, size_t size);

/* Append `text` as a JSON string with its quotes; what is no UTF-8 becomes "". */
void attribute_put_string(struct buf *out, const char *text);

#endif
