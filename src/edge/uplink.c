#include "edge/uplink.h"

#include "aws/client.h"
#include "aws/s3_upload.h"
#include "aws/uri.h"
#include "base/arena.h"
#include "base/hex.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARENA_BYTES = 64 * 1024, VIDEO_TIMEOUT_MS = 15 * 60 * 1000, WARM_TIMEOUT_MS = 2000 };

struct uplink {
    struct deployment deployment;
    char api_base[DEPLOYMENT_TEXT_BYTES]; /* "https://host" */
    const char *api_path;                 /* the rest of api_url */
    struct aws_client *client;
    struct http_response response;
    struct arena arena;
};

int uplink_config(struct aws_config *config, const struct deployment *deployment, struct err *err)
{
    if (aws_config_load(config, err) < 0)
        return -1;
    snprintf(config->region, sizeof config->region, "%s", deployment->region);
    for (int i = 0; i < AWS_SERVICES && deployment->endpoint[0]; i++)
        if (!config->endpoints[i][0] &&
            (size_t)snprintf(config->endpoints[i], sizeof config->endpoints[i], "%s",
                             deployment->endpoint) >= sizeof config->endpoints[i])
            return err_set(err, ERR_TOO_BIG, "open uplink: the endpoint is too long");
    return 0;
}

static int split_api_url(struct uplink *uplink, struct err *err)
{
    const char *url = uplink->deployment.api_url, *host = strstr(url, "://");
    const char *path = host ? strchr(host + 3, '/') : NULL;
    if (!path)
        return err_set(err, ERR_INVALID, "open uplink: the API's URL is wrong: %s", url);
    snprintf(uplink->api_base, sizeof uplink->api_base, "%.*s", (int)(path - url), url);
    uplink->api_path = path;
    return 0;
}

struct uplink *uplink_open(const struct deployment *deployment, struct err *err)
{
    struct aws_config config;
    struct uplink *uplink = calloc(1, sizeof *uplink);
    if (!uplink) {
        err_set(err, ERR_NO_MEMORY, "open uplink: out of memory");
        return NULL;
    }
    uplink->deployment = *deployment;
    http_response_init(&uplink->response);
    arena_init(&uplink->arena, ARENA_BYTES);
    if (uplink_config(&config, deployment, err) == 0 && split_api_url(uplink, err) == 0)
        uplink->client = aws_client_create(&config, err);
    explicit_bzero(&config, sizeof config);
    if (uplink->client)
        return uplink;
    uplink_close(uplink);
    return NULL;
}

void uplink_close(struct uplink *uplink)
{
    if (!uplink)
        return;
    aws_client_destroy(uplink->client);
    http_response_finish(&uplink->response);
    arena_finish(&uplink->arena);
    explicit_bzero(&uplink->deployment, sizeof uplink->deployment);
    free(uplink);
}

void uplink_warm(struct uplink *uplink)
{
    const char *const endpoints[] = {uplink->api_base, NULL}; /* NULL: S3's own */
    /* of the bucket, as Ceph sends a body with the HEAD of the list of buckets, which the
     * connection's next answer would begin with */
    char bucket[sizeof uplink->deployment.frames_bucket + 1];
    snprintf(bucket, sizeof bucket, "/%s", uplink->deployment.frames_bucket);
    const char *const paths[] = {"/", bucket};
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        struct err refused;
        const struct aws_request request = {.service = AWS_S3,
                                            .operation = "open connection",
                                            .endpoint = endpoints[i],
                                            .method = "HEAD",
                                            .path = paths[i],
                                            .body_fd = -1,
                                            .timeout_ms = WARM_TIMEOUT_MS,
                                            .tries = 1,
                                            .unsign = 1};
        if (aws_client_send(uplink->client, &request, &uplink->response, &refused) < 0)
            continue; /* the frame will say what is wrong */
    }
}

static int put_object(struct uplink *uplink, const char *bucket, const char *key,
                      struct aws_request *request, struct err *err)
{
    arena_finish(&uplink->arena);
    char *encoded = uri_encode(&uplink->arena, key, strlen(key), "/");
    request->path = encoded ? arena_printf(&uplink->arena, "/%s/%s", bucket, encoded) : NULL;
    if (!request->path)
        return err_set(err, ERR_TOO_BIG, "put %s: the name is too long", key);
    request->service = AWS_S3;
    request->operation = "PutObject";
    request->method = "PUT";
    request->tries = 1;
    return aws_client_send(uplink->client, request, &uplink->response, err);
}

int uplink_put(struct uplink *uplink, const char *key, const char *content_type, const void *data,
               size_t size, struct err *err)
{
    const struct http_header type = {"Content-Type", content_type};
    struct aws_request request = {.headers = &type,
                                  .header_count = 1,
                                  .body = data,
                                  .body_bytes = size,
                                  .body_fd = -1,
                                  .timeout_ms = UPLINK_TIMEOUT_MS};
    return put_object(uplink, uplink->deployment.frames_bucket, key, &request, err);
}

