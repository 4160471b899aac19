#include "function/event.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
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

/* A POST brings the frame. A plain event names no method: its body counts. */
static int brings_picture(const json_t *root)
{
    const json_t *http = json_object_get(json_object_get(root, "requestContext"), "http");
    const json_t *method = json_object_get(root, "httpMethod");
    if (!method)
        method = json_object_get(http, "method");
    if (method)
        return json_is_string(method) && strcmp(json_string_value(method), "POST") == 0;
    return json_is_string(json_object_get(root, "body"));
}

/* The bytes of base64 text, padded as RFC 4648 says. */
static int decode_body(struct event *event, const char *text, size_t size, struct err *err)
{
    if (size % 4 != 0 || strcspn(text, " \t\r\n") != size) /* EVP_DecodeBlock() would skip them */
        return err_set(err, ERR_INVALID, "the body is no base64");
    event->picture = malloc(size / 4 * 3);
    if (!event->picture)
        return err_set(err, ERR_NO_MEMORY, "the body does not fit into memory");
    int decoded = EVP_DecodeBlock(event->picture, (const unsigned char *)text, (int)size);
    if (decoded < 0)
        return err_set(err, ERR_INVALID, "the body is no base64");
    event->picture_bytes = (size_t)decoded - (text[size - 1] == '=') - (text[size - 2] == '=');
    return 0;
}

static int take_picture(struct event *event, const json_t *root, struct err *err)
{
    const json_t *body = json_object_get(root, "body");
    size_t size = json_string_length(body);
    if (size == 0)
        return err_set(err, ERR_INVALID, "the request has no body: a POST brings the picture");
    if (!json_is_true(json_object_get(root, "isBase64Encoded")))
        return err_set(err, ERR_INVALID,
                       "the body came as text: send it as image/png or image/jpeg, which the "
                       "API's binaryMediaTypes must name");
    return decode_body(event, json_string_value(body), size, err);
}

void event_finish(struct event *event)
{
    free(event->picture);
    *event = (struct event){0};
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
    int result = key < 0 || bucket < 0 ? -1 : 0;
    if (result == 0 && brings_picture(root))
        result = take_picture(event, root, err);
    json_decref(root);
    return result;
}
