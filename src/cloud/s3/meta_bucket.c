#include "cloud/s3/meta_rows.h"

/* Writing the rows of buckets. */

static const char bucket_exists[] = "SELECT 1 FROM buckets WHERE name=?";

struct bucket_job {
    struct s3_request *r;
    const char *region;
    struct meta_files files; /* of uploads under way */
    enum meta_outcome outcome;
};

static int create_bucket_job(struct connection *c, void *context, struct err *err)
{
    struct bucket_job *job = context;
    int found = meta_exists(c, bucket_exists, job->r->bucket, err);
    job->outcome = found > 0 ? META_EXISTS : META_DONE;
    if (found)
        return found < 0 ? -1 : 0;
    sqlite3_stmt *s =
        connection_prepare(c, "INSERT INTO buckets(name, created_ms, region) VALUES(?, ?, ?)", err);
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

/* Uploads under way do not keep a bucket, as on AWS: their parts go with it. */
static int collect_parts(struct connection *c, struct bucket_job *job, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        c, "SELECT file FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket=?)", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, job->r->bucket);
    int step, result = 0;
    while (result == 0 && (step = sqlite3_step(s)) == SQLITE_ROW)
        result = meta_files_add(c, &job->files, (const char *)sqlite3_column_text(s, 0), err);
    if (result == 0 && step != SQLITE_DONE)
        result = connection_fail(c, "read the parts of uploads", err);
    connection_reset(s);
    return result;
}

static int delete_bucket_job(struct connection *c, void *context, struct err *err)
{
    struct bucket_job *job = context;
    const char *bucket = job->r->bucket;
    int exists = meta_exists(c, bucket_exists, bucket, err);
    int full = meta_exists(c, "SELECT 1 FROM objects WHERE bucket=? LIMIT 1", bucket, err);
    int old = meta_exists(c, "SELECT 1 FROM history WHERE bucket=? LIMIT 1", bucket, err);
    if (exists < 0 || full < 0 || old < 0)
        return -1;
    job->outcome = !exists ? META_NO_BUCKET : full || old ? META_NOT_EMPTY : META_DONE;
    if (job->outcome != META_DONE)
        return 0;
    if (collect_parts(c, job, err) < 0)
        return -1;
    static const char *const statements[] = {
        "DELETE FROM parts WHERE upload IN (SELECT id FROM uploads WHERE bucket=?)",
        "DELETE FROM uploads WHERE bucket=?", "DELETE FROM configs WHERE bucket=?",
        "DELETE FROM completed WHERE bucket=?", "DELETE FROM buckets WHERE name=?"};
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        sqlite3_stmt *s = connection_prepare(c, statements[i], err);
        if (!s)
            return -1;
        meta_bind_text(s, 1, bucket);
        if (connection_run(c, s, err) < 0)
            return -1;
    }
    return 0;
}

int meta_delete_bucket(struct s3_request *r, enum meta_outcome *outcome, struct err *err)
{
    struct bucket_job job = {.r = r};
    int result = database_write(r->s3->database, delete_bucket_job, &job, err);
    *outcome = job.outcome;
    meta_files_end(&job.files, r->s3, result == 0 && job.outcome == META_DONE);
    return result;
}

struct versioning_job {
    struct s3_request *r;
    enum versioning versioning;
    enum meta_outcome outcome;
};

static int set_versioning_job(struct connection *c, void *context, struct err *err)
{
    struct versioning_job *job = context;
    int exists = meta_exists(c, bucket_exists, job->r->bucket, err);
    job->outcome = exists ? META_DONE : META_NO_BUCKET;
    if (exists <= 0)
        return exists;
    sqlite3_stmt *s = connection_prepare(c, "UPDATE buckets SET versioning=? WHERE name=?", err);
    if (!s)
        return -1;
    sqlite3_bind_int(s, 1, (int)job->versioning);
    meta_bind_text(s, 2, job->r->bucket);
    return connection_run(c, s, err);
}

int meta_set_versioning(struct s3_request *r, enum versioning versioning,
                        enum meta_outcome *outcome, struct err *err)
{
    struct versioning_job job = {.r = r, .versioning = versioning};
    int result = database_write(r->s3->database, set_versioning_job, &job, err);
    *outcome = job.outcome;
    return result;
}
