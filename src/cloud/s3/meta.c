#include "cloud/s3/meta_rows.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char s3_schema[] =
    "CREATE TABLE IF NOT EXISTS buckets(name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL,"
    " region TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects(bucket TEXT, key TEXT, file TEXT NOT NULL,"
    " size INTEGER NOT NULL, modified_ms INTEGER NOT NULL, etag TEXT NOT NULL,"
    " headers TEXT NOT NULL, checksum TEXT NOT NULL, blocks BLOB NOT NULL,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, bucket TEXT NOT NULL,"
    " key TEXT NOT NULL, created_ms INTEGER NOT NULL, headers TEXT NOT NULL,"
    " algorithm TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT, number INTEGER, file TEXT NOT NULL,"
    " size INTEGER NOT NULL, modified_ms INTEGER NOT NULL, etag TEXT NOT NULL,"
    " checksum TEXT NOT NULL, blocks BLOB NOT NULL, PRIMARY KEY(upload, number)) WITHOUT ROWID;";

/* -- reading -- */

const char *meta_text(struct exchange *x, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return arena_copy(&x->arena, text ? text : "", (size_t)sqlite3_column_bytes(row, column));
}

const uint32_t *meta_blocks(struct exchange *x, sqlite3_stmt *row, int column, size_t *count)
{
    const void *blob = sqlite3_column_blob(row, column);
    size_t size = (size_t)sqlite3_column_bytes(row, column);
    *count = size / sizeof(uint32_t);
    return (const uint32_t *)arena_copy(&x->arena, blob ? blob : "", size);
}

int meta_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int read_bucket(struct connection *c, struct s3_request *r, const char *bucket,
                       struct meta_bucket *out, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT name, region, created_ms FROM buckets WHERE name=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found && out)
        *out = (struct meta_bucket){meta_text(r->x, s, 0), meta_text(r->x, s, 1),
                                    sqlite3_column_int64(s, 2)};
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read a bucket", err);
    connection_reset(s);
    return found;
}

int meta_bucket(struct s3_request *r, const char *bucket, struct meta_bucket *out, struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    if (!c)
        return -1;
    int found = read_bucket(c, r, bucket, out, err);
    database_read_end(r->s3->database, c);
    return found;
}

static void fill_object(struct exchange *x, sqlite3_stmt *s, struct meta_object *out)
{
    *out = (struct meta_object){.file = meta_text(x, s, 0),
                                .size = sqlite3_column_int64(s, 1),
                                .modified_ms = sqlite3_column_int64(s, 2),
                                .etag = meta_text(x, s, 3),
                                .headers = meta_text(x, s, 4),
                                .checksum = meta_text(x, s, 5)};
    out->blocks = meta_blocks(x, s, 6, &out->block_count);
}

static int read_object(struct connection *c, struct s3_request *r, const char *bucket,
                       const char *key, struct meta_object *out, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c,
                                         "SELECT file, size, modified_ms, etag, headers, checksum,"
                                         " blocks FROM objects WHERE bucket=? AND key=?",
                                         err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    meta_bind_text(s, 2, key);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found && out) {
        fill_object(r->x, s, out);
        out->key = key;
        if (!out->file || !out->etag || !out->headers || !out->checksum || !out->blocks)
            found = err_set(err, ERR_NO_MEMORY, "read an object's row: out of memory");
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read an object's row", err);
    connection_reset(s);
    return found;
}

int meta_object(struct s3_request *r, const char *bucket, const char *key, struct meta_object *out,
                struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    if (!c)
        return -1;
    int found = read_object(c, r, bucket, key, out, err);
    database_read_end(r->s3->database, c);
    return found;
}

/* -- inside the writer's transaction -- */

/* Does the statement, with the bucket bound, give a row? */
int meta_exists(struct connection *c, const char *sql, const char *text, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, sql, err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, text);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "look for a row", err);
    connection_reset(s);
    return found;
}

static const char bucket_exists[] = "SELECT 1 FROM buckets WHERE name=?";

struct bucket_job {
    struct s3_request *r;
    const char *region;
    enum meta_outcome outcome;
};

static int create_bucket_job(struct connection *c, void *context, struct err *err)
{
    struct bucket_job *job = context;
    int found = meta_exists(c, bucket_exists, job->r->bucket, err);
    job->outcome = found > 0 ? META_EXISTS : META_DONE;
    if (found)
        return found < 0 ? -1 : 0;
    sqlite3_stmt *s = connection_prepare(c, "INSERT INTO buckets VALUES(?, ?, ?)", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, job->r->bucket);
    sqlite3_bind_int64(s, 2, job->r->x->received_unix_ms);
    meta_bind_text(s, 3, job->region);
    return connection_run(c, s, err);
}

