#include "cloud/ecr/ecr.h"

#include <stdio.h>
#include <string.h>

/* The rows of ECR. Every change is one job on the writer's thread, so what it checks first still
 * holds when it writes. */

const char ecr_schema[] =
    "CREATE TABLE IF NOT EXISTS repositories(name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL,"
    " immutable INTEGER NOT NULL, scan INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS texts(repository TEXT NOT NULL, kind TEXT NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY(repository, kind)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blobs(repository TEXT NOT NULL, digest TEXT NOT NULL,"
    " size INTEGER NOT NULL, PRIMARY KEY(repository, digest)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS blobs_by_digest ON blobs(digest);"
    "CREATE TABLE IF NOT EXISTS manifests(repository TEXT NOT NULL, digest TEXT NOT NULL,"
    " media_type TEXT NOT NULL, content BLOB NOT NULL, subject TEXT, artifact_type TEXT,"
    " annotations TEXT, layers_bytes INTEGER NOT NULL, pushed_ms INTEGER NOT NULL,"
    " PRIMARY KEY(repository, digest));"
    "CREATE TABLE IF NOT EXISTS uses(repository TEXT NOT NULL, manifest TEXT NOT NULL,"
    " blob TEXT NOT NULL, PRIMARY KEY(repository, blob, manifest)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tags(repository TEXT NOT NULL, tag TEXT NOT NULL,"
    " digest TEXT NOT NULL, PRIMARY KEY(repository, tag)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS tags_by_digest ON tags(repository, digest);";

/* -- statements: texts bound in order, NULL at the end of the list -- */

static sqlite3_stmt *prepare(struct connection *c, const char *sql, const char *const *texts,
                             struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(c, sql, err);
    for (int i = 0; statement && texts[i]; i++)
        sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    return statement;
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int run(struct connection *c, const char *sql, const char *const *texts, struct err *err)
{
    return connection_run(c, prepare(c, sql, texts, err), err);
}

/* The first column of the first row as a number. 1: there is one, 0: none, -1: failed. */
static int number(struct connection *c, const char *sql, const char *const *texts, int64_t *out,
                  struct err *err)
{
    sqlite3_stmt *statement = prepare(c, sql, texts, err);
    int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    int result = step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : -1;
    if (result == 1)
        *out = sqlite3_column_int64(statement, 0);
    else if (result < 0 && statement)
        connection_fail(c, "read the registry", err);
    connection_reset(statement);
    return result;
}

static int no_repository(const char *name, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "repository %.256s: there is none", name);
}

static int check_repository(struct connection *c, const char *name, struct err *err)
{
    int64_t one;
    int found = number(c, "SELECT 1 FROM repositories WHERE name=?", TEXTS(name), &one, err);
    return found == 1 ? 0 : found == 0 ? no_repository(name, err) : -1;
}

/* -- repositories -- */

struct repository_job {
    const struct ecr_repository *repository;
    const char *name, *kind, *text;
    int flag;
};

static int put_repository(struct connection *c, void *context, struct err *err)
{
    const struct repository_job *job = context;
    const struct ecr_repository *r = job->repository;
    int64_t one;
    int found = number(c, "SELECT 1 FROM repositories WHERE name=?", TEXTS(r->name), &one, err);
    if (found)
        return found < 0 ? -1 : err_set(err, ERR_EXISTS, "repository %s: exists", r->name);
    sqlite3_stmt *insert =
        prepare(c, "INSERT INTO repositories VALUES(?, ?, ?, ?)", TEXTS(r->name), err);
    if (!insert)
        return -1;
    sqlite3_bind_int64(insert, 2, r->created_ms);
    sqlite3_bind_int(insert, 3, r->is_immutable);
    sqlite3_bind_int(insert, 4, r->scan_on_push);
    return connection_run(c, insert, err);
}

int ecr_put_repository(struct ecr *ecr, const struct ecr_repository *repository, struct err *err)
{
    struct repository_job job = {.repository = repository};
    return database_write(ecr->database, put_repository, &job, err);
}

