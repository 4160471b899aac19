#include "edge/deployment.h"

#include "base/buf.h"
#include "base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct field {
    const char *name;
    char *out;
    size_t size;
    int required;
};

static int take(const json_t *root, const struct field *field, const char *path, struct err *err)
{
    const json_t *value = json_object_get(root, field->name);
    if (!value || json_is_null(value)) {
        field->out[0] = 0;
        if (!field->required)
            return 0;
        return err_set(err, ERR_INVALID, "read %s: \"%s\" is missing", path, field->name);
    }
    const char *text = json_string_value(value);
    if (!text)
        return err_set(err, ERR_INVALID, "read %s: \"%s\" is no text", path, field->name);
    size_t length = strlen(text);
    if (length >= field->size || (field->required && length == 0))
        return err_set(err, ERR_INVALID, "read %s: \"%s\" is %s", path, field->name,
                       length ? "too long" : "empty");
    memcpy(field->out, text, length + 1);
    return 0;
}

static int take_all(struct deployment *d, const json_t *root, const char *path, struct err *err)
{
    const struct field fields[] = {
        {"region", d->region, sizeof d->region, 1},
        {"endpoint", d->endpoint, sizeof d->endpoint, 0},
        {"frames_bucket", d->frames_bucket, sizeof d->frames_bucket, 1},
        {"videos_bucket", d->videos_bucket, sizeof d->videos_bucket, 1},
        {"function", d->function, sizeof d->function, 1},
        {"table", d->table, sizeof d->table, 0},
        {"api_url", d->api_url, sizeof d->api_url, 1},
        {"auth", d->auth, sizeof d->auth, 1},
        {"api_key", d->api_key, sizeof d->api_key, 0},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (take(root, &fields[i], path, err) < 0)
            return -1;
    if (!d->table[0])
        snprintf(d->table, sizeof d->table, "ken-people");
    if (strcmp(d->auth, "iam") != 0 && strcmp(d->auth, "key") != 0 && strcmp(d->auth, "none") != 0)
        return err_set(err, ERR_INVALID, "read %s: \"auth\" is \"%s\", not iam, key or none", path,
                       d->auth);
    if (strcmp(d->auth, "key") == 0 && !d->api_key[0])
        return err_set(err, ERR_INVALID, "read %s: \"auth\" is key, but \"api_key\" is missing",
                       path);
    return 0;
}

int deployment_read(struct deployment *deployment, const char *path, struct err *err)
{
    struct buf text;
    json_error_t where;
    buf_init(&text, DEPLOYMENT_MAX_FILE_BYTES);
    if (file_read(path, &text, err) < 0) {
        buf_finish(&text);
        if (err->code == ERR_NOT_FOUND)
            return err_set(err, ERR_NOT_FOUND,
                           "read %s: no such file (ken deploy --output FILE writes it; "
                           "--deployment FILE names it)",
                           path);
        return -1;
    }
    json_t *root =
        json_loadb(text.data ? text.data : "", text.size, JSON_REJECT_DUPLICATES, &where);
    buf_finish(&text);
    int result = -1;
    if (json_is_object(root))
        result = take_all(deployment, root, path, err);
    else
        err_set(err, ERR_INVALID, "read %s: not a deployment (JSON expected)", path);
    json_decref(root);
    return result;
}
