#ifndef CLOUD_CLOUDWATCH_WIRE_H
#define CLOUD_CLOUDWATCH_WIRE_H

#include "base/err.h"
#include "cloud/exchange.h"

#include <jansson.h>

/* CloudWatch's three protocols behind one form: a request's operation and its parameters as JSON,
 * an answer as JSON. In requests of the query protocol every scalar is a string, so the operations
 * take numbers and times in both forms. */
enum wire_protocol { WIRE_JSON, WIRE_QUERY, WIRE_CBOR };

struct wire {
    enum wire_protocol protocol;
    const char *operation; /* in the exchange's arena */
    json_t *body;          /* an object; json_decref() it */
};

enum { WIRE_MAX_BODY_BYTES = 8 * 1024 * 1024, WIRE_MAX_LIST = 10000 };

/* The protocol is told even when the rest fails, so that the failure can be answered in it. */
int wire_read(struct exchange *x, struct wire *wire, struct err *err) MUST_USE;
void wire_answer(struct exchange *x, const struct wire *wire, const json_t *answer);
/* `code` is the query protocol's ("InvalidParameterValue"). */
void wire_fail(struct exchange *x, const struct wire *wire, int status, const char *code,
               const char *message);

#endif