int meta_create_bucket(struct s3_request *r, const char *region, enum meta_outcome *outcome,
                       struct err *err)
{
    struct bucket_job job = {.r = r, .region = region};
    int result = database_write(r->s3->database, create_bucket_job, &job, err);
    *outcome = job.outcome;
    return result;
}

static int delete_bucket_job(struct connection *c, void *context, struct err *err)
{
    struct bucket_job *job = context;
    const char *bucket = job->r->bucket;
    int exists = meta_exists(c, bucket_exists, bucket, err);
    int full = meta_exists(c, "SELECT 1 FROM objects WHERE bucket=? LIMIT 1", bucket, err);
    int busy = meta_exists(c, "SELECT 1 FROM uploads WHERE bucket=? LIMIT 1", bucket, err);
    if (exists < 0 || full < 0 || busy < 0)
        return -1;
    job->outcome = !exists ? META_NO_BUCKET : full || busy ? META_NOT_EMPTY : META_DONE;
    if (job->outcome != META_DONE)
        return 0;
    sqlite3_stmt *s = connection_prepare(c, "DELETE FROM buckets WHERE name=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    return connection_run(c, s, err);
}

int meta_delete_bucket(struct s3_request *r, enum meta_outcome *outcome, struct err *err)
{
    struct bucket_job job = {.r = r};
    int result = database_write(r->s3->database, delete_bucket_job, &job, err);
    *outcome = job.outcome;
    return result;
}

struct object_job {
    struct s3_request *r;
    const struct meta_object *object;
    const struct meta_condition *condition;
    const char *upload;
    char old_file[CONTENT_NAME_BYTES], old_etag[S3_ETAG_BYTES];
    char **part_files; /* malloc */
    size_t part_count;
    enum meta_outcome outcome;
};

/* The file and etag that the key has now; 0 when it has none. */
static int read_old(struct connection *c, const char *bucket, const char *key,
                    char file[CONTENT_NAME_BYTES], char etag[S3_ETAG_BYTES], struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT file, etag FROM objects WHERE bucket=? AND key=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    meta_bind_text(s, 2, key);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found) {
        snprintf(file, CONTENT_NAME_BYTES, "%s", (const char *)sqlite3_column_text(s, 0));
        snprintf(etag, S3_ETAG_BYTES, "%s", (const char *)sqlite3_column_text(s, 1));
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read an object's row", err);
    connection_reset(s);
    return found;
}

static enum meta_outcome judge(const struct meta_condition *condition, int found, const char *etag)
{
    if (condition->if_none_match && found && s3_etag_listed(condition->if_none_match, etag))
        return META_CONDITION_FAILED;
    if (condition->if_match && !found)
        return META_NO_OBJECT;
    if (condition->if_match && !s3_etag_listed(condition->if_match, etag))
        return META_CONDITION_FAILED;
    return META_DONE;
}

static int insert_object(struct connection *c, const struct object_job *job, struct err *err)
{
    const struct meta_object *object = job->object;
    sqlite3_stmt *s = connection_prepare(
        c, "INSERT OR REPLACE INTO objects VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, job->r->bucket);
    meta_bind_text(s, 2, job->r->key);
    meta_bind_text(s, 3, object->file);
    sqlite3_bind_int64(s, 4, object->size);
    sqlite3_bind_int64(s, 5, object->modified_ms);
    meta_bind_text(s, 6, object->etag);
    meta_bind_text(s, 7, object->headers);
    meta_bind_text(s, 8, object->checksum);
    sqlite3_bind_blob(s, 9, object->block_count ? (const void *)object->blocks : "",
                      (int)(object->block_count * sizeof *object->blocks), SQLITE_STATIC);
    return connection_run(c, s, err);
}

static int put_object_job(struct connection *c, void *context, struct err *err)
{
    struct object_job *job = context;
    const struct s3_request *r = job->r;
    int exists = meta_exists(c, bucket_exists, r->bucket, err);
    int found =
        exists <= 0 ? exists : read_old(c, r->bucket, r->key, job->old_file, job->old_etag, err);
    if (exists < 0 || found < 0)
        return -1;
    job->outcome = exists ? judge(job->condition, found, job->old_etag) : META_NO_BUCKET;
    if (job->outcome != META_DONE)
        return 0;
    if (job->upload) {
        int ended = meta_end_upload(c, r, job->upload, &job->part_files, &job->part_count, err);
        job->outcome = ended > 0 ? META_DONE : META_NO_UPLOAD;
        if (ended <= 0)
            return ended;
    }
    return insert_object(c, job, err);
}

void meta_remove_files(struct s3 *s3, char **files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        content_remove(s3, files[i]);
        free(files[i]);
    }
    free(files);
}

int meta_put_object(struct s3_request *r, const struct meta_object *object,
                    const struct meta_condition *condition, const char *upload,
                    enum meta_outcome *outcome, struct err *err)
{
    struct object_job job = {.r = r, .object = object, .condition = condition, .upload = upload};
    int result = database_write(r->s3->database, put_object_job, &job, err);
    *outcome = job.outcome;
    int done = result == 0 && job.outcome == META_DONE;
    if (done && job.old_file[0])
        content_remove(r->s3, job.old_file);
    if (done) {
        meta_remove_files(r->s3, job.part_files, job.part_count);
        return 0;
    }
    for (size_t i = 0; i < job.part_count; i++)
        free(job.part_files[i]);
    free(job.part_files);
    return result;
}

struct delete_job {
    struct s3_request *r;
    char *const *keys;
    size_t count;
    char (*files)[CONTENT_NAME_BYTES]; /* "" where there was none */
    enum meta_outcome outcome;
};

static int delete_one(struct connection *c, const char *bucket, const char *key,
                      char file[CONTENT_NAME_BYTES], struct err *err)
{
    char etag[S3_ETAG_BYTES];
    int found = read_old(c, bucket, key, file, etag, err);
    if (found <= 0)
        return found;
    sqlite3_stmt *s = connection_prepare(c, "DELETE FROM objects WHERE bucket=? AND key=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    meta_bind_text(s, 2, key);
    return connection_run(c, s, err);
}

static int delete_objects_job(struct connection *c, void *context, struct err *err)
{
    struct delete_job *job = context;
    int exists = meta_exists(c, bucket_exists, job->r->bucket, err);
    job->outcome = exists ? META_DONE : META_NO_BUCKET;
    if (exists <= 0)
        return exists;
    for (size_t i = 0; i < job->count; i++)
        if (delete_one(c, job->r->bucket, job->keys[i], job->files[i], err) < 0)
            return -1;
    return 0;
}

int meta_delete_objects(struct s3_request *r, char *const *keys, size_t count,
                        enum meta_outcome *outcome, struct err *err)
{
    struct delete_job job = {.r = r, .keys = keys, .count = count};
    job.files = calloc(count ? count : 1, sizeof *job.files);
    if (!job.files)
        return err_set(err, ERR_NO_MEMORY, "delete objects: out of memory");
    int result = database_write(r->s3->database, delete_objects_job, &job, err);
    *outcome = job.outcome;
    for (size_t i = 0; result == 0 && i < count; i++)
        if (job.files[i][0])
            content_remove(r->s3, job.files[i]);
    free(job.files);
    return result;
}

/* -- at start -- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_files(struct connection *c, char ***files, size_t *count, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT file FROM objects UNION ALL SELECT file FROM parts", err);
    size_t capacity = 0;
    int step = s ? SQLITE_ROW : SQLITE_ERROR;
    while (s && (step = sqlite3_step(s)) == SQLITE_ROW) {
        if (*count == capacity) {
            capacity = capacity ? capacity * 2 : 1024;
            char **more = realloc(*files, capacity * sizeof **files);
            if (!more)
                break;
            *files = more;
        }
        (*files)[*count] = strdup((const char *)sqlite3_column_text(s, 0));
        if (!(*files)[(*count)++])
            break;
    }
    connection_reset(s);
    return step == SQLITE_DONE ? 0 : err_set(err, ERR_IO, "read the names of the objects' files");
}

int meta_sweep(struct s3 *s3, struct err *err)
{
    struct connection *c = database_read_begin(s3->database, err);
    if (!c)
        return -1;
    char **files = NULL;
    size_t count = 0;
    int result = collect_files(c, &files, &count, err);
    database_read_end(s3->database, c);
    if (result == 0) {
        if (count)
            qsort(files, count, sizeof *files, compare_text);
        size_t removed = content_sweep(s3, files, count);
        if (removed)
            log_line(LOG_INFO, "s3: removed %zu files that a crash had left", removed);
    }
    for (size_t i = 0; i < count; i++)
        free(files[i]);
    free(files);
    return result;
}
