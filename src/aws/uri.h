#ifndef AWS_URI_H
#define AWS_URI_H

#include "base/arena.h"

#include <stddef.h>

/* Percent encoding as AWS wants it: everything but A-Z a-z 0-9 - . _ ~ becomes %XX, upper case. */

/* Nothing in it is encoded or has to be: encoding it gives the same again. */
int uri_is_plain(const char *text, size_t size);

/* Encode; bytes in `keep` ("/" for an object key in a path, "" for a query) stay as they are. NULL
 * when the arena is full. */
char *uri_encode(struct arena *arena, const char *text, size_t size, const char *keep);

/* Decode %XX, and '+' as a space when `plus_is_space`; a '%' without two hex digits stays. The
 * result has a 0 behind it and may hold zeros; its length goes to `length` (may be NULL). NULL when
 * the arena is full. */
char *uri_decode(struct arena *arena, const char *text, size_t size, int plus_is_space,
                 size_t *length);

#endif
