#include "base/utf8.h"

#include <string.h>

size_t utf8_length(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char first = size ? p[0] : 0xff;
    size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (!length || length > size || first > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    int wrong = (first == 0xe0 && p[1] < 0xa0) || (first == 0xed && p[1] > 0x9f) ||
                (first == 0xf0 && p[1] < 0x90) || (first == 0xf4 && p[1] > 0x8f);
    return wrong ? 0 : length;
}

int utf8_is_valid(const char *text)
{
    for (size_t left = strlen(text), length; left > 0; text += length, left -= length) {
        length = utf8_length(text, left);
        if (!length)
            return 0;
    }
    return 1;
}
