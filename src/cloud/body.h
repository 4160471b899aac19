#ifndef CLOUD_BODY_H
#define CLOUD_BODY_H

#include "base/buf.h"
#include "cloud/exchange.h"

/* Receives a request's body: in memory while it is small, in a file without a name when it grows
 * past that; SHA-256 on the way, if it is wanted. */
struct body_receiver {
    struct buf memory;
    const char *folder; /* where the file goes */
    size_t memory_limit_bytes, limit_bytes, size;
    int fd;
    void *sha256; /* EVP_MD_CTX; NULL: nobody asked for it */
};

void body_init(struct body_receiver *body, const char *folder, size_t memory_limit_bytes,
               size_t limit_bytes);
/* Before the first byte: the body's SHA-256 is wanted. */
int body_hash(struct body_receiver *body, struct err *err) MUST_USE;
void body_finish(struct body_receiver *body);

/* ERR_TOO_BIG past the limit, ERR_NO_SPACE on a full disk. */
int body_add(struct body_receiver *body, const void *data, size_t size, struct err *err) MUST_USE;
/* All is there: fills `out`, whose memory and file stay the receiver's. */
int body_done(struct body_receiver *body, struct body *out, struct err *err) MUST_USE;

#endif
