#include "cloud/s3/meta_rows.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of buckets, and reading those of objects. */

#define OBJECT_COLUMNS                                                                             \
    " file TEXT NOT NULL, size INTEGER NOT NULL, modified_ms INTEGER NOT NULL,"                    \
    " etag TEXT NOT NULL, headers TEXT NOT NULL, checksum TEXT NOT NULL, blocks BLOB NOT NULL,"    \
    " version TEXT NOT NULL DEFAULT 'null', sequence INTEGER NOT NULL DEFAULT 0,"                  \
    " tags TEXT NOT NULL DEFAULT '', acl TEXT NOT NULL DEFAULT '',"                                \
    " parts TEXT NOT NULL DEFAULT ''"

const char s3_schema[] =
    "CREATE TABLE IF NOT EXISTS buckets(name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL,"
    " region TEXT NOT NULL, versioning INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS configs(bucket TEXT, name TEXT, value TEXT NOT NULL,"
    " PRIMARY KEY(bucket, name)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects(bucket TEXT, key TEXT," OBJECT_COLUMNS
    ", PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS history(bucket TEXT, key TEXT," OBJECT_COLUMNS
    ", marker INTEGER NOT NULL, PRIMARY KEY(bucket, key, sequence DESC)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS history_null ON history(bucket, key)"
    " WHERE version='null';"
    "CREATE TABLE IF NOT EXISTS contents(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, bucket TEXT NOT NULL,"
    " key TEXT NOT NULL, created_ms INTEGER NOT NULL, headers TEXT NOT NULL,"
    " algorithm TEXT NOT NULL, tags TEXT NOT NULL DEFAULT '', acl TEXT NOT NULL DEFAULT '')"
    " WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS uploads_by_key ON uploads(bucket, key, created_ms, id);"
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT, number INTEGER, file TEXT NOT NULL,"
    " size INTEGER NOT NULL, modified_ms INTEGER NOT NULL, etag TEXT NOT NULL,"
    " checksum TEXT NOT NULL, blocks BLOB NOT NULL, crc64 TEXT NOT NULL DEFAULT '',"
    " PRIMARY KEY(upload, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS completed(upload TEXT PRIMARY KEY, bucket TEXT NOT NULL,"
    " key TEXT NOT NULL, done_ms INTEGER NOT NULL, list TEXT NOT NULL, etag TEXT NOT NULL,"
    " checksum TEXT NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS completed_by_time ON completed(done_ms);"
    "CREATE TABLE IF NOT EXISTS outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL,"
    " bucket TEXT NOT NULL, body TEXT NOT NULL, created_ms INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, next_ms INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox(next_ms, id);";

/* Folders made before there were versions lack these columns. */
static const struct {
    const char *table, *column, *definition;
} added_columns[] = {
    {"buckets", "versioning", "versioning INTEGER NOT NULL DEFAULT 0"},
    {"objects", "version", "version TEXT NOT NULL DEFAULT 'null'"},
    {"objects", "sequence", "sequence INTEGER NOT NULL DEFAULT 0"},
    {"objects", "tags", "tags TEXT NOT NULL DEFAULT ''"},
    {"objects", "acl", "acl TEXT NOT NULL DEFAULT ''"},
    {"objects", "parts", "parts TEXT NOT NULL DEFAULT ''"},
    {"uploads", "tags", "tags TEXT NOT NULL DEFAULT ''"},
    {"parts", "crc64", "crc64 TEXT NOT NULL DEFAULT ''"},
    {"uploads", "acl", "acl TEXT NOT NULL DEFAULT ''"},
};

static int has_column(struct connection *c, size_t i, struct err *err)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT 1 FROM pragma_table_info('%s') WHERE name=?",
             added_columns[i].table);
    return meta_exists(c, sql, added_columns[i].column, err);
}

static int add_column(struct connection *c, size_t i, struct err *err)
{
    char sql[256];
    int found = has_column(c, i, err);
    if (found)
        return found < 0 ? -1 : 0;
    snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s", added_columns[i].table,
             added_columns[i].definition);
    return connection_exec(c, sql, err);
}

