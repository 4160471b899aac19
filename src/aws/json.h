#ifndef AWS_JSON_H
#define AWS_JSON_H

#include "aws/client.h"

#include <jansson.h>

/* Requests and answers in JSON. Each returns a new reference (an empty object for an empty answer),
 * or NULL with `err`. */

/* Sends `request` with `body` (a reference it takes; NULL for none) as its JSON body. */
json_t *aws_json_send(struct aws_client *client, const struct aws_request *request, json_t *body,
                      struct err *err);

/* POST / with X-Amz-Target `prefix`.`operation` and JSON text as its body: DynamoDB, CloudWatch
 * (JSON 1.0), ECR (1.1). */
json_t *aws_json_target(struct aws_client *client, enum aws_service service, const char *prefix,
                        const char *operation, const char *body, struct err *err);

/* The member's text, "" when it is absent or no text. */
const char *aws_json_text(const json_t *object, const char *name);

#endif
