#include "function/event.h"

#include <jansson.h>
#include <string.h>

static int take(char *out, size_t out_bytes, const json_t *values, const char *name,
                struct err *err)
{
    const json_t *value = json_object_get(values, name);
    const char *text = json_string_value(value);
    if (!text || !*text)
        return err_set(err, ERR_INVALID, "the query parameter %s is missing", name);
    if (strlen(text) >= out_bytes)
        return err_set(err, ERR_INVALID, "the query parameter %s is longer than %zu bytes", name,
                       out_bytes - 1);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

int event_read(struct event *event, const char *text, size_t size, struct err *err)
{
    *event = (struct event){0};
    json_error_t problem;
    json_t *root = json_loadb(text, size, 0, &problem);
    if (!json_is_object(root)) {
        err_set(err, ERR_INVALID, "the event is no JSON object%s%s", root ? "" : ": ",
                root ? "" : problem.text);
        json_decref(root);
        return -1;
    }
    const json_t *values = json_object_get(root, "queryStringParameters");
    if (!json_is_object(values))
        values = root;
    int key = take(event->key, sizeof event->key, values, "ImageName", err);
    int bucket = take(event->bucket, sizeof event->bucket, values, "BucketName", err);
    json_decref(root);
    return key < 0 || bucket < 0 ? -1 : 0;
}
