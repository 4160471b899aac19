#ifndef CLOUD_S3_ETAGS_H
#define CLOUD_S3_ETAGS_H

#include "base/err.h"
#include "cloud/s3/md5_lanes.h"

#include <pthread.h>

/* The MD5s of small objects, which nobody asks for before their rows are written. Writes that come
 * together wait for each other anyway (cloud/sqlite/writes.h); the first of them digests the
 * objects of those behind it too, several at once. Thread safe. */
struct etags {
    pthread_mutex_t lock;
    pthread_cond_t made;
    struct etag_wait *first, **last;
};

enum etag_state { ETAG_WAITS, ETAG_TAKEN, ETAG_MADE, ETAG_FAILED };

/* One object's; its owner's, as is the data, until etags_leave() is back. */
struct etag_wait {
    const void *data;
    size_t size;
    unsigned char md5[MD5_BYTES];
    enum etag_state state;
    struct etag_wait *next;
};

void etags_init(struct etags *etags);
void etags_finish(struct etags *etags);

/* Before the write is queued. */
void etags_add(struct etags *etags, struct etag_wait *wait);
/* In the write: `wait->md5` is there when it returns. */
int etags_make(struct etags *etags, struct etag_wait *wait, struct err *err) MUST_USE;
/* After the write, whether it came to etags_make() or not. */
void etags_leave(struct etags *etags, struct etag_wait *wait);

#endif
