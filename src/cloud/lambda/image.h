#ifndef CLOUD_LAMBDA_IMAGE_H
#define CLOUD_LAMBDA_IMAGE_H

#include "cloud/lambda/service.h"

/* Functions of PackageType Image: ImageUri names an image of the cloud's own registry. Its layers
 * are unpacked once, however many functions and versions are of it; the record has
 * "Image": {"Uri", "Resolved" (by digest), "Digest", "Config": the image's own
 * {Entrypoint, Cmd, Env, WorkingDir}}. */

/* The code of the image that `code`, the "Code" of CreateFunction or the whole UpdateFunctionCode
 * request, names; notes it in the record. NULL: the error is answered. */
struct code *image_take(struct lambda *lambda, struct exchange *x, const json_t *code,
                        json_t *record);
/* The "Code" that GetFunction shows. */
json_t *image_show(const struct function *function);

#endif
