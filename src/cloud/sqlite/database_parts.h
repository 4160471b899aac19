#ifndef CLOUD_SQLITE_DATABASE_PARTS_H
#define CLOUD_SQLITE_DATABASE_PARTS_H

#include "cloud/sqlite/connection.h"
#include "cloud/sqlite/database.h"

#include <pthread.h>

/* The parts of a database: database.c (who reads and writes) and fold.c (what becomes of its log).
 */

struct database {
    char *path, *schema;
    pthread_mutex_t lock;
    int exists;              /* the file; 0: nothing was ever written, and to readers it is empty */
    struct connection *idle; /* readers nobody holds */
    struct connection *writer; /* opened with the first write; of who writes */
    struct writes writes;
    pthread_t folder_thread;
    int folder_started, closing;
    struct connection *folder; /* folds the log into the file; opened when there is need */
    pthread_cond_t fold;
    pthread_mutex_t commits; /* held by the writer for a batch, by the folder to fold everything */
    int log_pages;           /* in the log after the last commit */
    int fold_pages;          /* in the log when it is folded next */
    int log_fd;              /* of its file; the folder's */
    int room_pages;          /* in the log's file, as far as is known */
    int relaxed;             /* the writer's next commit needs no fsync */
};

/* Folding the log into the file: on a thread of its own, so that no writer waits for it. It starts
 * when it is needed. */
void fold_init(struct database *database);
/* SQLite's hook of commits, with the database as context. */
int fold_when_due(void *database, sqlite3 *handle, const char *name, int pages);
void fold_stop(struct database *database);

#endif
