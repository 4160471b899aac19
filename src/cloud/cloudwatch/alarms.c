#include "cloud/cloudwatch/alarms.h"

#include "base/clock.h"
#include "base/log.h"
#include "cloud/sqlite/database.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS alarms(name TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT "
    "ROWID;"
    "CREATE TABLE IF NOT EXISTS history(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, "
    "type TEXT NOT NULL, unix_ms INT NOT NULL, summary TEXT NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS history_name ON history(name, unix_ms);";

struct alarms {
    struct cloud *cloud;
    struct metrics *metrics;
    struct database *database;
    pthread_mutex_t changes; /* alarms_lock() */
    pthread_mutex_t lock;    /* of the map, and of what follows */
    pthread_cond_t wake;
    pthread_t thread;
    int thread_started, closing;
    json_t *map; /* documents by name */
};

/* -- documents -- */

const struct cloud *alarms_cloud(const struct alarms *alarms)
{
    return alarms->cloud;
}

struct metrics *alarms_metrics(const struct alarms *alarms)
{
    return alarms->metrics;
}

void alarms_lock(struct alarms *alarms)
{
    pthread_mutex_lock(&alarms->changes);
}

void alarms_unlock(struct alarms *alarms)
{
    pthread_mutex_unlock(&alarms->changes);
}

json_t *alarms_find(struct alarms *alarms, const char *name)
{
    pthread_mutex_lock(&alarms->lock);
    json_t *found = json_incref(json_object_get(alarms->map, name));
    pthread_mutex_unlock(&alarms->lock);
    return found;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "AlarmName")),
                  json_string_value(json_object_get(*(json_t *const *)b, "AlarmName")));
}

json_t *alarms_all(struct alarms *alarms)
{
    const char *name;
    json_t *document, *list = json_array();
    size_t count = 0;
    pthread_mutex_lock(&alarms->lock);
    json_t **all = calloc(json_object_size(alarms->map) + 1, sizeof(json_t *));
    json_object_foreach(alarms->map, name, document)
    {
        if (all)
            all[count++] = json_incref(document);
    }
    pthread_mutex_unlock(&alarms->lock);
    if (all)
        qsort(all, count, sizeof *all, compare_names);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, all[i]);
    free(all);
    return list;
}

struct write {
    const char *name, *text;
};

static int write_job(struct connection *connection, void *context, struct err *err)
{
    const struct write *write = context;
    sqlite3_stmt *statement =
        connection_prepare(connection,
                           write->text ? "INSERT OR REPLACE INTO alarms(name, document) VALUES(?,?)"
                                       : "DELETE FROM alarms WHERE name=?",
                           err);
    if (!statement)
        return -1;
    sqlite3_bind_text(statement, 1, write->name, -1, SQLITE_STATIC);
    if (write->text)
        sqlite3_bind_text(statement, 2, write->text, -1, SQLITE_STATIC);
    return connection_run(connection, statement, err);
}

int alarms_put(struct alarms *alarms, const char *name, json_t *document, struct err *err)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    struct write write = {name, text};
    int result = document && !text ? err_set(err, ERR_NO_MEMORY, "store an alarm: out of memory")
                                   : database_write(alarms->database, write_job, &write, err);
    pthread_mutex_lock(&alarms->lock);
    if (result == 0 && document)
        json_object_set(alarms->map, name, document);
    else if (result == 0)
        json_object_del(alarms->map, name);
    if (json_object_size(alarms->map) == 1)
        pthread_cond_signal(&alarms->wake); /* the thread had nothing to wait for */
    pthread_mutex_unlock(&alarms->lock);
    free(text);
    json_decref(document);
    return result;
}

/* -- history -- */

static int prune(struct connection *connection, int64_t now_ms, struct err *err)
{
    sqlite3_stmt *statement = connection_prepare(
        connection,
        "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT 10) AND "
        "unix_ms<?",
        err);
    if (!statement)
        return -1;
    sqlite3_bind_int64(statement, 1, now_ms - ALARMS_HISTORY_DAYS * INT64_C(86400000));
    return connection_run(connection, statement, err);
}

