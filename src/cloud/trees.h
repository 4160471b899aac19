#ifndef CLOUD_TREES_H
#define CLOUD_TREES_H

#include <stddef.h>

/* JSON from outside becomes a tree of values, which takes up to eighty times its text. What the
 * trees of all requests may take together has a ceiling (exchange_admit_tree()); most texts are too
 * small to be looked at. */
enum { TREES_SMALL_BYTES = 64 * 1024 };
#define TREES_MAX_BYTES ((size_t)512 << 20)

/* About what the tree of such a text takes, its strings not counted. */
size_t trees_estimate(const char *text, size_t size);

#endif
