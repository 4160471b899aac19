#ifndef CLOUD_S3_CONTENT_FILE_H
#define CLOUD_S3_CONTENT_FILE_H

#include "cloud/s3/content.h"

/* Between content.c and chain.c only: making one file. */

/* Before content_create(): the folders are there. */
int content_make_room(struct s3 *s3, struct err *err) MUST_USE;
void content_make_name(const struct s3_request *r, char out[CONTENT_NAME_BYTES]);
int content_create(const struct s3 *s3, const char *name, struct err *err) MUST_USE; /* its fd */
/* Syncs when `result` is 0, closes in any case. */
int content_end(int fd, int result, struct err *err) MUST_USE;
int content_sync_folder(const struct s3 *s3, const char *name, struct err *err) MUST_USE;
/* The first bytes of `from`, behind what `to` has. */
int content_copy(int from, int to, size_t size, struct err *err) MUST_USE;

#endif
