#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */

/* Bytes of the character at `text`, of which `size` bytes are there; 0 when it is none. */
size_t utf8_length(const char *text, size_t size);

int utf8_is_valid(const char *text); /* the whole of it, up to its 0 */

#endif
