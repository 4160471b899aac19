#ifndef CLOUD_LAMBDA_LAUNCH_H
#define CLOUD_LAMBDA_LAUNCH_H

#include "cloud/lambda/function.h"

/* How a function of an image is started: what the image's config says, but for what the function's
 * ImageConfig says instead. */

/* ENTRYPOINT and CMD, ended by NULL; the list is malloc()ed, its texts are the function's. NULL
 * without memory. */
const char **launch_arguments(const struct function *function);
const char *launch_folder(const struct function *function);        /* WORKDIR, else "/" */
const json_t *launch_environment(const struct function *function); /* ["NAME=value"], or NULL */

#endif
