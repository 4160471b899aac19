#include "cloud/apigateway/store.h"

#include "base/file_sum.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct store {
    char folder[PATH_MAX - 300];
    pthread_mutex_t lock; /* operations */
    json_t *apis, *plans;
    pthread_mutex_t gateway_lock;
    struct gateway *gateway;
};

/* After every change. */
static int refresh(struct store *store, struct err *err)
{
    struct gateway *fresh = gateway_create(store->apis, store->plans);
    if (!fresh)
        return err_set(err, ERR_NO_MEMORY, "deploy APIs: no memory");
    pthread_mutex_lock(&store->gateway_lock);
    struct gateway *before = store->gateway;
    store->gateway = fresh;
    pthread_mutex_unlock(&store->gateway_lock);
    gateway_release(before);
    return 0;
}

struct gateway *store_gateway(struct store *store)
{
    pthread_mutex_lock(&store->gateway_lock);
    struct gateway *gateway = gateway_hold(store->gateway);
    pthread_mutex_unlock(&store->gateway_lock);
    return gateway;
}

static int write_document(const char *path, const json_t *document, struct err *err)
{
    char *text = json_dumps(document, JSON_INDENT(1));
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "keep API: no memory");
    int result =
        strlen(text) > STORE_MAX_DOCUMENT_BYTES
            ? err_set(err, ERR_TOO_BIG, "keep API: larger than %zu bytes", STORE_MAX_DOCUMENT_BYTES)
            : file_write_summed(path, text, strlen(text), 0600, err);
    free(text);
    return result;
}

static const char *document_id(const json_t *document)
{
    return json_string_value(json_object_get(json_object_get(document, "api"), "id"));
}

static void api_path(const struct store *store, const char *id, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/apis/%.64s.json", store->folder, id);
}

int store_put_api(struct store *store, json_t *document, struct err *err)
{
    char path[PATH_MAX];
    const char *id = document_id(document);
    if (!store_api(store, id) && json_object_size(store->apis) >= STORE_MAX_APIS) {
        json_decref(document);
        return err_set(err, ERR_TOO_BIG, "more than %d APIs", STORE_MAX_APIS);
    }
    api_path(store, id, path);
    if (write_document(path, document, err) < 0) {
        json_decref(document);
        return -1;
    }
    json_object_set_new(store->apis, id, document);
    return refresh(store, err);
}

int store_put_plans(struct store *store, json_t *document, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/plans.json", store->folder);
    if (write_document(path, document, err) < 0) {
        json_decref(document);
        return -1;
    }
    json_decref(store->plans);
    store->plans = document;
    return refresh(store, err);
}

int store_delete_api(struct store *store, const char *id, struct err *err)
{
    char path[PATH_MAX];
    api_path(store, id, path);
    if (file_remove(path, err) < 0)
        return -1;
    json_object_del(store->apis, id);
    return refresh(store, err);
}

void store_lock(struct store *store)
{
    pthread_mutex_lock(&store->lock);
}

void store_unlock(struct store *store)
{
    pthread_mutex_unlock(&store->lock);
}

const json_t *store_apis(const struct store *store)
{
    return store->apis;
}

json_t *store_api(const struct store *store, const char *id)
{
    return json_object_get(store->apis, id);
}

json_t *store_plans(const struct store *store)
{
    return store->plans;
}

/* Loading */

static json_t *read_document(const char *path, struct err *err)
{
    struct buf text;
    buf_init(&text, STORE_MAX_DOCUMENT_BYTES);
    json_t *document = NULL;
    if (file_read_summed(path, &text, err) == 0) {
        document = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
        if (!document)
            err_set(err, ERR_CORRUPT, "read %s: not JSON", path);
    }
    buf_finish(&text);
    return document;
}

static int load_api(struct store *store, const char *name, struct err *err)
{
    char path[PATH_MAX];
    size_t size = strlen(name);
    if (size <= 5 || strcmp(name + size - 5, ".json") != 0)
        return 0;
    snprintf(path, sizeof path, "%s/apis/%.255s", store->folder, name);
    json_t *document = read_document(path, err);
    if (!document)
        return -1;
    const char *id = document_id(document);
    if (id && strlen(id) == size - 5 && strncmp(id, name, size - 5) == 0)
        return json_object_set_new(store->apis, id, document);
    json_decref(document);
    return err_set(err, ERR_CORRUPT, "read %s: not an API", path);
}

static int load_apis(struct store *store, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/apis", store->folder);
    if (file_make_folders(path, 0700, err) < 0)
        return -1;
    DIR *names = opendir(path);
    if (!names)
        return err_set_errno(err, "open %s", path);
    int result = 0;
    for (struct dirent *name; result == 0 && (name = readdir(names));)
        if (name->d_name[0] != '.')
            result = load_api(store, name->d_name, err);
    closedir(names);
    return result;
}

static int load_plans(struct store *store, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/plans.json", store->folder);
    store->plans = access(path, F_OK) == 0 ? read_document(path, err)
                                           : json_pack("{s:{}, s:{}}", "keys", "plans");
    return store->plans ? 0 : -1;
}

struct store *store_open(const char *folder, struct err *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store) {
        err_set(err, ERR_NO_MEMORY, "keep APIs: no memory");
        return NULL;
    }
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->gateway_lock, NULL);
    store->apis = json_object();
    int size = snprintf(store->folder, sizeof store->folder, "%s", folder);
    int result = size < 0 || (size_t)size >= sizeof store->folder
                     ? err_set(err, ERR_TOO_BIG, "keep APIs: %s: path too long", folder)
                     : 0;
    if (result < 0 || load_apis(store, err) < 0 || load_plans(store, err) < 0 ||
        refresh(store, err) < 0) {
        store_close(store);
        return NULL;
    }
    return store;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    gateway_release(store->gateway);
    json_decref(store->apis);
    json_decref(store->plans);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->gateway_lock);
    free(store);
}