#define COMPOSITE "\"alarmType\":\"CompositeAlarm\""

static int note_job(struct connection *connection, void *context, struct err *err)
{
    const struct alarm_note *note = context;
    char *data = json_dumps(note->data, JSON_COMPACT);
    sqlite3_stmt *statement = connection_prepare(
        connection, "INSERT INTO history(name, type, unix_ms, summary, data) VALUES(?,?,?,?,?)",
        err);
    int result = -1;
    if (statement && data) {
        sqlite3_bind_text(statement, 1, note->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, note->type, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 3, note->now_ms);
        sqlite3_bind_text(statement, 4, note->summary, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 5, data, -1, SQLITE_STATIC);
        result = connection_run(connection, statement, err);
    }
    free(data);
    return result < 0 ? -1 : prune(connection, note->now_ms, err);
}

int alarms_note(struct alarms *alarms, const struct alarm_note *note, struct err *err)
{
    return database_write(alarms->database, note_job, (void *)(uintptr_t)note, err);
}

static json_t *history_row(sqlite3_stmt *row)
{
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:f, s:s}", "id",
                     (json_int_t)sqlite3_column_int64(row, 0), "AlarmName",
                     (const char *)sqlite3_column_text(row, 1), "HistoryItemType",
                     (const char *)sqlite3_column_text(row, 2), "HistorySummary",
                     (const char *)sqlite3_column_text(row, 3), "HistoryData",
                     (const char *)sqlite3_column_text(row, 4), "Timestamp",
                     (double)sqlite3_column_int64(row, 5) / 1000, "AlarmType",
                     strstr((const char *)sqlite3_column_text(row, 4), COMPOSITE) ? "CompositeAlarm"
                                                                                  : "MetricAlarm");
}

json_t *alarms_history(struct alarms *alarms, const struct alarm_search *search, struct err *err)
{
    json_t *list = json_array();
    struct connection *connection = database_read_begin(alarms->database, err);
#define HISTORY                                                                                    \
    "SELECT id, name, type, summary, data, unix_ms FROM history WHERE (?1 IS NULL OR name=?1) "    \
    "AND (?2 IS NULL OR type=?2) AND unix_ms>=?3 AND unix_ms<=?4 AND "                             \
    "CASE WHEN instr(data, '" COMPOSITE "') THEN ?8 ELSE ?7 END AND "
    sqlite3_stmt *row =
        connection ? connection_prepare(connection,
                                        search->ascending ? HISTORY "id>?5 ORDER BY id LIMIT ?6"
                                                          : HISTORY
                                            "(?5=0 OR id<?5) ORDER BY id DESC LIMIT ?6",
                                        err)
                   : NULL;
    if (row) {
        sqlite3_bind_text(row, 1, search->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 2, search->type, -1, SQLITE_STATIC);
        sqlite3_bind_int64(row, 3, search->from_ms);
        sqlite3_bind_int64(row, 4, search->until_ms);
        sqlite3_bind_int64(row, 5, search->after);
        sqlite3_bind_int64(row, 6, search->most);
        sqlite3_bind_int(row, 7, search->of_metrics);
        sqlite3_bind_int(row, 8, search->of_composites);
        while (sqlite3_step(row) == SQLITE_ROW)
            json_array_append_new(list, history_row(row));
        connection_reset(row);
    }
    database_read_end(alarms->database, connection);
    return list;
}

/* -- states -- */

const char *alarms_text(const json_t *alarm, const char *name)
{
    const char *text = json_string_value(json_object_get(alarm, name));
    return text ? text : "";
}

int64_t alarms_period(const json_t *alarm)
{
    const json_t *own = json_object_get(alarm, "period");
    return json_integer_value(own ? own : json_object_get(alarm, "Period"));
}

