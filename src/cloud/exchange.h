#ifndef CLOUD_EXCHANGE_H
#define CLOUD_EXCHANGE_H

#include "aws/http.h"
#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One request and its response, as the services of the cloud see them. The front (cloud/front.h)
 * has read the head, found the service, verified the signature and received the body before a
 * service's handle() is called. All memory handed out lives as long as the exchange. */

/* Who signed. */
struct identity {
    const char *access_key_id; /* NULL: an anonymous request (only where the service allows it) */
    const char *account_id;    /* 12 digits */
    const char *arn;           /* "arn:aws:iam::000000000000:user/ada" */
    const char *role_arn;      /* of a function: the role that it was given; NULL: no function */
    int is_administrator;      /* the account's root, whom no policy binds */
    int64_t issued_unix_ms;    /* when temporary credentials were; 0: the key is no such */
};

/* The body: small ones in memory, large ones in a file that has no name and vanishes with the
 * exchange (unless somebody links it; it lies on the data folder's disk). */
struct body {
    const void *data;         /* in memory, with a 0 behind; NULL when in the file */
    size_t size;              /* bytes, decoded from aws-chunked */
    int fd;                   /* -1 when in memory */
    unsigned char sha256[32]; /* of the decoded bytes, where the signature is over it */
};

/* Of the query. */
struct exchange_parameter {
    const char *name;  /* decoded */
    const char *value; /* as on the wire, "" when there is no '=' */
    size_t value_size;
};

struct database;

struct exchange {
    struct arena arena;                    /* the exchange's lifetime */
    const char *method;                    /* "GET" */
    const char *path;                      /* as on the wire: encoded, starts with '/' */
    const char *query;                     /* as on the wire, without '?'; "" for none */
    struct exchange_parameter *parameters; /* of the query; NULL until one is asked for */
    size_t parameter_count;
    const struct http_header *headers; /* an aws-chunked body's trailers are behind them */
    size_t header_count;
    struct body body;
    struct identity identity;
    char request_id[37]; /* a UUID; goes out as x-amzn-RequestId or x-amz-request-id */
    const char *region;  /* of the signature's scope, or the cloud's own */
    const char *source_ip;
    int is_secure; /* came by TLS */
    int64_t received_unix_ms;
    uint64_t received_ns;             /* monotonic */
    const struct service *service;    /* that handles it */
    const struct access_judge *judge; /* cloud/access.h; NULL: only the administrator may ask */
    struct reply *reply;              /* the front's */
};

/* Request parts. Header names are case-insensitive. Query values come decoded; NULL when absent (""
 * for a parameter without value). */
const char *exchange_header(const struct exchange *x, const char *name);
const char *exchange_query(struct exchange *x, const char *name);
/* Decode %XX (and '+' as a space when `plus_is_space`) into the exchange's arena. NULL when it is
 * wrong (%G1, %00) or past the arena's limit. */
char *exchange_decode(struct exchange *x, const char *text, size_t size, int plus_is_space);
/* The whole body in memory, with a 0 behind; one that is in the file is read into the arena-like
 * memory of the exchange first. NULL with `err` when that fails. */
const char *exchange_body(struct exchange *x, struct err *err);

/* The response. Header first, then one of the respond calls; the last one ends the exchange's
 * handling. Names, values and `data` are copied. Content-Length, Date and the request id are added
 * by the front. */
void exchange_reply_header(struct exchange *x, const char *name, const char *value);
void exchange_respond(struct exchange *x, int status, const char *content_type, const void *data,
                      size_t size);
/* The same with memory from malloc() that the exchange frees: no copy. */
void exchange_respond_take(struct exchange *x, int status, const char *content_type, void *data,
                           size_t size);
/* Answers that wait in memory for slow readers, together: 1 when `bytes` more fit under `limit`;
 * `*held` (atomic) has them until the exchange ends. Once an exchange. */
