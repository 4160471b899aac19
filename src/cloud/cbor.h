#ifndef CLOUD_CBOR_H
#define CLOUD_CBOR_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

/* The part of CBOR (RFC 8949) that AWS's smithy-rpc-v2-cbor uses, to and from jansson's values:
 * integers of 64 bits, floats, text, lists, maps with text keys, true, false, null; tags are read
 * over. Lengths may be indefinite. Byte strings and integers past 63 bits are refused. */
enum { CBOR_MAX_DEPTH = 32, CBOR_MAX_VALUES = 500000 };

/* NULL with ERR_INVALID when the bytes are not one such value. */
json_t *cbor_read(const void *data, size_t size, struct err *err);

/* Members whose names end in Timestamp, and the elements of those in Timestamps, are written as
 * times (tag 1); json_real() always as a float of 64 bits. */
void cbor_write(struct buf *out, const json_t *json);

#endif
