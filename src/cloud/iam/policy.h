#ifndef CLOUD_IAM_POLICY_H
#define CLOUD_IAM_POLICY_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

/* Policy documents: what is one, and what does it say about a request? Pure: no clock, no files.
 * The grammar and the order of evaluation are those of AWS's "IAM JSON policy reference". */

enum {
    POLICY_MAX_TEXT_BYTES = 2048, /* of an action, a resource, a value: pattern or not */
    POLICY_MAX_DOCUMENT_BYTES = 20480,
    POLICY_MAX_DEPTH = 10,
};

enum policy_kind {
    POLICY_OF_IDENTITY, /* has Resource, no Principal */
    POLICY_OF_RESOURCE, /* has both: buckets, queues, topics, functions */
    POLICY_OF_TRUST,    /* has Principal, no Resource: who may assume a role */
};

/* Reads and checks a document. NULL with ERR_INVALID and AWS's words for what is wrong. The caller
 * gives the reference back. */
json_t *policy_parse(const char *text, enum policy_kind kind, struct err *err);

/* Is this one that IAM takes for a user, a group or a role, or (`is_managed`) as a policy by
 * itself? The finer rules of IAM in its order and words, above those of policy_parse(). */
int policy_check_identity(const char *text, int is_managed, struct err *err) MUST_USE;
/* As quotas count it: white space is free. */
size_t policy_size(const char *text);
/* Not too long nor too deep to be read. */
int policy_is_shallow(const char *text);

/* What is asked. Every text is borrowed. */
struct policy_request {
    const char *action;        /* "s3:GetObject" */
    const char *resource;      /* an ARN, or "*" */
    const char *principal_arn; /* of the signer; NULL: nobody */
    const char *role_arn;      /* of a session: its role; NULL: no session */
    const char *service;       /* "lambda.amazonaws.com" when a service asks; else NULL */
    const char *account_id;    /* 12 digits */
    /* The value of a condition key ("aws:SourceIp"), NULL when the request has none; `index`
     * counts through the values of keys that have several. Names come as the policy writes them
     * and match without case. */
    const char *(*value)(void *context, const char *key, size_t index);
    void *context;
    int fills_variables; /* policy_evaluate()'s: documents of 2012-10-17 have ${variables} */
};

enum policy_effect { POLICY_SILENT, POLICY_ALLOWS, POLICY_DENIES };

/* What one document says. A denial wins over any allowance in it. `kind` as it was parsed. */
enum policy_effect policy_evaluate(const json_t *document, enum policy_kind kind,
                                   const struct policy_request *request);

/* Parts, each for itself. */

/* Does `text` match `pattern`, where '*' stands for any letters and '?' for one? */
int policy_matches(const char *pattern, const char *text, int ignore_case);
/* `pattern` with its ${variables} filled in, where `request` says so (NULL: not); wildcards inside
 * values stand for themselves. */
int policy_matches_filled(const char *pattern, const char *text, int ignore_case,
                          const struct policy_request *request);
/* The same without wildcards: '*' and '?' are letters. */
int policy_equals_filled(const char *pattern, const char *text, int ignore_case,
                         const struct policy_request *request);
/* Is the operator of a condition ("StringLike", "ForAnyValue:StringEqualsIfExists") known? */
int policy_condition_is_known(const char *name);
/* A statement's Condition: all of its lines must hold. */
int policy_condition_holds(const json_t *condition, const struct policy_request *request);

#endif
