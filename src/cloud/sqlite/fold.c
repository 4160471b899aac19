#include "base/log.h"
#include "cloud/sqlite/database_parts.h"
#include "cloud/sqlite/log_file.h"

#include <fcntl.h>

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    /* Whenever the log has grown by so many pages it is folded into the file, beside the writer;
     * from so many on the writer has to wait for the rest, or the log would grow as long as writes
     * come without a pause. A page that is written again and again goes to the disk each time. */
    FOLD_PAGES = 6000,
    FOLD_ALL_PAGES = 12000,
    /* What was written meanwhile is folded beside the writer too, where it is more than this: each
     * time it is less, and what is left keeps the writer waiting. So many times at most. */
    FOLD_REST_PAGES = 48,
    FOLD_REST_TIMES = 3,
    /* From so many pages on a log gets room before it needs it: so many, when it has fewer than so
     * many left, up to so many. */
    ROOM_FROM_PAGES = 32,
    ROOM_PAGES = 128,
    ROOM_AHEAD_PAGES = 64,
    ROOM_MOST_PAGES = FOLD_ALL_PAGES + FOLD_PAGES / 2,
};

static int open_folder(struct database *database)
{
    struct err err = {0};
    if (!database->folder)
        database->folder = connection_open(database->path, 1, "FULL", &err);
    if (!database->folder)
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    return database->folder ? 0 : -1;
}

/* SQLite before 3.51.3 loses commits when the writer begins the log anew between two steps of a
 * checkpoint that was about to start (sqlite.org/wal.html, "The WAL-Reset Bug"). While someone
 * reads from the log the writer only appends; and who reads when nothing is left to fold keeps the
 * checkpoint from doing anything. So a reader stands by. */
static int fold_beside_writer(struct database *database)
{
    struct err err = {0};
    struct connection *reader = database_read_begin(database, &err);
    int code = SQLITE_ERROR;
    if (reader && connection_exec(reader, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", &err) == 0)
        code = sqlite3_wal_checkpoint_v2(database->folder->handle, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                         NULL, NULL);
    else
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    if (reader && !sqlite3_get_autocommit(reader->handle) &&
        connection_exec(reader, "ROLLBACK", &err) < 0)
        log_line(LOG_ERROR, "fold the log: %s", err.message);
    database_read_end(database, reader);
    return code;
}

static int fold_all(struct database *database)
{
    pthread_mutex_lock(&database->commits);
    int code = sqlite3_wal_checkpoint_v2(database->folder->handle, NULL, SQLITE_CHECKPOINT_RESTART,
                                         NULL, NULL);
    pthread_mutex_unlock(&database->commits);
    return code;
}

static int pages_in_log(struct database *database)
{
    pthread_mutex_lock(&database->lock);
    int pages = database->log_pages;
    pthread_mutex_unlock(&database->lock);
    return pages;
}

static void fold(struct database *database, int pages)
{
    if (open_folder(database) < 0)
        return;
    int code = fold_beside_writer(database), is_all = pages >= FOLD_ALL_PAGES;
    for (int i = 0, now; is_all && code == SQLITE_OK && i < FOLD_REST_TIMES; i++, pages = now) {
        now = pages_in_log(database);
        if (now < pages + FOLD_REST_PAGES)
            break;
        code = fold_beside_writer(database);
    }
    if (is_all && code == SQLITE_OK) /* also when no rest is seen: one may come meanwhile */
        code = fold_all(database);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        log_line(LOG_ERROR, "fold the log of %s: %s", database->path,
                 sqlite3_errmsg(database->folder->handle));
}

/* The log's file is there: the writer has it open. */
static int open_log(struct database *database)
{
    char path[PATH_MAX];
    if (database->log_fd < 0 &&
        (size_t)snprintf(path, sizeof path, "%s-wal", database->path) < sizeof path)
        database->log_fd = open(path, O_WRONLY | O_CLOEXEC);
    return database->log_fd < 0 ? -1 : 0;
}

/* Returns how many pages have room. Where it cannot be had, on a full disk, the log grows as it is
 * written, and tells whoever writes. */
static int make_room(struct database *database, int wanted)
{
    struct err err = {0};
    if (open_log(database) < 0)
        return ROOM_MOST_PAGES;
    pthread_mutex_lock(&database->commits);
    int pages = log_file_lengthen(database->log_fd, wanted, &err);
    pthread_mutex_unlock(&database->commits);
    if (pages >= 0 && fdatasync(database->log_fd) == 0)
        return pages;
    log_line(LOG_DEBUG, "%s: %s", database->path, pages < 0 ? err.message : "sync the log");
    return ROOM_MOST_PAGES;
}

/* Under the lock. */
static int lacks_room(const struct database *database)
{
    return database->log_pages >= ROOM_FROM_PAGES && database->room_pages < ROOM_MOST_PAGES &&
           database->log_pages + ROOM_AHEAD_PAGES > database->room_pages;
}

/* Under the lock, which it leaves for the time: what is due, if anything is. */
static int serve_log(struct database *database)
{
    int pages = database->log_pages, room = database->room_pages;
    if (lacks_room(database)) {
        pthread_mutex_unlock(&database->lock);
        room = make_room(database, pages + ROOM_PAGES);
    } else if (pages >= database->fold_pages) {
        database->fold_pages = pages + FOLD_PAGES;
        pthread_mutex_unlock(&database->lock);
        fold(database, pages);
    } else {
        return 0;
    }
    pthread_mutex_lock(&database->lock);
    database->room_pages = room;
    return 1;
}

static void *folder_main(void *argument)
{
    struct database *database = argument;
    pthread_mutex_lock(&database->lock);
    while (!database->closing)
        if (!serve_log(database))
            pthread_cond_wait(&database->fold, &database->lock);
    pthread_mutex_unlock(&database->lock);
    return NULL;
}

/* Under the lock. */
static void wake_folder(struct database *database)
{
    if (!database->folder_started &&
        pthread_create(&database->folder_thread, NULL, folder_main, database) == 0)
        database->folder_started = 1;
    if (database->folder_started)
        pthread_cond_signal(&database->fold);
    else
        log_line(LOG_ERROR, "fold the log of %s: no thread to be had", database->path);
}

int fold_when_due(void *context, sqlite3 *handle, const char *name, int pages)
{
    struct database *database = context;
    (void)handle, (void)name;
    pthread_mutex_lock(&database->lock);
    if (pages < database->log_pages) /* the log began anew */
        database->fold_pages = FOLD_PAGES;
    database->log_pages = pages;
    if (pages >= database->fold_pages || lacks_room(database))
        wake_folder(database);
    pthread_mutex_unlock(&database->lock);
    return SQLITE_OK;
}

void fold_init(struct database *database)
{
    pthread_cond_init(&database->fold, NULL);
    database->fold_pages = FOLD_PAGES;
    database->log_fd = -1;
}

void fold_stop(struct database *database)
{
    pthread_mutex_lock(&database->lock);
    database->closing = 1;
    pthread_cond_signal(&database->fold);
    pthread_mutex_unlock(&database->lock);
    if (database->folder_started)
        pthread_join(database->folder_thread, NULL);
    connection_close(database->folder);
    if (database->log_fd >= 0)
        close(database->log_fd);
    pthread_cond_destroy(&database->fold);
}