int uplink_put_video(struct uplink *uplink, const char *key, const char *path, struct err *err)
{
    const struct http_header type = {"Content-Type", "video/mp4"};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        err_set_errno(err, "read %s", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    struct aws_request request = {.headers = &type,
                                  .header_count = 1,
                                  .body_fd = fd,
                                  .body_bytes = (size_t)status.st_size,
                                  .timeout_ms = VIDEO_TIMEOUT_MS};
    int result = put_object(uplink, uplink->deployment.videos_bucket, key, &request, err);
    close(fd);
    return result;
}

/* One question; `frame` NULL: the frame is in the bucket. */
static int ask(struct uplink *uplink, const char *query, const struct uplink_frame *frame,
               struct err *err)
{
    const struct deployment *d = &uplink->deployment;
    struct http_header headers[2];
    size_t count = 0;
    if (frame)
        headers[count++] = (struct http_header){"Content-Type", frame->content_type};
    if (strcmp(d->auth, "key") == 0)
        headers[count++] = (struct http_header){"x-api-key", d->api_key};
    struct aws_request request = {
        .service = AWS_EXECUTE_API,
        .operation = "ask the API",
        .endpoint = uplink->api_base,
        .method = frame ? "POST" : "GET",
        .path = uplink->api_path,
        .query = query,
        .headers = headers,
        .header_count = count,
        .body = frame ? frame->data : NULL,
        .body_bytes = frame ? frame->size : 0,
        .body_fd = -1,
        .timeout_ms = UPLINK_TIMEOUT_MS,
        .tries = 1,
        .unsign = strcmp(d->auth, "iam") != 0,
    };
    return aws_client_send(uplink->client, &request, &uplink->response, err);
}

static const char *query_of(struct uplink *uplink, const char *key)
{
    const char *bucket = uplink->deployment.frames_bucket;
    arena_finish(&uplink->arena);
    char *bucket_text = uri_encode(&uplink->arena, bucket, strlen(bucket), "");
    char *key_text = uri_encode(&uplink->arena, key, strlen(key), "");
    if (!bucket_text || !key_text)
        return NULL;
    return arena_printf(&uplink->arena, "BucketName=%s&ImageName=%s", bucket_text, key_text);
}

static int ask_about(struct uplink *uplink, const char *key, const struct uplink_frame *frame,
                     const struct buf **body, struct err *err)
{
    const char *query = query_of(uplink, key);
    if (!query)
        return err_set(err, ERR_TOO_BIG, "ask the API: the name is too long");
    int status = 200;
    if (ask(uplink, query, frame, err) < 0) {
        status = aws_client_failure(uplink->client)->status;
        if (status == 0 || status == 429)
            return -1;
        if (status >= 500) {
            err->code = ERR_BUSY;
            return -1;
        }
    }
    *body = &uplink->response.body;
    return status;
}

int uplink_ask(struct uplink *uplink, const char *key, const struct buf **body, struct err *err)
{
    return ask_about(uplink, key, NULL, body, err);
}

int uplink_post(struct uplink *uplink, const struct uplink_frame *frame, const struct buf **body,
                struct err *err)
{
    return ask_about(uplink, frame->key, frame, body, err);
}

/* Is what lies under the key what was to be put there? 0: yes, 1: no, 2: not to be known. S3 names
 * an object of one part by its MD5.
 */
static int compare(struct uplink *uplink, const struct aws_request *put, struct err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1], etag[128];
    unsigned size = 0;
    struct aws_request head = *put;
    head.operation = "HeadObject";
    head.method = "HEAD";
    head.header_count = 0;
    head.body = NULL;
    head.body_bytes = 0;
    if (aws_client_send(uplink->client, &head, &uplink->response, err) < 0)
        return aws_client_failure(uplink->client)->status == 403 ? 2 : -1;
    if (http_response_header(&uplink->response, "ETag", etag, sizeof etag) < 0)
        return 2;
    if (EVP_Digest(put->body, put->body_bytes, digest, &size, EVP_md5(), NULL) != 1)
        return err_set(err, ERR_UNSUPPORTED, "put: there is no MD5 here");
    hex_encode(digest, size, hex);
    return strstr(etag, hex) == NULL;
}

int uplink_put_new(struct uplink *uplink, const struct uplink_frame *frame, const char *key,
                   struct err *err)
{
    const struct http_header headers[] = {{"Content-Type", frame->content_type},
                                          {"If-None-Match", "*"}};
    struct aws_request request = {.headers = headers,
                                  .header_count = 2,
                                  .body = frame->data,
                                  .body_bytes = frame->size,
                                  .body_fd = -1,
                                  .timeout_ms = UPLINK_TIMEOUT_MS};
    if (put_object(uplink, uplink->deployment.frames_bucket, key, &request, err) == 0)
        return 0;
    if (aws_client_failure(uplink->client)->status != 412)
        return -1;
    return compare(uplink, &request, err);
}

int uplink_upload(struct uplink *uplink, struct s3_upload *upload, struct err *err)
{
    upload->bucket = uplink->deployment.videos_bucket;
    upload->timeout_ms = VIDEO_TIMEOUT_MS;
    return aws_s3_upload(uplink->client, upload, err);
}

int uplink_abandon(struct uplink *uplink, struct s3_upload *upload, struct err *err)
{
    upload->bucket = uplink->deployment.videos_bucket;
    upload->timeout_ms = UPLINK_TIMEOUT_MS;
    return aws_s3_upload_abort(uplink->client, upload, err);
}

int uplink_probe(struct uplink *uplink, struct err *err)
{
    char path[sizeof uplink->deployment.videos_bucket + 1];
    snprintf(path, sizeof path, "/%s", uplink->deployment.videos_bucket);
    const struct aws_request request = {.service = AWS_S3,
                                        .operation = "ListMultipartUploads",
                                        .method = "GET",
                                        .path = path,
                                        .query = "max-uploads=1&uploads=",
                                        .body_fd = -1,
                                        .tries = 1,
                                        .timeout_ms = UPLINK_TIMEOUT_MS};
    if (aws_client_send(uplink->client, &request, &uplink->response, err) == 0)
        return 1;
    return strcmp(aws_client_failure(uplink->client)->code, "AccessDenied") == 0 ? 0 : -1;
}

int uplink_may_pass(const struct err *err)
{
    return err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_BUSY;
}
