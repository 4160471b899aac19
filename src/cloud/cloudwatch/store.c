#include "cloud/cloudwatch/store.h"

#include "base/buf.h"
#include "base/log.h"
#include "cloud/sqlite/database.h"
#include "cloud/sqlite/flusher.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024, MAX_KEY_BYTES = 64 * 1024, MAX_TELLERS = 4 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, "
    "name TEXT NOT NULL, dimensions TEXT NOT NULL, last_s INTEGER NOT NULL, "
    "UNIQUE(namespace, name, dimensions));"
    "CREATE TABLE IF NOT EXISTS sums(series INTEGER NOT NULL, start_s INTEGER NOT NULL, "
    "resolution_s INTEGER NOT NULL, unit TEXT NOT NULL, count REAL NOT NULL, sum REAL NOT NULL, "
    "min REAL NOT NULL, max REAL NOT NULL, points BLOB NOT NULL, "
    "PRIMARY KEY(series, start_s, resolution_s, unit)) WITHOUT ROWID;";

/* A sum that waits to be stored. `text` holds namespace, name, dimensions and unit, 0 between. */
struct pending {
    struct pending *next;
    int64_t start_s;
    int resolution_s;
    struct statistic values;
    const char *name_space, *name, *dimensions, *unit;
    size_t text_bytes;
    char text[];
};

struct metrics {
    struct database *database;
    struct flusher *flusher, *patient; /* of what may wait */
    pthread_mutex_t lock;              /* of the pending sums */
    pthread_mutex_t flush_lock; /* one flush at a time: who returns from it has seen all stored */
    struct pending *pending[BUCKETS];
    size_t pending_count;
    unsigned long dropped;
    pthread_rwlock_t tellers_lock; /* of those that tell before a read; held while they do */
    struct teller {
        void (*tell)(void *self);
        void *self;
    } tellers[MAX_TELLERS];
};

static uint32_t hash_text(const char *text, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

static int compare_dimensions(const void *a, const void *b)
{
    const struct metric_dimension *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->value, y->value);
}

char *metrics_dimensions(const struct metric_dimension *dimensions, size_t count)
{
    if (count > METRIC_MAX_DIMENSIONS)
        return NULL;
    struct metric_dimension sorted[METRIC_MAX_DIMENSIONS];
    json_t *object = json_object();
    if (count)
        memcpy(sorted, dimensions, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_dimensions);
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, sorted[i].name, json_string(sorted[i].value));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static struct pending *find_pending(struct pending *first, const struct pending *like)
{
    for (; first; first = first->next)
        if (first->start_s == like->start_s && first->resolution_s == like->resolution_s &&
            first->text_bytes == like->text_bytes &&
            !memcmp(first->text, like->text, like->text_bytes))
            return first;
    return NULL;
}

static const char *put_text(struct pending *pending, const char *text)
{
    size_t size = strlen(text) + 1;
    char *place = pending->text + pending->text_bytes;
    memcpy(place, text, size);
    pending->text_bytes += size;
    return place;
}

static struct pending *make_pending(const struct metrics_series *series, const char *unit)
{
    size_t bytes = strlen(series->name_space) + strlen(series->name) + strlen(series->dimensions) +
                   strlen(unit) + 4;
    struct pending *pending = bytes > MAX_KEY_BYTES ? NULL : calloc(1, sizeof *pending + bytes);
    if (!pending)
        return NULL;
    pending->name_space = put_text(pending, series->name_space);
    pending->name = put_text(pending, series->name);
    pending->dimensions = put_text(pending, series->dimensions);
    pending->unit = put_text(pending, unit);
    return pending;
}

static int64_t round_down(int64_t value, int64_t step)
{
    int64_t rest = value % step;
    return value - (rest < 0 ? rest + step : rest);
}

