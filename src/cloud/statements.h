#ifndef CLOUD_STATEMENTS_H
#define CLOUD_STATEMENTS_H

#include <jansson.h>

/* The statements that AddPermission puts into a resource's policy and RemovePermission takes out,
 * for SQS and SNS alike. */
struct statement {
    const char *label;                /* its Sid */
    const char *service;              /* "SQS" */
    const json_t *accounts, *actions; /* lists of texts, none empty */
    const char *resource;             /* an ARN */
};

/* The policy of `text`, its Statement a list; where there is none an empty one, with that Id unless
 * `id` is NULL. */
json_t *statements_load(const char *text, const char *id);
/* 0: done. -1: the policy has a statement of that label; it has none of it. */
int statements_add(json_t *policy, const struct statement *statement);
int statements_remove(json_t *policy, const char *label);

#endif
