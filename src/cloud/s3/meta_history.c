#include "cloud/s3/meta_rows.h"

#include "base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Old versions and delete markers. */

enum { SEQUENCE_DIGITS = 13 };

void s3_version_make(int64_t sequence, char out[S3_VERSION_BYTES])
{
    static const char digits[] = RANDOM_LOWER; /* 36 of them */
    random_text(out, S3_VERSION_BYTES - 1, RANDOM_LOWER);
    for (int i = SEQUENCE_DIGITS; i-- > 0; sequence /= 36)
        out[i] = digits[sequence % 36];
}

int64_t s3_version_sequence(const char *version)
{
    static const char digits[] = RANDOM_LOWER;
    int64_t sequence = 0;
    if (strlen(version) != S3_VERSION_BYTES - 1 || strspn(version, digits) != S3_VERSION_BYTES - 1)
        return -1;
    for (int i = 0; i < SEQUENCE_DIGITS; i++) {
        int digit = (int)(strchr(digits, version[i]) - digits);
        if (sequence > (INT64_MAX - digit) / 36)
            return -1;
        sequence = sequence * 36 + digit;
    }
    return sequence;
}

static int drop_content(struct connection *c, const char *name, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(c, "DELETE FROM contents WHERE id=?", err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, strtoll(name + 1, NULL, 10));
    return connection_run(c, s, err);
}

int meta_files_add(struct connection *c, struct meta_files *files, const char *name,
                   struct err *err)
{
    if (!*name) /* a delete marker has none */
        return 0;
    if (*name == '#')
        return drop_content(c, name, err);
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 4;
        char **more = realloc(files->names, capacity * sizeof *more);
        if (!more)
            return err_set(err, ERR_NO_MEMORY, "note a file: out of memory");
        files->names = more;
        files->capacity = capacity;
    }
    char *copy = strdup(name);
    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "note a file: out of memory");
    files->names[files->count++] = copy;
    return 0;
}

void meta_files_end(struct meta_files *files, struct s3 *s3, int is_done)
{
    for (size_t i = 0; i < files->count; i++) {
        if (is_done)
            content_remove(s3, files->names[i]);
        free(files->names[i]);
    }
    free(files->names);
    *files = (struct meta_files){0};
}

void meta_bind_key(sqlite3_stmt *statement, const char *bucket, const char *key)
{
    meta_bind_text(statement, 1, bucket);
    meta_bind_text(statement, 2, key);
}

static void copy_column(char *out, size_t size, sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);
    snprintf(out, size, "%s", text ? text : "");
}

