#include "cloud/s3/events.h"
#include "cloud/s3/meta_rows.h"
#include "cloud/s3/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writing the rows of objects. */

static enum meta_outcome judge(const struct meta_condition *condition,
                               const struct meta_current *current)
{
    if (condition->if_none_match && current->found &&
        s3_etag_listed(condition->if_none_match, current->etag))
        return META_CONDITION_FAILED;
    if (condition->if_match && !current->found)
        return META_NO_OBJECT;
    if (condition->if_match && !s3_etag_listed(condition->if_match, current->etag))
        return META_CONDITION_FAILED;
    return META_DONE;
}

/* An upload may not replace what was written after it began, however well the etag fits. */
static enum meta_outcome judge_put(const struct meta_put *put, const struct meta_current *current)
{
    enum meta_outcome outcome = judge(&put->condition, current);
    if (outcome == META_DONE && put->upload && put->condition.if_match && current->found &&
        current->sequence / 1000 > put->upload_created_ms)
        return META_CONFLICT;
    return outcome;
}

/* -- put -- */

struct put_job {
    struct s3_request *r;
    struct meta_put *put;
    struct meta_current current;
    struct etag_wait wait;
    int64_t sequence;
    struct meta_files files;
    char **part_files; /* malloc */
    size_t part_count;
};

/* A small content is a row of its own: "#1234". */
static int insert_content(struct connection *c, const struct meta_object *object,
                          char file[CONTENT_NAME_BYTES], struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, "INSERT INTO contents(data) VALUES(?)", err);
    if (!s)
        return -1;
    sqlite3_bind_blob(s, 1, object->data, (int)object->size, SQLITE_STATIC);
    if (connection_run(c, s, err) < 0)
        return -1;
    snprintf(file, CONTENT_NAME_BYTES, "#%lld",
             (long long)sqlite3_last_insert_rowid(sqlite3_db_handle(s)));
    return 0;
}

static void bind_content(sqlite3_stmt *s, const struct meta_object *object, const char *file)
{
    meta_bind_text(s, 3, file);
    sqlite3_bind_int64(s, 4, object->size);
    sqlite3_bind_int64(s, 5, object->modified_ms);
    meta_bind_text(s, 6, object->etag);
    meta_bind_text(s, 7, object->headers);
    meta_bind_text(s, 8, object->checksum);
    sqlite3_bind_blob(s, 9, object->block_count ? (const void *)object->blocks : "",
                      (int)(object->block_count * sizeof *object->blocks), SQLITE_STATIC);
}

static int insert_object(struct connection *c, const struct put_job *job, struct err *err)
{
    static const char sql[] = "INSERT INTO objects(bucket, key, " META_COLUMNS ", parts)"
                              " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    const struct meta_object *object = job->put->object;
    const char *version = job->put->version;
    char file[CONTENT_NAME_BYTES];
    snprintf(file, sizeof file, "%s", object->file);
    if (object->data && insert_content(c, object, file, err) < 0)
        return -1;
    sqlite3_stmt *s = connection_prepare(c, sql, err);
    if (!s)
        return -1;
    meta_bind_key(s, job->r->bucket, job->r->key);
    bind_content(s, object, file);
    meta_bind_text(s, 10, *version ? version : "null");
    sqlite3_bind_int64(s, 11, job->sequence);
    meta_bind_text(s, 12, object->tags ? object->tags : "");
    meta_bind_text(s, 13, object->acl ? object->acl : "");
    meta_bind_text(s, 14, object->parts ? object->parts : "");
    return connection_run(c, s, err);
}

static void name_version(enum versioning versioning, int64_t sequence, char out[S3_VERSION_BYTES])
{
    out[0] = 0;
    if (versioning == VERSIONING_ENABLED)
        s3_version_make(sequence, out);
    else if (versioning == VERSIONING_SUSPENDED)
        snprintf(out, S3_VERSION_BYTES, "null");
}

static int end_upload(struct connection *c, struct put_job *job, struct err *err)
{
    if (!job->put->upload)
        return 1;
    int ended =
        meta_end_upload(c, job->r, job->put->upload, &job->part_files, &job->part_count, err);
    if (ended == 0)
        job->put->outcome = META_NO_UPLOAD;
    return ended;
}

static int make_etag(struct put_job *job, struct err *err)
{
    if (!job->put->etag)
        return 0;
    if (etags_make(&job->r->s3->etags, &job->wait, err) < 0)
        return -1;
    s3_etag(job->wait.md5, 0, job->put->etag);
    return 0;
}

