#include "cli/line.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The character that starts at `text`, whose `length` bytes are UTF-8. */
static uint32_t decode(const char *text, size_t length)
{
    unsigned char first = (unsigned char)text[0];
    uint32_t value = length == 1 ? first : first & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    return value;
}

static int is_shown(uint32_t c)
{
    static const uint32_t hidden[][2] = {{0, 0x1f},        {0x7f, 0x9f},     {0x200e, 0x200f},
                                         {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (c >= hidden[i][0] && c <= hidden[i][1])
            return 0;
    return 1;
}

static void put(FILE *out, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = utf8_length(text, left), size = length ? length : 1;
        if (length > 0 && is_shown(decode(text, length)))
            fwrite(text, 1, size, out);
        else
            for (size_t i = 0; i < size; i++)
                fprintf(out, "\\x%02x", (unsigned char)text[i]);
        text += size;
        left -= size;
    }
}

void line_print(FILE *out, const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    int size = vasprintf(&text, format, values);
    va_end(values);
    if (size >= 0) {
        put(out, text);
        free(text);
    }
    putc('\n', out);
}
