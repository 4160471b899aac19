#ifndef CLOUD_APIGATEWAY_PATCH_H
#define CLOUD_APIGATEWAY_PATCH_H

#include "base/err.h"

#include <jansson.h>

/* API Gateway's PATCH: {"patchOperations": [{"op": "replace", "path": "/throttle/rateLimit",
 * "value": "10"}]}. Values come as texts and take the type of what they replace. */

enum { PATCH_MAX_OPERATIONS = 50, PATCH_MAX_DEPTH = 4 };

/* Change `object`. `allowed` lists the first parts of the paths that may be changed and ends with
 * NULL. After a failure the object may be changed in part: throw it away. */
int patch_apply(json_t *object, const json_t *request, const char *const *allowed,
                struct err *err) MUST_USE;

#endif
