#ifndef STREAM_FILE_H
#define STREAM_FILE_H

#include "video/pattern.h"

#include <libavcodec/avcodec.h>
#include <libavutil/opt.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Streams as cameras give them, of the numbered test pattern: H.264 (Annex B), MJPEG or YUYV. Bare,
 * or with each picture's size (32 bits) in front of it, as the stand-in for a driver wants it. */

struct stream_file {
    const char *path;
    enum AVCodecID codec; /* AV_CODEC_ID_RAWVIDEO: YUYV */
    int width, height, count;
    int gop; /* pictures from key frame to key frame */
    int sizes;
    int first; /* number of the first picture */
};

static inline AVFrame *stream_picture(const struct stream_file *how, int index)
{
    AVFrame *frame = av_frame_alloc();
    frame->format = how->codec == AV_CODEC_ID_MJPEG ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    frame->width = how->width;
    frame->height = how->height;
    if (av_frame_get_buffer(frame, 0) < 0)
        return NULL;
    pattern_draw(frame, (uint64_t)(how->first + index));
    frame->pts = index;
    return frame;
}

static inline void stream_put(FILE *file, const struct stream_file *how, const void *data,
                              size_t size)
{
    uint32_t told = (uint32_t)size;
    if (how->sizes)
        fwrite(&told, sizeof told, 1, file);
    fwrite(data, size, 1, file);
}

static inline AVCodecContext *stream_encoder(const struct stream_file *how)
{
    const AVCodec *codec = how->codec == AV_CODEC_ID_H264 ? avcodec_find_encoder_by_name("libx264")
                                                          : avcodec_find_encoder(how->codec);
    AVCodecContext *context = avcodec_alloc_context3(codec);
    context->width = how->width;
    context->height = how->height;
    context->time_base = (AVRational){1, 30};
    context->pix_fmt = AV_PIX_FMT_YUV420P;
    context->gop_size = context->keyint_min = how->gop;
    context->thread_count = 1;
    if (how->codec == AV_CODEC_ID_MJPEG) {
        context->pix_fmt = AV_PIX_FMT_YUVJ420P;
        context->flags |= AV_CODEC_FLAG_QSCALE;
        context->global_quality = FF_QP2LAMBDA * 4;
    } else {
        av_opt_set(context->priv_data, "preset", "ultrafast", 0);
        av_opt_set(context->priv_data, "tune", "zerolatency", 0);
        av_opt_set(context->priv_data, "x264-params", "scenecut=0:repeat-headers=1", 0);
    }
    return avcodec_open2(context, codec, NULL) < 0 ? NULL : context;
}

static inline void stream_drain(FILE *file, const struct stream_file *how, AVCodecContext *encoder)
{
    AVPacket *packet = av_packet_alloc();
    while (avcodec_receive_packet(encoder, packet) == 0) {
        stream_put(file, how, packet->data, (size_t)packet->size);
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
}

static inline void stream_put_yuyv(FILE *file, const struct stream_file *how, const AVFrame *frame)
{
    uint8_t row[2 * 4096];
    uint32_t size = (uint32_t)(how->width * 2 * how->height);
    if (how->sizes)
        fwrite(&size, sizeof size, 1, file);
    for (int y = 0; y < how->height; y++) {
        for (int x = 0; x < how->width; x++) {
            row[2 * x] = frame->data[0][y * frame->linesize[0] + x];
            row[2 * x + 1] = 128;
        }
        fwrite(row, (size_t)how->width * 2, 1, file);
    }
}

/* Returns 0, or -1. */
static inline int stream_file_write(const struct stream_file *how)
{
    av_log_set_level(AV_LOG_QUIET);
    FILE *file = fopen(how->path, "wb");
    AVCodecContext *encoder = how->codec == AV_CODEC_ID_RAWVIDEO ? NULL : stream_encoder(how);
    if (!file || (!encoder && how->codec != AV_CODEC_ID_RAWVIDEO))
        return -1;
    for (int i = 0; i < how->count; i++) {
        AVFrame *frame = stream_picture(how, i);
        if (!encoder) {
            stream_put_yuyv(file, how, frame);
        } else {
            frame->quality = FF_QP2LAMBDA * 4;
            avcodec_send_frame(encoder, frame);
            stream_drain(file, how, encoder);
        }
        av_frame_free(&frame);
    }
    if (encoder) {
        avcodec_send_frame(encoder, NULL);
        stream_drain(file, how, encoder);
    }
    avcodec_free_context(&encoder);
    return fclose(file) == 0 ? 0 : -1;
}

#endif
