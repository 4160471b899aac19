#include "cloud/s3/meta_rows.h"

#include <stdlib.h>
#include <string.h>

/* Rows of uploads in parts. */

int meta_upload(struct s3_request *r, const char *id, struct meta_upload *out, struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    sqlite3_stmt *s =
        c ? connection_prepare(c,
                               "SELECT headers, algorithm, created_ms, tags, acl FROM uploads"
                               " WHERE id=? AND bucket=? AND key=?",
                               err)
          : NULL;
    int found = -1;
    if (s) {
        meta_bind_text(s, 1, id);
        meta_bind_text(s, 2, r->bucket);
        meta_bind_text(s, 3, r->key);
        int step = sqlite3_step(s);
        found = step == SQLITE_ROW ? 1 : 0;
        if (found)
            *out = (struct meta_upload){.id = id,
                                        .key = r->key,
                                        .headers = meta_text(r->x, s, 0),
                                        .algorithm = meta_text(r->x, s, 1),
                                        .created_ms = sqlite3_column_int64(s, 2),
                                        .tags = meta_text(r->x, s, 3),
                                        .acl = meta_text(r->x, s, 4)};
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            found = connection_fail(c, "read an upload", err);
        connection_reset(s);
    }
    database_read_end(r->s3->database, c);
    return found;
}

struct upload_job {
    struct s3_request *r;
    const struct meta_upload *upload;
    const char *id;
    const struct meta_part *part;
    char **files;
    size_t count;
    enum meta_outcome outcome;
};

static int create_upload_job(struct connection *c, void *context, struct err *err)
{
    struct upload_job *job = context;
    int exists = meta_exists(c, "SELECT 1 FROM buckets WHERE name=?", job->r->bucket, err);
    job->outcome = exists ? META_DONE : META_NO_BUCKET;
    sqlite3_stmt *s =
        exists > 0 ? connection_prepare(c,
                                        "INSERT INTO uploads(id, bucket, key, created_ms, headers,"
                                        " algorithm, tags, acl) VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
                                        err)
                   : NULL;
    if (!s)
        return exists ? -1 : 0;
    meta_bind_text(s, 1, job->upload->id);
    meta_bind_text(s, 2, job->r->bucket);
    meta_bind_text(s, 3, job->r->key);
    sqlite3_bind_int64(s, 4, job->upload->created_ms);
    meta_bind_text(s, 5, job->upload->headers);
    meta_bind_text(s, 6, job->upload->algorithm);
    meta_bind_text(s, 7, job->upload->tags);
    meta_bind_text(s, 8, job->upload->acl);
    return connection_run(c, s, err);
}

int meta_create_upload(struct s3_request *r, const struct meta_upload *upload,
                       enum meta_outcome *outcome, struct err *err)
{
    struct upload_job job = {.r = r, .upload = upload};
    int result = database_write(r->s3->database, create_upload_job, &job, err);
    *outcome = job.outcome;
    return result;
}

/* Collect the files of an upload's parts; with `number` >= 0 of that part only. */
static int collect(struct connection *c, const char *upload, int64_t number, char ***files,
                   size_t *count, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        c, "SELECT file FROM parts WHERE upload=? AND (number=?2 OR ?2<0) ORDER BY number", err);
    *files = calloc(number < 0 ? S3_MAX_PARTS : 1, sizeof **files);
    *count = 0;
    if (!s || !*files)
        return *files ? -1 : err_set(err, ERR_NO_MEMORY, "read parts: out of memory");
    meta_bind_text(s, 1, upload);
    sqlite3_bind_int64(s, 2, number);
    int step;
    while ((step = sqlite3_step(s)) == SQLITE_ROW && *count < (number < 0 ? S3_MAX_PARTS : 1)) {
        char *file = strdup((const char *)sqlite3_column_text(s, 0));
        if (!file)
            break;
        (*files)[(*count)++] = file;
    }
    int result = step == SQLITE_DONE ? 0 : connection_fail(c, "read parts", err);
    connection_reset(s);
    return result;
}

static int has_upload(struct connection *c, const struct s3_request *r, const char *id,
                      struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c, "SELECT 1 FROM uploads WHERE id=? AND bucket=? AND key=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, id);
    meta_bind_text(s, 2, r->bucket);
    meta_bind_text(s, 3, r->key);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read an upload", err);
    connection_reset(s);
    return found;
}

