#ifndef CLOUD_REPLY_H
#define CLOUD_REPLY_H

#include "cloud/exchange.h"

/* What an exchange answers, between exchange.c, which fills it, and the front, which sends it. */

enum { REPLY_MAX_HEADERS = 96 };

struct reply {
    int status; /* 0 until one of the respond calls */
    const char *content_type;
    struct http_header headers[REPLY_MAX_HEADERS];
    size_t header_count;
    void *data; /* from malloc(), or NULL */
    size_t size;
    int fd;                   /* -1: the body is `data` */
    size_t *held, held_bytes; /* of exchange_hold(); NULL: nothing */
    size_t *trees;            /* of all requests (cloud/trees.h), atomic; NULL: not counted */
    off_t offset;
    int head_only;                      /* `size` is told, nothing sent */
    void *body_copy;                    /* of exchange_body() */
    int *deferred;                      /* set to 1 by exchange_defer() */
    int *moves;                         /* set to 1 by exchange_to_worker(); NULL on a worker */
    void (*suspend)(struct exchange *); /* NULL: the connection is suspended already */
    void (*resume)(struct exchange *);
};

void reply_init(struct reply *reply);
void reply_finish(struct reply *reply); /* frees what has not been sent */

#endif