int meta_read_current(const struct meta_at *at, struct meta_current *out, struct err *err)
{
    *out = (struct meta_current){0};
    sqlite3_stmt *s = connection_prepare(at->c,
                                         "SELECT file, etag, version, sequence, size FROM objects"
                                         " WHERE bucket=? AND key=?",
                                         err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    int step = sqlite3_step(s), result = 0;
    if (step == SQLITE_ROW) {
        out->found = 1;
        copy_column(out->file, sizeof out->file, s, 0);
        copy_column(out->etag, sizeof out->etag, s, 1);
        copy_column(out->version, sizeof out->version, s, 2);
        out->sequence = sqlite3_column_int64(s, 3);
        out->size = sqlite3_column_int64(s, 4);
    } else if (step != SQLITE_DONE) {
        result = connection_fail(at->c, "read an object's row", err);
    }
    connection_reset(s);
    return result;
}

/* One integer of the key's history; `otherwise` when there is no row. */
static int read_number(const struct meta_at *at, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(at->c, sql, err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found)
        *out = sqlite3_column_int64(s, 0);
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(at->c, "read an object's history", err);
    connection_reset(s);
    return found;
}

int meta_next_sequence(const struct meta_at *at, const struct meta_current *current, int64_t now_ms,
                       int64_t *out, struct err *err)
{
    int64_t last = 0;
    int found = read_number(at,
                            "SELECT sequence FROM history WHERE bucket=? AND key=?"
                            " ORDER BY sequence DESC LIMIT 1",
                            &last, err);
    if (found < 0)
        return -1;
    if (current->found && current->sequence > last)
        last = current->sequence;
    *out = now_ms * 1000 > last ? now_ms * 1000 : last + 1;
    return 0;
}

static int run_key(const struct meta_at *at, const char *sql, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(at->c, sql, err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    return connection_run(at->c, s, err);
}

static const char drop_current[] = "DELETE FROM objects WHERE bucket=? AND key=?";

static int move_to_history(const struct meta_at *at, struct err *err)
{
    static const char copy[] =
        "INSERT INTO history(bucket, key, " META_COLUMNS ", parts, marker)"
        " SELECT bucket, key, " META_COLUMNS ", parts, 0 FROM objects WHERE bucket=? AND key=?";
    return run_key(at, copy, err) < 0 ? -1 : run_key(at, drop_current, err);
}

/* The row of history with that sequence goes. */
static int drop_old(const struct meta_at *at, int64_t sequence, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        at->c, "DELETE FROM history WHERE bucket=? AND key=? AND sequence=?", err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    sqlite3_bind_int64(s, 3, sequence);
    return connection_run(at->c, s, err);
}

struct old_row {
    int64_t sequence;
    int is_marker;
    char file[CONTENT_NAME_BYTES];
};

/* By version id: its sequence is part of it, but for "null", which has an index. */
static int find_old(const struct meta_at *at, const char *version, struct old_row *out,
                    struct err *err)
{
    int is_null = strcmp(version, "null") == 0;
    sqlite3_stmt *s =
        connection_prepare(at->c,
                           is_null ? "SELECT sequence, marker, file FROM history"
                                     " WHERE bucket=? AND key=? AND version='null'"
                                   : "SELECT sequence, marker, file FROM history"
                                     " WHERE bucket=? AND key=? AND sequence=? AND version=?",
                           err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    if (!is_null) {
        sqlite3_bind_int64(s, 3, s3_version_sequence(version));
        meta_bind_text(s, 4, version);
    }
    int step = sqlite3_step(s);
    int found = step == SQLITE_ROW;
    if (found) {
        out->sequence = sqlite3_column_int64(s, 0);
        out->is_marker = sqlite3_column_int(s, 1);
        copy_column(out->file, sizeof out->file, s, 2);
    }
    if (step != SQLITE_ROW && step != SQLITE_DONE)
        found = connection_fail(at->c, "read an object's history", err);
    connection_reset(s);
    return found;
}

static int remove_old(const struct meta_at *at, const char *version, struct old_row *row,
                      struct meta_files *files, struct err *err)
{
    int found = find_old(at, version, row, err);
    if (found <= 0)
        return found;
    if (meta_files_add(at->c, files, row->file, err) < 0 || drop_old(at, row->sequence, err) < 0)
        return -1;
    return 1;
}

int meta_make_room(const struct meta_at *at, const struct meta_current *current,
                   enum versioning versioning, struct meta_files *files, struct err *err)
{
    struct old_row row;
    int is_null = current->found && strcmp(current->version, "null") == 0;
    if (current->found && versioning != VERSIONING_OFF &&
        !(versioning == VERSIONING_SUSPENDED && is_null)) {
        if (move_to_history(at, err) < 0)
            return -1;
    } else if (current->found && (meta_files_add(at->c, files, current->file, err) < 0 ||
                                  run_key(at, drop_current, err) < 0)) {
        return -1;
    }
    if (versioning == VERSIONING_SUSPENDED && !is_null)
        return remove_old(at, "null", &row, files, err) < 0 ? -1 : 0;
    return 0;
}

int meta_insert_marker(const struct meta_at *at, int64_t sequence, const char *version,
                       int64_t now_ms, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        at->c,
        "INSERT INTO history(bucket, key, sequence, version, modified_ms, marker, file, size, etag,"
        " headers, checksum, blocks, tags, acl, parts)"
        " VALUES(?, ?, ?, ?, ?, 1, '', 0, '', '', '', '', '', '', '')",
        err);
    if (!s)
        return -1;
    meta_bind_key(s, at->bucket, at->key);
    sqlite3_bind_int64(s, 3, sequence);
    meta_bind_text(s, 4, version);
    sqlite3_bind_int64(s, 5, now_ms);
    return connection_run(at->c, s, err);
}

/* Nothing is current: the newest old version becomes it, unless it is a marker. */
static int promote(const struct meta_at *at, struct err *err)
{
    static const char copy[] =
        "INSERT INTO objects(bucket, key, " META_COLUMNS ", parts)"
        " SELECT bucket, key, " META_COLUMNS ", parts FROM history WHERE bucket=? AND key=?"
        " ORDER BY sequence DESC LIMIT 1";
    static const char drop[] = "DELETE FROM history WHERE bucket=?1 AND key=?2 AND sequence="
                               "(SELECT sequence FROM objects WHERE bucket=?1 AND key=?2)";
    int64_t is_marker = 1;
    int found = read_number(at,
                            "SELECT marker FROM history WHERE bucket=? AND key=?"
                            " ORDER BY sequence DESC LIMIT 1",
                            &is_marker, err);
    if (found <= 0 || is_marker)
        return found < 0 ? -1 : 0;
    return run_key(at, copy, err) < 0 ? -1 : run_key(at, drop, err);
}

int meta_remove_version(const struct meta_at *at, const char *version, struct meta_files *files,
                        int *was_marker, struct err *err)
{
    struct meta_current current;
    struct old_row row = {0};
    *was_marker = 0;
    if (meta_read_current(at, &current, err) < 0)
        return -1;
    int is_current = current.found && strcmp(current.version, version) == 0;
    if (is_current &&
        (meta_files_add(at->c, files, current.file, err) < 0 || run_key(at, drop_current, err) < 0))
        return -1;
    if (!is_current) {
        int found = remove_old(at, version, &row, files, err);
        if (found <= 0)
            return found;
        *was_marker = row.is_marker;
    }
    if (!is_current && current.found)
        return 1;
    return promote(at, err) < 0 ? -1 : 1;
}
