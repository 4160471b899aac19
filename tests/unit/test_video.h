#ifndef TEST_VIDEO_H
#define TEST_VIDEO_H

/* Small lossless videos for tests: frame i is all one grey, test_video_luma(i), at the time that
 * the test wants. */

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include <string.h>

enum { TEST_VIDEO_WIDTH = 64, TEST_VIDEO_HEIGHT = 48 };

static inline int test_video_luma(int index)
{
    return 16 + index * 3 % 220;
}

static inline int test_video_fill(AVFrame *frame, int width, int height, int index)
{
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = width;
    frame->height = height;
    if (av_frame_get_buffer(frame, 0) < 0)
        return -1;
    for (int plane = 0; plane < 3; plane++) {
        int rows = plane ? (height + 1) / 2 : height;
        memset(frame->data[plane], plane ? 128 : test_video_luma(index),
               (size_t)frame->linesize[plane] * (size_t)rows);
    }
    return 0;
}

static inline int test_video_packets(AVFormatContext *format, AVCodecContext *codec)
{
    int code;
    AVPacket *packet = av_packet_alloc();
    while ((code = avcodec_receive_packet(codec, packet)) == 0) {
        av_packet_rescale_ts(packet, codec->time_base, format->streams[0]->time_base);
        if (av_write_frame(format, packet) < 0)
            break;
    }
    av_packet_free(&packet);
    return code == AVERROR(EAGAIN) || code == AVERROR_EOF ? 0 : -1;
}

/* `times_ms[i]` is when frame i is shown. Returns 0, or -1. */
static inline int test_video_write(const char *path, double fps, const int *times_ms, int count)
{
    AVFormatContext *format = NULL;
    AVCodecContext *codec = avcodec_alloc_context3(avcodec_find_encoder(AV_CODEC_ID_FFV1));
    codec->width = TEST_VIDEO_WIDTH;
    codec->height = TEST_VIDEO_HEIGHT;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->time_base = (AVRational){1, 1000};
    codec->framerate = av_d2q(fps, 1000);
    int result = -1;
    if (avcodec_open2(codec, NULL, NULL) < 0 ||
        avformat_alloc_output_context2(&format, NULL, "matroska", path) < 0 ||
        !avformat_new_stream(format, NULL) ||
        avcodec_parameters_from_context(format->streams[0]->codecpar, codec) < 0)
        goto done;
    format->streams[0]->avg_frame_rate = codec->framerate;
    if (avio_open(&format->pb, path, AVIO_FLAG_WRITE) < 0 ||
        avformat_write_header(format, NULL) < 0)
        goto done;
    for (int i = 0; i <= count; i++) {
        AVFrame *frame = av_frame_alloc();
        int failed =
            i < count && test_video_fill(frame, TEST_VIDEO_WIDTH, TEST_VIDEO_HEIGHT, i) < 0;
        frame->pts = i < count ? times_ms[i] : 0;
        failed |= avcodec_send_frame(codec, i < count ? frame : NULL) < 0 ||
                  test_video_packets(format, codec) < 0;
        av_frame_free(&frame);
        if (failed)
            goto done;
    }
    result = av_write_trailer(format);
done:
    if (format)
        avio_closep(&format->pb);
    avformat_free_context(format);
    avcodec_free_context(&codec);
    return result;
}

/* `count` frames at an even `fps`. */
static inline int test_video_even(const char *path, double fps, int count)
{
    int times_ms[1000];
    for (int i = 0; i < count && i < 1000; i++)
        times_ms[i] = (int)(i * 1000.0 / fps + 0.5);
    return count > 1000 ? -1 : test_video_write(path, fps, times_ms, count);
}

#endif
