#ifndef AWS_SQS_H
#define AWS_SQS_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

/* Messages of queues and topics: what both ends compute of them.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
 *
 * Attributes are SQS's JSON: {NAME: {"DataType": "String" | "Number" | "Binary", each perhaps with
 * ".custom", and "StringValue" or, in base64, "BinaryValue"}}. */

enum {
    SQS_MAX_MESSAGE_BYTES = 1024 * 1024, /* body and attributes; of a batch the sum */
    SQS_MAX_ATTRIBUTES = 10,
    SQS_MAX_NAME_CHARACTERS = 256,
    SQS_MAX_BATCH = 10,
    SQS_MD5_BYTES = 33, /* hexadecimal, with a 0 */
};

void sqs_md5(const void *data, size_t size, char out[SQS_MD5_BYTES]);

/* In hexadecimal, as content-based deduplication ids are. */
void sqs_sha256(const void *data, size_t size, char out[65]);

/* The MD5 of all attributes, sorted by name: MD5OfMessageAttributes. -1 when a value is not
 * base64 or there is no memory. */
int sqs_attributes_md5(const json_t *attributes, char out[SQS_MD5_BYTES]) MUST_USE;

/* Right names, types and values? ERR_INVALID with SQS's message. `limit`: 0 for no limit of their
 * number. NULL attributes are fine. */
int sqs_attributes_check(const json_t *attributes, size_t limit, struct err *err) MUST_USE;

/* What they count for the size of a message: names, types, and values as bytes. */
size_t sqs_attributes_bytes(const json_t *attributes);

/* May a body hold this? UTF-8 text of XML's characters. */
int sqs_text_is_valid(const char *text, size_t size);

#endif