static int put_object_job(struct connection *c, void *context, struct err *err)
{
    struct put_job *job = context;
    const struct meta_at at = {c, job->r->bucket, job->r->key};
    enum versioning versioning;
    int exists = meta_read_versioning(c, at.bucket, &versioning, err);
    if (exists < 0 || (exists && meta_read_current(&at, &job->current, err) < 0))
        return -1;
    job->put->outcome = exists ? judge_put(job->put, &job->current) : META_NO_BUCKET;
    if (job->put->outcome != META_DONE)
        return 0;
    int ended = end_upload(c, job, err);
    if (ended <= 0)
        return ended;
    if (make_etag(job, err) < 0 ||
        meta_next_sequence(&at, &job->current, job->r->x->received_unix_ms, &job->sequence, err) <
            0 ||
        meta_make_room(&at, &job->current, versioning, &job->files, err) < 0)
        return -1;
    name_version(versioning, job->sequence, job->put->version);
    struct s3_event event = {.name = job->put->event,
                             .key = at.key,
                             .etag = job->put->object->etag,
                             .version = job->put->version,
                             .size = job->put->object->size,
                             .has_size = 1,
                             .sequence = job->sequence};
    if (insert_object(c, job, err) < 0 ||
        (job->put->upload && meta_note_completed(c, job->r, job->put, err) < 0))
        return -1;
    return events_note(c, job->r, &event, err);
}

/* A part that is the object now keeps its file. */
static void keep_file(struct put_job *job)
{
    for (size_t i = 0; i < job->part_count; i++) {
        if (strcmp(job->part_files[i], job->put->object->file) != 0)
            continue;
        free(job->part_files[i]);
        job->part_files[i--] = job->part_files[--job->part_count];
    }
}

static void forget(char **files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(files[i]);
    free(files);
}

int meta_put_object(struct s3_request *r, struct meta_put *put, struct err *err)
{
    struct put_job job = {
        .r = r, .put = put, .wait = {.data = put->object->data, .size = (size_t)put->object->size}};
    if (put->etag)
        etags_add(&r->s3->etags, &job.wait);
    int result = database_write(r->s3->database, put_object_job, &job, err);
    if (put->etag)
        etags_leave(&r->s3->etags, &job.wait);
    int done = result == 0 && put->outcome == META_DONE;
    events_wake(r);
    meta_files_end(&job.files, r->s3, done);
    keep_file(&job);
    if (done)
        meta_remove_files(r->s3, job.part_files, job.part_count);
    else
        forget(job.part_files, job.part_count);
    return result;
}

/* -- delete -- */

struct delete_job {
    struct s3_request *r;
    struct meta_delete *deletes;
    size_t count;
    struct meta_files files;
    enum meta_outcome outcome;
};

static int note_removal(struct connection *c, struct s3_request *r, const struct meta_delete *d,
                        int64_t sequence, struct err *err)
{
    const char *expired = d->event_suffix;
    const char *name = d->made_marker
                           ? (expired ? "LifecycleExpiration:DeleteMarkerCreated"
                                      : "ObjectRemoved:DeleteMarkerCreated")
                           : (expired ? "LifecycleExpiration:Delete" : "ObjectRemoved:Delete");
    struct s3_event event = {
        .name = name, .key = d->key, .etag = "", .version = d->out_version, .sequence = sequence};
    return events_note(c, r, &event, err);
}

static int delete_version(struct connection *c, struct delete_job *job, struct meta_delete *d,
                          struct err *err)
{
    const struct meta_at at = {c, job->r->bucket, d->key};
    int found = meta_remove_version(&at, d->version, &job->files, &d->removed_marker, err);
    snprintf(d->out_version, sizeof d->out_version, "%s", d->version);
    if (found <= 0)
        return found;
    return note_removal(c, job->r, d, job->r->x->received_unix_ms * 1000, err);
}

/* The key goes; where there are versions a marker says so. */
static int delete_key(struct connection *c, struct delete_job *job, struct meta_delete *d,
                      const struct meta_current *current, enum versioning versioning,
                      struct err *err)
{
    const struct meta_at at = {c, job->r->bucket, d->key};
    int64_t sequence, now_ms = job->r->x->received_unix_ms;
    if (versioning == VERSIONING_OFF && !current->found)
        return 0;
    if (meta_next_sequence(&at, current, now_ms, &sequence, err) < 0 ||
        meta_make_room(&at, current, versioning, &job->files, err) < 0)
        return -1;
    if (versioning != VERSIONING_OFF) {
        name_version(versioning, sequence, d->out_version);
        d->made_marker = 1;
        if (meta_insert_marker(&at, sequence, d->out_version, now_ms, err) < 0)
            return -1;
    }
    return note_removal(c, job->r, d, sequence, err);
}

