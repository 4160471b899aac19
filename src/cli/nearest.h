#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* Which word of a list was meant by one that is not in it. */
struct nearest {
    const char *typed; /* borrowed */
    size_t length;     /* of it */
    const char *word;  /* the nearest so far, borrowed; NULL: none is near */
    size_t distance;
};

enum { NEAREST_HINT_BYTES = 80 };

/* The first `length` bytes of `typed` are the word. */
void nearest_init(struct nearest *nearest, const char *typed, size_t length);
void nearest_offer(struct nearest *nearest, const char *word);

/* "; is it --video?" with the dashes given, or "". */
void nearest_hint(const struct nearest *nearest, const char *dashes, char hint[NEAREST_HINT_BYTES]);

#endif
