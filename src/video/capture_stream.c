#include "video/capture.h"

#include "base/clock.h"
#include "base/log.h"
#include "video/bitstream.h"
#include "video/source.h"

#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavformat/avformat.h>

#include <stdio.h>
#include <string.h>

/* RTSP and HTTP by libavformat, held to those protocols and to formats that are streams. */

struct stream {
    AVFormatContext *format;
    AVPacket *packet;
    AVBSFContext *annex_b; /* for H.264 out of MP4 or Matroska; else NULL */
    int index;
    enum capture_codec codec;
    double fps;
    uint64_t deadline_ns;
    int64_t offset_ns; /* arrival less the stream's own time; see capture_time() */
    int has_offset;
    char label[SOURCE_LABEL_BYTES];
};

static const char protocols[] = "rtsp,rtp,udp,tcp,tls,http,https,httpproxy";
static const char formats[] = "rtsp,mpjpeg,mjpeg,h264,mpegts,mov,mp4,matroska,webm,flv";

static int is_late(void *argument)
{
    const struct stream *stream = argument;
    return clock_monotonic_ns() > stream->deadline_ns;
}

static void allow(struct stream *stream, double seconds)
{
    stream->deadline_ns = clock_monotonic_ns() + (uint64_t)(seconds * 1e9);
}

static int fail(const struct stream *stream, const char *verb, int code, struct err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (code == AVERROR_EXIT || code == AVERROR(ETIMEDOUT))
        return err_set(err, ERR_TIMEOUT, "%s %s: no answer in time", verb, stream->label);
    if (code == AVERROR_EOF)
        return err_set(err, ERR_UNAVAILABLE, "%s %s: the stream ended", verb, stream->label);
    if (code == AVERROR(EINVAL))
        return err_set(err, ERR_UNSUPPORTED, "%s %s: no stream of a kind that ken reads", verb,
                       stream->label);
    av_make_error_string(text, sizeof text, code);
    return err_set(err, ERR_UNAVAILABLE, "%s %s: %s", verb, stream->label, text);
}

static int open_format(struct stream *stream, const char *location, struct err *err)
{
    AVDictionary *settings = NULL;
    stream->format = avformat_alloc_context();
    if (!stream->format)
        return fail(stream, "open", AVERROR(ENOMEM), err);
    stream->format->interrupt_callback = (AVIOInterruptCB){is_late, stream};
    stream->format->flags |= AVFMT_FLAG_NOBUFFER;
    av_dict_set(&settings, "protocol_whitelist", protocols, 0);
    av_dict_set(&settings, "format_whitelist", formats, 0);
    av_dict_set(&settings, "rtsp_transport", "tcp", 0); /* a lost packet costs a picture else */
    av_dict_set(&settings, "allowed_media_types", "video", 0);
    av_dict_set_int(&settings, "analyzeduration", 1000000, 0);
    av_dict_set_int(&settings, "probesize", 512 * 1024, 0);
    allow(stream, CAPTURE_CONNECT_MS / 1e3);
    int code = avformat_open_input(&stream->format, location, NULL, &settings);
    av_dict_free(&settings);
    return code < 0 ? fail(stream, "open", code, err) : 0;
}

static int needs_annex_b(const AVCodecParameters *parameters)
{
    return parameters->codec_id == AV_CODEC_ID_H264 && parameters->extradata_size > 0 &&
           parameters->extradata[0] == 1;
}

static int open_filter(struct stream *stream, const AVStream *video, struct err *err)
{
    if (!needs_annex_b(video->codecpar))
        return 0;
    int code = av_bsf_alloc(av_bsf_get_by_name("h264_mp4toannexb"), &stream->annex_b);
    if (code >= 0)
        code = avcodec_parameters_copy(stream->annex_b->par_in, video->codecpar);
    if (code >= 0) {
        stream->annex_b->time_base_in = video->time_base;
        code = av_bsf_init(stream->annex_b);
    }
    return code < 0 ? fail(stream, "read", code, err) : 0;
}