int alarms_is_composite(const json_t *alarm)
{
    return json_object_get(alarm, "AlarmRule") != NULL;
}

void alarms_mark(json_t *data, const json_t *alarm)
{
    if (alarms_is_composite(alarm))
        json_object_set_new(data, "alarmType", json_string("CompositeAlarm"));
}

/* As a line of history has it. */
static json_t *state_of(const json_t *alarm)
{
    json_t *state = json_pack("{s:s, s:s}", "stateValue", alarms_text(alarm, "StateValue"),
                              "stateReason", alarms_text(alarm, "StateReason"));
    json_t *data = json_loads(alarms_text(alarm, "StateReasonData"), JSON_DECODE_ANY, NULL);
    if (data)
        json_object_set_new(state, "stateReasonData", data);
    return state;
}

static void note_state(struct alarms *alarms, const json_t *old, const json_t *new, int64_t now_ms)
{
    struct err err = {0};
    json_t *summary = json_sprintf("Alarm updated from %s to %s", alarms_text(old, "StateValue"),
                                   alarms_text(new, "StateValue"));
    json_t *data = json_pack("{s:s, s:o, s:o}", "version", "1.0", "oldState", state_of(old),
                             "newState", state_of(new));
    alarms_mark(data, new);
    struct alarm_note note = {alarms_text(new, "AlarmName"), "StateUpdate",
                              json_string_value(summary), data, now_ms};
    if (alarms_note(alarms, &note, &err) < 0)
        log_line(LOG_ERROR, "alarms: %s", err.message);
    json_decref(data);
    json_decref(summary);
}

/* Tells the actions, then forgets that they had to be told. */
int alarms_act(struct alarms *alarms, const char *name, int64_t now_ms, struct err *err)
{
    json_t *alarm = alarms_find(alarms, name);
    const json_t *old = json_object_get(alarm, "pending");
    if (!old) {
        json_decref(alarm);
        return 0;
    }
    int reached = alarm_act(alarms->cloud, alarm, old);
    if (reached) {
        json_t *data = json_pack("{s:s, s:i}", "actionState", "Succeeded", "reached", reached);
        alarms_mark(data, alarm);
        struct alarm_note note = {name, "Action", "Successfully executed actions", data, now_ms};
        if (alarms_note(alarms, &note, err) < 0)
            log_line(LOG_ERROR, "alarms: %s", err->message);
        json_decref(data);
    }
    json_t *told = json_copy(alarm);
    json_object_del(told, "pending");
    json_decref(alarm);
    return alarms_put(alarms, name, told, err);
}

/* What the actions are told of the state before. */
static json_t *previous_state(const json_t *alarm)
{
    static const char *const members[] = {"StateValue", "StateReason", "StateReasonData",
                                          "StateUpdatedTimestamp"};
    json_t *state = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (json_object_get(alarm, members[i]))
            json_object_set(state, members[i], json_object_get(alarm, members[i]));
    return state;
}

int alarms_set_state(struct alarms *alarms, const char *name, const struct alarm_change *change,
                     struct err *err)
{
    json_t *old = alarms_find(alarms, name);
    if (!old)
        return err_set(err, ERR_NOT_FOUND, "there is no alarm %s", name);
    json_t *new = json_copy(old);
    int is_other = strcmp(alarms_text(old, "StateValue"), change->state) != 0;
    json_object_set_new(new, "StateValue", json_string(change->state));
    json_object_set_new(new, "StateReason", json_string(change->reason));
    json_object_set_new(new, "StateUpdatedTimestamp", json_real((double)change->now_ms / 1000));
    if (change->reason_data)
        json_object_set_new(new, "StateReasonData", json_string(change->reason_data));
    else
        json_object_del(new, "StateReasonData");
    if (is_other) {
        json_object_set_new(new, "StateTransitionedTimestamp",
                            json_real((double)change->now_ms / 1000));
        json_object_set_new(new, "pending", previous_state(old));
    }
    int result = alarms_put(alarms, name, json_incref(new), err);
    if (result == 0 && is_other) {
        note_state(alarms, old, new, change->now_ms);
        result = alarms_act(alarms, name, change->now_ms, err);
    }
    json_decref(old);
    json_decref(new);
    return result;
}

