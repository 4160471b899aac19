#ifndef TESTS_SIMD_GUARD_H
#define TESTS_SIMD_GUARD_H

#include <stddef.h>

/* Memory that shows a kernel reading or writing beside its buffers. */

/* Where a buffer lies in its pages: an access of one byte before the first or past the last byte
 * faults. On the other side a margin is watched for writes. */
enum guard_side { GUARD_BEFORE, GUARD_AFTER };

/* Pages between two unreadable ones, used for one buffer after another. */
struct guard {
    char *pages;
    size_t size, page;
    char *buffer;
    size_t bytes;
};

void guard_init(struct guard *g, size_t most_bytes);
void guard_finish(struct guard *g);
/* A buffer of `bytes` (at most `most_bytes`), every byte 0xff: floats are NaN. */
void *guard_place(struct guard *g, size_t bytes, enum guard_side side);
/* Whether the bytes beside the buffer are as guard_place() left them. */
int guard_intact(const struct guard *g);

#endif
