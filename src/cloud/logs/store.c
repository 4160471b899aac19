#include "cloud/logs/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cloud/logs/derive.h"
#include "cloud/sqlite/flusher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPIRE_EVERY_MS = 3600 * 1000,
    DROPS_TOLD_EVERY_NS = 1000 * 1000 * 1000,
    MALLOC_BYTES = 16, /* what a block costs besides itself */
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS groups(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "name TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL, retention_days INTEGER);"
    "CREATE TABLE IF NOT EXISTS streams(id INTEGER PRIMARY KEY AUTOINCREMENT, "
    "group_id INTEGER NOT NULL, name TEXT NOT NULL, created_ms INTEGER NOT NULL, "
    "first_ms INTEGER, last_ms INTEGER, ingested_ms INTEGER, UNIQUE(group_id, name));"
    "CREATE TABLE IF NOT EXISTS events(seq INTEGER PRIMARY KEY AUTOINCREMENT, "
    "group_id INTEGER NOT NULL, stream_id INTEGER NOT NULL, unix_ms INTEGER NOT NULL, "
    "ingested_ms INTEGER NOT NULL, message TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS filters(group_id INTEGER NOT NULL, name TEXT NOT NULL, pattern "
    "TEXT "
    "NOT NULL, transformations TEXT NOT NULL, created_ms INTEGER, PRIMARY KEY(group_id, name)) "
    "WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS group_tags(group_id INTEGER PRIMARY KEY, tags TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS by_group ON events(group_id, unix_ms, seq);"
    "CREATE INDEX IF NOT EXISTS by_stream ON events(stream_id, unix_ms, seq);";

struct line {
    struct line *next;
    size_t bytes; /* of memory */
    struct log_event event;
    const char *group, *stream;
    char text[]; /* group, 0, stream, 0, message */
};

struct logs {
    struct database *database;
    struct flusher *flusher;
    struct derive *derive;
    pthread_mutex_t lock;       /* of the waiting lines */
    pthread_mutex_t flush_lock; /* one flush at a time: who returns from it has seen all stored */
    struct line *first, **last;
    size_t pending_bytes; /* of memory, until they are stored */
    unsigned long dropped;
    uint64_t told_ns;   /* when the log last said so */
    int64_t expired_ms; /* when old events were last removed; the flusher's */
};

static int64_t one_id(struct connection *connection, sqlite3_stmt *s, const char *what,
                      struct err *err)
{
    int step = sqlite3_step(s);
    int64_t id = 0;
    if (step == SQLITE_ROW)
        id = sqlite3_column_int64(s, 0);
    else if (step == SQLITE_DONE)
        err_set(err, ERR_NOT_FOUND, "The specified %s does not exist.", what);
    else
        connection_fail(connection, "find a log group", err);
    connection_reset(s);
    return id;
}

int64_t logs_find_group(struct connection *connection, const char *group, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection, "SELECT id FROM groups WHERE name = ?1", err);
    if (!s)
        return 0;
    sqlite3_bind_text(s, 1, group, -1, SQLITE_STATIC);
    return one_id(connection, s, "log group", err);
}

int64_t logs_find_stream(struct connection *connection, int64_t group, const char *stream,
                         struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection, "SELECT id FROM streams WHERE group_id = ?1 AND name = ?2", err);
    if (!s)
        return 0;
    sqlite3_bind_int64(s, 1, group);
    sqlite3_bind_text(s, 2, stream, -1, SQLITE_STATIC);
    return one_id(connection, s, "log stream", err);
}

/* Runs an INSERT ... ON CONFLICT DO NOTHING RETURNING id. */
static int64_t made_id(struct connection *connection, sqlite3_stmt *s, const char *what,
                       struct err *err)
{
    int64_t id = one_id(connection, s, what, err);
    if (!id && err->code == ERR_NOT_FOUND)
        err_set(err, ERR_EXISTS, "The specified %s already exists", what);
    return id;
}

