#include "video/picture.h"

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include <stdlib.h>

struct converter {
    struct SwsContext *context;
    int width, height, format, colorspace, range; /* of the pictures `context` is for */
    uint8_t *pixels;
    size_t capacity; /* bytes */
};

struct AVFrame *picture_keep(const struct AVFrame *picture, struct err *err)
{
    AVFrame *kept = av_frame_clone(picture);
    if (!kept)
        err_set(err, ERR_NO_MEMORY, "keep picture: out of memory");
    return kept;
}

void picture_release(struct AVFrame *picture)
{
    av_frame_free(&picture);
}

void picture_size(const struct AVFrame *picture, int *width, int *height)
{
    *width = picture->width;
    *height = picture->height;
}

struct converter *converter_create(struct err *err)
{
    struct converter *converter = calloc(1, sizeof *converter);
    if (!converter)
        err_set(err, ERR_NO_MEMORY, "create converter: out of memory");
    return converter;
}

void converter_destroy(struct converter *converter)
{
    if (!converter)
        return;
    sws_freeContext(converter->context);
    free(converter->pixels);
    free(converter);
}

static int check_size(int width, int height, struct err *err)
{
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE ||
        (int64_t)width * height > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_TOO_BIG, "convert picture: %dx%d pixels is past the limit", width,
                       height);
    return 0;
}

static int same_kind(const struct converter *converter, const AVFrame *picture)
{
    return converter->context && converter->width == picture->width &&
           converter->height == picture->height && converter->format == picture->format &&
           converter->colorspace == (int)picture->colorspace &&
           converter->range == (int)picture->color_range;
}

static int set_up(struct converter *converter, const AVFrame *picture, struct err *err)
{
    size_t size = (size_t)picture->width * 3 * (size_t)picture->height;
    sws_freeContext(converter->context);
    /* Without SWS_ACCURATE_RND, which costs eight times as much: a picture of 4:2:0 comes within 3
     * of the formula's values, with each 2x2 pixels' colour as it is rather than interpolated. */
    converter->context = sws_getContext(
        picture->width, picture->height, (enum AVPixelFormat)picture->format, picture->width,
        picture->height, AV_PIX_FMT_RGB24, SWS_BILINEAR, NULL, NULL, NULL);
    if (!converter->context)
        return err_set(err, ERR_UNSUPPORTED, "convert picture: no way from %s to RGB",
                       av_get_pix_fmt_name((enum AVPixelFormat)picture->format));
    int matrix = picture->colorspace == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    sws_setColorspaceDetails(converter->context, sws_getCoefficients(matrix),
                             picture->color_range == AVCOL_RANGE_JPEG,
                             sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16);
    if (size > converter->capacity) {
        /* swscale's vector code may write a little past a row's end */
        uint8_t *pixels = realloc(converter->pixels, size + 64);
        if (!pixels)
            return err_set(err, ERR_NO_MEMORY, "convert picture: out of memory");
        converter->pixels = pixels;
        converter->capacity = size;
    }
    converter->width = picture->width;
    converter->height = picture->height;
    converter->format = picture->format;
    converter->colorspace = (int)picture->colorspace;
    converter->range = (int)picture->color_range;
    return 0;
}

int converter_run(struct converter *converter, const struct AVFrame *picture, struct image *out,
                  struct err *err)
{
    if (check_size(picture->width, picture->height, err) < 0)
        return -1;
    if (!same_kind(converter, picture) && set_up(converter, picture, err) < 0)
        return -1;
    int stride = picture->width * 3;
    sws_scale(converter->context, (const uint8_t *const *)picture->data, picture->linesize, 0,
              picture->height, (uint8_t *[]){converter->pixels}, (int[]){stride});
    *out = (struct image){.pixels = converter->pixels,
                          .width = picture->width,
                          .height = picture->height,
                          .stride = (size_t)stride};
    return 0;
}
