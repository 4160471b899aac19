#include "aws/ecr.h"

#include "aws/json.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "AmazonEC2ContainerRegistry_V20150921"
enum { PATH_BYTES = 1024, TOKEN_BYTES = 8192, SEND_MS = 300 * 1000 };

/* -- repositories -- */

/* Takes `body`. */
static json_t *call(struct aws_client *client, const char *operation, json_t *body, struct err *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (!text) {
        err_set(err, ERR_INVALID, "%s: its parameters are no text", operation);
        return NULL;
    }
    json_t *answer = aws_json_target(client, AWS_ECR, PREFIX, operation, text, err);
    free(text);
    return answer;
}

/* Takes `answer`. */
static int take_uri(json_t *answer, const json_t *repository, char uri[ECR_URI_BYTES],
                    struct err *err)
{
    const char *text = aws_json_text(repository, "repositoryUri");
    int size = snprintf(uri, ECR_URI_BYTES, "%s", text);
    int done = size > 0 && size < ECR_URI_BYTES
                   ? 0
                   : err_set(err, ERR_CORRUPT, "find repository: the answer has no URI");
    json_decref(answer);
    return done;
}

int aws_ecr_put_repository(struct aws_client *client, const char *name, char uri[ECR_URI_BYTES],
                           struct err *err)
{
    json_t *answer =
        call(client, "DescribeRepositories", json_pack("{s:[s]}", "repositoryNames", name), err);
    if (answer)
        return take_uri(answer, json_array_get(json_object_get(answer, "repositories"), 0), uri,
                        err);
    if (err->code != ERR_NOT_FOUND)
        return err_wrap(err, "repository %s", name);
    answer = call(client, "CreateRepository", json_pack("{s:s}", "repositoryName", name), err);
    if (!answer)
        return err_wrap(err, "repository %s", name);
    return take_uri(answer, json_object_get(answer, "repository"), uri, err) < 0 ? -1 : 1;
}

/* -- images -- */

struct registry {
    struct aws_client *client;
    const char *name;                /* of the repository */
    char base[256];                  /* "https://host" */
    char authorization[TOKEN_BYTES]; /* "Basic ..." */
    char location[PATH_BYTES];       /* of the last answer: a path of the registry's */
};

static int log_in(struct registry *registry, struct err *err)
{
    json_t *answer = call(registry->client, "GetAuthorizationToken", json_object(), err);
    if (!answer)
        return -1;
    const json_t *data = json_array_get(json_object_get(answer, "authorizationData"), 0);
    int size =
        snprintf(registry->base, sizeof registry->base, "%s", aws_json_text(data, "proxyEndpoint"));
    int token = snprintf(registry->authorization, sizeof registry->authorization, "Basic %s",
                         aws_json_text(data, "authorizationToken"));
    int fits = size > 0 && (size_t)size < sizeof registry->base &&
               (size_t)token < sizeof registry->authorization;
    json_decref(answer);
    while (fits && registry->base[size - 1] == '/')
        registry->base[--size] = 0;
    return fits ? 0 : err_set(err, ERR_CORRUPT, "GetAuthorizationToken: no endpoint or too long");
}

struct message {
    const char *operation, *method, *path, *type;
    const void *data;
    size_t size;
};

static int send(struct registry *registry, const struct message *message, struct err *err)
{
    const struct http_header headers[] = {
        {"Authorization", registry->authorization},
        {message->data ? "Content-Type" : "Accept", message->type ? message->type : "*/*"}};
    const struct aws_request request = {.service = AWS_ECR,
                                        .operation = message->operation,
                                        .endpoint = registry->base,
                                        .method = message->method,
                                        .path = message->path,
                                        .headers = headers,
                                        .header_count = 2,
                                        .body = message->data,
                                        .body_bytes = message->size,
                                        .body_fd = -1,
                                        .timeout_ms = SEND_MS,
                                        .unsign = 1};
    return aws_client_send(registry->client, &request, aws_client_scratch(registry->client), err);
}

/* Where to go on, at this registry only: the password goes there. */
static int take_location(struct registry *registry, struct err *err)
{
    char text[PATH_BYTES];
    const char *path = text;
    size_t base = strlen(registry->base);
    if (http_response_header(aws_client_scratch(registry->client), "Location", text, sizeof text) <
        0)
        return err_set(err, ERR_CORRUPT, "push image: the answer to an upload has no Location");
    if (strncmp(text, registry->base, base) == 0)
        path += base;
    if (*path != '/' || path[1] == '/')
        return err_set(err, ERR_DENIED, "push image: the upload was sent to another host");
    snprintf(registry->location, sizeof registry->location, "%s", path);
    return 0;
}

/* 1: it is there, 0: not, -1. */
static int is_there(struct registry *registry, const char *kind, const char *digest,
                    const char *type, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "/v2/%s/%s/%s", registry->name, kind, digest);
    const struct message head = {"find image", "HEAD", path, type, NULL, 0};
    if (send(registry, &head, err) == 0)
        return 1;
    int status = aws_client_failure(registry->client)->status;
    if (status == 404)
        return 0;
    return status == 307 ? 1 : -1; /* it would be read somewhere else */
}

static int push_blob(struct registry *registry, const struct ecr_blob *blob, struct err *err)
{
    char path[PATH_BYTES];
    int there = is_there(registry, "blobs", blob->digest, NULL, err);
    if (there != 0)
        return there < 0 ? -1 : 0;
    snprintf(path, sizeof path, "/v2/%s/blobs/uploads/", registry->name);
    const struct message begin = {"begin upload", "POST", path, NULL, NULL, 0};
    if (send(registry, &begin, err) < 0 || take_location(registry, err) < 0)
        return -1;
    const struct message data = {
        "upload", "PATCH", registry->location, "application/octet-stream", blob->data, blob->size};
    if (send(registry, &data, err) < 0 || take_location(registry, err) < 0)
        return -1;
    int size = snprintf(path, sizeof path, "%s%cdigest=%s", registry->location,
                        strchr(registry->location, '?') ? '&' : '?', blob->digest);
    if (size < 0 || (size_t)size >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "push image: the upload's Location is too long");
    const struct message end = {"end upload", "PUT", path, NULL, NULL, 0};
    return send(registry, &end, err);
}

static int push(struct registry *registry, const struct ecr_image *image, struct err *err)
{
    char path[PATH_BYTES];
    int there = is_there(registry, "manifests", image->manifest.digest, image->manifest_type, err);
    if (there != 0)
        return there < 0 ? -1 : 0;
    for (size_t i = 0; i < image->blob_count; i++)
        if (push_blob(registry, &image->blobs[i], err) < 0)
            return -1;
    snprintf(path, sizeof path, "/v2/%s/manifests/%s", image->repository, image->tag);
    const struct message manifest = {
        "push manifest",     "PUT", path, image->manifest_type, image->manifest.data,
        image->manifest.size};
    return send(registry, &manifest, err) < 0 ? -1 : 1;
}

int aws_ecr_put_image(struct aws_client *client, const struct ecr_image *image, struct err *err)
{
    struct registry registry = {.client = client, .name = image->repository};
    int done = log_in(&registry, err);
    if (done == 0)
        done = push(&registry, image, err);
    OPENSSL_cleanse(registry.authorization, sizeof registry.authorization);
    return done < 0 ? err_wrap(err, "image %s:%s", image->repository, image->tag) : done;
}