int exchange_hold(struct exchange *x, size_t *held, size_t bytes, size_t limit);
/* May the exchange make a tree of the JSON in `text` (cloud/trees.h)? It counts until the exchange
 * ends. Asked for every body; again where the text is in it in another form, as by gzip.
 * ERR_TOO_BIG: never; ERR_UNAVAILABLE: not now. */
int exchange_admit_tree(struct exchange *x, const char *text, size_t size,
                        struct err *err) MUST_USE;
/* The body is `size` bytes of `fd` from `offset`; the exchange closes fd. */
void exchange_respond_file(struct exchange *x, int status, const char *content_type, int fd,
                           off_t offset, size_t size);
/* For HEAD: Content-Length is `size`, no body follows. */
void exchange_respond_head(struct exchange *x, int status, const char *content_type, size_t size);
/* For an error in the service's own form, see cloud/errors.h. */

/* For an answer that comes later and from another thread: call exchange_defer() inside handle()
 * instead of responding, then one of the respond calls and exchange_resume() from anywhere, once.
 * After exchange_resume() the exchange is gone. */
void exchange_defer(struct exchange *x);
void exchange_resume(struct exchange *x);

/* In handle() of a quick request that turns out to take time: 1 means that handle() is called again
 * on a worker thread, so return at once without an answer; 0 that it runs on one already. */
int exchange_to_worker(struct exchange *x);

/* How a service's errors look (cloud/errors.h). */
enum error_form {
    ERROR_FORM_S3,        /* XML <Error><Code>..: S3 */
    ERROR_FORM_JSON,      /* {"__type": .., "message": ..}: DynamoDB, Logs, CloudWatch JSON */
    ERROR_FORM_REST_JSON, /* X-Amzn-ErrorType header, {"message": ..}: Lambda, API Gateway */
    ERROR_FORM_QUERY,     /* XML <ErrorResponse>: the query protocol */
};

enum { SERVICE_MEMORY_BODY_BYTES = 8 * 1024 * 1024, SERVICE_MAX_BODY_BYTES = 8 * 1024 * 1024 };

/* A service of the cloud: filled by its create function and handed to cloud_add() (cloud/cloud.h).
 */
struct service {
    const char *name; /* the SigV4 scope it answers to: "s3", "dynamodb", "lambda", ... */
    enum error_form error_form;
    const char *error_prefix; /* ERROR_FORM_JSON: in front of the code in __type, or NULL */
    int denied_status;        /* HTTP status of what is 403 elsewhere; 0: 403 */
    int sums;                 /* every answer has the CRC-32 of its body in x-amz-crc32 */
    int anonymous;            /* takes unsigned requests too: identity.access_key_id is NULL then */
    /* May this unsigned request go on? Called when its head is there, on the network thread; -1:
     * answered. NULL: any may. */
    int (*admit)(void *self, struct exchange *x);
    size_t memory_body_bytes; /* a larger body goes to a file; 0: SERVICE_MEMORY_BODY_BYTES */
    size_t max_body_bytes;    /* a larger body is refused; 0: SERVICE_MAX_BODY_BYTES */

    /* Answer the request. Runs on one of the cloud's worker threads, which it may block. */
    void (*handle)(void *self, struct exchange *x);
    /* Returns 1 when handle() will not wait for a disk or anyone else for this request: it then
     * runs on the network thread itself, which saves two switches. NULL: never. */
    int (*quick)(void *self, const struct exchange *x);
    /* The database whose writer shall run handle() for this request, within its transaction
     * (database_post() and what it asks for): all that the request waits for is a small write
     * there, and two threads less are woken. The answer goes when the write is durable; it becomes
     * an error when it cannot be. handle() must not defer. NULL, or one that returns NULL: not so.
     */
    struct database *(*writes_to)(void *self, const struct exchange *x);
    /* Once all services are made and the port is open; before the first request. NULL: nothing. */
    int (*start)(void *self, struct err *err);
    /* No new request comes after this; deferred exchanges must be answered soon. NULL: nothing. */
    void (*stop)(void *self);
    /* All exchanges are answered. Services are destroyed in reverse order. */
    void (*destroy)(void *self);
    void *self;
};

#endif
