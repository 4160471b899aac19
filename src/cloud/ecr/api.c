#include "cloud/ecr/api.h"
#include "base/log.h"
#include "cloud/identity.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* ECR's own protocol: JSON, one operation a request.
 * https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_Operations.html */

int api_fail(struct api_call *call, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_set_args(&call->err, ERR_INVALID, format, args);
    va_end(args);
    call->code = code;
    return -1;
}

int api_no_repository(struct api_call *call)
{
    if (call->err.code != ERR_NOT_FOUND)
        return -1;
    return api_fail(call, NO_REPOSITORY,
                    "The repository with name '%s' does not exist in the registry with id '%s'",
                    call->repository, call->ecr->cloud->account_id);
}

const char *api_text(const struct api_call *call, const char *name)
{
    return json_string_value(json_object_get(call->wire.body, name));
}

void api_set(struct api_call *call, const char *name, json_t *value)
{
    json_object_set_new(call->answer, name, value);
}

json_t *api_seconds(int64_t unix_ms)
{
    return json_real((double)unix_ms / 1000);
}

const char *api_account(const struct api_call *call)
{
    return call->ecr->cloud->account_id;
}

/* The address that clients push to: the one they asked at. */
const char *api_host(const struct api_call *call)
{
    const char *given = exchange_header(call->x, "Host");
    return given ? given : strstr(call->ecr->cloud->endpoint, "://") + 3;
}

int api_page_size(struct api_call *call, size_t *out)
{
    int64_t most = 100;
    int given = wire_integer(call->wire.body, "maxResults", &most);
    if (given < 0 || most < 1 || most > ECR_MAX_LIST)
        return api_fail(call, INVALID,
                        "Invalid parameter at 'maxResults': must be between 1 and %d",
                        ECR_MAX_LIST);
    *out = (size_t)most;
    return 0;
}

/* -- the door to /v2/ -- */

static int get_token(struct api_call *call)
{
    struct identity_credentials keys;
    char plain[2 * IDENTITY_TOKEN_BYTES + 8];
    unsigned char token[sizeof plain * 2];
    const struct identity_order order = {.arn = call->x->identity.arn,
                                         .role_arn = call->x->identity.role_arn,
                                         .of = call->x->identity.access_key_id,
                                         .lifetime_ms = ECR_TOKEN_S * 1000ll};
    if (identity_issue_as(call->ecr->cloud->identities, &order, &keys, &call->err) < 0)
        return -1;
    int size = snprintf(plain, sizeof plain, "AWS:%s.%s", keys.access_key_id, keys.session_token);
    EVP_EncodeBlock(token, (const unsigned char *)plain, size);
    api_set(
        call, "authorizationData",
        json_pack("[{s:s, s:o, s:o}]", "authorizationToken", (const char *)token, "expiresAt",
                  api_seconds(call->x->received_unix_ms + ECR_TOKEN_S * 1000ll), "proxyEndpoint",
                  json_sprintf("%s://%s", call->x->is_secure ? "https" : "http", api_host(call))));
    OPENSSL_cleanse(plain, sizeof plain);
    return 0;
}

static int describe_registry(struct api_call *call)
{
    api_set(call, "registryId", json_string(api_account(call)));
    api_set(call, "replicationConfiguration", json_pack("{s:[]}", "rules"));
    return 0;
}

/* -- dispatch -- */

