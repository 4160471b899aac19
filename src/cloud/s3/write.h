#ifndef CLOUD_S3_WRITE_H
#define CLOUD_S3_WRITE_H

#include "cloud/s3/meta.h"

/* What the writes of objects and parts share. Where a function returns -1 the answer is in the
 * exchange. */

enum { S3_CHECKSUM_BYTES = 96 };

/* bucket.c. The request's bucket is there, and `bucket` (may be NULL) filled: a look before
 * anything is written; the write looks again. */
int s3_need_bucket(struct s3_request *r, struct meta_bucket *bucket);

/* put.c. The headers kept with an object, as "Name: value\n" lines in the arena; NULL: answered. */
const char *s3_kept_headers(struct s3_request *r);
/* Which checksum the client gave: its kind, and its text where that came too. */
int s3_given_checksum(struct s3_request *r, enum checksum_kind *kind, const char **text);
/* Digest the body, with the client's kind of checksum or else the `usual` one, and compare with all
 * that the client said of it. `content` must be finished in any case. */
int s3_take_body(struct s3_request *r, enum checksum_kind usual, struct content *content);
/* The etag of 16 bytes; with parts > 0 "hex-parts". */
void s3_etag(const unsigned char md5[16], size_t parts, char out[S3_ETAG_BYTES]);
/* "CRC32 FULL_OBJECT base64", or "" when the content has no checksum. */
void s3_full_checksum(const struct content *content, char out[S3_CHECKSUM_BYTES]);

/* Make stored content the object, under the request's conditions; else the file is removed. */
struct s3_commit {
    const char *headers, *etag, *checksum;
    const char *upload; /* that ends with it, or NULL */
};
int s3_commit(struct s3_request *r, const struct content *content, const struct s3_commit *commit);
/* Answer for an outcome that is not META_DONE. */
void s3_fail_outcome(struct s3_request *r, enum meta_outcome outcome);
/* What the rows said of new content: 0 when it is theirs, else -1: answered, the file is gone. */
int s3_settle(struct s3_request *r, const struct content *content, int result,
              enum meta_outcome outcome, const struct err *err);

/* multipart.c. The upload that the query names. */
int s3_need_upload(struct s3_request *r, struct meta_upload *upload);
/* The kind of checksum its parts have; `*is_composite` is left alone for CHECKSUM_NONE. */
enum checksum_kind s3_upload_checksum(const struct meta_upload *upload, int *is_composite);

/* copy.c. The object that x-amz-copy-source names, under its conditions. */
int s3_copy_source(struct s3_request *r, struct meta_object *source, int *is_self);
void s3_answer_copied(struct s3_request *r, const char *root, const char *etag);

#endif
