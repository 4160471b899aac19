#include "image/codec.h"

#include <string.h>

/* EXIF is a small TIFF file: a header with the byte order and the place of the first directory,
 * which is a count and so many entries of 12 bytes (tag, type, count, value). */
enum {
    EXIF_PREFIX_BYTES = 6,
    TIFF_HEADER_BYTES = 8,
    ENTRY_BYTES = 12,
    TAG_ORIENTATION = 0x0112,
    TYPE_SHORT = 3
};

struct tiff {
    const uint8_t *data;
    size_t size;
    int big_endian;
};

static unsigned short_at(const struct tiff *tiff, size_t at)
{
    unsigned a = tiff->data[at], b = tiff->data[at + 1];
    return tiff->big_endian ? a << 8 | b : b << 8 | a;
}

static size_t long_at(const struct tiff *tiff, size_t at)
{
    size_t first = short_at(tiff, at), second = short_at(tiff, at + 2);
    return tiff->big_endian ? first << 16 | second : second << 16 | first;
}

static int orientation_in(const struct tiff *tiff, size_t directory)
{
    if (directory > tiff->size - 2)
        return 1;
    size_t entries = short_at(tiff, directory);
    size_t room = (tiff->size - directory - 2) / ENTRY_BYTES;
    for (size_t i = 0; i < entries && i < room; i++) {
        size_t entry = directory + 2 + i * ENTRY_BYTES;
        if (short_at(tiff, entry) != TAG_ORIENTATION || short_at(tiff, entry + 2) != TYPE_SHORT)
            continue;
        unsigned value = short_at(tiff, entry + 8);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

int exif_orientation(const uint8_t *data, size_t size)
{
    if (size < EXIF_PREFIX_BYTES + TIFF_HEADER_BYTES || memcmp(data, "Exif\0\0", 6) != 0)
        return 1;
    struct tiff tiff = {data + EXIF_PREFIX_BYTES, size - EXIF_PREFIX_BYTES, 0};
    if (memcmp(tiff.data, "MM\0*", 4) == 0)
        tiff.big_endian = 1;
    else if (memcmp(tiff.data, "II*\0", 4) != 0)
        return 1;
    return orientation_in(&tiff, long_at(&tiff, 4));
}
