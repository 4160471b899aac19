#include "aws/s3.h"

#include "aws/uri.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES = 64 * 1024 };

/* One call's request with the memory of its path. */
struct s3_call {
    struct arena arena;
    struct aws_request request;
};

/* `key` NULL: the bucket itself. */
static int start_call(struct s3_call *call, const char *operation, const char *method,
                      const char *bucket, const char *key, struct err *err)
{
    *call = (struct s3_call){
        .request = {.service = AWS_S3, .operation = operation, .method = method, .body_fd = -1}};
    arena_init(&call->arena, ARENA_BYTES);
    if (!*bucket || strlen(bucket) > 255)
        return err_set(err, ERR_INVALID, "%s: the bucket's name is not 3 to 63 characters",
                       operation);
    if (key && (!*key || strlen(key) > S3_MAX_KEY_BYTES))
        return err_set(err, ERR_INVALID, "%s: the object's key is not 1 to %d bytes", operation,
                       S3_MAX_KEY_BYTES);
    const char *host = uri_encode(&call->arena, bucket, strlen(bucket), "");
    const char *name = key ? uri_encode(&call->arena, key, strlen(key), "/") : "";
    call->request.path =
        host && name ? arena_printf(&call->arena, "/%s%s%s", host, key ? "/" : "", name) : NULL;
    if (!call->request.path)
        return err_set(err, ERR_TOO_BIG, "%s: the object's key is too long", operation);
    return 0;
}

static int end_call(struct s3_call *call, int done)
{
    arena_finish(&call->arena);
    return done;
}

int aws_s3_bucket_exists(struct aws_client *client, const char *bucket, struct err *err)
{
    struct s3_call call;
    int done = start_call(&call, "HeadBucket", "HEAD", bucket, NULL, err);
    if (done == 0)
        done = aws_client_send(client, &call.request, aws_client_scratch(client), err);
    end_call(&call, done);
    if (done == 0)
        return 1;
    return err->code == ERR_NOT_FOUND ? 0 : err_wrap(err, "bucket %s", bucket);
}

int aws_s3_create_bucket(struct aws_client *client, const char *bucket, struct err *err)
{
    struct s3_call call;
    char where[256];
    const char *region = aws_client_config(client)->region;
    int there = aws_s3_bucket_exists(client, bucket, err);
    if (there != 0)
        return there < 0 ? -1 : 0;
    int done = start_call(&call, "CreateBucket", "PUT", bucket, NULL, err);
    if (done == 0 && strcmp(region, "us-east-1") != 0) { /* which has no name here */
        snprintf(where, sizeof where,
                 "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                 "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
                 region);
        call.request.body = where;
        call.request.body_bytes = strlen(where);
    }
    if (done == 0)
        done = aws_client_send(client, &call.request, aws_client_scratch(client), err);
    end_call(&call, done);
    if (done == 0)
        return 1;
    if (strcmp(aws_client_failure(client)->code, "BucketAlreadyOwnedByYou") == 0)
        return 0;
    return err_wrap(err, "bucket %s", bucket);
}

int aws_s3_get_object(struct aws_client *client, const char *bucket, const char *key,
                      struct http_response *response, struct err *err)
{
    struct s3_call call;
    if (start_call(&call, "GetObject", "GET", bucket, key, err) < 0)
        return end_call(&call, -1);
    return end_call(&call, aws_client_send(client, &call.request, response, err));
}

int aws_s3_get_part(struct aws_client *client, const struct s3_part *part,
                    struct http_response *response, struct err *err)
{
    struct s3_call call;
    char range[64];
    const struct http_header header = {"Range", range};
    snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, part->offset,
             part->offset + part->bytes - 1);
    if (start_call(&call, "GetObject", "GET", part->bucket, part->key, err) < 0)
        return end_call(&call, -1);
    call.request.headers = &header;
    call.request.header_count = 1;
    return end_call(&call, aws_client_send(client, &call.request, response, err));
}

int aws_s3_put_object(struct aws_client *client, const struct s3_object *object, struct err *err)
{
    struct s3_call call;
    const struct http_header type = {"Content-Type", object->content_type};
    if (start_call(&call, "PutObject", "PUT", object->bucket, object->key, err) < 0)
        return end_call(&call, -1);
    call.request.headers = &type;
    call.request.header_count = 1;
    call.request.body = object->data;
    call.request.body_bytes = object->size;
    return end_call(&call, aws_client_send(client, &call.request, aws_client_scratch(client), err));
}