static const struct operation {
    const char *name, *parameters; /* a registryId is taken everywhere */
    int (*run)(struct api_call *call);
} operations[] = {
    {"BatchCheckLayerAvailability", "registryId repositoryName layerDigests", on_check_layers},
    {"BatchDeleteImage", "registryId repositoryName imageIds", on_batch_delete_image},
    {"BatchGetImage", "registryId repositoryName imageIds acceptedMediaTypes", on_batch_get_image},
    {"CreateRepository",
     "registryId repositoryName tags imageTagMutability imageScanningConfiguration "
     "encryptionConfiguration",
     on_create_repository},
    {"DeleteLifecyclePolicy", "registryId repositoryName", on_delete_lifecycle},
    {"DeleteRepository", "registryId repositoryName force", on_delete_repository},
    {"DeleteRepositoryPolicy", "registryId repositoryName", on_delete_policy},
    {"DescribeImages", "registryId repositoryName imageIds nextToken maxResults filter",
     on_describe_images},
    {"DescribeRegistry", "", describe_registry},
    {"DescribeRepositories", "registryId repositoryNames nextToken maxResults",
     on_describe_repositories},
    {"GetAuthorizationToken", "registryIds", get_token},
    {"GetLifecyclePolicy", "registryId repositoryName", on_get_lifecycle},
    {"GetRepositoryPolicy", "registryId repositoryName", on_get_policy},
    {"ListImages", "registryId repositoryName nextToken maxResults filter", on_list_images},
    {"ListTagsForResource", "resourceArn", on_list_tags},
    {"PutImage",
     "registryId repositoryName imageManifest imageManifestMediaType imageTag imageDigest",
     on_put_image},
    {"PutImageTagMutability", "registryId repositoryName imageTagMutability", on_put_mutability},
    {"PutLifecyclePolicy", "registryId repositoryName lifecyclePolicyText", on_put_lifecycle},
    {"SetRepositoryPolicy", "registryId repositoryName policyText force", on_put_policy},
    {"TagResource", "resourceArn tags", on_tag_resource},
    {"UntagResource", "resourceArn tagKeys", on_untag_resource},
};

static const struct wire_service wire_service = {
    .target = "AmazonEC2ContainerRegistry_V20150921",
    .shape_prefix = "com.amazonaws.ecr#",
};

/* Another account's registry. */
static int is_of_others(const struct api_call *call)
{
    const char *id = api_text(call, "registryId");
    return id && strcmp(id, api_account(call)) != 0;
}

static int run(struct api_call *call, const struct operation *operation)
{
    const char *unknown = wire_unknown(&call->wire, operation->parameters);
    int has_name = strstr(operation->parameters, "repositoryName ") ||
                   strcmp(operation->parameters, "registryId repositoryName") == 0;
    const char *action = arena_printf(&call->x->arena, "ecr:%s", operation->name);
    call->repository = has_name ? api_text(call, "repositoryName") : NULL;
    if (unknown)
        return api_fail(call, INVALID, "%s has no parameter %s", operation->name, unknown);
    if (has_name && (!call->repository || !ecr_is_name(call->repository)))
        return api_fail(call, INVALID,
                        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must "
                        "satisfy regular expression "
                        "'(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''");
    if (is_of_others(call))
        return call->repository
                   ? api_fail(call, NO_REPOSITORY,
                              "The repository with name '%s' does not exist in the registry with "
                              "id '%s'",
                              call->repository, api_text(call, "registryId"))
                   : api_fail(call, INVALID, "The registry with id '%.32s' does not exist",
                              api_text(call, "registryId"));
    if (!action || ecr_authorize(call->ecr, call->x, action, call->repository) < 0)
        return 1;
    return operation->run(call);
}

static void answer_failure(struct api_call *call)
{
    if (!call->code)
        log_line(LOG_ERROR, "ecr: %s", call->err.message);
    wire_fail(call->x, &call->wire, call->code ? call->code : "ServerException",
              call->code ? call->err.message : "We encountered an internal error.");
}

void ecr_handle_api(struct ecr *ecr, struct exchange *x)
{
    struct api_call call = {.ecr = ecr, .x = x, .answer = json_object()};
    if (wire_read(x, &wire_service, &call.wire, &call.err) < 0) {
        wire_fail(x, &call.wire, "SerializationException", call.err.message);
        json_decref(call.answer);
        return;
    }
    const struct operation *operation = WIRE_FIND(operations, call.wire.operation);
    int result = operation ? run(&call, operation)
                           : api_fail(&call, "UnknownOperationException",
                                      "ken cloud has no ECR operation %.64s", call.wire.operation);
    if (result == 0)
        wire_answer(x, &call.wire, call.answer);
    else if (result < 0)
        answer_failure(&call);
    json_decref(call.answer);
    json_decref(call.wire.body);
}
