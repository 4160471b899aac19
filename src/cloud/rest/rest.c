#include "cloud/rest/rest.h"

#include "cloud/errors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One part of a path up to the next '/', and what follows. */
static size_t part_size(const char *path)
{
    return strcspn(path, "/");
}

static int take_parameter(struct rest_call *call, size_t *count, const char *part, size_t size)
{
    if (!call)
        return 0;
    if (*count == REST_MAX_PARAMETERS)
        return -1;
    char *text = exchange_decode(call->x, part, size, 0);
    call->parameters[(*count)++] = text;
    return text ? 0 : -1;
}

/* 1 when `path` is of the pattern's form. Both start with '/'; a last '/' of the path is ignored.
 */
static int match(const char *pattern, const char *path, struct rest_call *call)
{
    size_t count = 0;
    while (*pattern == '/' && *path == '/') {
        pattern++;
        path++;
        if (strcmp(pattern, "{*}") == 0)
            return take_parameter(call, &count, path, strlen(path)) == 0;
        size_t pattern_size = part_size(pattern), size = part_size(path);
        int is_parameter = pattern_size == 2 && pattern[0] == '{';
        if (is_parameter ? size == 0 : size != pattern_size || strncmp(pattern, path, size) != 0)
            return 0;
        if (is_parameter && take_parameter(call, &count, path, size) < 0)
            return 0;
        pattern += pattern_size;
        path += size;
    }
    return !*pattern && (!*path || strcmp(path, "/") == 0);
}

const struct rest_operation *rest_find(const struct rest_operation *operations,
                                       const struct exchange *x, struct rest_call *call)
{
    const struct rest_operation *o = operations;
    for (; o->name; o++)
        if (strcmp(o->method, x->method) == 0 && match(o->path, x->path, NULL))
            break;
    if (!o->name || (call && !match(o->path, x->path, call)))
        return NULL;
    if (call)
        call->operation = o;
    return o;
}

void rest_dispatch(const struct rest_operation *operations, void *self, struct exchange *x)
{
    struct rest_call call = {.x = x};
    const struct rest_operation *operation = rest_find(operations, x, &call);
    if (operation)
        operation->handle(self, &call);
    else
        exchange_fail_status(x, 404, "UnknownOperationException",
                             "ken cloud has no such operation");
}

json_t *rest_body(struct exchange *x)
{
    struct err err = {0};
    json_error_t error;
    if (x->body.size == 0)
        return json_object();
    if (x->body.size > REST_MAX_JSON_BYTES) {
        exchange_fail(x, "RequestEntityTooLargeException", "the body is too large");
        return NULL;
    }
    const char *text = exchange_body(x, &err);
    if (!text) {
        exchange_fail_err(x, &err);
        return NULL;
    }
    json_t *body = json_loadb(text, x->body.size, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(body))
        return body;
    json_decref(body);
    exchange_fail_status(x, 400, "SerializationException", "The body is not a JSON object");
    return NULL;
}

/* Is `name` one of the words? */
static int has_word(const char *words, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = words; (at = strstr(at, name)); at += size)
        if ((at == words || at[-1] == ' ') && (at[size] == ' ' || !at[size]))
            return size > 0;
    return 0;
}

json_t *rest_call_body(struct rest_call *call, const char *code)
{
    const char *name, *members = call->operation->members;
    json_t *value, *body = rest_body(call->x);
    json_object_foreach(body, name, value)
    {
        if (!members || has_word(members, name))
            continue;
        exchange_fail(call->x, code, "%.100s is not a parameter of %s that ken cloud supports",
                      name, call->operation->name);
        json_decref(body);
        return NULL;
    }
    return body;
}

void rest_reply(struct exchange *x, int status, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : strdup("{}");
    json_decref(value);
    if (text)
        exchange_respond_take(x, status, "application/json", text, strlen(text));
    else
        exchange_fail_status(x, 500, "ServiceException", "out of memory");
}

void rest_host_url(const char *endpoint, const char *name, char url[REST_URL_BYTES])
{
    const char *port = strrchr(endpoint, ':');
    int has_port = port && port[1] && strspn(port + 1, "0123456789") == strlen(port + 1);
    snprintf(url, REST_URL_BYTES, "%s://%s%s",
             strncmp(endpoint, "https:", 6) == 0 ? "https" : "http", name, has_port ? port : "");
}

long rest_query_integer(struct exchange *x, const char *name, long min, long max, long otherwise)
{
    const char *text = exchange_query(x, name);
    char *end;
    if (!text || !*text)
        return otherwise;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno || *end || value < min || value > max ? otherwise : value;
}
