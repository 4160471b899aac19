#include "cloud/lambda/registry.h"

#include "base/file_sum.h"
#include "base/log.h"
#include "base/random.h"
#include "cloud/lambda/code_sum.h"
#include "cloud/lambda/zip.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct registry {
    char functions[PATH_MAX], code[PATH_MAX];       /* folders */
    pthread_mutex_t changes;                        /* one change at a time */
    pthread_mutex_t lock;                           /* the table below */
    struct function *table[REGISTRY_MAX_FUNCTIONS]; /* sorted by name, held */
    size_t count;
    uint64_t generation;
};

static int join(char *out, const char *folder, const char *name, const char *suffix,
                struct err *err)
{
    int size = snprintf(out, PATH_MAX, "%s/%s%s", folder, name, suffix);
    return size < 0 || size >= PATH_MAX
               ? err_set(err, ERR_TOO_BIG, "keep functions: %s: path too long", folder)
               : 0;
}

/* The table */

static size_t place_of(const struct registry *r, const char *key, int *found)
{
    size_t from = 0, to = r->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(r->table[middle]->key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *found = from < r->count && strcmp(r->table[from]->key, key) == 0;
    return from;
}

static void retire(struct function *function)
{
    atomic_store(&function->is_retired, 1);
    function_release(function);
}

/* Puts `function` (held by the table from here on) in. */
static int table_put(struct registry *r, struct function *function, struct err *err)
{
    int found;
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, function->key, &found);
    struct function *before = found ? r->table[at] : NULL;
    int is_full = !found && r->count == REGISTRY_MAX_FUNCTIONS;
    if (!found && !is_full) {
        memmove(r->table + at + 1, r->table + at, (r->count - at) * sizeof *r->table);
        r->count++;
    }
    if (!is_full)
        r->table[at] = function;
    pthread_mutex_unlock(&r->lock);
    if (before)
        retire(before);
    return is_full ? err_set(err, ERR_TOO_BIG, "more than %d functions", REGISTRY_MAX_FUNCTIONS)
                   : 0;
}

struct function *registry_find(struct registry *r, const char *key)
{
    int found;
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, key, &found);
    struct function *function = found ? function_hold(r->table[at]) : NULL;
    pthread_mutex_unlock(&r->lock);
    return function;
}

struct function *registry_find_version(struct registry *r, const char *name, const char *version)
{
    char key[FUNCTION_KEY_BYTES];
    int size = snprintf(key, sizeof key, "%s:%s", name, version);
    return size > 0 && (size_t)size < sizeof key ? registry_find(r, key) : NULL;
}

static const char *find_url(const struct function *function, const char *id)
{
    const char *qualifier;
    json_t *url;
    json_object_foreach((json_t *)(uintptr_t)function->urls, qualifier, url)
    {
        const char *own = json_string_value(json_object_get(url, "UrlId"));
        if (own && strcmp(own, id) == 0)
            return qualifier;
    }
    return NULL;
}

struct function *registry_find_url(struct registry *r, const char *id, const char **qualifier)
{
    struct function *function = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && !function; i++)
        if (r->table[i]->urls && (*qualifier = find_url(r->table[i], id)))
            function = function_hold(r->table[i]);
    pthread_mutex_unlock(&r->lock);
    return function;
}

struct function **registry_list(struct registry *r, size_t *count)
{
    pthread_mutex_lock(&r->lock);
    struct function **list = calloc(r->count + 1, sizeof *list);
    *count = list ? r->count : 0;
    for (size_t i = 0; i < *count; i++)
        list[i] = function_hold(r->table[i]);
    pthread_mutex_unlock(&r->lock);
    return list;
}

/* Files */

