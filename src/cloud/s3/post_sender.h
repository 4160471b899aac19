#ifndef CLOUD_S3_POST_SENDER_H
#define CLOUD_S3_POST_SENDER_H

#include "cloud/s3/post_policy.h"
#include "cloud/s3/s3.h"

/* Who sends a browser's form, and may the policy that he signed have it so? Signatures of version 4
 * and 2; a form without a policy is sent by nobody. Fills the exchange's identity and `limits`. -1:
 * answered. */
int post_authenticate(struct s3_request *r, const struct post_form *form,
                      struct post_limits *limits);

#endif
