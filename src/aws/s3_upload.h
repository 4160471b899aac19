#ifndef AWS_S3_UPLOAD_H
#define AWS_S3_UPLOAD_H

#include "aws/client.h"

#include <stdint.h>

/* A file into a bucket, in parts where it is large, so that an upload that was cut off goes on
 * where it ended. https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html */

enum { S3_UPLOAD_ID_BYTES = 1024, S3_UPLOAD_MAX_PARTS = 1000 };
#define S3_UPLOAD_PART_BYTES ((uint64_t)8 * 1024 * 1024) /* at least; smaller files go in one */
#define S3_UPLOAD_MAX_BYTES ((uint64_t)64 * 1024 * 1024 * 1024)

struct s3_upload {
    const char *bucket, *key, *content_type;
    int fd; /* the whole file is sent, from its start */
    uint64_t size;
    int timeout_ms;              /* of each request */
    char id[S3_UPLOAD_ID_BYTES]; /* of an upload to go on with; "": begin one */
    /* An upload is about to begin (""), or began: keep that for the next time. NULL: nobody keeps
     * it. -1 with `err` ends the upload. */
    int (*began)(void *context, const char *id, struct err *err);
    void *context;
    int unsure; /* `began` was told "" and no id after it: there may be an upload that nobody knows,
                   and those under this key are aborted first. Where that is denied it stays. */
};

/* Parts that are there already are not sent again; where all of it is there under the key, nothing
 * is. No request is repeated here. */
int aws_s3_upload(struct aws_client *client, struct s3_upload *upload, struct err *err) MUST_USE;

/* Give the upload `id` up, or where that is "" and `unsure` all those under the key: what came of
 * it costs nothing any more. Fine when there is none. */
int aws_s3_upload_abort(struct aws_client *client, struct s3_upload *upload,
                        struct err *err) MUST_USE;

/* How large the parts of such a file are: so that there are S3_UPLOAD_MAX_PARTS at most. */
uint64_t s3_upload_part_bytes(uint64_t size);

/* One <Part> of a ListParts answer from `*text` on: 1 and where to read on, 0 when there is no
 * other, -1 for what is none. */
struct s3_part {
    int number;
    uint64_t size;
    char etag[72];
};
int s3_upload_read_part(const char **text, struct s3_part *part);

#endif