/* Fill a new folder, name it after the sum of what is in it, and bring it to the disk. */
static int make_folder(struct registry *r, registry_fill *fill, void *context,
                       char id[REGISTRY_ID_BYTES], char folder[PATH_MAX], struct err *err)
{
    char fresh[PATH_MAX];
    uint64_t sum;
    random_text(id, REGISTRY_RANDOM_BYTES, RANDOM_HEX);
    if (join(fresh, r->code, id, "", err) < 0 || fill(context, fresh, err) < 0)
        return -1;
    snprintf(folder, PATH_MAX, "%s", fresh); /* to be removed after a failure */
    if (code_sum(fresh, &sum, err) < 0)
        return -1;
    snprintf(id + REGISTRY_RANDOM_BYTES, REGISTRY_ID_BYTES - REGISTRY_RANDOM_BYTES, "-%016llx",
             (unsigned long long)sum);
    if (join(folder, r->code, id, "", err) < 0)
        return -1;
    if (rename(fresh, folder) < 0)
        return err_set_errno(err, "keep function: name %s", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int synced = fd >= 0 ? syncfs(fd) : -1;
    if (fd >= 0)
        close(fd);
    return synced < 0 ? err_set_errno(err, "keep function: sync %s", folder) : 0;
}

struct code *registry_make(struct registry *r, registry_fill *fill, void *context,
                           char id[REGISTRY_ID_BYTES], struct err *err)
{
    char folder[PATH_MAX] = "";
    int made = make_folder(r, fill, context, id, folder, err);
    struct code *code = made < 0 ? NULL : code_create(folder);
    struct err ignored;
    if (code)
        atomic_store(&code->state, CODE_WHOLE);
    else if (*folder && file_remove_tree(folder, &ignored) < 0)
        log_line(LOG_WARN, "lambda: %s", ignored.message);
    return code;
}

struct zip {
    const void *data;
    size_t size;
};

static int fill_from_zip(void *context, const char *folder, struct err *err)
{
    const struct zip *zip = context;
    return zip_unpack(zip->data, zip->size, folder, err);
}

struct code *registry_unpack(struct registry *r, const void *zip, size_t size,
                             char id[REGISTRY_ID_BYTES], struct err *err)
{
    char path[PATH_MAX];
    struct code *code = registry_make(r, fill_from_zip, &(struct zip){zip, size}, id, err);
    if (code && code_zip(code, path) == 0 && file_write(path, zip, size, 0600, err) < 0) {
        atomic_store(&code->is_obsolete, 1);
        code_release(code);
        return NULL;
    }
    return code;
}

struct code *registry_find_image(struct registry *r, const char *digest, char id[REGISTRY_ID_BYTES])
{
    struct code *code = NULL;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && !code; i++) {
        const json_t *record = r->table[i]->record;
        const char *own = json_string_value(json_object_get(r->table[i]->image, "Digest"));
        if (!own || strcmp(own, digest) != 0)
            continue;
        code = code_hold(r->table[i]->code);
        snprintf(id, REGISTRY_ID_BYTES, "%s", json_string_value(json_object_get(record, "Code")));
    }
    pthread_mutex_unlock(&r->lock);
    return code;
}

static int write_record(struct registry *r, const struct function *function, struct err *err)
{
    char path[PATH_MAX];
    char *text = json_dumps(function->record, JSON_INDENT(1));
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "keep function: no memory");
    int result = strlen(text) > REGISTRY_MAX_RECORD_BYTES
                     ? err_set(err, ERR_TOO_BIG, "keep function: its record is too large")
                     : join(path, r->functions, function->key, ".json", err);
    if (result == 0)
        result = file_write_summed(path, text, strlen(text), 0600, err);
    free(text);
    return result;
}

/* The record on the disk, then in the table. */
static int keep(struct registry *r, struct function *function, int is_new, struct err *err)
{
    if (is_new && r->count == REGISTRY_MAX_FUNCTIONS)
        return err_set(err, ERR_TOO_BIG, "more than %d functions", REGISTRY_MAX_FUNCTIONS);
    if (write_record(r, function, err) < 0)
        return -1;
    atomic_store(&function->code->is_obsolete, 0); /* an image's last function may just have gone */
    return table_put(r, function_hold(function), err);
}

/* Versions share their code: the folder goes when no record has it. */
static void forget_code(struct registry *r, struct code *code)
{
    int used = 0;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->count && !used; i++)
        used = r->table[i]->code == code;
    pthread_mutex_unlock(&r->lock);
    if (!used)
        atomic_store(&code->is_obsolete, 1);
}

void registry_drop(struct registry *r, struct code *code)
{
    if (code)
        forget_code(r, code);
    code_release(code);
}

static json_t *program_of(const struct function *function)
{
    static const char *const others[] = {"RevisionId", "LastModified", "Description",
                                         "DeadLetterConfig"};
    json_t *copy = json_copy((json_t *)(uintptr_t)function->configuration);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        json_object_del(copy, others[i]);
    return copy;
}

/* Would an instance of one serve as one of the other? */
static int is_same_program(const struct function *a, const struct function *b)
{
    if (a->code != b->code)
        return 0;
    json_t *first = program_of(a), *second = program_of(b);
    int same = first && json_equal(first, second);
    json_decref(first);
    json_decref(second);
    return same;
}

struct function *registry_store(struct registry *r, json_t *record, struct code *code,
                                struct err *err)
{
    char key[FUNCTION_KEY_BYTES] = "";
    struct function *before = NULL, *function = NULL;
    if (function_read_key(record, key, err) == 0)
        before = registry_find(r, key);
    struct code *kept = code ? code : before ? before->code : NULL;
    if (kept)
        code_hold(kept); /* for the function; `code` is still held here */
    if (*key)
        function = function_create(record, kept, ++r->generation, err);
    else
        json_decref(record);
    if (function && before && is_same_program(before, function))
        function->incarnation = before->incarnation;
    int done = function ? keep(r, function, !before, err) : -1;
    if (done < 0 && code)
        forget_code(r, code);
    else if (done == 0 && before && before->code != function->code)
        forget_code(r, before->code);
    code_release(code);
    function_release(before);
    if (done == 0)
        return function;
    function_release(function);
    return NULL;
}