static int set_mutability(struct connection *c, void *context, struct err *err)
{
    const struct repository_job *job = context;
    if (check_repository(c, job->name, err) < 0)
        return -1;
    return run(c,
               job->flag ? "UPDATE repositories SET immutable=1 WHERE name=?"
                         : "UPDATE repositories SET immutable=0 WHERE name=?",
               TEXTS(job->name), err);
}

int ecr_set_mutability(struct ecr *ecr, const char *name, int is_immutable, struct err *err)
{
    struct repository_job job = {.name = name, .flag = is_immutable};
    return database_write(ecr->database, set_mutability, &job, err);
}

static int delete_repository(struct connection *c, void *context, struct err *err)
{
    static const char *const statements[] = {
        "DELETE FROM tags WHERE repository=?",      "DELETE FROM uses WHERE repository=?",
        "DELETE FROM manifests WHERE repository=?", "DELETE FROM blobs WHERE repository=?",
        "DELETE FROM texts WHERE repository=?",     "DELETE FROM repositories WHERE name=?"};
    const struct repository_job *job = context;
    int64_t one;
    if (check_repository(c, job->name, err) < 0)
        return -1;
    int found = number(c, "SELECT 1 FROM manifests WHERE repository=? LIMIT 1", TEXTS(job->name),
                       &one, err);
    if (found < 0 || (found && !job->flag))
        return found < 0 ? -1 : err_set(err, ERR_BUSY, "repository %s: has images", job->name);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (run(c, statements[i], TEXTS(job->name), err) < 0)
            return -1;
    return 0;
}

int ecr_delete_repository(struct ecr *ecr, const char *name, int force, struct err *err)
{
    struct repository_job job = {.name = name, .flag = force};
    return database_write(ecr->database, delete_repository, &job, err);
}

static int set_text(struct connection *c, void *context, struct err *err)
{
    const struct repository_job *job = context;
    if (check_repository(c, job->name, err) < 0)
        return -1;
    if (job->text)
        return run(c, "INSERT OR REPLACE INTO texts VALUES(?, ?, ?)",
                   TEXTS(job->name, job->kind, job->text), err);
    return run(c, "DELETE FROM texts WHERE repository=? AND kind=?", TEXTS(job->name, job->kind),
               err);
}

int ecr_set_text(struct ecr *ecr, const char *name, const char *kind, const char *text,
                 struct err *err)
{
    struct repository_job job = {.name = name, .kind = kind, .text = text};
    return database_write(ecr->database, set_text, &job, err);
}

static const char *copy_column(sqlite3_stmt *row, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? arena_strdup(arena, text) : NULL;
}

int ecr_get_text(struct ecr *ecr, const char *name, const char *kind, struct arena *arena,
                 const char **out, struct err *err)
{
    *out = NULL;
    struct connection *c = database_read_begin(ecr->database, err);
    int result = c ? check_repository(c, name, err) : -1;
    sqlite3_stmt *row = result == 0 ? prepare(c,
                                              "SELECT text FROM texts WHERE repository=? AND "
                                              "kind=?",
                                              TEXTS(name, kind), err)
                                    : NULL;
    if (row && sqlite3_step(row) == SQLITE_ROW)
        *out = copy_column(row, 0, arena);
    result = row ? result : -1;
    connection_reset(row);
    database_read_end(ecr->database, c);
    return result;
}

static void read_repository(sqlite3_stmt *row, struct ecr_repository *out)
{
    *out = (struct ecr_repository){.created_ms = sqlite3_column_int64(row, 1),
                                   .is_immutable = sqlite3_column_int(row, 2),
                                   .scan_on_push = sqlite3_column_int(row, 3)};
    snprintf(out->name, sizeof out->name, "%s", (const char *)sqlite3_column_text(row, 0));
}

struct one_repository {
    struct ecr_repository *out;
    const char *name;
    int found;
};

static int take_one(void *context, const struct ecr_repository *repository)
{
    struct one_repository *one = context;
    one->found = strcmp(repository->name, one->name) == 0;
    *one->out = *repository;
    return 1;
}

