#ifndef DATABASE_FIXTURE_H
#define DATABASE_FIXTURE_H

#include "base/file.h"
#include "cloud/sqlite/database.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A database in a folder of its own, with one table. */

struct fixture {
    char folder[64], path[128];
    struct database *database;
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS t(a INTEGER PRIMARY KEY, b TEXT)";

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/ken_database_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/d.sqlite", f->folder);
    struct err err = {0};
    f->database = database_open(f->path, schema, &err);
    assert_non_null(f->database);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct err err;
    database_close(f->database);
    assert_int_equal(file_remove_tree(f->folder, &err), 0);
    free(f);
    return 0;
}

static int count_rows(struct fixture *f)
{
    struct err err = {0};
    struct connection *c = database_read_begin(f->database, &err);
    assert_non_null(c);
    sqlite3_stmt *s = connection_prepare(c, "SELECT count(*) FROM t", &err);
    assert_non_null(s);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int n = sqlite3_column_int(s, 0);
    connection_reset(s);
    database_read_end(f->database, c);
    return n;
}

#endif
