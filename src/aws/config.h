#ifndef AWS_CONFIG_H
#define AWS_CONFIG_H

#include "base/err.h"

#include <stddef.h>

/* Who calls, and where the services are: read from the variables and files that every AWS tool
 * reads. The files' profile is AWS_PROFILE, else "default" (aws/profile.h).
 *
 *   credentials  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; otherwise the
 *                profile's
 *   region       AWS_REGION, AWS_DEFAULT_REGION, the profile's, otherwise us-east-1
 *   own key      KEN_S3_ACCESS_KEY_ID with KEN_S3_SECRET_ACCESS_KEY, and KEN_DYNAMODB_...: of an
 *                engine that stands beside and does not know the others'
 *   endpoint     AWS_ENDPOINT_URL_S3, _DYNAMODB, _LAMBDA, _API_GATEWAY, _IAM, _STS, _CLOUDWATCH,
 *                _SNS, _SQS, _ECR;
 *                AWS_ENDPOINT_URL; the profile's; otherwise AWS's own host of the region */

enum aws_service {
    AWS_S3,
    AWS_DYNAMODB,
    AWS_LAMBDA,
    AWS_API_GATEWAY,
    AWS_EXECUTE_API, /* has no endpoint of its own: requests name it */
    AWS_IAM,
    AWS_STS,
    AWS_CLOUDWATCH,
    AWS_SNS,
    AWS_SQS,
    AWS_ECR,
    AWS_SERVICES,
};

struct aws_key {
    char access_key_id[160], secret_access_key[192];
};

struct aws_config {
    char region[64];
    char access_key_id[160], secret_access_key[192];
    char session_token[4096];              /* "" for none */
    char endpoints[AWS_SERVICES][256];     /* "http://host:port"; "" for AWS's own */
    struct aws_key own_keys[AWS_SERVICES]; /* "" where the common key serves */
};

/* The names of the variables of one service; NULL where it has none. */
struct aws_service_variables {
    const char *endpoint, *access_key_id, *secret_access_key;
};
struct aws_service_variables aws_config_variables(enum aws_service service);

/* ERR_NOT_FOUND when there are no credentials anywhere. */
int aws_config_load(struct aws_config *config, struct err *err) MUST_USE;

/* "s3", "dynamodb", ...: the name in a signature's scope. */
const char *aws_service_name(enum aws_service service);
/* The region that signatures for the service name: IAM's is always us-east-1. */
const char *aws_service_region(const struct aws_config *config, enum aws_service service);
/* "https://s3.eu-west-1.amazonaws.com", without a slash at the end. */
int aws_config_endpoint(const struct aws_config *config, enum aws_service service, char *out,
                        size_t out_bytes, struct err *err) MUST_USE;

/* Is the service somewhere else than on AWS itself? */
int aws_config_is_custom(const struct aws_config *config, enum aws_service service);

#endif