/* Lists from `after` on, or from exactly `from` on. */
static int list_repositories(struct ecr *ecr, const char *sql, const char *from,
                             ecr_take_repository *take, void *context, struct err *err)
{
    struct connection *c = database_read_begin(ecr->database, err);
    sqlite3_stmt *row = c ? prepare(c, sql, TEXTS(from), err) : NULL;
    int step = row ? SQLITE_ROW : SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW) {
        struct ecr_repository repository;
        read_repository(row, &repository);
        if (take(context, &repository))
            break;
    }
    int result = step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
    if (result < 0 && row)
        connection_fail(c, "list repositories", err);
    connection_reset(row);
    database_read_end(ecr->database, c);
    return result;
}

int ecr_list_repositories(struct ecr *ecr, const char *after, ecr_take_repository *take,
                          void *context, struct err *err)
{
    return list_repositories(ecr, "SELECT * FROM repositories WHERE name > ? ORDER BY name",
                             after ? after : "", take, context, err);
}

int ecr_get_repository(struct ecr *ecr, const char *name, struct ecr_repository *out,
                       struct err *err)
{
    struct one_repository one = {.out = out, .name = name};
    if (list_repositories(ecr, "SELECT * FROM repositories WHERE name = ?", name, take_one, &one,
                          err) < 0)
        return -1;
    return one.found ? 0 : no_repository(name, err);
}

/* -- blobs -- */

struct blob_job {
    const char *repository, *digest;
    size_t size;
};

static int link_blob(struct connection *c, void *context, struct err *err)
{
    const struct blob_job *job = context;
    if (check_repository(c, job->repository, err) < 0)
        return -1;
    sqlite3_stmt *insert = prepare(c, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?)",
                                   TEXTS(job->repository, job->digest), err);
    if (!insert)
        return -1;
    sqlite3_bind_int64(insert, 3, (int64_t)job->size);
    return connection_run(c, insert, err);
}

int ecr_link_blob(struct ecr *ecr, const char *repository, const char *digest, size_t size,
                  struct err *err)
{
    struct blob_job job = {repository, digest, size};
    return database_write(ecr->database, link_blob, &job, err);
}

int ecr_find_blob(struct ecr *ecr, const char *repository, const char *digest, size_t *size,
                  struct err *err)
{
    int64_t bytes = 0;
    struct connection *c = database_read_begin(ecr->database, err);
    int found = c ? number(c, "SELECT size FROM blobs WHERE repository=? AND digest=?",
                           TEXTS(repository, digest), &bytes, err)
                  : -1;
    database_read_end(ecr->database, c);
    *size = (size_t)bytes;
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "blob %s: there is none in %s", digest, repository);
    return found == 1 ? 0 : -1;
}

static int unlink_blob(struct connection *c, void *context, struct err *err)
{
    const struct blob_job *job = context;
    int64_t one;
    const char *const *texts = TEXTS(job->repository, job->digest);
    int used =
        number(c, "SELECT 1 FROM uses WHERE repository=? AND blob=? LIMIT 1", texts, &one, err);
    if (used)
        return used < 0 ? -1 : err_set(err, ERR_BUSY, "blob %s: an image has it", job->digest);
    int found = number(c, "SELECT 1 FROM blobs WHERE repository=? AND digest=?", texts, &one, err);
    if (found <= 0)
        return found < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "blob %s: there is none", job->digest);
    return run(c, "DELETE FROM blobs WHERE repository=? AND digest=?", texts, err);
}

int ecr_unlink_blob(struct ecr *ecr, const char *repository, const char *digest, struct err *err)
{
    struct blob_job job = {repository, digest, 0};
    return database_write(ecr->database, unlink_blob, &job, err);
}

int ecr_each_blob(struct ecr *ecr, void (*take)(void *context, const char *digest), void *context,
                  struct err *err)
{
    struct connection *c = database_read_begin(ecr->database, err);
    sqlite3_stmt *row = c ? connection_prepare(c, "SELECT DISTINCT digest FROM blobs", err) : NULL;
    int step = SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW)
        take(context, (const char *)sqlite3_column_text(row, 0));
    connection_reset(row);
    database_read_end(ecr->database, c);
    return step == SQLITE_DONE ? 0 : err_set(err, ERR_IO, "list blobs");
}

