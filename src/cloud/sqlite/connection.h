#ifndef CLOUD_SQLITE_CONNECTION_H
#define CLOUD_SQLITE_CONNECTION_H

#include "cloud/sqlite/database.h"

#include <stddef.h>

/* What database.c knows of a connection and nobody else. */

#define CONNECTION_STATEMENTS ((size_t)64)

struct connection {
    sqlite3 *handle;
    struct {
        char *sql;
        sqlite3_stmt *statement;
    } cache[CONNECTION_STATEMENTS];
    size_t cached, next_victim;
    int is_memory; /* an empty database in the place of a file that is not made yet */
    struct connection *next;
};

struct connection *connection_open(const char *path, int writer, const char *synchronous,
                                   struct err *err);
void connection_close(struct connection *connection); /* NULL is fine */

#endif
