#ifndef CLOUD_APIGATEWAY_METHOD_SETTINGS_H
#define CLOUD_APIGATEWAY_METHOD_SETTINGS_H

#include "base/err.h"

#include <jansson.h>

/* A stage's settings of methods: {"pets/GET": {..}} (of all methods: a star for each part) by
 * resource path and method, changed by the paths of UpdateStage that end in "throttling/rateLimit"
 * and the like. */

/* Applies those of the patch operations that are of this kind to `stage`, and gives the others as
 * a request of their own (NULL: failed, ERR_INVALID or ERR_UNSUPPORTED). */
json_t *method_settings_patch(json_t *stage, const json_t *request, struct err *err);

/* How fast a method may be called: rate 0 where nothing is set. */
struct method_rate {
    double rate, burst;
};
struct method_rate method_settings_rate(const json_t *stage, const char *path, const char *method);

#endif