/* -- manifests and tags -- */

struct manifest_job {
    const char *repository, *tag, *digest;
    const struct ecr_manifest *manifest;
    int *was_there;
};

/* The digest behind a tag; "" when there is none. */
static int find_tag(struct connection *c, const char *repository, const char *tag,
                    char out[ECR_DIGEST_BYTES], struct err *err)
{
    sqlite3_stmt *row = prepare(c, "SELECT digest FROM tags WHERE repository=? AND tag=?",
                                TEXTS(repository, tag), err);
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;
    *out = 0;
    if (step == SQLITE_ROW)
        snprintf(out, ECR_DIGEST_BYTES, "%s", (const char *)sqlite3_column_text(row, 0));
    connection_reset(row);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

static int put_tag(struct connection *c, const struct manifest_job *job, struct err *err)
{
    char had[ECR_DIGEST_BYTES];
    int64_t immutable = 0;
    if (find_tag(c, job->repository, job->tag, had, err) < 0 ||
        number(c, "SELECT immutable FROM repositories WHERE name=?", TEXTS(job->repository),
               &immutable, err) < 0)
        return -1;
    if (strcmp(had, job->manifest->digest) == 0)
        return 0;
    *job->was_there = 0;
    if (*had && immutable)
        return err_set(err, ERR_EXISTS,
                       "The image tag '%s' already exists in the '%s' repository and cannot be "
                       "overwritten because the repository is immutable.",
                       job->tag, job->repository);
    return run(c, "INSERT OR REPLACE INTO tags VALUES(?, ?, ?)",
               TEXTS(job->repository, job->tag, job->manifest->digest), err);
}

static int put_uses(struct connection *c, const struct manifest_job *job, struct err *err)
{
    for (const char *const *blob = job->manifest->blobs; *blob; blob++)
        if (run(c, "INSERT OR IGNORE INTO uses VALUES(?, ?, ?)",
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
    sqlite3_stmt *insert = prepare(c, "INSERT INTO manifests VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    if (check_repository(c, job->repository, err) < 0)
        return -1;
    int found = number(c, "SELECT 1 FROM manifests WHERE repository=? AND digest=?",
                       TEXTS(job->repository, job->manifest->digest), &one, err);
    *job->was_there = found == 1;
    if (found < 0 || (found == 0 && insert_manifest(c, job, err) < 0))
        return -1;
    return job->tag ? put_tag(c, job, err) : 0;
}

int ecr_put_manifest(struct ecr *ecr, const char *repository, const struct ecr_manifest *manifest,
                     const char *tag, int *was_there, struct err *err)
{
    struct manifest_job job = {
        .repository = repository, .manifest = manifest, .tag = tag, .was_there = was_there};
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
    out->media_type = copy_column(row, 1, arena);
    out->subject = copy_column(row, 3, arena);
    out->artifact_type = copy_column(row, 4, arena);
    out->annotations = copy_column(row, 5, arena);
}

static int get_manifest(struct connection *c, const char *repository, const char *digest,
                        struct arena *arena, struct ecr_manifest *out, struct err *err)
{
    sqlite3_stmt *row = prepare(
        c, "SELECT " MANIFEST_COLUMNS " FROM manifests m WHERE m.repository=? AND m.digest=?",
        TEXTS(repository, digest), err);
    int step = row ? sqlite3_step(row) : SQLITE_ERROR;
    if (step == SQLITE_ROW)
        read_manifest(row, arena, out);
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
        number(c, "SELECT 1 FROM manifests WHERE repository=? AND digest=?", texts, &one, err);
    if (found <= 0)
        return found < 0 ? -1
                         : err_set(err, ERR_NOT_FOUND, "manifest %s: there is none", job->digest);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (run(c, statements[i], texts, err) < 0)
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
    return run(c, "DELETE FROM tags WHERE repository=? AND tag=?", TEXTS(job->repository, job->tag),
               err);
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
    int result = c ? check_repository(c, repository, err) : -1;
    sqlite3_stmt *row =
        result == 0 ? prepare(c, by_tag ? tagged : all, TEXTS(repository), err) : NULL;
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