static int delete_one(struct connection *c, struct delete_job *job, struct meta_delete *d,
                      enum versioning versioning, struct err *err)
{
    const struct meta_at at = {c, job->r->bucket, d->key};
    struct meta_current current;
    d->made_marker = d->removed_marker = 0;
    d->out_version[0] = 0;
    d->outcome = META_DONE;
    if (d->version)
        return delete_version(c, job, d, err);
    if (meta_read_current(&at, &current, err) < 0)
        return -1;
    if (d->only_sequence && (!current.found || current.sequence != d->only_sequence))
        return 0;
    d->outcome = judge(&d->condition, &current);
    return d->outcome == META_DONE ? delete_key(c, job, d, &current, versioning, err) : 0;
}

static int delete_objects_job(struct connection *c, void *context, struct err *err)
{
    struct delete_job *job = context;
    enum versioning versioning;
    int exists = meta_read_versioning(c, job->r->bucket, &versioning, err);
    job->outcome = exists ? META_DONE : META_NO_BUCKET;
    if (exists <= 0)
        return exists;
    for (size_t i = 0; i < job->count; i++)
        if (delete_one(c, job, &job->deletes[i], versioning, err) < 0)
            return -1;
    return 0;
}

int meta_delete_objects(struct s3_request *r, struct meta_delete *deletes, size_t count,
                        enum meta_outcome *outcome, struct err *err)
{
    struct delete_job job = {.r = r, .deletes = deletes, .count = count};
    int result = database_write(r->s3->database, delete_objects_job, &job, err);
    *outcome = job.outcome;
    events_wake(r);
    meta_files_end(&job.files, r->s3, result == 0);
    return result;
}

/* -- tags and grants -- */

struct change_job {
    struct s3_request *r;
    struct meta_change *change;
    char etag[S3_ETAG_BYTES]; /* of what was changed */
};

/* 1 when a row of the table was changed. */
static int change_row(struct connection *c, const char *sql, struct change_job *job,
                      struct err *err)
{
    const struct meta_change *change = job->change;
    sqlite3_stmt *s = connection_prepare(c, sql, err);
    if (!s)
        return -1;
    meta_bind_key(s, job->r->bucket, job->r->key);
    if (change->version)
        meta_bind_text(s, 3, change->version);
    if (change->tags)
        meta_bind_text(s, 4, change->tags);
    if (change->acl)
        meta_bind_text(s, 5, change->acl);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found) {
        const char *version = (const char *)sqlite3_column_text(s, 0);
        const char *etag = (const char *)sqlite3_column_text(s, 1);
        snprintf(job->change->out_version, S3_VERSION_BYTES, "%s", version ? version : "");
        snprintf(job->etag, sizeof job->etag, "%s", etag ? etag : "");
        step = sqlite3_step(s);
    }
    if (step != SQLITE_DONE)
        found = connection_fail(c, "change an object's row", err);
    connection_reset(s);
    return found;
}

static int change_object_job(struct connection *c, void *context, struct err *err)
{
    struct change_job *job = context;
    struct meta_change *change = job->change;
    enum versioning versioning;
    int exists = meta_read_versioning(c, job->r->bucket, &versioning, err);
    change->outcome = META_NO_BUCKET;
    if (exists <= 0)
        return exists;
    int found = change_row(c,
                           "UPDATE objects SET tags=coalesce(?4, tags), acl=coalesce(?5, acl)"
                           " WHERE bucket=?1 AND key=?2 AND (?3 IS NULL OR version=?3)"
                           " RETURNING version, etag",
                           job, err);
    if (found == 0 && change->version)
        found = change_row(c,
                           "UPDATE history SET tags=coalesce(?4, tags), acl=coalesce(?5, acl)"
                           " WHERE bucket=?1 AND key=?2 AND version=?3 AND marker=0"
                           " RETURNING version, etag",
                           job, err);
    if (found < 0)
        return -1;
    change->outcome = found ? META_DONE : change->version ? META_NO_VERSION : META_NO_OBJECT;
    if (versioning == VERSIONING_OFF)
        change->out_version[0] = 0;
    if (!found || !change->event)
        return 0;
    struct s3_event event = {.name = change->event,
                             .key = job->r->key,
                             .etag = job->etag,
                             .version = change->out_version,
                             .sequence = job->r->x->received_unix_ms * 1000};
    return events_note(c, job->r, &event, err);
}

int meta_change_object(struct s3_request *r, struct meta_change *change, struct err *err)
{
    struct change_job job = {.r = r, .change = change};
    change->out_version[0] = 0;
    int result = database_write(r->s3->database, change_object_job, &job, err);
    events_wake(r);
    return result;
}