static int add_pending(struct metrics *metrics, const struct metrics_series *series,
                       const char *unit, struct metrics_time time, const struct statistic *values,
                       struct err *err)
{
    struct pending *pending = make_pending(series, unit);
    if (!pending)
        return err_set(err, ERR_NO_MEMORY, "store a metric: out of memory");
    pending->resolution_s = time.resolution_s;
    pending->start_s = round_down(time.unix_s, time.resolution_s);
    uint32_t bucket = hash_text(pending->text, pending->text_bytes) % BUCKETS;
    pthread_mutex_lock(&metrics->lock);
    struct pending *known = find_pending(metrics->pending[bucket], pending);
    int full = !known && metrics->pending_count >= METRICS_MAX_PENDING;
    if (known || full) {
        free(pending);
    } else {
        known = pending;
        known->next = metrics->pending[bucket];
        metrics->pending[bucket] = known;
        metrics->pending_count++;
    }
    if (!full)
        statistic_merge(&known->values, values);
    pthread_mutex_unlock(&metrics->lock);
    return full ? err_set(err, ERR_BUSY, "store a metric: too many wait to be stored") : 0;
}

int metrics_add(struct metrics *metrics, const struct metrics_series *series, const char *unit,
                struct metrics_time time, const struct statistic *values, struct err *err)
{
    int result = add_pending(metrics, series, unit, time, values, err);
    flusher_wake(metrics->flusher);
    return result;
}

static void count_dropped(struct metrics *metrics, unsigned long n, const char *why)
{
    unsigned long dropped = __atomic_add_fetch(&metrics->dropped, n, __ATOMIC_RELAXED);
    log_line(LOG_ERROR, "metrics: %s (%lu dropped since the start)", why, dropped);
}

void metrics_put(struct metrics *metrics, const struct metric_value *value)
{
    struct err err = {0};
    char *text = metrics_dimensions(value->dimensions, value->dimension_count);
    struct metrics_series series = {value->name_space, value->name, text};
    struct metrics_time minute = {value->unix_ms / 1000, 60};
    struct statistic values = {0};
    statistic_add(&values, value->value, 1);
    if (!text)
        count_dropped(metrics, 1, "put a value: too many dimensions");
    else if (add_pending(metrics, &series, value->unit, minute, &values, &err) < 0)
        count_dropped(metrics, 1, err.message);
    flusher_wake(value->may_wait ? metrics->patient : metrics->flusher);
    free(text);
}

void metrics_on_read(struct metrics *metrics, void (*tell)(void *self), void *self)
{
    size_t at = 0;
    pthread_rwlock_wrlock(&metrics->tellers_lock);
    while (at < MAX_TELLERS && metrics->tellers[at].self && metrics->tellers[at].self != self)
        at++;
    if (at < MAX_TELLERS)
        metrics->tellers[at] = (struct teller){tell, self};
    pthread_rwlock_unlock(&metrics->tellers_lock);
}

static struct connection *begin_read(struct metrics *metrics, struct err *err)
{
    pthread_rwlock_rdlock(&metrics->tellers_lock);
    for (size_t i = 0; i < MAX_TELLERS; i++)
        if (metrics->tellers[i].tell)
            metrics->tellers[i].tell(metrics->tellers[i].self);
    pthread_rwlock_unlock(&metrics->tellers_lock);
    return metrics_flush(metrics, err) < 0 ? NULL : database_read_begin(metrics->database, err);
}

/* The id of a series, made when new; 0 on failure. */
static int64_t series_id(struct connection *connection, const struct pending *pending,
                         struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection,
        "INSERT INTO series(namespace, name, dimensions, last_s) VALUES(?1, ?2, ?3, ?4) "
        "ON CONFLICT DO UPDATE SET last_s = max(last_s, excluded.last_s) RETURNING id",
        err);
    if (!s)
        return 0;
    sqlite3_bind_text(s, 1, pending->name_space, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, pending->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, pending->dimensions, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, pending->start_s);
    int64_t id = 0;
    if (sqlite3_step(s) == SQLITE_ROW)
        id = sqlite3_column_int64(s, 0);
    else
        connection_fail(connection, "store a metric", err);
    connection_reset(s);
    return id;
}

