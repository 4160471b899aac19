#ifndef CLOUD_EXCHANGE_H
#define CLOUD_EXCHANGE_H

#include "aws/http.h"
#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One request and its response, as the services of the cloud see them. The front (cloud/front.c)
 * has read the head, found the service, verified the signature and received the body before a
 * service's handle() is called on one of its worker threads. All memory handed out lives as long as
 * the exchange. */

/* Who signed. */
struct identity {
    const char *access_key_id; /* NULL: an anonymous request (only where the service allows it) */
    const char *account_id;    /* 12 digits */
    const char *arn;           /* "arn:aws:iam::000000000000:user/admin" */
};

/* The body: small ones in memory, large ones in a file that has no name and vanishes with the
 * exchange. */
enum { EXCHANGE_MEMORY_BODY_BYTES = 8 * 1024 * 1024 };
struct body {
    const void *data;         /* in memory, with a 0 behind; NULL when in the file */
    size_t size;              /* bytes, decoded from aws-chunked */
    int fd;                   /* -1 when in memory */
    unsigned char sha256[32]; /* of the decoded bytes */
};

struct exchange {
    struct arena arena; /* the exchange's lifetime */
    const char *method; /* "GET" */
    const char *path;   /* as on the wire: encoded, starts with '/' */
    const char *query;  /* as on the wire, without '?'; "" for none */
    const struct http_header *headers;
    size_t header_count;
    struct body body;
    struct identity identity;
    char request_id[37]; /* a UUID; goes out as x-amzn-RequestId or x-amz-request-id */
    const char *region;  /* of the signature's scope, or the cloud's own */
    const char *source_ip;
    int64_t received_unix_ms;
    uint64_t received_ns; /* monotonic */
    struct reply *reply;  /* the front's */
};

/* Request parts. Header names are case-insensitive. Query values come decoded; NULL when absent (""
 * for a parameter without value). */
const char *exchange_header(const struct exchange *x, const char *name);
const char *exchange_query(struct exchange *x, const char *name);
/* Decode %XX (and '+' as a space when `plus_is_space`) into the exchange's arena. */
char *exchange_decode(struct exchange *x, const char *text, size_t size, int plus_is_space);

/* The response. Header first, then one of the respond calls; the last one ends the exchange's
 * handling. `data` is copied. Content-Length, Date and the request id are added by the front. */
void exchange_reply_header(struct exchange *x, const char *name, const char *value);
void exchange_respond(struct exchange *x, int status, const char *content_type, const void *data,
                      size_t size);
/* The body is `size` bytes of `fd` from `offset`; the exchange closes fd. */
void exchange_respond_file(struct exchange *x, int status, const char *content_type, int fd,
                           off_t offset, size_t size);

/* For an answer that comes later and from another thread: call exchange_defer() inside handle()
 * instead of responding, then one of the respond calls and exchange_resume() from anywhere, once.
 */
void exchange_defer(struct exchange *x);
void exchange_resume(struct exchange *x);

/* A service of the cloud. */
struct service {
    const char *name; /* the SigV4 scope it answers to: "s3", "dynamodb", "lambda", ... */
    void (*handle)(void *self, struct exchange *x);
    void *self;
};

#endif
