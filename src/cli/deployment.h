#ifndef CLI_DEPLOYMENT_H
#define CLI_DEPLOYMENT_H

#include "aws/apigateway.h"
#include "aws/client.h"
#include "aws/ecr.h"
#include "aws/iam.h"
#include "base/buf.h"
#include "cli/oci.h"

#include <jansson.h>

/* The steps of `ken deploy`: each finds or makes one thing, says what it did, and may be repeated.
 */

struct deployment_wish {
    const char *frames_bucket, *videos_bucket, *table, *function, *api, *resource, *stage;
    const char *repository; /* of the image */
    const char *role;       /* an ARN; NULL: find or make it, where the endpoint is AWS's */
    const char *architecture;
    int memory_mb, timeout_s, wait_ms;
    enum apigateway_auth auth;
    int keeps_auth; /* where the API is there: as it is */
    const char *gallery_key;
};

struct deployment_work {
    struct aws_client *client;
    const struct deployment_wish *wish;
    const struct buf *zip;         /* the function's code, unless there is an image */
    const struct oci_image *image; /* NULL: the zip */
    void (*report)(void *context, const char *what, const char *name, const char *result);
    void *context;
    /* found out on the way */
    enum apigateway_auth auth;
    char role[IAM_ARN_BYTES], function_arn[256];
    char image_uri[ECR_URI_BYTES + LAYER_DIGEST_BYTES]; /* by digest */
    char api_id[APIGATEWAY_ID_BYTES], resource_id[APIGATEWAY_ID_BYTES];
    char api_url[APIGATEWAY_URL_BYTES], api_key[APIGATEWAY_KEY_BYTES];
};

int deployment_run(struct deployment_work *work, struct err *err) MUST_USE;

/* New code for a function that is there. */
int deployment_run_code_only(struct deployment_work *work, struct err *err) MUST_USE;

/* What the device and other tools read: {"region": .., "api_url": .., ...}. A new reference. */
json_t *deployment_json(const struct deployment_work *work);

#endif
