#include "aws/config.h"

#include "aws/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct service {
    const char *name, *variable; /* scope's name, AWS_ENDPOINT_URL_... */
    int global;                  /* one host for all regions */
    const char *host;            /* where AWS's own is called otherwise; NULL: as the name */
    const char *own_id, *own_secret;
};

static const struct service services[AWS_SERVICES] = {
    [AWS_S3] = {"s3", "AWS_ENDPOINT_URL_S3", 0, NULL, "KEN_S3_ACCESS_KEY_ID",
                "KEN_S3_SECRET_ACCESS_KEY"},
    [AWS_DYNAMODB] = {"dynamodb", "AWS_ENDPOINT_URL_DYNAMODB", 0, NULL,
                      "KEN_DYNAMODB_ACCESS_KEY_ID", "KEN_DYNAMODB_SECRET_ACCESS_KEY"},
    [AWS_LAMBDA] = {"lambda", "AWS_ENDPOINT_URL_LAMBDA", 0},
    [AWS_API_GATEWAY] = {"apigateway", "AWS_ENDPOINT_URL_API_GATEWAY", 0},
    [AWS_EXECUTE_API] = {"execute-api", NULL, 0},
    [AWS_IAM] = {"iam", "AWS_ENDPOINT_URL_IAM", 1},
    [AWS_STS] = {"sts", "AWS_ENDPOINT_URL_STS", 0},
    [AWS_CLOUDWATCH] = {"monitoring", "AWS_ENDPOINT_URL_CLOUDWATCH", 0},
    [AWS_SNS] = {"sns", "AWS_ENDPOINT_URL_SNS", 0},
    [AWS_SQS] = {"sqs", "AWS_ENDPOINT_URL_SQS", 0},
    [AWS_ECR] = {"ecr", "AWS_ENDPOINT_URL_ECR", 0, "api.ecr"},
};

/* A variable's value; an empty one counts as absent. */
static const char *variable(const char *name)
{
    const char *value = name ? getenv(name) : NULL;
    return value && *value ? value : NULL;
}

static int copy(char *out, size_t out_bytes, const char *value, const char *what, struct err *err)
{
    size_t length = value ? strlen(value) : 0;
    if (length >= out_bytes)
        return err_set(err, ERR_TOO_BIG, "read %s: it is too long", what);
    memcpy(out, value ? value : "", length);
    out[length] = 0;
    return 0;
}

static int load_endpoints(struct aws_config *config, const char *otherwise, struct err *err)
{
    const char *all = variable("AWS_ENDPOINT_URL");
    if (!all)
        all = otherwise;
    for (int i = 0; i < AWS_SERVICES; i++) {
        const char *own = variable(services[i].variable);
        char *out = config->endpoints[i];
        if (copy(out, sizeof config->endpoints[i], own ? own : all, "AWS_ENDPOINT_URL", err) < 0)
            return -1;
        for (size_t length = strlen(out); length > 0 && out[length - 1] == '/';)
            out[--length] = 0;
    }
    return 0;
}

static int load_own_key(struct aws_config *config, enum aws_service service, struct err *err)
{
    const struct service *s = &services[service];
    const char *id = variable(s->own_id), *secret = variable(s->own_secret);
    struct aws_key *key = &config->own_keys[service];
    if (!id != !secret)
        return err_set(err, ERR_INVALID, "read %s: it needs %s beside it",
                       id ? s->own_id : s->own_secret, id ? s->own_secret : s->own_id);
    if (copy(key->access_key_id, sizeof key->access_key_id, id, s->own_id, err) < 0)
        return -1;
    return copy(key->secret_access_key, sizeof key->secret_access_key, secret, s->own_secret, err);
}

static int load_own_keys(struct aws_config *config, struct err *err)
{
    for (int i = 0; i < AWS_SERVICES; i++)
        if (load_own_key(config, (enum aws_service)i, err) < 0)
            return -1;
    return 0;
}