int64_t logs_make_group(struct connection *connection, const char *group, int64_t unix_ms,
                        struct err *err)
{
    sqlite3_stmt *s = connection_prepare(connection,
                                         "INSERT INTO groups(name, created_ms) VALUES(?1, ?2) "
                                         "ON CONFLICT DO NOTHING RETURNING id",
                                         err);
    if (!s)
        return 0;
    sqlite3_bind_text(s, 1, group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, unix_ms);
    return made_id(connection, s, "log group", err);
}

int64_t logs_make_stream(struct connection *connection, int64_t group, const char *stream,
                         int64_t unix_ms, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(connection,
                           "INSERT INTO streams(group_id, name, created_ms) VALUES(?1, ?2, ?3) "
                           "ON CONFLICT DO NOTHING RETURNING id",
                           err);
    if (!s)
        return 0;
    sqlite3_bind_int64(s, 1, group);
    sqlite3_bind_text(s, 2, stream, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, unix_ms);
    return made_id(connection, s, "log stream", err);
}

int logs_touch(struct connection *connection, int64_t stream, const struct logs_span *span,
               struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection,
        "UPDATE streams SET first_ms = min(coalesce(first_ms, ?2), ?2), "
        "last_ms = max(coalesce(last_ms, ?3), ?3), ingested_ms = ?4 WHERE id = ?1",
        err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, stream);
    sqlite3_bind_int64(s, 2, span->first_ms);
    sqlite3_bind_int64(s, 3, span->last_ms);
    sqlite3_bind_int64(s, 4, span->ingested_ms);
    return connection_run(connection, s, err);
}

int logs_insert(struct connection *connection, int64_t group, int64_t stream,
                const struct log_event *event, struct logs_span *span, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(connection,
                           "INSERT INTO events(group_id, stream_id, unix_ms, ingested_ms, message) "
                           "VALUES(?1, ?2, ?3, ?4, ?5)",
                           err);
    if (!s)
        return -1;
    size_t size = event->size > LOGS_MAX_EVENT_BYTES ? LOGS_MAX_EVENT_BYTES : event->size;
    sqlite3_bind_int64(s, 1, group);
    sqlite3_bind_int64(s, 2, stream);
    sqlite3_bind_int64(s, 3, event->unix_ms);
    sqlite3_bind_int64(s, 4, span->ingested_ms);
    sqlite3_bind_text(s, 5, event->message, (int)size, SQLITE_STATIC);
    if (event->unix_ms < span->first_ms)
        span->first_ms = event->unix_ms;
    if (event->unix_ms > span->last_ms)
        span->last_ms = event->unix_ms;
    return connection_run(connection, s, err);
}

static int64_t find_or_make(struct connection *connection, const struct line *line, int64_t *stream,
                            struct err *err)
{
    int64_t group = logs_find_group(connection, line->group, err);
    if (!group && err->code == ERR_NOT_FOUND)
        group = logs_make_group(connection, line->group, line->event.unix_ms, err);
    if (!group)
        return 0;
    *stream = logs_find_stream(connection, group, line->stream, err);
    if (!*stream && err->code == ERR_NOT_FOUND)
        *stream = logs_make_stream(connection, group, line->stream, line->event.unix_ms, err);
    return *stream ? group : 0;
}

static int is_same_stream(const struct line *a, const struct line *b)
{
    return strcmp(a->group, b->group) == 0 && strcmp(a->stream, b->stream) == 0;
}

static int store_lines(struct connection *connection, void *context, struct err *err)
{
    const struct line *line = context;
    while (line) {
        const struct line *first = line;
        struct logs_span span = logs_span_at(clock_unix_ms());
        int64_t stream = 0, group = find_or_make(connection, line, &stream, err);
        if (!group)
            return -1;
        for (; line && is_same_stream(line, first); line = line->next)
            if (logs_insert(connection, group, stream, &line->event, &span, err) < 0)
                return -1;
        if (logs_touch(connection, stream, &span, err) < 0)
            return -1;
    }
    return 0;
}

