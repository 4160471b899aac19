#ifndef CLOUD_S3_FETCH_H
#define CLOUD_S3_FETCH_H

#include "cloud/cloud.h"

#include <stddef.h>

/* An object for another service of the cloud, read as whoever signed the request may read it. */

struct s3_fetch {
    const char *bucket, *key;
    const char *version; /* NULL: the current one */
    /* What S3 refused: its code and message, in the exchange's arena; NULL: nothing. */
    const char *code, *message;
    const void *data; /* read-only, the whole of it checked; until s3_fetch_close() */
    size_t size;
    void *mapped, *memory; /* the fetch's own */
};

/* 0: `data` is there, or `code` says why not. -1: it failed. */
int s3_fetch(struct cloud *cloud, struct exchange *x, struct s3_fetch *fetch,
             struct err *err) MUST_USE;
void s3_fetch_close(struct s3_fetch *fetch);

#endif