static int run_with(struct connection *c, const char *sql, const char *text, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, sql, err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, text);
    return connection_run(c, s, err);
}

int meta_end_upload(struct connection *c, const struct s3_request *r, const char *upload,
                    char ***files, size_t *count, struct err *err)
{
    int found = has_upload(c, r, upload, err);
    if (found <= 0)
        return found;
    if (collect(c, upload, -1, files, count, err) < 0 ||
        run_with(c, "DELETE FROM parts WHERE upload=?", upload, err) < 0 ||
        run_with(c, "DELETE FROM uploads WHERE id=?", upload, err) < 0)
        return -1;
    return 1;
}

/* -- what uploads have become -- */

static int forget_completed(struct connection *c, int64_t before_ms, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, "DELETE FROM completed WHERE done_ms<?", err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, before_ms);
    return connection_run(c, s, err);
}

int meta_note_completed(struct connection *c, const struct s3_request *r,
                        const struct meta_put *put, struct err *err)
{
    int64_t now_ms = r->x->received_unix_ms;
    if (forget_completed(c, now_ms - META_KEEPS_COMPLETED_MS, err) < 0)
        return -1;
    sqlite3_stmt *s = connection_prepare(
        c, "INSERT OR REPLACE INTO completed VALUES(?, ?, ?, ?, ?, ?, ?, ?)", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, put->upload);
    meta_bind_text(s, 2, r->bucket);
    meta_bind_text(s, 3, r->key);
    sqlite3_bind_int64(s, 4, now_ms);
    meta_bind_text(s, 5, put->list);
    meta_bind_text(s, 6, put->object->etag);
    meta_bind_text(s, 7, put->object->checksum);
    meta_bind_text(s, 8, put->version);
    return connection_run(c, s, err);
}

int meta_completed(struct s3_request *r, const char *id, struct meta_completed *out,
                   struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c,
                                             "SELECT list, etag, checksum, version FROM completed"
                                             " WHERE upload=? AND bucket=? AND key=?",
                                             err)
                        : NULL;
    int found = -1;
    if (s) {
        meta_bind_text(s, 1, id);
        meta_bind_text(s, 2, r->bucket);
        meta_bind_text(s, 3, r->key);
        int step = sqlite3_step(s);
        found = step == SQLITE_ROW;
        if (found)
            *out = (struct meta_completed){.list = meta_text(r->x, s, 0),
                                           .etag = meta_text(r->x, s, 1),
                                           .checksum = meta_text(r->x, s, 2),
                                           .version = meta_text(r->x, s, 3)};
        else if (step != SQLITE_DONE)
            found = connection_fail(c, "read a completed upload", err);
        connection_reset(s);
    }
    database_read_end(r->s3->database, c);
    return found;
}

