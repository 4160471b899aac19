#include "base/file.h"
#include "image/codec.h"

#include <stdlib.h>
#include <string.h>

int image_check_size(uint64_t width, uint64_t height, struct err *err)
{
    if (width < 1 || height < 1)
        return err_set(err, ERR_INVALID, "the picture has no pixels");
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return err_set(err, ERR_TOO_BIG, "%llux%llu pixels, more than %d a side",
                       (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_SIDE);
    if (width * height > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_TOO_BIG, "%llux%llu pixels, more than %d in all",
                       (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_PIXELS);
    return 0;
}

int image_reserve(struct image *image, int width, int height, size_t bytes, struct err *err)
{
    uint64_t columns = width < 0 ? 0 : (uint64_t)width, rows = height < 0 ? 0 : (uint64_t)height;
    if (image_check_size(columns, rows, err) < 0) {
        image_finish(image);
        return -1;
    }
    size_t stride = 3 * (size_t)width, wanted = stride * (size_t)height;
    if (bytes > wanted)
        wanted = bytes;
    if (!image->owned || image->capacity < wanted) {
        image_finish(image);
        image->pixels = malloc(wanted);
        if (!image->pixels)
            return err_set(err, ERR_NO_MEMORY, "no memory for %dx%d pixels", width, height);
        image->capacity = wanted;
        image->owned = 1;
    }
    image->width = width;
    image->height = height;
    image->stride = stride;
    return 0;
}

int image_resize_buffer(struct image *image, int width, int height, struct err *err)
{
    return image_reserve(image, width, height, 0, err);
}

int image_init(struct image *image, int width, int height, struct err *err)
{
    *image = (struct image){0};
    if (image_resize_buffer(image, width, height, err) < 0)
        return -1;
    memset(image->pixels, 0, image->capacity);
    return 0;
}

void image_finish(struct image *image)
{
    if (image->owned)
        free(image->pixels);
    *image = (struct image){0};
}

static int starts_with(const uint8_t *data, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(data, magic, length) == 0;
}

/* What telephones and browsers save, so that one is told what to do. */
static int refuse_other(const uint8_t *data, size_t size, struct err *err)
{
    static const struct {
        size_t at;
        const char *magic, *name;
    } others[] = {{4, "ftyphei", "HEIC"},  {4, "ftyphev", "HEIC"}, {4, "ftypmif1", "HEIF"},
                  {4, "ftypavif", "AVIF"}, {8, "WEBP", "WebP"},    {0, "GIF8", "GIF"},
                  {0, "BM", "BMP"},        {0, "II*", "TIFF"},     {0, "MM", "TIFF"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (size > others[i].at && starts_with(data + others[i].at, size - others[i].at,
                                               others[i].magic, strlen(others[i].magic)))
            return err_set(err, ERR_INVALID,
                           "neither a PNG nor a JPEG picture (it may be %s: save it as JPEG)",
                           others[i].name);
    return err_set(err, ERR_INVALID, "neither a PNG nor a JPEG picture");
}

static int decode(struct image *image, const uint8_t *data, size_t size, struct err *err)
{
    if (size == 0)
        return err_set(err, ERR_INVALID, "the file is empty");
    if (size > IMAGE_MAX_FILE_BYTES)
        return err_set(err, ERR_TOO_BIG, "%zu bytes, more than %zu", size, IMAGE_MAX_FILE_BYTES);
    if (starts_with(data, size, "\xff\xd8\xff", 3))
        return jpeg_decode(image, data, size, err);
    if (starts_with(data, size, "\x89PNG\r\n\x1a\n", 8))
        return png_decode(image, data, size, err);
    return refuse_other(data, size, err);
}

int image_decode_again(struct image *image, const void *data, size_t size, struct err *err)
{
    int result = decode(image, data, size, err);
    if (result < 0)
        image_finish(image);
    return result;
}

int image_decode(struct image *image, const void *data, size_t size, struct err *err)
{
    *image = (struct image){0};
    return image_decode_again(image, data, size, err);
}

int image_read(struct image *image, const char *path, struct err *err)
{
    *image = (struct image){0};
    struct buf file;
    buf_init(&file, IMAGE_MAX_FILE_BYTES);
    int result = file_read(path, &file, err);
    if (result == 0) {
        result = image_decode(image, file.data, file.size, err);
        if (result < 0)
            err_wrap(err, "read %s", path);
    }
    buf_finish(&file);
    return result;
}

int image_encode(const struct image *image, enum image_format format, int quality, struct buf *out,
                 struct err *err)
{
    if (format == IMAGE_PNG)
        return png_encode(image, out, err);
    return jpeg_encode(image, quality, out, err);
}
