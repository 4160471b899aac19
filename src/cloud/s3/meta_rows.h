#ifndef CLOUD_S3_META_ROWS_H
#define CLOUD_S3_META_ROWS_H

#include "cloud/s3/meta.h"

/* Between the files of meta_*.c only. */

/* The columns that objects and history share, in the order of fill_object(). */
#define META_COLUMNS                                                                               \
    "file, size, modified_ms, etag, headers, checksum, blocks, version, sequence, tags, acl"

const char *meta_text(struct exchange *x, sqlite3_stmt *row, int column);
const uint32_t *meta_blocks(struct exchange *x, sqlite3_stmt *row, int column, size_t *count);
int meta_bind_text(sqlite3_stmt *statement, int at, const char *text);
/* Bind texts from parameter 1 on. */
void meta_bind_key(sqlite3_stmt *statement, const char *bucket, const char *key);
int meta_exists(struct connection *c, const char *sql, const char *text, struct err *err);
/* Is there the bucket, and what of its versions? 1, 0 or -1. */
int meta_read_versioning(struct connection *c, const char *bucket, enum versioning *out,
                         struct err *err);
/* Remove the rows of an upload; the files of its parts go to `files` (malloc). 1: done, 0: there is
 * no such upload. */
int meta_end_upload(struct connection *c, const struct s3_request *r, const char *upload,
                    char ***files, size_t *count, struct err *err);
/* Remember what the upload of a put has become, and forget those of yesterday. */
int meta_note_completed(struct connection *c, const struct s3_request *r,
                        const struct meta_put *put, struct err *err);
/* Remove and free. */
void meta_remove_files(struct s3 *s3, char **files, size_t count);

/* Files that lose their row in a job: removed after the commit, or forgotten. Small contents go in
 * the transaction itself. */
struct meta_files {
    char **names; /* malloc */
    size_t count, capacity;
};
int meta_files_add(struct connection *c, struct meta_files *files, const char *name,
                   struct err *err);
/* Removes them when `is_done`; frees the list. */
void meta_files_end(struct meta_files *files, struct s3 *s3, int is_done);

/* -- versions, inside the writer's transaction (meta_history.c) -- */

/* Which key, and in which transaction. */
struct meta_at {
    struct connection *c;
    const char *bucket, *key;
};

/* The current row, as far as writes need it. */
struct meta_current {
    int found;
    int64_t sequence, size;
    char file[CONTENT_NAME_BYTES], etag[S3_ETAG_BYTES], version[S3_VERSION_BYTES];
};
int meta_read_current(const struct meta_at *at, struct meta_current *out, struct err *err);
/* A sequence above all that the key has. */
int meta_next_sequence(const struct meta_at *at, const struct meta_current *current, int64_t now_ms,
                       int64_t *out, struct err *err);
/* Make room for a new newest version: the current row moves to history or goes, by the bucket's
 * versioning; with VERSIONING_SUSPENDED the null version goes, wherever it is. */
int meta_make_room(const struct meta_at *at, const struct meta_current *current,
                   enum versioning versioning, struct meta_files *files, struct err *err);
int meta_insert_marker(const struct meta_at *at, int64_t sequence, const char *version,
                       int64_t now_ms, struct err *err);
/* Remove one version for good; the newest of the others becomes current. 1, 0: there is none. */
int meta_remove_version(const struct meta_at *at, const char *version, struct meta_files *files,
                        int *was_marker, struct err *err);

#endif
