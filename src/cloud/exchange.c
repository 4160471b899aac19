#include "cloud/exchange.h"

#include "cloud/query.h"
#include "cloud/reply.h"
#include "cloud/trees.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TRIM_BYTES = 16 << 20 };

void reply_init(struct reply *reply)
{
    *reply = (struct reply){.fd = -1};
}

static void release_held(struct reply *reply)
{
    if (reply->held)
        __atomic_sub_fetch(reply->held, reply->held_bytes, __ATOMIC_RELAXED);
    if (reply->held && reply->held == reply->trees && reply->held_bytes > TRIM_BYTES)
        malloc_trim(0); /* or the C library keeps what a large tree took */
    reply->held = NULL;
}

void reply_finish(struct reply *reply)
{
    release_held(reply);
    free(reply->data);
    free(reply->body_copy);
    if (reply->fd >= 0)
        close(reply->fd);
    reply->data = reply->body_copy = NULL;
    reply->fd = -1;
}

const char *exchange_header(const struct exchange *x, const char *name)
{
    for (size_t i = 0; i < x->header_count; i++)
        if (strcasecmp(x->headers[i].name, name) == 0)
            return x->headers[i].value;
    return NULL;
}

char *exchange_decode(struct exchange *x, const char *text, size_t size, int plus_is_space)
{
    char *out = arena_copy(&x->arena, text, size);
    return out && query_decode(out, plus_is_space) == 0 ? out : NULL;
}

/* Without those whose name cannot be decoded. */
static int split_query(struct exchange *x)
{
    size_t count = 1;
    for (const char *at = x->query; *at; at++)
        count += *at == '&';
    x->parameters = arena_new(&x->arena, struct exchange_parameter, count);
    if (!x->parameters)
        return -1;
    struct query_pair pair;
    for (const char *at = x->query; query_next(&at, &pair);) {
        const char *name = exchange_decode(x, pair.name, pair.name_size, 1);
        if (name)
            x->parameters[x->parameter_count++] =
                (struct exchange_parameter){name, pair.value, pair.value_size};
    }
    return 0;
}

const char *exchange_query(struct exchange *x, const char *name)
{
    if (!*x->query || (!x->parameters && split_query(x) < 0))
        return NULL;
    for (size_t i = 0; i < x->parameter_count; i++) {
        const struct exchange_parameter *parameter = &x->parameters[i];
        if (strcmp(parameter->name, name) == 0)
            return exchange_decode(x, parameter->value, parameter->value_size, 1);
    }
    return NULL;
}

static int read_whole(int fd, char *out, size_t size, struct err *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(fd, out + done, size - done, (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, "read the request's body");
        if (got == 0)
            return err_set(err, ERR_IO, "read the request's body: it is too short");
        done += (size_t)got;
    }
    return 0;
}

const char *exchange_body(struct exchange *x, struct err *err)
{
    if (x->body.data)
        return x->body.data;
    if (x->reply->body_copy)
        return x->reply->body_copy;
    char *copy = malloc(x->body.size + 1);
    if (!copy) {
        err_set(err, ERR_NO_MEMORY, "read the request's body: out of memory");
        return NULL;
    }
    if (read_whole(x->body.fd, copy, x->body.size, err) < 0) {
        free(copy);
        return NULL;
    }
    copy[x->body.size] = 0;
    return x->reply->body_copy = copy;
}

void exchange_reply_header(struct exchange *x, const char *name, const char *value)
{
    struct reply *reply = x->reply;
    char *n = arena_strdup(&x->arena, name), *v = arena_strdup(&x->arena, value);
    if (n && v && reply->header_count < REPLY_MAX_HEADERS)
        reply->headers[reply->header_count++] = (struct http_header){n, v};
}

/* The last answer counts. */
static void start_reply(struct exchange *x, int status, const char *content_type)
{
    struct reply *reply = x->reply;
    free(reply->data);
    if (reply->fd >= 0)
        close(reply->fd);
    reply->data = NULL;
    reply->fd = -1;
    reply->size = 0;
    reply->offset = 0;
    reply->head_only = 0;
    reply->status = status;
    reply->content_type = content_type ? arena_strdup(&x->arena, content_type) : NULL;
}

void exchange_respond_take(struct exchange *x, int status, const char *content_type, void *data,
                           size_t size)
{
    start_reply(x, status, content_type);
    x->reply->data = data;
    x->reply->size = size;
}

void exchange_respond(struct exchange *x, int status, const char *content_type, const void *data,
                      size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy) {
        exchange_respond_take(x, 503, NULL, NULL, 0);
        return;
    }
    if (size)
        memcpy(copy, data, size);
    exchange_respond_take(x, status, content_type, copy, size);
}

int exchange_hold(struct exchange *x, size_t *held, size_t bytes, size_t limit)
{
    if (__atomic_add_fetch(held, bytes, __ATOMIC_RELAXED) > limit) {
        __atomic_sub_fetch(held, bytes, __ATOMIC_RELAXED);
        return 0;
    }
    x->reply->held = held;
    x->reply->held_bytes = bytes;
    return 1;
}

int exchange_admit_tree(struct exchange *x, const char *text, size_t size, struct err *err)
{
    if (!text || size < TREES_SMALL_BYTES || !x->reply || !x->reply->trees)
        return 0;
    release_held(x->reply);
    size_t bytes = trees_estimate(text, size);
    if (bytes > TREES_MAX_BYTES)
        return err_set(err, ERR_TOO_BIG, "the request has too many values");
    if (!exchange_hold(x, x->reply->trees, bytes, TREES_MAX_BYTES))
        return err_set(err, ERR_UNAVAILABLE, "too many large requests at once");
    return 0;
}

void exchange_respond_file(struct exchange *x, int status, const char *content_type, int fd,
                           off_t offset, size_t size)
{
    start_reply(x, status, content_type);
    x->reply->fd = fd;
    x->reply->offset = offset;
    x->reply->size = size;
}

void exchange_respond_head(struct exchange *x, int status, const char *content_type, size_t size)
{
    start_reply(x, status, content_type);
    x->reply->head_only = 1;
    x->reply->size = size;
}

void exchange_defer(struct exchange *x)
{
    struct reply *reply = x->reply;
    *reply->deferred = 1;
    if (reply->suspend)
        reply->suspend(x);
}

void exchange_resume(struct exchange *x)
{
    x->reply->resume(x);
}

int exchange_to_worker(struct exchange *x)
{
    if (!x->reply->moves)
        return 0;
    *x->reply->moves = 1;
    x->reply->header_count = 0; /* handle() begins again */
    return 1;
}
