#ifndef CLOUD_DYNAMODB_BATCH_H
#define CLOUD_DYNAMODB_BATCH_H

#include "cloud/dynamodb/request.h"

/* Several actions of one request: what batches and transactions share. */

enum { BATCH_MAX_ACTIONS = 100 };

struct batch {
    struct write writes[BATCH_MAX_ACTIONS]; /* or keys to read: then old_size is what was found */
    struct expressions expressions[BATCH_MAX_ACTIONS];
    int wants_failed_item[BATCH_MAX_ACTIONS];
    size_t count;
    int misfits; /* an action of a transaction does not fit its table */
    enum capacity_detail capacity;
};

struct batch *batch_make(struct request *r); /* in the request's arena; NULL: r->err */
void batch_release(struct batch *batch);     /* its tables */
int batch_same_key(const struct write *a, const struct write *b);
int batch_check_write(struct request *r, const struct write *w) MUST_USE;
/* ConsumedCapacity and ItemCollectionMetrics as members of the answer, each where asked for. */
void batch_write_answer(struct request *r, const struct batch *batch, double factor, int *first);
/* ConsumedCapacity of consistent reads, behind other members. */
void batch_write_reads(struct request *r, const struct batch *batch, double factor);

#endif
