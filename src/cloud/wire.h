#ifndef CLOUD_WIRE_H
#define CLOUD_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "cloud/exchange.h"

#include <jansson.h>

/* The protocols of AWS's older services (SQS, SNS, CloudWatch) behind one form: a request's
 * operation and its parameters as JSON, an answer as JSON. A request is AWS JSON 1.0
 * (X-Amz-Target), smithy-rpc-v2-cbor (by path; CloudWatch), or a form of the query protocol, which
 * is answered in XML. In a form every scalar is a text, so operations take numbers and truths in
 * both ways. */
enum wire_protocol { WIRE_JSON, WIRE_QUERY, WIRE_CBOR };

/* How forms and XML write a member that JSON has as a list or a map. Without a row in the service's
 * table a list is Name.member.N and <Name><member>. */
enum wire_kind {
    WIRE_LIST,       /* flattened: Name.N; <Name>..</Name><Name>..</Name> */
    WIRE_NAME_VALUE, /* a map: Name.N.Name, Name.N.Value;
                        <Name><Name>k</Name><Value>v</Value></Name> */
    WIRE_KEY_VALUE,  /* the same with Key and Value */
    WIRE_ENTRY, /* a map: Name.entry.N.key; <Name><entry><key>k</key><value>v</value></entry> */
};

struct wire_name {
    const char *member;  /* in JSON: "Attributes" */
    const char *element; /* in forms and XML: "Attribute" */
    enum wire_kind kind;
    const char *operation; /* only there; NULL: everywhere */
};

/* An error by its code in the query protocol. */
struct wire_error {
    const char *code;  /* "AWS.SimpleQueueService.NonExistentQueue" */
    const char *shape; /* its name in JSON and CBOR: "QueueDoesNotExist" */
    int status;
};

struct wire_service {
    const char *target;       /* X-Amz-Target without the operation: "AmazonSQS" */
    const char *name_space;   /* of the XML */
    const char *shape_prefix; /* of __type: "com.amazonaws.sqs#" */
    int has_times;            /* members that end in "Timestamp(s)" are seconds since 1970 */
    int has_detail;           /* errors in XML have an empty <Detail/>, as SQS's do */
    const struct wire_name *names;
    size_t name_count;
    const struct wire_error *errors;
    size_t error_count;
};

struct wire {
    const struct wire_service *service;
    enum wire_protocol protocol;
    const char *operation; /* in the exchange's arena */
    json_t *body;          /* an object; json_decref() it */
};

enum {
    WIRE_MAX_BODY_BYTES = 8 * 1024 * 1024, /* after gzip */
    WIRE_MAX_LIST = 10000,
    WIRE_MAX_DEPTH = 16,
    WIRE_MAX_ANSWER_BYTES = 64 * 1024 * 1024,
};

/* The protocol is told even when the rest fails, so that the failure can be answered in it. */
int wire_read(struct exchange *x, const struct wire_service *service, struct wire *wire,
              struct err *err) MUST_USE;
/* 1: `word` is one of `words`, which spaces part. */
int wire_has_word(const char *words, const char *word);
/* The first parameter that is not among the names in `known`, which spaces part; NULL: none. */
const char *wire_unknown(const struct wire *wire, const char *known);
void wire_answer(struct exchange *x, const struct wire *wire, const json_t *answer);
/* `code` is the query protocol's ("InvalidParameterValue"); one without a row is a 400 of that
 * name. */
void wire_fail(struct exchange *x, const struct wire *wire, const char *code, const char *message);

/* The row of an operation in a service's table, whose rows begin with their names; NULL: none. */
#define WIRE_FIND(rows, name) wire_find(rows, sizeof(rows) / sizeof *(rows), sizeof *(rows), name)
const void *wire_find(const void *rows, size_t count, size_t row_bytes, const char *name);

/* A whole number, given as such or as text. 1: it is in `out`; 0: absent; -1: it is none. */
int wire_integer(const json_t *from, const char *name, int64_t *out);
/* A truth, given as such or as text; `otherwise` when absent or none. */
int wire_truth(const json_t *from, const char *name, int otherwise);

/* -- between the files of wire -- */

/* The form's parameters as JSON. NULL: a name or value is malformed. */
json_t *wire_read_form(struct exchange *x, const struct wire_service *service, const char *form,
                       struct err *err);
void wire_write_xml(struct exchange *x, const struct wire *wire, const json_t *answer,
                    struct buf *out);
int wire_is_time(const struct wire_service *service, const char *member);

#endif
