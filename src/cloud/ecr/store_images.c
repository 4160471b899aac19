#include "cloud/ecr/store.h"

#include <stdio.h>
#include <string.h>

/* The rows of manifests and tags. */

struct manifest_job {
    const char *repository, *tag, *digest;
    const struct ecr_manifest *manifest;
    const char *const *tags;
    int *was_there;
};

/* The digest behind a tag; "" when there is none. */
static int find_tag(struct connection *c, const char *repository, const char *tag,
                    char out[ECR_DIGEST_BYTES], struct err *err)
{
    sqlite3_stmt *row = ecr_prepare(c, "SELECT digest FROM tags WHERE repository=? AND tag=?",
                                    TEXTS(repository, tag), err);
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;
    *out = 0;
    if (step == SQLITE_ROW)
        snprintf(out, ECR_DIGEST_BYTES, "%s", (const char *)sqlite3_column_text(row, 0));
    int failed = step != SQLITE_ROW && step != SQLITE_DONE;
    if (row && failed)
        connection_fail(c, "read a tag", err);
    connection_reset(row);
    return failed ? -1 : 0;
}

static int put_tag(struct connection *c, const struct manifest_job *job, const char *tag,
                   struct err *err)
{
    char had[ECR_DIGEST_BYTES];
    int64_t immutable = 0;
    if (find_tag(c, job->repository, tag, had, err) < 0 ||
        ecr_number(c, "SELECT immutable FROM repositories WHERE name=?", TEXTS(job->repository),
                   &immutable, err) < 0)
        return -1;
    if (strcmp(had, job->manifest->digest) == 0)
        return 0;
    *job->was_there = 0;
    if (*had && immutable)
        return err_set(err, ERR_EXISTS,
                       "The image tag '%s' already exists in the '%s' repository and cannot be "
                       "overwritten because the repository is immutable.",
                       tag, job->repository);
    return ecr_run(c, "INSERT OR REPLACE INTO tags VALUES(?, ?, ?)",
                   TEXTS(job->repository, tag, job->manifest->digest), err);
}

static int put_uses(struct connection *c, const struct manifest_job *job, struct err *err)
{
    for (const char *const *blob = job->manifest->blobs; *blob; blob++)
        if (ecr_run(c, "INSERT OR IGNORE INTO uses VALUES(?, ?, ?)",
                    TEXTS(job->repository, job->manifest->digest, *blob), err) < 0)
            return -1;
    return 0;
}

