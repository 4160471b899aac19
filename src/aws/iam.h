#ifndef AWS_IAM_H
#define AWS_IAM_H

#include "aws/client.h"

#include <stddef.h>

/* The role that a function runs as. https://docs.aws.amazon.com/IAM/latest/APIReference/ */

enum { IAM_ARN_BYTES = 256 };

/* Find or make a role that Lambda may take, and put the inline policy on it. 1: made, 0: it was
 * there, -1. */
int aws_iam_put_function_role(struct aws_client *client, const char *name, const char *policy_json,
                              char arn[IAM_ARN_BYTES], struct err *err) MUST_USE;

#endif