static void evaluate_all(struct alarms *alarms)
{
    json_t *all = alarms_all(alarms), *alarm;
    size_t i;
    json_array_foreach(all, i, alarm)
    {
        if (!__atomic_load_n(&alarms->closing, __ATOMIC_RELAXED))
            alarms_evaluate(alarms, alarms_text(alarm, "AlarmName"));
    }
    json_decref(all);
}

static void *alarms_main(void *argument)
{
    struct alarms *alarms = argument;
    pthread_mutex_lock(&alarms->lock);
    while (!alarms->closing) {
        int64_t until_ms =
            clock_unix_ms() + ALARMS_TICK_MS + (int64_t)json_object_size(alarms->map) * 2;
        struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
        if (json_object_size(alarms->map) == 0)
            pthread_cond_wait(&alarms->wake, &alarms->lock);
        else
            pthread_cond_timedwait(&alarms->wake, &alarms->lock, &until);
        pthread_mutex_unlock(&alarms->lock);
        evaluate_all(alarms);
        pthread_mutex_lock(&alarms->lock);
    }
    pthread_mutex_unlock(&alarms->lock);
    return NULL;
}

/* -- life -- */

static int load(struct alarms *alarms, struct err *err)
{
    struct connection *connection = database_read_begin(alarms->database, err);
    sqlite3_stmt *row =
        connection ? connection_prepare(connection, "SELECT name, document FROM alarms", err)
                   : NULL;
    int step = SQLITE_ERROR;
    while (row && (step = sqlite3_step(row)) == SQLITE_ROW)
        json_object_set_new(alarms->map, (const char *)sqlite3_column_text(row, 0),
                            json_loads((const char *)sqlite3_column_text(row, 1), 0, NULL));
    int result = step == SQLITE_DONE ? 0 : -1;
    if (row && result < 0)
        connection_fail(connection, "read the alarms", err);
    connection_reset(row);
    database_read_end(alarms->database, connection);
    return result;
}

struct alarms *alarms_open(struct cloud *cloud, struct metrics *metrics, struct err *err)
{
    char path[4096];
    struct alarms *alarms = calloc(1, sizeof *alarms);
    if (!alarms || cloud_path(cloud, "alarms.sqlite", path, sizeof path, err) < 0) {
        free(alarms);
        return NULL;
    }
    alarms->cloud = cloud;
    alarms->metrics = metrics;
    alarms->map = json_object();
    pthread_mutex_init(&alarms->changes, NULL);
    pthread_mutex_init(&alarms->lock, NULL);
    pthread_cond_init(&alarms->wake, NULL);
    alarms->database = database_open(path, schema, err);
    if (alarms->database && load(alarms, err) == 0)
        return alarms;
    alarms_close(alarms);
    return NULL;
}

int alarms_start(struct alarms *alarms, struct err *err)
{
    if (pthread_create(&alarms->thread, NULL, alarms_main, alarms))
        return err_set(err, ERR_NO_MEMORY, "start the alarms: no thread");
    alarms->thread_started = 1;
    return 0;
}

void alarms_stop(struct alarms *alarms)
{
    pthread_mutex_lock(&alarms->lock);
    __atomic_store_n(&alarms->closing, 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&alarms->wake);
    pthread_mutex_unlock(&alarms->lock);
    if (alarms->thread_started)
        pthread_join(alarms->thread, NULL);
    alarms->thread_started = 0;
}

void alarms_close(struct alarms *alarms)
{
    if (!alarms)
        return;
    database_close(alarms->database);
    json_decref(alarms->map);
    pthread_cond_destroy(&alarms->wake);
    pthread_mutex_destroy(&alarms->lock);
    pthread_mutex_destroy(&alarms->changes);
    free(alarms);
}
