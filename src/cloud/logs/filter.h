#ifndef CLOUD_LOGS_FILTER_H
#define CLOUD_LOGS_FILTER_H

#include "base/arena.h"
#include "base/err.h"

#include <stddef.h>

/* Filter patterns of plain text: terms that must all be in the line, "quoted phrases", ?terms of
 * which one must be in it, -terms that must not. JSON { } and space-delimited [ ] patterns and
 * %regular expressions% are refused. */
enum { FILTER_MAX_BYTES = 1024 };

struct filter_term {
    const char *text;
    size_t size;
    char kind; /* ' ' must, '?' one of these, '-' must not */
};
struct filter {
    struct filter_term *terms;
    size_t count;
};

int filter_parse(const char *pattern, struct filter *out, struct arena *arena,
                 struct err *err) MUST_USE;
int filter_matches(const struct filter *filter, const char *text, size_t size);

#endif
