#include "base/random.h"

#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t size)
{
    unsigned char *next = out;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        next += got;
        size -= (size_t)got;
    }
}

void random_text(char *out, size_t length, const char *alphabet)
{
    size_t letters = strlen(alphabet), fair = 256 - 256 % letters;
    for (size_t i = 0; i < length;) {
        unsigned char bytes[64];
        size_t count = length - i < sizeof bytes ? length - i : sizeof bytes;
        random_bytes(bytes, count);
        for (size_t k = 0; k < count; k++)
            if (bytes[k] < fair)
                out[i++] = alphabet[bytes[k] % letters];
    }
    out[length] = 0;
}

void random_uuid(char out[RANDOM_UUID_BYTES])
{
    unsigned char b[16];
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    char digits[2 * sizeof b + 1];
    hex_encode(b, sizeof b, digits);
    static const unsigned char ends[] = {8, 12, 16, 20, 32}; /* of the five groups, in digits */
    for (size_t group = 0, from = 0; group < sizeof ends; from = ends[group++]) {
        memcpy(out, digits + from, ends[group] - from);
        out += ends[group] - from;
        *out++ = group + 1 < sizeof ends ? '-' : 0;
    }
}
