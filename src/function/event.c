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

static int has_blanks(const char *text, size_t size)
{
    return memchr(text, ' ', size) || memchr(text, '\t', size) || memchr(text, '\r', size) ||
           memchr(text, '\n', size);
}

/* The bytes of base64 text, padded as RFC 4648 says. */
static int decode_body(struct event *event, const char *text, size_t size, struct err *err)
{
    if (size % 4 != 0 || has_blanks(text, size)) /* EVP_DecodeBlock() would skip them */
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

/* -- the body: most of the event, so it is not read as JSON -- */

struct piece {
    const char *at;
    size_t size;
};

/* Where the string that begins at `at` ends: at its last quote, or `end` where it has none. */
static const char *string_end(const char *at, const char *end)
{
    const char *quote = at;
    for (;;) {
        quote = memchr(quote + 1, '"', (size_t)(end - quote - 1));
        if (!quote)
            return end;
        size_t escapes = 0;
        while (quote[-1 - (ptrdiff_t)escapes] == '\\')
            escapes++;
        if (escapes % 2 == 0)
            return quote;
    }
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && strchr(" \t\r\n", *at) && *at)
        at++;
    return at;
}

/* The string behind `"body":`, without its quotes; none where that is something else, or has
 * escapes, which base64 needs not. */
static struct piece string_after(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (at == end || *at != ':')
        return (struct piece){0};
    at = skip_blanks(at + 1, end);
    if (at == end || *at != '"')
        return (struct piece){0};
    const char *last = string_end(at, end);
    size_t size = (size_t)(last - at - 1);
    if (last == end || memchr(at + 1, '\\', size))
        return (struct piece){0};
    return (struct piece){at + 1, size};
}

static struct piece find_body(const char *text, size_t size)
{
    static const char name[] = "\"body\"";
    const char *end = text + size;
    int depth = 0;
    for (const char *at = text; at < end; at++) {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        if (*at != '"')
            continue;
        const char *last = string_end(at, end);
        if (last == end)
            break;
        if (depth == 1 && last - at == sizeof name - 2 && !memcmp(at, name, sizeof name - 1)) {
            struct piece body = string_after(last + 1, end);
            if (body.at)
                return body;
        }
        at = last;
    }
    return (struct piece){0};
}

/* The event as JSON; the body is "" in it where it was found. */
static json_t *load(const char *text, size_t size, struct piece *body, json_error_t *problem)
{
    *body = find_body(text, size);
    if (body->size == 0)
        return json_loadb(text, size, 0, problem);
    size_t before = (size_t)(body->at - text), after = size - before - body->size;
    char *rest = malloc(before + after);
    if (!rest)
        return NULL;
    memcpy(rest, text, before);
    memcpy(rest + before, body->at + body->size, after);
    json_t *root = json_loadb(rest, before + after, 0, problem);
    free(rest);
    return root;
}

static int take_picture(struct event *event, const json_t *root, struct piece body, struct err *err)
{
    const json_t *value = json_object_get(root, "body");
    if (body.size == 0)
        body = (struct piece){json_string_value(value), json_string_length(value)};
    if (body.size == 0)
        return err_set(err, ERR_INVALID, "the request has no body: a POST brings the picture");
    if (!json_is_true(json_object_get(root, "isBase64Encoded")))
        return err_set(err, ERR_INVALID,
                       "the body came as text: send it as image/png or image/jpeg, which the "
                       "API's binaryMediaTypes must name");
    return decode_body(event, body.at, body.size, err);
}

void event_finish(struct event *event)
{
    free(event->picture);
    *event = (struct event){0};
}

int event_read(struct event *event, const char *text, size_t size, struct err *err)
{
    *event = (struct event){0};
    json_error_t problem = {.text = "out of memory"};
    struct piece body;
    json_t *root = load(text, size, &body, &problem);
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
        result = take_picture(event, root, body, err);
    json_decref(root);
    return result;
}