static int remove_expired(struct connection *connection, void *context, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection,
        "DELETE FROM events WHERE seq IN (SELECT e.seq FROM groups g JOIN events e ON "
        "e.group_id = g.id AND e.unix_ms < ?1 - g.retention_days * 86400000 "
        "WHERE g.retention_days IS NOT NULL)",
        err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, *(const int64_t *)context);
    return connection_run(connection, s, err);
}

/* Told once a second: a function may print faster than anybody reads. */
static void count_dropped(struct logs *logs, unsigned long n, const char *why)
{
    unsigned long dropped = __atomic_add_fetch(&logs->dropped, n, __ATOMIC_RELAXED);
    uint64_t now_ns = clock_monotonic_ns(),
             told_ns = __atomic_load_n(&logs->told_ns, __ATOMIC_RELAXED);
    if ((told_ns == 0 || now_ns - told_ns >= DROPS_TOLD_EVERY_NS) &&
        __atomic_compare_exchange_n(&logs->told_ns, &told_ns, now_ns, 0, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED))
        log_line(LOG_ERROR, "logs: %s (%lu lines dropped since the start)", why, dropped);
}

static struct line *take_lines(struct logs *logs)
{
    pthread_mutex_lock(&logs->lock);
    struct line *lines = logs->first;
    logs->first = NULL;
    logs->last = &logs->first;
    pthread_mutex_unlock(&logs->lock);
    return lines;
}

/* Returns how many there were. */
static unsigned long free_lines(struct logs *logs, struct line *lines)
{
    unsigned long count = 0;
    size_t bytes = 0;
    while (lines) {
        struct line *next = lines->next;
        bytes += lines->bytes;
        free(lines);
        lines = next;
        count++;
    }
    pthread_mutex_lock(&logs->lock);
    logs->pending_bytes -= bytes;
    pthread_mutex_unlock(&logs->lock);
    return count;
}

int logs_flush(struct logs *logs, struct err *err)
{
    pthread_mutex_lock(&logs->flush_lock);
    struct line *lines = take_lines(logs);
    int result = lines ? database_write(logs->database, store_lines, lines, err) : 0;
    pthread_mutex_unlock(&logs->flush_lock);
    unsigned long count = free_lines(logs, lines);
    if (result < 0)
        count_dropped(logs, count, err->message);
    return result;
}

static void flush_later(void *context)
{
    struct logs *logs = context;
    struct err err = {0};
    int64_t now_ms = clock_unix_ms();
    if (logs_flush(logs, &err) < 0)
        log_line(LOG_DEBUG, "logs: %s", err.message);
    if (now_ms - __atomic_load_n(&logs->expired_ms, __ATOMIC_RELAXED) >= EXPIRE_EVERY_MS &&
        logs_expire(logs, &err) < 0)
        log_line(LOG_ERROR, "logs: remove old events: %s", err.message);
}

int logs_expire(struct logs *logs, struct err *err)
{
    int64_t now_ms = clock_unix_ms();
    __atomic_store_n(&logs->expired_ms, now_ms, __ATOMIC_RELAXED);
    return database_write(logs->database, remove_expired, &now_ms, err);
}

struct derive *logs_derive(struct logs *logs)
{
    return logs->derive;
}

/* A function may print anything; JSON carries only UTF-8. */
static void make_utf8(char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length(text + at, size - at);
        if (!length)
            text[at] = '?';
        at += length ? length : 1;
    }
}

