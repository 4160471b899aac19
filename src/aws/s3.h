#ifndef AWS_S3_H
#define AWS_S3_H

#include "aws/client.h"

#include <stddef.h>
#include <stdint.h>

/* Objects, in path style ("/bucket/key"), which AWS and everything like it understand.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ */

enum { S3_MAX_KEY_BYTES = 1024 };

/* 1: it exists and is reachable, 0: it does not exist, -1 with `err`. */
int aws_s3_bucket_exists(struct aws_client *client, const char *bucket, struct err *err) MUST_USE;
/* 1: made, 0: it was there and is ours, -1 with `err`. */
int aws_s3_create_bucket(struct aws_client *client, const char *bucket, struct err *err) MUST_USE;

/* The object's bytes are the response's body; its limit is the largest object accepted. */
int aws_s3_get_object(struct aws_client *client, const char *bucket, const char *key,
                      struct http_response *response, struct err *err) MUST_USE;

/* A part of an object; the answer's Content-Range, "bytes 0-7/23", tells the size of the whole. */
struct s3_part {
    const char *bucket, *key;
    uint64_t offset, bytes; /* as many at most */
};
int aws_s3_get_part(struct aws_client *client, const struct s3_part *part,
                    struct http_response *response, struct err *err) MUST_USE;

/* An object in memory, stored in one request. */
struct s3_object {
    const char *bucket, *key, *content_type;
    const void *data;
    size_t size;
};
int aws_s3_put_object(struct aws_client *client, const struct s3_object *object,
                      struct err *err) MUST_USE;

#endif
