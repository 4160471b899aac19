#ifndef CLOUD_S3_MD5_LANES_H
#define CLOUD_S3_MD5_LANES_H

#include "base/err.h"

#include <stddef.h>

/* MD5 (RFC 1321) of several texts at once. Each step of it needs the one before, so that one text
 * keeps a processor waiting; eight of them, one in each lane of a vector, take hardly longer than
 * one. */

enum { MD5_LANES = 8, MD5_BYTES = 16 };

struct md5_text {
    const void *data;
    size_t size;
    unsigned char *md5; /* where it goes, MD5_BYTES */
};

/* Whether the processor has such vectors; without them each text is digested by itself. */
int md5_lanes_is_fast(void);
/* At most MD5_LANES texts. Best when they are of about one size: all take as long as the longest.
 * -1: no memory. */
int md5_lanes(const struct md5_text *texts, size_t count) MUST_USE;

#endif