static struct line *make_line(const char *group, const char *stream, const char *message,
                              size_t size)
{
    size_t group_bytes = strlen(group) + 1, stream_bytes = strlen(stream) + 1;
    if (group_bytes > LOGS_MAX_NAME_BYTES + 1 || stream_bytes > LOGS_MAX_NAME_BYTES + 1)
        return NULL;
    size_t bytes = sizeof(struct line) + group_bytes + stream_bytes + size;
    struct line *line = malloc(bytes);
    if (!line)
        return NULL;
    char *stream_place = line->text + group_bytes, *message_place = stream_place + stream_bytes;
    memcpy(line->text, group, group_bytes);
    memcpy(stream_place, stream, stream_bytes);
    if (size)
        memcpy(message_place, message, size);
    make_utf8(message_place, size);
    *line =
        (struct line){.bytes = bytes + MALLOC_BYTES, .group = line->text, .stream = stream_place};
    line->event = (struct log_event){.message = message_place, .size = size};
    return line;
}

void logs_put(struct logs *logs, const char *group, const char *stream, int64_t unix_ms,
              const char *message, size_t size)
{
    if (size > LOGS_MAX_EVENT_BYTES)
        size = LOGS_MAX_EVENT_BYTES;
    struct line *line = make_line(group, stream, message, size);
    if (!line) {
        count_dropped(logs, 1, "put a line: no memory, or a name too long");
        return;
    }
    line->event.unix_ms = unix_ms;
    derive_line(logs->derive, group, unix_ms, line->event.message, line->event.size);
    pthread_mutex_lock(&logs->lock);
    int full = logs->pending_bytes + line->bytes > LOGS_MAX_PENDING_BYTES;
    if (!full) {
        logs->pending_bytes += line->bytes;
        *logs->last = line;
        logs->last = &line->next;
    }
    pthread_mutex_unlock(&logs->lock);
    if (full) {
        free(line);
        count_dropped(logs, 1, "put a line: too many wait to be stored");
    }
    flusher_wake(logs->flusher);
}

struct database *logs_database(struct logs *logs)
{
    return logs->database;
}

static int load_filters(struct logs *logs, struct err *err)
{
    struct connection *connection = database_read_begin(logs->database, err);
    sqlite3_stmt *s = connection ? connection_prepare(connection,
                                                      "SELECT g.name, f.name, f.pattern, "
                                                      "f.transformations FROM filters f JOIN "
                                                      "groups g ON g.id = f.group_id",
                                                      err)
                                 : NULL;
    int step = SQLITE_ERROR;
    while (s && (step = sqlite3_step(s)) == SQLITE_ROW) {
        json_t *list = json_loads((const char *)sqlite3_column_text(s, 3), 0, NULL);
        struct derive_filter filter = {
            (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1),
            (const char *)sqlite3_column_text(s, 2), json_array_get(list, 0)};
        if (derive_put(logs->derive, &filter, err) < 0)
            log_line(LOG_ERROR, "logs: metric filter %s: %s", filter.name, err->message);
        json_decref(list);
    }
    if (s && step != SQLITE_DONE)
        connection_fail(connection, "read the metric filters", err);
    connection_reset(s);
    database_read_end(logs->database, connection);
    return step == SQLITE_DONE ? 0 : -1;
}

struct logs *logs_open(const char *path, struct metrics *metrics, struct err *err)
{
    struct logs *logs = calloc(1, sizeof *logs);
    if (!logs) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        return NULL;
    }
    pthread_mutex_init(&logs->lock, NULL);
    pthread_mutex_init(&logs->flush_lock, NULL);
    logs->last = &logs->first;
    logs->derive = derive_create(metrics, err);
    logs->database = logs->derive ? database_open(path, schema, err) : NULL;
    if (logs->database && load_filters(logs, err) == 0)
        logs->flusher = flusher_create(flush_later, logs, LOGS_FLUSH_DELAY_MS, err);
    if (!logs->flusher) {
        logs_close(logs);
        return NULL;
    }
    return logs;
}

void logs_close(struct logs *logs)
{
    if (!logs)
        return;
    flusher_destroy(logs->flusher);
    database_close(logs->database);
    derive_destroy(logs->derive);
    pthread_mutex_destroy(&logs->lock);
    pthread_mutex_destroy(&logs->flush_lock);
    free(logs);
}
