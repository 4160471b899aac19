#ifndef CLOUD_S3_POLICY_PUBLIC_H
#define CLOUD_S3_POLICY_PUBLIC_H

#include <jansson.h>

/* Is a bucket's policy, which was found to be well formed, public as AWS means it: does it allow
 * something to anybody, with no condition on one of the few keys that say who or whence, whose
 * values are fixed?
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html */
int policy_is_public(const json_t *policy);

#endif
