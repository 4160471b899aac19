#ifndef CLOUD_S3_POST_POLICY_H
#define CLOUD_S3_POST_POLICY_H

#include "cloud/s3/post_form.h"

#include <stdint.h>

/* The policy of a browser's form: what its fields may be.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html */

struct post_limits {
    int64_t min_bytes, max_bytes; /* of the file; max -1: no limit */
};

/* What the policy is held against. */
struct post_request {
    const struct post_form *form;
    const char *bucket;
    int64_t now_ms;
};

/* `policy` is the JSON text. ERR_INVALID: it is none; ERR_DENIED: the form is against it. Both with
 * AWS's words. */
int post_policy_check(const char *policy, size_t size, const struct post_request *request,
                      struct post_limits *limits, struct err *err);

#endif
