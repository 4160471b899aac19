#include "cloud/ecr/store.h"

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

sqlite3_stmt *ecr_prepare(struct connection *c, const char *sql, const char *const *texts,
                          struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(c, sql, err);
    for (int i = 0; statement && texts[i]; i++)
        sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
    return statement;
}

int ecr_run(struct connection *c, const char *sql, const char *const *texts, struct err *err)
{
    return connection_run(c, ecr_prepare(c, sql, texts, err), err);
}

/* The first column of the first row as a number. 1: there is one, 0: none, -1: failed. */
int ecr_number(struct connection *c, const char *sql, const char *const *texts, int64_t *out,
               struct err *err)
{
    sqlite3_stmt *statement = ecr_prepare(c, sql, texts, err);
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

int ecr_check_repository(struct connection *c, const char *name, struct err *err)
{
    int64_t one;
    int found = ecr_number(c, "SELECT 1 FROM repositories WHERE name=?", TEXTS(name), &one, err);
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
    int found = ecr_number(c, "SELECT 1 FROM repositories WHERE name=?", TEXTS(r->name), &one, err);
    if (found)
        return found < 0 ? -1 : err_set(err, ERR_EXISTS, "repository %s: exists", r->name);
    sqlite3_stmt *insert =
        ecr_prepare(c, "INSERT INTO repositories VALUES(?, ?, ?, ?)", TEXTS(r->name), err);
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
    if (ecr_check_repository(c, job->name, err) < 0)
        return -1;
    return ecr_run(c,
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
    if (ecr_check_repository(c, job->name, err) < 0)
        return -1;
    int found = ecr_number(c, "SELECT 1 FROM manifests WHERE repository=? LIMIT 1",
                           TEXTS(job->name), &one, err);
    if (found < 0 || (found && !job->flag))
        return found < 0 ? -1 : err_set(err, ERR_BUSY, "repository %s: has images", job->name);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (ecr_run(c, statements[i], TEXTS(job->name), err) < 0)
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
    if (ecr_check_repository(c, job->name, err) < 0)
        return -1;
    if (job->text)
        return ecr_run(c, "INSERT OR REPLACE INTO texts VALUES(?, ?, ?)",
                       TEXTS(job->name, job->kind, job->text), err);
    return ecr_run(c, "DELETE FROM texts WHERE repository=? AND kind=?",
                   TEXTS(job->name, job->kind), err);
}

int ecr_set_text(struct ecr *ecr, const char *name, const char *kind, const char *text,
                 struct err *err)
{
    struct repository_job job = {.name = name, .kind = kind, .text = text};
    return database_write(ecr->database, set_text, &job, err);
}

const char *ecr_copy_column(sqlite3_stmt *row, int column, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? arena_strdup(arena, text) : NULL;
}

int ecr_get_text(struct ecr *ecr, const char *name, const char *kind, struct arena *arena,
                 const char **out, struct err *err)
{
    *out = NULL;
    struct connection *c = database_read_begin(ecr->database, err);
    int result = c ? ecr_check_repository(c, name, err) : -1;
    sqlite3_stmt *row = result == 0 ? ecr_prepare(c,
                                                  "SELECT text FROM texts WHERE repository=? AND "
                                                  "kind=?",
                                                  TEXTS(name, kind), err)
                                    : NULL;
    if (row && sqlite3_step(row) == SQLITE_ROW)
        *out = ecr_copy_column(row, 0, arena);
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
    sqlite3_stmt *row = c ? ecr_prepare(c, sql, TEXTS(from), err) : NULL;
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
    if (ecr_check_repository(c, job->repository, err) < 0)
        return -1;
    sqlite3_stmt *insert = ecr_prepare(c, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?)",
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
    int found = c ? ecr_number(c, "SELECT size FROM blobs WHERE repository=? AND digest=?",
                               TEXTS(repository, digest), &bytes, err)
                  : -1;
    database_read_end(ecr->database, c);
    *size = (size_t)bytes;
    if (found == 0)
        return err_set(err, ERR_NOT_FOUND, "blob %s: there is none in %s", digest, repository);
    return found == 1 ? 0 : -1;
}

int ecr_each_home(struct ecr *ecr, const char *digest, ecr_take_home *take, void *context,
                  struct err *err)
{
    struct connection *c = database_read_begin(ecr->database, err);
    sqlite3_stmt *row = c ? ecr_prepare(c, "SELECT repository FROM blobs WHERE digest=? LIMIT ?",
                                        TEXTS(digest), err)
                          : NULL;
    int step = SQLITE_ERROR;
    if (row)
        sqlite3_bind_int(row, 2, ECR_MAX_HOMES);
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW &&
           !take(context, (const char *)sqlite3_column_text(row, 0)))
        continue;
    if (row && step != SQLITE_ROW && step != SQLITE_DONE)
        connection_fail(c, "find a blob", err);
    connection_reset(row);
    database_read_end(ecr->database, c);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

static int unlink_blob(struct connection *c, void *context, struct err *err)
{
    const struct blob_job *job = context;
    int64_t one;
    const char *const *texts = TEXTS(job->repository, job->digest);
    int used =
        ecr_number(c, "SELECT 1 FROM uses WHERE repository=? AND blob=? LIMIT 1", texts, &one, err);
    if (used)
        return used < 0 ? -1 : err_set(err, ERR_BUSY, "blob %s: an image has it", job->digest);
    int found =
        ecr_number(c, "SELECT 1 FROM blobs WHERE repository=? AND digest=?", texts, &one, err);
    if (found <= 0)
        return found < 0 ? -1 : err_set(err, ERR_NOT_FOUND, "blob %s: there is none", job->digest);
    return ecr_run(c, "DELETE FROM blobs WHERE repository=? AND digest=?", texts, err);
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
    if (row && step != SQLITE_DONE)
        connection_fail(c, "list blobs", err);
    connection_reset(row);
    database_read_end(ecr->database, c);
    return step == SQLITE_DONE ? 0 : -1;
}
