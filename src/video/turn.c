#include "video/turn.h"

#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include <stdlib.h>

struct turner {
    int rotate, mirror;
    AVFrame *planar, *turned;
    struct SwsContext *scaler;
};

struct turner *turner_create(int rotate, int mirror, struct err *err)
{
    struct turner *turner = calloc(1, sizeof *turner);
    if (turner) {
        turner->planar = av_frame_alloc();
        turner->turned = av_frame_alloc();
    }
    if (!turner || !turner->planar || !turner->turned) {
        err_set(err, ERR_NO_MEMORY, "turn pictures: out of memory");
        turner_destroy(turner);
        return NULL;
    }
    turner->rotate = rotate;
    turner->mirror = mirror;
    return turner;
}

void turner_destroy(struct turner *turner)
{
    if (!turner)
        return;
    av_frame_free(&turner->planar);
    av_frame_free(&turner->turned);
    sws_freeContext(turner->scaler);
    free(turner);
}

int turner_swaps_sides(const struct turner *turner)
{
    return turner && turner->rotate % 180 != 0;
}

static int can_turn(const AVFrame *picture)
{
    const AVPixFmtDescriptor *kind = av_pix_fmt_desc_get((enum AVPixelFormat)picture->format);
    uint64_t wrong = AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM |
                     AV_PIX_FMT_FLAG_HWACCEL | AV_PIX_FMT_FLAG_ALPHA;
    return kind && (kind->flags & AV_PIX_FMT_FLAG_PLANAR) && !(kind->flags & wrong) &&
           kind->nb_components == 3 && kind->comp[0].depth == 8 && kind->comp[1].step == 1 &&
           kind->log2_chroma_w == kind->log2_chroma_h;
}

/* A frame of that size with memory of its own, whatever holds the last one. */
static int renew(AVFrame *frame, int format, int width, int height, struct err *err)
{
    av_frame_unref(frame);
    frame->format = format;
    frame->width = width;
    frame->height = height;
    if (av_frame_get_buffer(frame, 0) < 0)
        return err_set(err, ERR_NO_MEMORY, "turn a picture: out of memory");
    return 0;
}

static int make_planar(struct turner *turner, const AVFrame *picture, struct err *err)
{
    AVFrame *out = turner->planar;
    if (renew(out, AV_PIX_FMT_YUV420P, picture->width, picture->height, err) < 0)
        return -1;
    turner->scaler = sws_getCachedContext(
        turner->scaler, picture->width, picture->height, (enum AVPixelFormat)picture->format,
        picture->width, picture->height, AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!turner->scaler)
        return err_set(err, ERR_UNSUPPORTED, "turn a picture: unknown format %d", picture->format);
    sws_scale(turner->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
              picture->height, out->data, out->linesize);
    return 0;
}

/* Output pixel (x, y) is input byte base + x * step + y * row. */
struct walk {
    ptrdiff_t base, step, row;
};

static struct walk walk_of(const struct turner *turner, int width, int height, ptrdiff_t stride)
{
    ptrdiff_t last_row = (height - 1) * stride, last = width - 1;
    struct walk walk = {0, 1, stride};
    if (turner->rotate == 90)
        walk = (struct walk){last_row, -stride, 1};
    else if (turner->rotate == 180)
        walk = (struct walk){last_row + last, -1, -stride};
    else if (turner->rotate == 270)
        walk = (struct walk){last, stride, -1};
    if (turner->mirror) {
        int out_width = turner_swaps_sides(turner) ? height : width;
        walk.base += (out_width - 1) * walk.step;
        walk.step = -walk.step;
    }
    return walk;
}

static void turn_plane(const struct turner *turner, const AVFrame *in, AVFrame *out, int plane)
{
    const AVPixFmtDescriptor *kind = av_pix_fmt_desc_get((enum AVPixelFormat)in->format);
    int shift = plane ? kind->log2_chroma_w : 0;
    int width = AV_CEIL_RSHIFT(in->width, shift), height = AV_CEIL_RSHIFT(in->height, shift);
    int out_width = AV_CEIL_RSHIFT(out->width, shift);
    int out_height = AV_CEIL_RSHIFT(out->height, shift);
    struct walk walk = walk_of(turner, width, height, in->linesize[plane]);
    for (int y = 0; y < out_height; y++) {
        const uint8_t *from = in->data[plane] + walk.base + y * walk.row;
        uint8_t *to = out->data[plane] + (ptrdiff_t)y * out->linesize[plane];
        for (int x = 0; x < out_width; x++)
            to[x] = from[x * walk.step];
    }
}

int turner_run(struct turner *turner, const struct AVFrame *picture, struct AVFrame **out,
               struct err *err)
{
    const AVFrame *in = picture;
    if (!can_turn(in)) {
        if (make_planar(turner, picture, err) < 0)
            return -1;
        in = turner->planar;
    }
    int swaps = turner_swaps_sides(turner);
    AVFrame *turned = turner->turned;
    if (renew(turned, in->format, swaps ? in->height : in->width, swaps ? in->width : in->height,
              err) < 0)
        return -1;
    for (int plane = 0; plane < 3; plane++)
        turn_plane(turner, in, turned, plane);
    turned->colorspace = picture->colorspace;
    turned->color_range = in == picture ? picture->color_range : AVCOL_RANGE_UNSPECIFIED;
    turned->pts = picture->pts;
    *out = turned;
    return 0;
}
