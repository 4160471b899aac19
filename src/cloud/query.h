#ifndef CLOUD_QUERY_H
#define CLOUD_QUERY_H

#include <stddef.h>

/* Query strings and URL encoding. Nothing here allocates. */

struct query_pair {
    const char *name, *value; /* encoded, in the caller's text; value is "" when there is no '=' */
    size_t name_size, value_size;
};

/* Takes the next pair at *at and moves it on; returns 0 at the end. Empty pairs are skipped. */
int query_next(const char **at, struct query_pair *pair);

/* Decode %XX in place. -1 when an escape is wrong or stands for a 0 byte. */
int query_decode(char *text, int plus_is_space);

#endif
