#include "cloud/trees.h"

/* What jansson allocates for one, the C library's own share with it. */
enum { CONTAINER_BYTES = 224, ELEMENT_BYTES = 64, MEMBER_BYTES = 96 };

/* Behind the string that begins at `at`, or `end`. */
static const char *skip_string(const char *at, const char *end)
{
    while (++at < end && *at != '"')
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

size_t trees_estimate(const char *text, size_t size)
{
    size_t bytes = 0;
    for (const char *at = text, *end = text + size; at < end;) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        bytes += *at == '{' || *at == '[' ? CONTAINER_BYTES
                 : *at == ','             ? ELEMENT_BYTES
                 : *at == ':'             ? MEMBER_BYTES
                                          : 0;
        at++;
    }
    return bytes;
}