struct function *registry_remove(struct registry *r, const char *key, struct err *err)
{
    int found;
    char path[PATH_MAX];
    if (join(path, r->functions, key, ".json", err) < 0 || file_remove(path, err) < 0)
        return NULL;
    pthread_mutex_lock(&r->lock);
    size_t at = place_of(r, key, &found);
    struct function *function = found ? r->table[at] : NULL;
    if (found)
        memmove(r->table + at, r->table + at + 1, (--r->count - at) * sizeof *r->table);
    pthread_mutex_unlock(&r->lock);
    if (function) {
        forget_code(r, function->code);
        atomic_store(&function->is_retired, 1);
    }
    return function;
}

void registry_begin_change(struct registry *r)
{
    pthread_mutex_lock(&r->changes);
}

void registry_end_change(struct registry *r)
{
    pthread_mutex_unlock(&r->changes);
}

/* Loading */

/* Held; NULL when no function that is loaded has it. */
static struct code *find_code(const struct registry *r, const char *id)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(json_string_value(json_object_get(r->table[i]->record, "Code")), id) == 0)
            return code_hold(r->table[i]->code);
    return NULL;
}

static int load_record(struct registry *r, const char *file, struct err *err)
{
    char path[PATH_MAX], folder[PATH_MAX];
    struct buf text;
    if (join(path, r->functions, file, "", err) < 0)
        return -1;
    buf_init(&text, REGISTRY_MAX_RECORD_BYTES);
    if (file_read_summed(path, &text, err) < 0) {
        buf_finish(&text);
        return -1;
    }
    json_t *record = json_loadb(text.data ? text.data : "", text.size, 0, NULL);
    buf_finish(&text);
    const char *id = json_string_value(json_object_get(record, "Code"));
    if (!id || !zip_path_is_safe(id) || join(folder, r->code, id, "", err) < 0) {
        json_decref(record);
        return err_set(err, ERR_CORRUPT, "read %s: not the record of a function", path);
    }
    json_t *policy = json_object_get(record, "Policy"); /* as it was kept once */
    if (policy)
        json_object_set_new(record, "Policies", json_pack("{s:O}", "$LATEST", policy));
    json_object_del(record, "Policy");
    struct code *shared = find_code(r, id);
    struct function *function =
        function_create(record, shared ? shared : code_create(folder), ++r->generation, err);
    if (!function)
        return err_wrap(err, "read %s", path);
    return table_put(r, function, err);
}

static int is_used(const struct registry *r, const char *id)
{
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(json_string_value(json_object_get(r->table[i]->record, "Code")), id) == 0)
            return 1;
    return 0;
}

/* Calls visit for every name in the folder. */
static int each_name(struct registry *r, const char *folder,
                     int (*visit)(struct registry *r, const char *name, struct err *err),
                     struct err *err)
{
    DIR *names = opendir(folder);
    if (!names)
        return err_set_errno(err, "open %s", folder);
    int result = 0;
    for (struct dirent *name; result == 0 && (name = readdir(names));)
        if (name->d_name[0] != '.')
            result = visit(r, name->d_name, err);
    closedir(names);
    return result;
}

static int visit_record(struct registry *r, const char *name, struct err *err)
{
    size_t size = strlen(name);
    return size > 5 && strcmp(name + size - 5, ".json") == 0 ? load_record(r, name, err) : 0;
}

/* A folder that no record names is what an interrupted change left; so is its zip. */
static int visit_code(struct registry *r, const char *name, struct err *err)
{
    char path[PATH_MAX], id[NAME_MAX + 1];
    size_t size = strlen(name);
    if (size > 4 && strcmp(name + size - 4, ".zip") == 0)
        size -= 4;
    snprintf(id, sizeof id, "%.*s", (int)size, name);
    if (is_used(r, id))
        return 0;
    return join(path, r->code, name, "", err) < 0 ? -1 : file_remove_tree(path, err);
}

struct registry *registry_open(const char *folder, struct err *err)
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(err, ERR_NO_MEMORY, "keep functions: no memory");
        return NULL;
    }
    pthread_mutex_init(&r->changes, NULL);
    pthread_mutex_init(&r->lock, NULL);
    if (join(r->functions, folder, "functions", "", err) < 0 ||
        join(r->code, folder, "code", "", err) < 0 ||
        file_make_folders(r->functions, 0700, err) < 0 ||
        file_make_folders(r->code, 0755, err) < 0 ||
        each_name(r, r->functions, visit_record, err) < 0 ||
        each_name(r, r->code, visit_code, err) < 0) {
        registry_close(r);
        return NULL;
    }
    return r;
}

void registry_close(struct registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        function_release(r->table[i]);
    pthread_mutex_destroy(&r->changes);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