static void bind_optional(sqlite3_stmt *statement, int at, const char *text)
{
    if (text)
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static int insert_manifest(struct connection *c, const struct manifest_job *job, struct err *err)
{
    const struct ecr_manifest *m = job->manifest;
    sqlite3_stmt *insert = ecr_prepare(c, "INSERT INTO manifests VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                       TEXTS(job->repository, m->digest, m->media_type), err);
    if (!insert)
        return -1;
    sqlite3_bind_blob64(insert, 4, m->content, m->size, SQLITE_STATIC);
    bind_optional(insert, 5, m->subject);
    bind_optional(insert, 6, m->artifact_type);
    bind_optional(insert, 7, m->annotations);
    sqlite3_bind_int64(insert, 8, (int64_t)m->layers_bytes);
    sqlite3_bind_int64(insert, 9, m->pushed_ms);
    return connection_run(c, insert, err) < 0 ? -1 : put_uses(c, job, err);
}

static int put_manifest(struct connection *c, void *context, struct err *err)
{
    const struct manifest_job *job = context;
    int64_t one;
    if (ecr_check_repository(c, job->repository, err) < 0)
        return -1;
    int found = ecr_number(c, "SELECT 1 FROM manifests WHERE repository=? AND digest=?",
                           TEXTS(job->repository, job->manifest->digest), &one, err);
    *job->was_there = found == 1;
    if (found < 0 || (found == 0 && insert_manifest(c, job, err) < 0))
        return -1;
    for (const char *const *tag = job->tags; *tag; tag++)
        if (put_tag(c, job, *tag, err) < 0)
            return -1;
    return 0;
}

int ecr_put_manifest(struct ecr *ecr, const char *repository, const struct ecr_manifest *manifest,
                     const char *const *tags, int *was_there, struct err *err)
{
    struct manifest_job job = {
        .repository = repository, .manifest = manifest, .tags = tags, .was_there = was_there};
    return database_write(ecr->database, put_manifest, &job, err);
}

#define MANIFEST_COLUMNS                                                                           \
    "m.digest, m.media_type, m.content, m.subject, m.artifact_type, m.annotations, "               \
    "m.layers_bytes, m.pushed_ms"

/* Texts and content are the statement's, or copies in `arena`. */
static void read_manifest(sqlite3_stmt *row, struct arena *arena, struct ecr_manifest *out)
{
    const void *content = sqlite3_column_blob(row, 2);
    *out = (struct ecr_manifest){.size = (size_t)sqlite3_column_bytes(row, 2),
                                 .layers_bytes = (size_t)sqlite3_column_int64(row, 6),
                                 .pushed_ms = sqlite3_column_int64(row, 7)};
    snprintf(out->digest, sizeof out->digest, "%s", (const char *)sqlite3_column_text(row, 0));
    if (!arena)
        return;
    out->content = arena_copy(arena, content ? content : "", out->size);
    out->media_type = ecr_copy_column(row, 1, arena);
    out->subject = ecr_copy_column(row, 3, arena);
    out->artifact_type = ecr_copy_column(row, 4, arena);
    out->annotations = ecr_copy_column(row, 5, arena);
}

static int get_manifest(struct connection *c, const char *repository, const char *digest,
                        struct arena *arena, struct ecr_manifest *out, struct err *err)
{
    sqlite3_stmt *row = ecr_prepare(
        c, "SELECT " MANIFEST_COLUMNS " FROM manifests m WHERE m.repository=? AND m.digest=?",
        TEXTS(repository, digest), err);
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;
    if (step == SQLITE_ROW)
        read_manifest(row, arena, out);
    else if (row && step != SQLITE_DONE)
        connection_fail(c, "read a manifest", err);
    connection_reset(row);
    if (step == SQLITE_DONE)
        return err_set(err, ERR_NOT_FOUND, "manifest %.80s: there is none in %s", digest,
                       repository);
    if (step == SQLITE_ROW && arena && !out->content)
        return err_set(err, ERR_NO_MEMORY, "read a manifest: out of memory");
    return step == SQLITE_ROW ? 0 : -1;
}

int ecr_get_manifest(struct ecr *ecr, const char *repository, const char *reference,
                     struct arena *arena, struct ecr_manifest *out, struct err *err)
{
    char digest[ECR_DIGEST_BYTES];
    struct connection *c = database_read_begin(ecr->database, err);
    int result = c ? 0 : -1;
    if (c && ecr_is_digest(reference))
        snprintf(digest, sizeof digest, "%s", reference);
    else if (c)
        result = find_tag(c, repository, reference, digest, err);
    if (result == 0 && !*digest)
        result =
            err_set(err, ERR_NOT_FOUND, "tag %.128s: there is none in %s", reference, repository);
    if (result == 0)
        result = get_manifest(c, repository, digest, arena, out, err);
    database_read_end(ecr->database, c);
    return result;
}

/* The blobs that only this manifest had go with it. */
static int delete_manifest(struct connection *c, void *context, struct err *err)
{
    static const char *const statements[] = {
        "DELETE FROM tags WHERE repository=? AND digest=?",
        "DELETE FROM blobs WHERE repository=?1 AND digest IN"
        " (SELECT blob FROM uses WHERE repository=?1 AND manifest=?2) AND digest NOT IN"
        " (SELECT blob FROM uses WHERE repository=?1 AND manifest<>?2)",
        "DELETE FROM uses WHERE repository=? AND manifest=?",
        "DELETE FROM manifests WHERE repository=? AND digest=?"};
    const struct manifest_job *job = context;
    const char *const *texts = TEXTS(job->repository, job->digest);
    int64_t one;
    int found =
        ecr_number(c, "SELECT 1 FROM manifests WHERE repository=? AND digest=?", texts, &one, err);
    if (found <= 0)
        return found < 0 ? -1
                         : err_set(err, ERR_NOT_FOUND, "manifest %s: there is none", job->digest);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (ecr_run(c, statements[i], texts, err) < 0)
            return -1;
    return 0;
}

int ecr_delete_manifest(struct ecr *ecr, const char *repository, const char *digest,
                        struct err *err)
{
    struct manifest_job job = {.repository = repository, .digest = digest};
    return database_write(ecr->database, delete_manifest, &job, err);
}

static int delete_tag(struct connection *c, void *context, struct err *err)
{
    const struct manifest_job *job = context;
    char digest[ECR_DIGEST_BYTES];
    if (find_tag(c, job->repository, job->tag, digest, err) < 0)
        return -1;
    if (!*digest)
        return err_set(err, ERR_NOT_FOUND, "tag %s: there is none", job->tag);
    return ecr_run(c, "DELETE FROM tags WHERE repository=? AND tag=?",
                   TEXTS(job->repository, job->tag), err);
}

int ecr_delete_tag(struct ecr *ecr, const char *repository, const char *tag, struct err *err)
{
    struct manifest_job job = {.repository = repository, .tag = tag};
    return database_write(ecr->database, delete_tag, &job, err);
}

int ecr_list_images(struct ecr *ecr, const char *repository, int by_tag, ecr_take_image *take,
                    void *context, struct err *err)
{
    static const char all[] =
        "SELECT " MANIFEST_COLUMNS ", t.tag FROM manifests m LEFT JOIN tags t ON "
        "t.repository=m.repository AND t.digest=m.digest WHERE "
        "m.repository=? ORDER BY m.digest, t.tag";
    static const char tagged[] =
        "SELECT " MANIFEST_COLUMNS ", t.tag FROM tags t JOIN manifests m ON "
        "t.repository=m.repository AND t.digest=m.digest WHERE "
        "t.repository=? ORDER BY t.tag";
    struct connection *c = database_read_begin(ecr->database, err);
    int result = c ? ecr_check_repository(c, repository, err) : -1;
    sqlite3_stmt *row =
        result == 0 ? ecr_prepare(c, by_tag ? tagged : all, TEXTS(repository), err) : NULL;
    int step = SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW) {
        struct ecr_manifest manifest;
        read_manifest(row, NULL, &manifest);
        manifest.content = sqlite3_column_blob(row, 2);
        manifest.media_type = (const char *)sqlite3_column_text(row, 1);
        manifest.subject = (const char *)sqlite3_column_text(row, 3);
        manifest.artifact_type = (const char *)sqlite3_column_text(row, 4);
        manifest.annotations = (const char *)sqlite3_column_text(row, 5);
        if (take(context, &manifest, (const char *)sqlite3_column_text(row, 8)))
            break;
    }
    if (row && step != SQLITE_ROW && step != SQLITE_DONE)
        result = connection_fail(c, "list images", err);
    connection_reset(row);
    database_read_end(ecr->database, c);
    return row ? result : -1;
}