/* Columns count, sum, min, max, points from `column` on. */
static void read_statistic(sqlite3_stmt *s, int column, struct statistic *out)
{
    *out = (struct statistic){.count = sqlite3_column_double(s, column),
                              .sum = sqlite3_column_double(s, column + 1),
                              .min = sqlite3_column_double(s, column + 2),
                              .max = sqlite3_column_double(s, column + 3)};
    const void *points = sqlite3_column_blob(s, column + 4);
    size_t bytes = (size_t)sqlite3_column_bytes(s, column + 4);
    size_t count = bytes / sizeof *out->points;
    if (!points || count > STATISTIC_MAX_POINTS)
        return;
    memcpy(out->points, points, count * sizeof *out->points);
    out->point_count = count;
}

static int load_sum(struct connection *connection, int64_t id, const struct pending *pending,
                    struct statistic *out, struct err *err)
{
    sqlite3_stmt *s =
        connection_prepare(connection,
                           "SELECT count, sum, min, max, points FROM sums WHERE series = ?1 "
                           "AND start_s = ?2 AND resolution_s = ?3 AND unit = ?4",
                           err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, pending->start_s);
    sqlite3_bind_int(s, 3, pending->resolution_s);
    sqlite3_bind_text(s, 4, pending->unit, -1, SQLITE_STATIC);
    int step = sqlite3_step(s);
    if (step == SQLITE_ROW)
        read_statistic(s, 0, out);
    else if (step != SQLITE_DONE)
        connection_fail(connection, "read a metric", err);
    connection_reset(s);
    return step == SQLITE_ROW || step == SQLITE_DONE ? 0 : -1;
}

static int store_sum(struct connection *connection, int64_t id, const struct pending *pending,
                     const struct statistic *values, struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection, "REPLACE INTO sums VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", err);
    if (!s)
        return -1;
    sqlite3_bind_int64(s, 1, id);
    sqlite3_bind_int64(s, 2, pending->start_s);
    sqlite3_bind_int(s, 3, pending->resolution_s);
    sqlite3_bind_text(s, 4, pending->unit, -1, SQLITE_STATIC);
    sqlite3_bind_double(s, 5, values->count);
    sqlite3_bind_double(s, 6, values->sum);
    sqlite3_bind_double(s, 7, values->min);
    sqlite3_bind_double(s, 8, values->max);
    sqlite3_bind_blob(s, 9, values->points, (int)(values->point_count * sizeof *values->points),
                      SQLITE_STATIC);
    return connection_run(connection, s, err);
}

static int store_pending(struct connection *connection, void *context, struct err *err)
{
    for (const struct pending *p = context; p; p = p->next) {
        int64_t id = series_id(connection, p, err);
        struct statistic sum = {0};
        if (!id || load_sum(connection, id, p, &sum, err) < 0)
            return -1;
        statistic_merge(&sum, &p->values);
        if (store_sum(connection, id, p, &sum, err) < 0)
            return -1;
    }
    return 0;
}

static struct pending *take_pending(struct metrics *metrics)
{
    struct pending *all = NULL;
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (metrics->pending[i]) {
            struct pending *p = metrics->pending[i];
            metrics->pending[i] = p->next;
            p->next = all;
            all = p;
        }
    }
    metrics->pending_count = 0;
    pthread_mutex_unlock(&metrics->lock);
    return all;
}

int metrics_flush(struct metrics *metrics, struct err *err)
{
    pthread_mutex_lock(&metrics->flush_lock);
    struct pending *all = take_pending(metrics);
    int result = all ? database_write(metrics->database, store_pending, all, err) : 0;
    pthread_mutex_unlock(&metrics->flush_lock);
    unsigned long lost = 0;
    while (all) {
        struct pending *next = all->next;
        free(all);
        all = next;
        lost++;
    }
    if (result < 0)
        count_dropped(metrics, lost, err->message);
    return result;
}

static void flush_later(void *context)
{
    struct err err = {0};
    if (metrics_flush(context, &err) < 0)
        log_line(LOG_DEBUG, "metrics: %s", err.message);
}

