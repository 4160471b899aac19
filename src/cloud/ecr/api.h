#ifndef CLOUD_ECR_API_H
#define CLOUD_ECR_API_H

#include "cloud/ecr/ecr.h"
#include "cloud/wire.h"

/* ECR's own protocol, between its files: one operation a request, JSON in and out. */

struct api_call {
    struct ecr *ecr;
    struct exchange *x;
    struct wire wire;
    const char *repository; /* of repositoryName; NULL: the operation has none */
    json_t *answer;
    const char *code; /* of the error when the operation fails; NULL: by err */
    struct err err;
};

#define NO_REPOSITORY "RepositoryNotFoundException"
#define NO_IMAGE "ImageNotFoundException"
#define INVALID "InvalidParameterException"

/* -- api.c -- */

/* Ends the operation with an error; returns -1. */
int api_fail(struct api_call *call, const char *code, const char *format, ...) PRINTF(3, 4);
/* The same for a failure from below that says that the repository is not there. */
int api_no_repository(struct api_call *call);
const char *api_text(const struct api_call *call, const char *name);  /* a parameter, or NULL */
void api_set(struct api_call *call, const char *name, json_t *value); /* of the answer; takes it */
json_t *api_seconds(int64_t unix_ms);
const char *api_account(const struct api_call *call);
/* The address that clients push to: the one they asked at. */
const char *api_host(const struct api_call *call);
/* maxResults, 100 when absent. */
int api_page_size(struct api_call *call, size_t *out);

/* -- the operations: repositories.c, images.c -- */
typedef int api_operation(struct api_call *call);
api_operation on_batch_delete_image, on_batch_get_image, on_check_layers, on_create_repository,
    on_delete_lifecycle, on_delete_policy, on_delete_repository, on_describe_images,
    on_describe_repositories, on_get_lifecycle, on_get_policy, on_list_images, on_list_tags,
    on_put_image, on_put_lifecycle, on_put_mutability, on_put_policy, on_tag_resource,
    on_untag_resource;

#endif
