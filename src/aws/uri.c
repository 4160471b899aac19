#include "aws/uri.h"

#include "base/hex.h"

#include <string.h>

static int is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int uri_is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_unreserved(text[i]))
            return 0;
    return 1;
}

char *uri_encode(struct arena *arena, const char *text, size_t size, const char *keep)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, size + 1, 3), *next = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (is_unreserved(text[i]) || (byte && strchr(keep, byte))) {
            *next++ = text[i];
            continue;
        }
        *next++ = '%';
        *next++ = hex[byte >> 4];
        *next++ = hex[byte & 15];
    }
    *next = 0;
    return out;
}

char *uri_decode(struct arena *arena, const char *text, size_t size, int plus_is_space,
                 size_t *length)
{
    char *out = arena_copy(arena, text, size), *next = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < size; i++) {
        int high = -1, low = -1;
        if (text[i] == '%' && size - i > 2) {
            high = hex_digit(text[i + 1]);
            low = hex_digit(text[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            *next++ = (char)(high * 16 + low);
            i += 2;
        } else {
            *next++ = text[i] == '+' && plus_is_space ? ' ' : text[i];
        }
    }
    *next = 0;
    if (length)
        *length = (size_t)(next - out);
    return out;
}
