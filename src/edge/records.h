#ifndef EDGE_RECORDS_H
#define EDGE_RECORDS_H

#include "base/buf.h"
#include "base/err.h"
#include "edge/deployment.h"

#include <stdint.h>

/* People's records, fetched from the table once and kept for a while. One thread at a time. */
struct records;

enum {
    RECORDS_MAX = 10000,            /* people; past that the oldest record goes */
    RECORDS_MAX_BYTES = 400 * 1024, /* of one: DynamoDB's limit of an item */
    RECORDS_FETCH_MS = 2000,        /* an answer does not wait longer for its record */
    RECORDS_PAUSE_MS = 5000,        /* after a failure kept records serve for so long */
};

/* How a record comes here: appends plain JSON; 1 found, 0 there is none, -1. */
struct records_source {
    int (*fetch)(void *context, const char *name, struct buf *plain, struct err *err);
    void *context;
};

/* From the deployment's table; kept for `lifetime_s`. */
struct records *records_open(const struct deployment *deployment, double lifetime_s,
                             struct err *err);
/* From anywhere, for tests. */
struct records *records_create(const struct records_source *source, double lifetime_s,
                               struct err *err);
void records_close(struct records *records); /* NULL is fine */

/* Appends the record: 1 there is one, 0 the table has none. Where nothing can be fetched: what was
 * kept, however old, or else {"name": NAME}. -1 only without memory. */
int records_get(struct records *records, const char *name, struct buf *plain,
                struct err *err) MUST_USE;

#endif