static int load_from_variables(struct aws_config *config, struct err *err)
{
    return copy(config->access_key_id, sizeof config->access_key_id, variable("AWS_ACCESS_KEY_ID"),
                "AWS_ACCESS_KEY_ID", err) < 0 ||
                   copy(config->secret_access_key, sizeof config->secret_access_key,
                        variable("AWS_SECRET_ACCESS_KEY"), "AWS_SECRET_ACCESS_KEY", err) < 0 ||
                   copy(config->session_token, sizeof config->session_token,
                        variable("AWS_SESSION_TOKEN"), "AWS_SESSION_TOKEN", err) < 0
               ? -1
               : 0;
}

static int load_from_profile(struct aws_config *config, const struct aws_profile *profile,
                             struct err *err)
{
    snprintf(config->access_key_id, sizeof config->access_key_id, "%s", profile->access_key_id);
    snprintf(config->secret_access_key, sizeof config->secret_access_key, "%s",
             profile->secret_access_key);
    snprintf(config->session_token, sizeof config->session_token, "%s", profile->session_token);
    if (*config->access_key_id && *config->secret_access_key)
        return 0;
    if (profile->found)
        return err_set(err, ERR_NOT_FOUND,
                       "find credentials: profile %.60s holds no keys (for SSO and roles: eval "
                       "\"$(aws configure export-credentials --format env)\")",
                       profile->name);
    if (strcmp(profile->name, "default") != 0)
        return err_set(err, ERR_NOT_FOUND,
                       "find credentials: there is no profile %.60s (AWS_PROFILE) in "
                       "AWS_SHARED_CREDENTIALS_FILE or ~/.aws",
                       profile->name);
    return err_set(err, ERR_NOT_FOUND,
                   "find credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                   "AWS_SHARED_CREDENTIALS_FILE (of ken cloud: eval \"$(ken cloud env --data "
                   "DIR)\")");
}

static int load(struct aws_config *config, const struct aws_profile *profile, struct err *err)
{
    const char *region = variable("AWS_REGION");
    if (!region)
        region = variable("AWS_DEFAULT_REGION");
    if (!region)
        region = *profile->region ? profile->region : "us-east-1";
    if (copy(config->region, sizeof config->region, region, "AWS_REGION", err) < 0 ||
        load_endpoints(config, profile->endpoint_url, err) < 0 || load_own_keys(config, err) < 0)
        return -1;
    return variable("AWS_ACCESS_KEY_ID") && variable("AWS_SECRET_ACCESS_KEY")
               ? load_from_variables(config, err)
               : load_from_profile(config, profile, err);
}

int aws_config_load(struct aws_config *config, struct err *err)
{
    struct aws_profile profile;
    *config = (struct aws_config){0};
    int done = aws_profile_load(&profile, err) < 0 ? -1 : load(config, &profile, err);
    explicit_bzero(&profile, sizeof profile);
    return done;
}

struct aws_service_variables aws_config_variables(enum aws_service service)
{
    const struct service *s = &services[service];
    return (struct aws_service_variables){s->variable, s->own_id, s->own_secret};
}

const char *aws_service_name(enum aws_service service)
{
    return services[service].name;
}

const char *aws_service_region(const struct aws_config *config, enum aws_service service)
{
    return services[service].global ? "us-east-1" : config->region;
}

int aws_config_is_custom(const struct aws_config *config, enum aws_service service)
{
    return config->endpoints[service][0] != 0;
}

int aws_config_endpoint(const struct aws_config *config, enum aws_service service, char *out,
                        size_t out_bytes, struct err *err)
{
    const struct service *s = &services[service];
    int length;
    if (aws_config_is_custom(config, service))
        length = snprintf(out, out_bytes, "%s", config->endpoints[service]);
    else if (s->global)
        length = snprintf(out, out_bytes, "https://%s.amazonaws.com", s->name);
    else
        length =
            snprintf(out, out_bytes, "https://%s.%s.amazonaws.com%s", s->host ? s->host : s->name,
                     config->region, strncmp(config->region, "cn-", 3) == 0 ? ".cn" : "");
    if (length < 0 || (size_t)length >= out_bytes)
        return err_set(err, ERR_TOO_BIG, "find endpoint of %s: its URL is too long", s->name);
    return 0;
}
