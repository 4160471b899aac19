#ifndef CLOUD_S3_META_H
#define CLOUD_S3_META_H

#include "cloud/s3/content.h"

/* The rows behind buckets, objects, uploads and parts. Text that a read gives lies in the
 * exchange's arena. */

extern const char s3_schema[];

struct meta_bucket {
    const char *name, *region;
    int64_t created_ms;
};

struct meta_object {
    const char *key, *file, *etag;
    const char *headers;  /* "Name: value\n" lines: Content-Type, x-amz-meta-... */
    const char *checksum; /* "CRC32 FULL_OBJECT base64", or "" */
    int64_t size, modified_ms;
    const uint32_t *blocks;
    size_t block_count;
};

/* 1: found, 0: not, -1: failed. `out` may be NULL. */
int meta_bucket(struct s3_request *r, const char *bucket, struct meta_bucket *out, struct err *err);
int meta_object(struct s3_request *r, const char *bucket, const char *key, struct meta_object *out,
                struct err *err);

/* What must hold for a write. */
struct meta_condition {
    const char *if_match, *if_none_match; /* header values, or NULL */
};
enum meta_outcome {
    META_DONE,
    META_NO_BUCKET,
    META_CONDITION_FAILED, /* 412 */
    META_NO_OBJECT,        /* If-Match without an object: 404 */
    META_NO_UPLOAD,
    META_EXISTS,
    META_NOT_EMPTY,
};

/* Writes are durable when these return 0; `outcome` says what they came to. Files that lost their
 * row are removed. */
int meta_create_bucket(struct s3_request *r, const char *region, enum meta_outcome *outcome,
                       struct err *err) MUST_USE;
int meta_delete_bucket(struct s3_request *r, enum meta_outcome *outcome, struct err *err) MUST_USE;
/* With `upload` not NULL the upload and its parts end in the same step. */
int meta_put_object(struct s3_request *r, const struct meta_object *object,
                    const struct meta_condition *condition, const char *upload,
                    enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_delete_objects(struct s3_request *r, char *const *keys, size_t count,
                        enum meta_outcome *outcome, struct err *err) MUST_USE;

/* -- uploads in parts -- */

struct meta_upload {
    const char *id, *key, *headers;
    const char *algorithm; /* "CRC32 COMPOSITE", or "" */
    int64_t created_ms;
};
struct meta_part {
    int64_t number, size, modified_ms;
    const char *file, *etag, *checksum; /* base64, or "" */
    const uint32_t *blocks;
    size_t block_count;
};
int meta_upload(struct s3_request *r, const char *id, struct meta_upload *out, struct err *err);
int meta_create_upload(struct s3_request *r, const struct meta_upload *upload,
                       enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_put_part(struct s3_request *r, const char *upload, const struct meta_part *part,
                  enum meta_outcome *outcome, struct err *err) MUST_USE;
int meta_abort_upload(struct s3_request *r, const char *upload, enum meta_outcome *outcome,
                      struct err *err) MUST_USE;
/* All parts of an upload in order into `parts` (arena); returns how many, or -1. */
int64_t meta_parts(struct s3_request *r, const char *upload, struct meta_part **parts,
                   struct err *err);
/* The uploads of the bucket, at most `limit`. */
int64_t meta_uploads(struct s3_request *r, struct meta_upload **uploads, size_t limit,
                     struct err *err);

/* -- at start -- */

/* Remove the files that have no row. */
int meta_sweep(struct s3 *s3, struct err *err) MUST_USE;

#endif
