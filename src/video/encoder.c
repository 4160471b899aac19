#include "video/encoder.h"

#include "video/recorder_file.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include <stdlib.h>

struct encoder {
    AVCodecContext *codec;
    AVCodecParameters *parameters;
    AVFrame *scaled; /* for pictures that are not planar YUV 4:2:0 */
    struct SwsContext *scaler;
};

static int fail(int code, struct err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (code == AVERROR(ENOMEM))
        return err_set(err, ERR_NO_MEMORY, "encode video: out of memory");
    av_make_error_string(text, sizeof text, code);
    return err_set(err, ERR_IO, "encode video: %s", text);
}

static AVCodecContext *open_codec(const char *name, const struct encoder_options *options)
{
    const AVCodec *h264 = avcodec_find_encoder_by_name(name);
    AVCodecContext *codec = h264 ? avcodec_alloc_context3(h264) : NULL;
    if (!codec)
        return NULL;
    codec->width = options->width & ~1;
    codec->height = options->height & ~1;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->framerate = av_d2q(options->fps, 100000);
    codec->time_base = (AVRational){1, RECORDER_TICKS};
    codec->gop_size = (int)(options->fps * RECORDER_FRAGMENT_S + 0.5);
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    /* a tenth of a bit a pixel, for the hardware; x264 goes by quality */
    if (h264->capabilities & AV_CODEC_CAP_HARDWARE || options->hardware)
        codec->bit_rate = (int64_t)(0.1 * codec->width * codec->height * options->fps);
    /* x264 holds some 1.3 MB (640x480) for each picture it looks ahead or puts between two others:
     * with neither, a better quality asked for makes up for it (docs/edge.md). */
    if (codec->priv_data && h264->id == AV_CODEC_ID_H264) {
        av_opt_set(codec->priv_data, "preset", options->preset, 0);
        if (av_opt_set(codec->priv_data, "crf", "21", 0) >= 0)
            codec->bit_rate = 0;
        av_opt_set(codec->priv_data, "x264-params", "rc-lookahead=1:bframes=0:weightp=0", 0);
    }
    if (avcodec_open2(codec, h264, NULL) < 0)
        avcodec_free_context(&codec);
    return codec;
}

static int open_any(struct encoder *encoder, const struct encoder_options *options, struct err *err)
{
    if (options->hardware)
        encoder->codec = open_codec("h264_v4l2m2m", options);
    if (!encoder->codec && options->software)
        encoder->codec = open_codec("libx264", options);
    if (!encoder->codec)
        return err_set(err, ERR_UNSUPPORTED, "record video: %s",
                       options->software ? "libavcodec here has no libx264"
                                         : "no hardware encoder (h264_v4l2m2m) here");
    encoder->parameters = avcodec_parameters_alloc();
    if (!encoder->parameters)
        return fail(AVERROR(ENOMEM), err);
    int code = avcodec_parameters_from_context(encoder->parameters, encoder->codec);
    return code < 0 ? fail(code, err) : 0;
}

struct encoder *encoder_create(const struct encoder_options *options, struct err *err)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder) {
        fail(AVERROR(ENOMEM), err);
        return NULL;
    }
    if (open_any(encoder, options, err) < 0) {
        encoder_destroy(encoder);
        return NULL;
    }
    return encoder;
}

void encoder_destroy(struct encoder *encoder)
{
    if (!encoder)
        return;
    avcodec_free_context(&encoder->codec);
    avcodec_parameters_free(&encoder->parameters);
    av_frame_free(&encoder->scaled);
    sws_freeContext(encoder->scaler);
    free(encoder);
}

const char *encoder_name(const struct encoder *encoder)
{
    return encoder->codec->codec->name;
}

const struct AVCodecParameters *encoder_parameters(const struct encoder *encoder)
{
    return encoder->parameters;
}

int encoder_fits(const struct encoder *encoder, const struct AVFrame *picture)
{
    return (picture->width & ~1) == encoder->codec->width &&
           (picture->height & ~1) == encoder->codec->height;
}

static int scale(struct encoder *encoder, const AVFrame *picture, struct err *err)
{
    AVFrame *out = encoder->scaled;
    if (!out) {
        out = encoder->scaled = av_frame_alloc();
        if (!out)
            return fail(AVERROR(ENOMEM), err);
        out->format = AV_PIX_FMT_YUV420P;
        out->width = encoder->codec->width;
        out->height = encoder->codec->height;
        int code = av_frame_get_buffer(out, 0);
        if (code < 0)
            return fail(code, err);
    }
    /* the encoder may still hold the last one */
    int code = av_frame_make_writable(out);
    if (code < 0)
        return fail(code, err);
    encoder->scaler = sws_getCachedContext(
        encoder->scaler, out->width, out->height, (enum AVPixelFormat)picture->format, out->width,
        out->height, AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!encoder->scaler)
        return err_set(err, ERR_UNSUPPORTED, "record video: unknown picture format %d",
                       picture->format);
    sws_scale(encoder->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
              out->height, out->data, out->linesize);
    return 0;
}

/* `picture` is the queue's own reference: its fields may be changed, its pixels not. */
int encoder_send(struct encoder *encoder, struct AVFrame *picture, int64_t ticks, struct err *err)
{
    AVFrame *in = picture;
    if (picture && picture->format != AV_PIX_FMT_YUV420P) {
        if (scale(encoder, picture, err) < 0)
            return -1;
        in = encoder->scaled;
    }
    if (in) {
        in->width = encoder->codec->width;
        in->height = encoder->codec->height;
        in->pts = ticks;
        in->pict_type = AV_PICTURE_TYPE_NONE;
    }
    int code = avcodec_send_frame(encoder->codec, in);
    return code < 0 && code != AVERROR_EOF ? fail(code, err) : 0;
}

int encoder_receive(struct encoder *encoder, struct AVPacket *packet, struct err *err)
{
    int code = avcodec_receive_packet(encoder->codec, packet);
    if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
        return 0;
    return code < 0 ? fail(code, err) : 1;
}