static int choose_video(struct stream *stream, struct err *err)
{
    stream->index = av_find_best_stream(stream->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    if (stream->index < 0) {
        /* not told by the description: look into it */
        int code = avformat_find_stream_info(stream->format, NULL);
        if (code < 0)
            return fail(stream, "read", code, err);
        stream->index = av_find_best_stream(stream->format, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    }
    if (stream->index < 0)
        return err_set(err, ERR_UNSUPPORTED, "read %s: there is no video in it", stream->label);
    const AVStream *video = stream->format->streams[stream->index];
    if (video->codecpar->codec_id == AV_CODEC_ID_H264)
        stream->codec = CAPTURE_H264;
    else if (video->codecpar->codec_id == AV_CODEC_ID_MJPEG)
        stream->codec = CAPTURE_MJPEG;
    else
        return err_set(err, ERR_UNSUPPORTED, "read %s: its video is %s, not H.264 or MJPEG",
                       stream->label, avcodec_get_name(video->codecpar->codec_id));
    stream->fps = av_q2d(av_guess_frame_rate(stream->format, (AVStream *)video, NULL));
    return open_filter(stream, video, err);
}

/* When a picture was captured, as far as one can know here: the least delay seen is taken as none,
 * so that what the network did to a picture does not show. A clock that leaps begins anew. */
static uint64_t capture_time(struct stream *stream)
{
    int64_t now_ns = (int64_t)clock_monotonic_ns(), pts = stream->packet->pts;
    if (pts == AV_NOPTS_VALUE)
        return (uint64_t)now_ns;
    AVRational ticks = stream->format->streams[stream->index]->time_base;
    int64_t told_ns = av_rescale_q(pts, ticks, (AVRational){1, 1000000000});
    int64_t late_ns = now_ns - told_ns - stream->offset_ns;
    if (!stream->has_offset || late_ns < 0 || late_ns > 2000000000) {
        stream->offset_ns = now_ns - told_ns;
        stream->has_offset = 1;
        return (uint64_t)now_ns;
    }
    stream->offset_ns += late_ns / 4096; /* two clocks never run the same */
    return (uint64_t)(told_ns + stream->offset_ns);
}

static int hand_over(struct stream *stream, struct capture_out *out, struct err *err)
{
    AVPacket *packet = stream->packet;
    if (stream->annex_b) {
        int code = av_bsf_send_packet(stream->annex_b, packet);
        if (code >= 0)
            code = av_bsf_receive_packet(stream->annex_b, packet);
        if (code < 0)
            return code == AVERROR(EAGAIN) ? 0 : fail(stream, "read", code, err);
    }
    struct capture_picture picture = {
        .codec = stream->codec,
        .data = packet->data,
        .size = (size_t)packet->size,
        .captured_ns = capture_time(stream),
        .fps = stream->fps,
    };
    return capture_out_write(out, &picture, err);
}

/* Some cameras tell SPS and PPS only in the stream's description: they go ahead of key frames. */
static int add_parameters(struct stream *stream, struct err *err)
{
    const AVCodecParameters *told = stream->format->streams[stream->index]->codecpar;
    AVPacket *packet = stream->packet;
    if (stream->codec != CAPTURE_H264 || stream->annex_b || told->extradata_size <= 0 ||
        told->extradata_size > CAPTURE_MAX_PARAMETER_BYTES || !(packet->flags & AV_PKT_FLAG_KEY))
        return 0;
    struct h264_unit unit;
    h264_inspect(packet->data, (size_t)packet->size, &unit);
    if (unit.parameter_bytes > 0)
        return 0;
    int more = told->extradata_size;
    AVPacket *with = av_packet_alloc();
    if (!with || av_new_packet(with, packet->size + more) < 0) {
        av_packet_free(&with);
        return fail(stream, "read", AVERROR(ENOMEM), err);
    }
    memcpy(with->data, told->extradata, (size_t)more);
    memcpy(with->data + more, packet->data, (size_t)packet->size);
    av_packet_copy_props(with, packet);
    av_packet_unref(packet);
    av_packet_move_ref(packet, with);
    av_packet_free(&with);
    return 0;
}

static int read_all(struct stream *stream, double silence_s, struct capture_out *out,
                    struct err *err)
{
    for (;;) {
        allow(stream, silence_s);
        int code = av_read_frame(stream->format, stream->packet);
        if (code < 0)
            return fail(stream, "read", code, err);
        int result = 0;
        if (stream->packet->stream_index == stream->index && stream->packet->size > 0) {
            result = add_parameters(stream, err);
            if (result == 0)
                result = hand_over(stream, out, err);
        }
        av_packet_unref(stream->packet);
        if (result < 0)
            return -1;
    }
}

int capture_stream(const struct capture_request *request, struct capture_out *out, struct err *err)
{
    struct stream stream = {.index = -1};
    source_label(request->location, stream.label);
    av_log_set_level(log_shows(LOG_DEBUG) ? AV_LOG_INFO : AV_LOG_QUIET);
    stream.packet = av_packet_alloc();
    int result = -1;
    if (!stream.packet)
        fail(&stream, "open", AVERROR(ENOMEM), err);
    else if (open_format(&stream, request->location, err) == 0 && choose_video(&stream, err) == 0)
        result = read_all(&stream, request->silence_s, out, err);
    av_bsf_free(&stream.annex_b);
    av_packet_free(&stream.packet);
    avformat_close_input(&stream.format);
    return result;
}