struct metrics *metrics_open(const char *path, struct err *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        return NULL;
    }
    pthread_mutex_init(&metrics->lock, NULL);
    pthread_mutex_init(&metrics->flush_lock, NULL);
    pthread_rwlock_init(&metrics->tellers_lock, NULL);
    metrics->database = database_open(path, schema, err);
    if (metrics->database)
        metrics->flusher = flusher_create(flush_later, metrics, METRICS_FLUSH_DELAY_MS, err);
    if (metrics->flusher)
        metrics->patient = flusher_create(flush_later, metrics, METRICS_PATIENCE_MS, err);
    if (!metrics->patient) {
        metrics_close(metrics);
        return NULL;
    }
    return metrics;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    flusher_destroy(metrics->patient);
    flusher_destroy(metrics->flusher);
    database_close(metrics->database);
    pthread_mutex_destroy(&metrics->lock);
    pthread_mutex_destroy(&metrics->flush_lock);
    pthread_rwlock_destroy(&metrics->tellers_lock);
    free(metrics);
}

static sqlite3_stmt *prepare_read(struct connection *connection, const struct metrics_query *query,
                                  struct err *err)
{
    sqlite3_stmt *s = connection_prepare(
        connection,
        "SELECT start_s, unit, count, sum, min, max, points FROM sums WHERE series = "
        "(SELECT id FROM series WHERE namespace = ?1 AND name = ?2 AND dimensions = ?3) "
        "AND start_s >= ?4 AND start_s < ?5 AND (?6 IS NULL OR unit = ?6)",
        err);
    if (!s)
        return NULL;
    sqlite3_bind_text(s, 1, query->series.name_space, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, query->series.name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, query->series.dimensions, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 4, query->start_s);
    sqlite3_bind_int64(s, 5, query->end_s);
    sqlite3_bind_text(s, 6, query->unit, -1, SQLITE_STATIC);
    return s;
}

int metrics_read(struct metrics *metrics, const struct metrics_query *query, metrics_bin *add,
                 void *context, struct err *err)
{
    struct connection *connection = begin_read(metrics, err);
    if (!connection)
        return -1;
    sqlite3_stmt *s = prepare_read(connection, query, err);
    int step = s ? sqlite3_step(s) : SQLITE_ERROR;
    for (; step == SQLITE_ROW; step = sqlite3_step(s)) {
        struct statistic values;
        read_statistic(s, 2, &values);
        size_t bin = (size_t)((sqlite3_column_int64(s, 0) - query->start_s) / query->period_s);
        add(context, bin, &values, (const char *)sqlite3_column_text(s, 1));
    }
    if (s && step != SQLITE_DONE)
        connection_fail(connection, "read metrics", err);
    connection_reset(s);
    database_read_end(metrics->database, connection);
    return step == SQLITE_DONE ? 0 : -1;
}

int metrics_list(struct metrics *metrics, const struct metrics_filter *filter, metrics_see *see,
                 void *context, struct err *err)
{
    struct connection *connection = begin_read(metrics, err);
    if (!connection)
        return -1;
    sqlite3_stmt *s = connection_prepare(
        connection,
        "SELECT id, namespace, name, dimensions FROM series WHERE id > ?1 AND last_s >= ?2 "
        "AND (?3 IS NULL OR namespace = ?3) AND (?4 IS NULL OR name = ?4) ORDER BY id",
        err);
    int step = SQLITE_ERROR;
    if (s) {
        sqlite3_bind_int64(s, 1, filter->after_id);
        sqlite3_bind_int64(s, 2, filter->since_s);
        sqlite3_bind_text(s, 3, filter->name_space, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, filter->name, -1, SQLITE_STATIC);
        step = sqlite3_step(s);
    }
    for (; step == SQLITE_ROW; step = sqlite3_step(s)) {
        struct metrics_series series = {(const char *)sqlite3_column_text(s, 1),
                                        (const char *)sqlite3_column_text(s, 2),
                                        (const char *)sqlite3_column_text(s, 3)};
        if (!see(context, sqlite3_column_int64(s, 0), &series)) {
            step = SQLITE_DONE;
            break;
        }
    }
    if (s && step != SQLITE_DONE)
        connection_fail(connection, "list metrics", err);
    connection_reset(s);
    database_read_end(metrics->database, connection);
    return step == SQLITE_DONE ? 0 : -1;
}
