#include "cli/manifest.h"

#include "base/file.h"
#include "base/hex.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MODELS = 64, MAX_MANIFEST_BYTES = 1024 * 1024, SHA256_BYTES = 32 };

struct manifest {
    json_t *json; /* owns the strings */
    size_t count;
    struct manifest_model models[MAX_MODELS];
};

/* Role and preprocessing. Returns 0 for words that are none. */
static int read_use(struct model_use *use, const char *role_name, const json_t *input)
{
    int role = model_role_named(role_name);
    const char *channels = json_string_value(json_object_get(input, "channels"));
    int order = channels ? model_order_named(channels) : ORDER_NONE;
    double divide = json_number_value(json_object_get(input, "divide"));
    if (role < 0 || order < 0 || (role != ROLE_NONE && (!order || !(divide > 0))))
        return 0;
    *use = (struct model_use){.role = (enum model_role)role, .order = (enum model_order)order};
    for (int i = 0; i < 3; i++) {
        use->mean[i] = (float)json_number_value(json_object_get(input, "subtract"));
        use->scale[i] = divide > 0 ? (float)(1 / divide) : 1.0f;
    }
    return 1;
}

static int read_model(struct manifest_model *model, const json_t *json, const char *path,
                      struct err *err)
{
    const struct {
        const char *key, **value;
    } fields[] = {
        {"name", &model->name}, {"package", &model->package}, {"version", &model->version},
        {"file", &model->file}, {"licence", &model->licence}, {"sha256", &model->sha256},
        {"role", &model->role},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        *fields[i].value = json_string_value(json_object_get(json, fields[i].key));
        if (!*fields[i].value)
            return err_set(err, ERR_INVALID, "read %s: a model has no \"%s\"", path, fields[i].key);
    }
    if (strlen(model->sha256) != (size_t)SHA256_BYTES * 2 || !model->name[0] ||
        strchr(model->name, '/') || strstr(model->file, "..") || strstr(model->package, "..") ||
        !read_use(&model->use, model->role, json_object_get(json, "input")))
        return err_set(err, ERR_INVALID, "read %s: model %s is not well described", path,
                       model->name);
    return 0;
}

static int read_models(struct manifest *manifest, const char *path, struct err *err)
{
    const json_t *models = json_object_get(manifest->json, "models");
    size_t count = json_array_size(models);
    if (count < 1 || count > MAX_MODELS)
        return err_set(err, ERR_INVALID, "read %s: no \"models\", or more than %d", path,
                       MAX_MODELS);
    for (; manifest->count < count; manifest->count++)
        if (read_model(&manifest->models[manifest->count], json_array_get(models, manifest->count),
                       path, err) < 0)
            return -1;
    return 0;
}

struct manifest *manifest_open(const char *path, struct err *err)
{
    struct buf text;
    struct manifest *manifest = calloc(1, sizeof *manifest);
    buf_init(&text, MAX_MANIFEST_BYTES);
    if (!manifest)
        err_set(err, ERR_NO_MEMORY, "read %s", path);
    int result = manifest ? file_read(path, &text, err) : -1;
    if (result == 0) {
        json_error_t cause;
        manifest->json = json_loadb(text.data ? text.data : "", text.size, 0, &cause);
        result = manifest->json ? read_models(manifest, path, err)
                                : err_set(err, ERR_INVALID, "read %s: line %d: %s", path,
                                          cause.line, cause.text);
    }
    buf_finish(&text);
    if (result == 0)
        return manifest;
    manifest_close(manifest);
    return NULL;
}

void manifest_close(struct manifest *manifest)
{
    if (!manifest)
        return;
    json_decref(manifest->json);
    free(manifest);
}

size_t manifest_models(const struct manifest *manifest)
{
    return manifest->count;
}

const struct manifest_model *manifest_model(const struct manifest *manifest, size_t index)
{
    return &manifest->models[index];
}

static int check_sum(const struct manifest_model *model, const char *path, const void *data,
                     size_t size, struct err *err)
{
    unsigned char sum[SHA256_BYTES];
    size_t length = sizeof sum;
    char text[2 * SHA256_BYTES + 1];
    if (!EVP_Q_digest(NULL, "SHA256", NULL, data, size, sum, &length))
        return err_set(err, ERR_UNSUPPORTED, "check %s: OpenSSL has no SHA-256", path);
    hex_encode(sum, sizeof sum, text);
    if (strcmp(text, model->sha256) == 0)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "check %s: not the file that the manifest means (SHA-256 %.16s..., expected "
                   "%.16s...): install %s@%s again",
                   path, text, model->sha256, model->package, model->version);
}

int manifest_read(const struct manifest_model *model, const char *packages, struct buf *out,
                  struct err *err)
{
    char path[PATH_MAX];
    size_t start = out->size;
    snprintf(path, sizeof path, "%s/%s/%s", packages, model->package, model->file);
    if (file_read(path, out, err) < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_set(err, ERR_NOT_FOUND, "open %s: absent: install %s@%s (npm ci)", path,
                             model->package, model->version)
                   : -1;
    return check_sum(model, path, out->data + start, out->size - start, err);
}
