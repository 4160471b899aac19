#ifndef AWS_ECR_H
#define AWS_ECR_H

#include "aws/client.h"

#include <stddef.h>

/* Container images to ECR: repositories by its own protocol, images by the OCI distribution API
 * that stands beside it. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md */

enum { ECR_URI_BYTES = 512 };

struct ecr_blob {
    const char *digest; /* "sha256:..." */
    const void *data;
    size_t size;
};

struct ecr_image {
    const char *repository, *tag;
    const struct ecr_blob *blobs; /* config and layers */
    size_t blob_count;
    struct ecr_blob manifest;
    const char *manifest_type;
};

/* Find or make the repository. 1: made, 0: it was there, -1. `uri` receives "HOST/name", as
 * functions name it. */
int aws_ecr_put_repository(struct aws_client *client, const char *name, char uri[ECR_URI_BYTES],
                           struct err *err) MUST_USE;

/* 1: pushed, 0: the repository has the very image, -1. Blobs that are there are not sent again. */
int aws_ecr_put_image(struct aws_client *client, const struct ecr_image *image,
                      struct err *err) MUST_USE;

#endif
