#include "cloud/query.h"

#include "base/hex.h"

#include <string.h>

int query_next(const char **at, struct query_pair *pair)
{
    const char *p = *at + strspn(*at, "&");
    if (!*p)
        return 0;
    size_t size = strcspn(p, "&");
    const char *equals = memchr(p, '=', size);
    pair->name = p;
    pair->name_size = equals ? (size_t)(equals - p) : size;
    pair->value = equals ? equals + 1 : p + size;
    pair->value_size = size - (size_t)(pair->value - p);
    *at = p + size;
    return 1;
}

int query_decode(char *text, int plus_is_space)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0 || (high == 0 && low == 0))
                return -1;
            *out++ = (char)(high * 16 + low);
            in += 2;
        } else {
            *out++ = *in == '+' && plus_is_space ? ' ' : *in;
        }
    }
    *out = 0;
    return 0;
}