static int put_part_job(struct connection *c, void *context, struct err *err)
{
    struct upload_job *job = context;
    const struct meta_part *part = job->part;
    int found = has_upload(c, job->r, job->id, err);
    job->outcome = found ? META_DONE : META_NO_UPLOAD;
    if (found <= 0)
        return found;
    if (collect(c, job->id, part->number, &job->files, &job->count, err) < 0)
        return -1;
    sqlite3_stmt *s = connection_prepare(
        c, "INSERT OR REPLACE INTO parts VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, job->id);
    sqlite3_bind_int64(s, 2, part->number);
    meta_bind_text(s, 3, part->file);
    sqlite3_bind_int64(s, 4, part->size);
    sqlite3_bind_int64(s, 5, part->modified_ms);
    meta_bind_text(s, 6, part->etag);
    meta_bind_text(s, 7, part->checksum);
    sqlite3_bind_blob(s, 8, part->block_count ? (const void *)part->blocks : "",
                      (int)(part->block_count * sizeof *part->blocks), SQLITE_STATIC);
    meta_bind_text(s, 9, part->crc64);
    return connection_run(c, s, err);
}

/* Remove the files only when their rows are gone for good. */
static void end_files(struct upload_job *job, int result)
{
    if (result == 0 && job->outcome == META_DONE) {
        meta_remove_files(job->r->s3, job->files, job->count);
        return;
    }
    for (size_t i = 0; i < job->count; i++)
        free(job->files[i]);
    free(job->files);
}

int meta_put_part(struct s3_request *r, const char *upload, const struct meta_part *part,
                  enum meta_outcome *outcome, struct err *err)
{
    struct upload_job job = {.r = r, .id = upload, .part = part};
    int result = database_write(r->s3->database, put_part_job, &job, err);
    *outcome = job.outcome;
    end_files(&job, result);
    return result;
}

static int abort_job(struct connection *c, void *context, struct err *err)
{
    struct upload_job *job = context;
    int ended = meta_end_upload(c, job->r, job->id, &job->files, &job->count, err);
    job->outcome = ended ? META_DONE : META_NO_UPLOAD;
    return ended < 0 ? -1 : 0;
}

int meta_abort_upload(struct s3_request *r, const char *upload, enum meta_outcome *outcome,
                      struct err *err)
{
    struct upload_job job = {.r = r, .id = upload};
    int result = database_write(r->s3->database, abort_job, &job, err);
    *outcome = job.outcome;
    end_files(&job, result);
    return result;
}

static int read_parts(struct connection *c, struct s3_request *r, const char *upload,
                      struct meta_part *parts, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c,
                                         "SELECT number, file, size, modified_ms, etag, checksum,"
                                         " blocks, crc64 FROM parts WHERE upload=? ORDER BY number",
                                         err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, upload);
    int step, count = 0;
    while ((step = sqlite3_step(s)) == SQLITE_ROW && count < S3_MAX_PARTS) {
        struct meta_part *part = &parts[count++];
        *part = (struct meta_part){.number = sqlite3_column_int64(s, 0),
                                   .file = meta_text(r->x, s, 1),
                                   .size = sqlite3_column_int64(s, 2),
                                   .modified_ms = sqlite3_column_int64(s, 3),
                                   .etag = meta_text(r->x, s, 4),
                                   .checksum = meta_text(r->x, s, 5),
                                   .crc64 = meta_text(r->x, s, 7)};
        part->blocks = meta_blocks(r->x, s, 6, &part->block_count);
        if (!part->file || !part->etag || !part->checksum || !part->crc64 || !part->blocks)
            break;
    }
    if (step != SQLITE_DONE)
        count = connection_fail(c, "read parts", err);
    connection_reset(s);
    return count;
}

int64_t meta_parts(struct s3_request *r, const char *upload, struct meta_part **parts,
                   struct err *err)
{
    *parts = arena_new(&r->x->arena, struct meta_part, S3_MAX_PARTS);
    if (!*parts)
        return err_set(err, ERR_NO_MEMORY, "read parts: out of memory");
    struct connection *c = database_read_begin(r->s3->database, err);
    if (!c)
        return -1;
    int count = read_parts(c, r, upload, *parts, err);
    database_read_end(r->s3->database, c);
    return count;
}

/* Behind (key, id), or behind all of the key without an id. */
static const char uploads_sql[] =
    "SELECT id, key, created_ms FROM uploads WHERE bucket=?1 AND key>=?2 AND"
    " (key>?2 OR ?5 OR (?3<>'' AND (created_ms, id)>(SELECT created_ms, id FROM uploads WHERE "
    "id=?3)))"
    " ORDER BY key, created_ms, id LIMIT ?4";

int64_t meta_uploads(struct s3_request *r, const struct meta_upload_page *page,
                     struct meta_upload **uploads, size_t limit, struct err *err)
{
    *uploads = arena_new(&r->x->arena, struct meta_upload, limit);
    struct connection *c = *uploads ? database_read_begin(r->s3->database, err) : NULL;
    sqlite3_stmt *s = c ? connection_prepare(c, uploads_sql, err) : NULL;
    const char *start = page->prefix;
    int64_t count = s ? 0 : -1;
    if (s) {
        if (strcmp(page->key_marker, start) > 0)
            start = page->key_marker;
        meta_bind_key(s, r->bucket, start);
        meta_bind_text(s, 3, page->id_marker);
        sqlite3_bind_int64(s, 4, (int64_t)limit);
        sqlite3_bind_int(s, 5, start == page->prefix); /* no marker, or one before the prefix */
        int step = SQLITE_ROW;
        while (count < (int64_t)limit && (step = sqlite3_step(s)) == SQLITE_ROW)
            (*uploads)[count++] = (struct meta_upload){.id = meta_text(r->x, s, 0),
                                                       .key = meta_text(r->x, s, 1),
                                                       .created_ms = sqlite3_column_int64(s, 2)};
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            count = connection_fail(c, "read the uploads", err);
        connection_reset(s);
    }
    database_read_end(r->s3->database, c);
    return count;
}
