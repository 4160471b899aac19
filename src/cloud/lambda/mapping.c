#include "cloud/lambda/mapping_parts.h"

#include "base/file_sum.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STOP_MS = 6000, MAX_FILE_BYTES = 4 * 1024 * 1024 };

const char *mapping_text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* Storing */

static int store(struct mappings *m, json_t *all, struct err *err)
{
    char *dump = json_dumps(all, JSON_INDENT(1));
    int result = dump ? file_write_summed(m->path, dump, strlen(dump), 0600, err)
                      : err_set(err, ERR_NO_MEMORY, "keep mappings: no memory");
    free(dump);
    if (result < 0) {
        json_decref(all);
        return -1;
    }
    pthread_mutex_lock(&m->lock);
    json_t *before = m->all;
    m->all = all;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    json_decref(before);
    return 0;
}

static json_t *copy_all(struct mappings *m)
{
    pthread_mutex_lock(&m->lock);
    json_t *copy = json_deep_copy(m->all);
    pthread_mutex_unlock(&m->lock);
    return copy;
}

json_t *mappings_get(struct mappings *m, const char *uuid)
{
    pthread_mutex_lock(&m->lock);
    json_t *copy = json_deep_copy(json_object_get(m->all, uuid));
    pthread_mutex_unlock(&m->lock);
    return copy;
}

json_t *mappings_list(struct mappings *m)
{
    const char *uuid;
    json_t *mapping, *all = copy_all(m), *list = json_array();
    json_object_foreach(all, uuid, mapping)
    {
        json_array_append(list, mapping);
    }
    json_decref(all);
    return list;
}

int mappings_put(struct mappings *m, json_t *mapping, struct err *err)
{
    pthread_mutex_lock(&m->changes);
    json_t *all = copy_all(m);
    int is_new = !json_object_get(all, mapping_text(mapping, "UUID")), result;
    if (is_new && json_object_size(all) >= MAPPINGS_MOST) {
        json_decref(all);
        json_decref(mapping);
        result = err_set(err, ERR_TOO_BIG, "more than %d event source mappings", MAPPINGS_MOST);
    } else {
        json_object_set_new(all, mapping_text(mapping, "UUID"), mapping);
        result = store(m, all, err);
    }
    pthread_mutex_unlock(&m->changes);
    return result;
}

int mappings_remove(struct mappings *m, const char *uuid, struct err *err)
{
    pthread_mutex_lock(&m->changes);
    json_t *all = copy_all(m);
    int result = -1;
    if (json_object_del(all, uuid) == 0) {
        result = store(m, all, err);
    } else {
        json_decref(all);
        err_set(err, ERR_NOT_FOUND, "The resource you requested does not exist.");
    }
    pthread_mutex_unlock(&m->changes);
    return result;
}

/* Life */

static int load(struct mappings *m, struct err *err)
{
    struct buf data;
    if (access(m->path, F_OK) != 0) {
        m->all = json_object();
        return 0;
    }
    buf_init(&data, MAX_FILE_BYTES);
    if (file_read_summed(m->path, &data, err) == 0) {
        m->all = json_loadb(data.data ? data.data : "", data.size, 0, NULL);
        if (!json_is_object(m->all))
            err_set(err, ERR_CORRUPT, "read %s: not JSON", m->path);
    }
    buf_finish(&data);
    return json_is_object(m->all) ? 0 : -1;
}

struct mappings *mappings_open(const char *path, struct lambda *lambda, struct err *err)
{
    struct mappings *m = calloc(1, sizeof *m);
    if (!m) {
        err_set(err, ERR_NO_MEMORY, "open %s: no memory", path);
        return NULL;
    }
    m->lambda = lambda;
    snprintf(m->path, sizeof m->path, "%s", path);
    pthread_mutex_init(&m->changes, NULL);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
    if (load(m, err) == 0)
        return m;
    mappings_close(m);
    return NULL;
}

int mappings_start(struct mappings *m, struct err *err)
{
    errno = pthread_create(&m->thread, NULL, mappings_run, m);
    if (errno)
        return err_set_errno(err, "start event source mappings");
    m->thread_started = 1;
    return 0;
}

void mappings_stop(struct mappings *m)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_MS / 1000;
    pthread_mutex_lock(&m->lock);
    m->is_stopping = 1;
    pthread_cond_broadcast(&m->changed);
    while ((m->flights || m->finished) && m->thread_started &&
           pthread_cond_timedwait(&m->changed, &m->lock, &until) == 0)
        continue;
    m->is_gone = 1;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    if (m->thread_started)
        pthread_join(m->thread, NULL);
    m->thread_started = 0;
}

void mappings_close(struct mappings *m)
{
    if (!m)
        return;
    mappings_stop(m);
    while (m->finished) {
        struct flight *flight = m->finished;
        m->finished = flight->next;
        mapping_free_flight(flight);
    }
    json_decref(m->all);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->changes);
    free(m);
}