static int upgrade_job(struct connection *c, void *context, struct err *err)
{
    (void)context;
    for (size_t i = 0; i < sizeof added_columns / sizeof *added_columns; i++)
        if (add_column(c, i, err) < 0)
            return -1;
    return 0;
}

static int has_all_columns(struct connection *c, struct err *err)
{
    int found = 1;
    for (size_t i = 0; found > 0 && i < sizeof added_columns / sizeof *added_columns; i++)
        found = has_column(c, i, err);
    return found;
}

int meta_upgrade(struct s3 *s3, struct err *err)
{
    struct connection *c = database_read_begin(s3->database, err);
    int found = c ? has_all_columns(c, err) : -1;
    database_read_end(s3->database, c);
    if (found)
        return found < 0 ? -1 : 0;
    return database_write(s3->database, upgrade_job, NULL, err);
}

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
    sqlite3_stmt *s = connection_prepare(
        c, "SELECT name, region, created_ms, versioning FROM buckets WHERE name=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found && out)
        *out = (struct meta_bucket){meta_text(r->x, s, 0), meta_text(r->x, s, 1),
                                    sqlite3_column_int64(s, 2),
                                    (enum versioning)sqlite3_column_int(s, 3)};
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

static int fill_object(struct exchange *x, sqlite3_stmt *s, const char *key,
                       struct meta_object *out, struct err *err)
{
    *out = (struct meta_object){.key = key,
                                .file = meta_text(x, s, 0),
                                .size = sqlite3_column_int64(s, 1),
                                .modified_ms = sqlite3_column_int64(s, 2),
                                .etag = meta_text(x, s, 3),
                                .headers = meta_text(x, s, 4),
                                .checksum = meta_text(x, s, 5),
                                .version = meta_text(x, s, 7),
                                .sequence = sqlite3_column_int64(s, 8),
                                .tags = meta_text(x, s, 9),
                                .acl = meta_text(x, s, 10),
                                .parts = "",
                                .versioning = (enum versioning)sqlite3_column_int(s, 11),
                                .is_marker = sqlite3_column_int(s, 12)};
    out->blocks = meta_blocks(x, s, 6, &out->block_count);
    if (out->file && out->etag && out->headers && out->checksum && out->version && out->tags &&
        out->acl && out->blocks)
        return 1;
    return err_set(err, ERR_NO_MEMORY, "read an object's row: out of memory");
}

#define BUCKET_VERSIONING ", (SELECT versioning FROM buckets WHERE name=bucket)"

static const char current_row[] =
    "SELECT " META_COLUMNS BUCKET_VERSIONING ", 0 FROM objects WHERE bucket=? AND key=?";
static const char newest_old_row[] =
    "SELECT " META_COLUMNS BUCKET_VERSIONING ", marker FROM history WHERE bucket=? AND key=?"
    " ORDER BY sequence DESC LIMIT 1";
static const char current_null_row[] =
    "SELECT " META_COLUMNS BUCKET_VERSIONING
    ", 0 FROM objects WHERE bucket=? AND key=? AND version='null'";
static const char old_null_row[] = "SELECT " META_COLUMNS BUCKET_VERSIONING ", marker FROM history"
                                   " WHERE bucket=? AND key=? AND version='null'";
static const char current_version_row[] =
    "SELECT " META_COLUMNS BUCKET_VERSIONING
    ", 0 FROM objects WHERE bucket=? AND key=? AND sequence=? AND version=?";
static const char old_version_row[] =
    "SELECT " META_COLUMNS BUCKET_VERSIONING
    ", marker FROM history WHERE bucket=? AND key=? AND sequence=? AND version=?";

/* With `version` it is bound behind bucket and key, and its sequence before it. */
static int read_object(const struct meta_at *at, struct s3_request *r, const char *sql,
                       const char *version, struct meta_object *out, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(at->c, sql, err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    if (version) {
        sqlite3_bind_int64(s, 3, s3_version_sequence(version));
        meta_bind_text(s, 4, version);
    }
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found && out)
        found = fill_object(r->x, s, at->key, out, err);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(at->c, "read an object's row", err);
    connection_reset(s);
    return found;
}

int meta_object(struct s3_request *r, const char *bucket, const char *key, struct meta_object *out,
                struct err *err)
{
    const struct meta_at at = {database_read_begin(r->s3->database, err), bucket, key};
    struct meta_object marker = {0};
    if (!at.c)
        return -1;
    int found = read_object(&at, r, current_row, NULL, out, err);
    if (found == 0 && read_object(&at, r, newest_old_row, NULL, &marker, err) < 0)
        found = -1;
    if (found == 0 && out && marker.is_marker)
        *out = marker;
    database_read_end(r->s3->database, at.c);
    return found;
}

int meta_version(struct s3_request *r, const char *bucket, const char *key, const char *version,
                 struct meta_object *out, struct err *err)
{
    if (!version)
        return meta_object(r, bucket, key, out, err);
    int is_null = strcmp(version, "null") == 0;
    const char *bound = is_null ? NULL : version;
    const struct meta_at at = {database_read_begin(r->s3->database, err), bucket, key};
    if (!at.c)
        return -1;
    int found =
        read_object(&at, r, is_null ? current_null_row : current_version_row, bound, out, err);
    if (found == 0)
        found = read_object(&at, r, is_null ? old_null_row : old_version_row, bound, out, err);
    database_read_end(r->s3->database, at.c);
    return found;
}

int meta_content(struct s3_request *r, const char *file, void *out, size_t size, struct err *err)
{
    struct connection *c = database_read_begin(r->s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c, "SELECT data FROM contents WHERE id=?", err) : NULL;
    int found = -1;
    if (s) {
        sqlite3_bind_int64(s, 1, strtoll(file + 1, NULL, 10));
        int step = sqlite3_step(s);
        found = step == SQLITE_ROW;
        if (found && (size_t)sqlite3_column_bytes(s, 0) != size)
            found = err_set(err, ERR_CORRUPT, "read content %s: its size is wrong", file);
        else if (found && size)
            memcpy(out, sqlite3_column_blob(s, 0), size);
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            found = connection_fail(c, "read an object's content", err);
        connection_reset(s);
    }
    database_read_end(r->s3->database, c);
    return found;
}

int meta_object_parts(struct s3_request *r, const char *bucket, struct meta_object *out,
                      struct err *err)
{
    static const char sql[] =
        "SELECT parts FROM objects WHERE bucket=?1 AND key=?2 AND sequence=?3 UNION ALL"
        " SELECT parts FROM history WHERE bucket=?1 AND key=?2 AND sequence=?3";
    struct connection *c = database_read_begin(r->s3->database, err);
    sqlite3_stmt *s = c ? connection_prepare(c, sql, err) : NULL;
    int result = s ? 0 : -1;
    if (s) {
        meta_bind_key(s, bucket, out->key);
        sqlite3_bind_int64(s, 3, out->sequence);
        int step = sqlite3_step(s);
        out->parts = step == SQLITE_ROW ? meta_text(r->x, s, 0) : "";
        if (step != SQLITE_ROW && step != SQLITE_DONE)
            result = connection_fail(c, "read an object's parts", err);
        else if (!out->parts)
            result = err_set(err, ERR_NO_MEMORY, "read an object's parts: out of memory");
        connection_reset(s);
    }
    database_read_end(r->s3->database, c);
    return result;
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

int meta_read_versioning(struct connection *c, const char *bucket, enum versioning *out,
                         struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, "SELECT versioning FROM buckets WHERE name=?", err);
    if (!s)
        return -1;
    meta_bind_text(s, 1, bucket);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    *out = found ? (enum versioning)sqlite3_column_int(s, 0) : VERSIONING_OFF;
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(c, "read a bucket", err);
    connection_reset(s);
    return found;
}

void meta_remove_files(struct s3 *s3, char **files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        content_remove(s3, files[i]);
        free(files[i]);
    }
    free(files);
}

/* -- at start -- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int collect_files(struct connection *c, char ***files, size_t *count, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(c,
                           "SELECT file FROM objects UNION ALL SELECT file FROM parts UNION ALL"
                           " SELECT file FROM history WHERE marker=0",
                           err);
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
