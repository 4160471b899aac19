/* What identify_raw leaves out: picture codecs, and the cleaner of OpenSSL. */
#include "face/seal.h"
#include "image/codec.h"

#include <string.h>

int jpeg_decode(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    (void)image, (void)data, (void)size;
    return err_set(err, ERR_INVALID, "built without codecs");
}

int jpeg_encode(const struct image *image, int quality, struct buf *out, struct err *err)
{
    (void)image, (void)quality, (void)out;
    return err_set(err, ERR_INVALID, "built without codecs");
}

int png_decode(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    return jpeg_decode(image, data, size, err);
}

int png_encode(const struct image *image, struct buf *out, struct err *err)
{
    return jpeg_encode(image, 0, out, err);
}

void seal_wipe(void *data, size_t size)
{
    memset(data, 0, size);
}
