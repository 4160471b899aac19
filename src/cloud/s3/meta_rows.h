#ifndef CLOUD_S3_META_ROWS_H
#define CLOUD_S3_META_ROWS_H

#include "cloud/s3/meta.h"

/* Between meta.c and meta_upload.c only. */

const char *meta_text(struct exchange *x, sqlite3_stmt *row, int column);
const uint32_t *meta_blocks(struct exchange *x, sqlite3_stmt *row, int column, size_t *count);
int meta_bind_text(sqlite3_stmt *statement, int at, const char *text);
int meta_exists(struct connection *c, const char *sql, const char *text, struct err *err);
/* Remove the rows of an upload; the files of its parts go to `files` (malloc). 1: done, 0: there is
 * no such upload. */
int meta_end_upload(struct connection *c, const struct s3_request *r, const char *upload,
                    char ***files, size_t *count, struct err *err);
/* Remove and free. */
void meta_remove_files(struct s3 *s3, char **files, size_t count);

#endif
