#ifndef EDGE_DEPLOYMENT_H
#define EDGE_DEPLOYMENT_H

#include "base/err.h"

/* What `ken deploy` made, as it wrote it down: where a device sends frames and questions. Holds an
 * API key when the API asks for one: never log it. */

enum { DEPLOYMENT_TEXT_BYTES = 1024, DEPLOYMENT_MAX_FILE_BYTES = 64 * 1024 };
#define DEPLOYMENT_DEFAULT_PATH "deployment.json"

struct deployment {
    char region[64], endpoint[DEPLOYMENT_TEXT_BYTES]; /* endpoint: "" for AWS's own hosts */
    char frames_bucket[64], videos_bucket[64];
    char function[256], table[256]; /* of the records; "ken-people" unless it says otherwise */
    char api_url[DEPLOYMENT_TEXT_BYTES];
    char auth[8]; /* "iam", "key" or "none" */
    char api_key[256];
};

int deployment_read(struct deployment *deployment, const char *path, struct err *err) MUST_USE;

#endif
