#ifndef CLOUD_ECR_IMAGE_H
#define CLOUD_ECR_IMAGE_H

#include "cloud/cloud.h"
#include "cloud/ecr/ecr.h"

#include <jansson.h>

/* What other services ask of the registry: an image to run. */

enum {
    ECR_IMAGE_MAX_LAYERS = 127, /* of an image that a function may be of */
    ECR_IMAGE_MAX_CONFIG_BYTES = 1024 * 1024,
    ECR_MAX_URI = 2048,
};

/* "HOST/repository:tag" or "HOST/repository@sha256:..", taken apart. No tag is longer than a
 * digest.
 */
struct ecr_uri {
    char host[256], repository[ECR_MAX_NAME + 1], reference[ECR_DIGEST_BYTES];
};
/* ERR_INVALID for what is none. */
int ecr_read_uri(const char *text, struct ecr_uri *out, struct err *err) MUST_USE;
/* Does `host` mean this registry: `own_host`, at which its client asks, the cloud's own address, or
 * the name that AWS would give it? */
int ecr_is_own_host(const struct cloud *cloud, const char *host, const char *own_host);

struct ecr_image {
    char digest[ECR_DIGEST_BYTES];    /* of the manifest */
    json_t *config;                   /* https://github.com/opencontainers/image-spec config.md */
    int layers[ECR_IMAGE_MAX_LAYERS]; /* files, the lowest first */
    size_t layer_count;
};
/* ERR_NOT_FOUND: no such repository or image. ERR_UNSUPPORTED: an index, or a layer or config of an
 * unknown type. ERR_TOO_BIG. */
int ecr_image_open(struct ecr *ecr, const char *repository, const char *reference,
                   struct ecr_image *out, struct err *err) MUST_USE;
void ecr_image_close(struct ecr_image *image); /* also after a failure */

#endif
