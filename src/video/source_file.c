#include "video/source_kind.h"

#include "base/clock.h"
#include "base/log.h"
#include "image/image.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Damaged packets in a row after which a file is given up. */
enum { MAX_BAD_PACKETS = 200, MAX_PATH = 4096 };

static const char file_formats[] = "mov,mp4,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,ivf,"
                                   "yuv4mpegpipe,mjpeg,h264,hevc,nut";

struct file_source {
    struct source base;
    struct source_options options;
    char path[MAX_PATH];
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *current, *next; /* current is shown until next's time */
    int stream, width, height, bad_packets;
    int have_current, have_next, at_end;
    double time_base_s, frame_s; /* seconds a tick; seconds a frame of the file */
    double fps;                  /* handed out */
    double next_s;               /* when next is due, in the file's time */
    double shift_s;              /* what repaired timestamps are off by */
    double played_s;             /* length of the passes before this one */
    uint64_t number, limit;      /* frames handed out; when to stop, 0: at the end */
    uint64_t begin_ns;
};

static int fail(const struct file_source *source, const char *verb, int code, struct err *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE];
    if (code == AVERROR(ENOMEM))
        return err_set(err, ERR_NO_MEMORY, "%s %s: out of memory, or damaged", verb, source->path);
    if (code == AVERROR_INVALIDDATA || code == AVERROR_EOF)
        return err_set(err, ERR_INVALID, "%s %s: not a video, or damaged", verb, source->path);
    av_make_error_string(text, sizeof text, code);
    return err_set(err, code == AVERROR(ENOENT) ? ERR_NOT_FOUND : ERR_IO, "%s %s: %s", verb,
                   source->path, text);
}

/* The demuxer, held to plain local files. */
static int open_format(struct file_source *source, struct err *err)
{
    char url[MAX_PATH + 8];
    AVDictionary *settings = NULL;
    snprintf(url, sizeof url, "file:%s", source->path);
    av_dict_set(&settings, "protocol_whitelist", "file", 0);
    av_dict_set(&settings, "format_whitelist", file_formats, 0);
    int code = avformat_open_input(&source->format, url, NULL, &settings);
    av_dict_free(&settings);
    if (code == AVERROR(EINVAL) || code == AVERROR(EIO))
        code = AVERROR_INVALIDDATA; /* a format that is not on the list; a head cut off */
    if (code < 0)
        return fail(source, "open", code, err);
    code = avformat_find_stream_info(source->format, NULL);
    return code < 0 ? fail(source, "open", code, err) : 0;
}

static int check_size(const struct file_source *source, int width, int height, struct err *err)
{
    if (width < 1 || height < 1)
        return err_set(err, ERR_INVALID, "open %s: no picture in it can be decoded", source->path);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE ||
        (int64_t)width * height > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_TOO_BIG, "open %s: %dx%d pixels is past the limit of %d a side",
                       source->path, width, height, IMAGE_MAX_SIDE);
    return 0;
}

static int open_codec(struct file_source *source, struct err *err)
{
    const AVCodec *codec = NULL;
    int found = av_find_best_stream(source->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (found < 0 || !codec)
        return err_set(err, ERR_INVALID, "open %s: it has no video that can be decoded",
                       source->path);
    source->stream = found;
    AVStream *stream = source->format->streams[found];
    if (check_size(source, stream->codecpar->width, stream->codecpar->height, err) < 0)
        return -1;
    source->codec = avcodec_alloc_context3(codec);
    if (!source->codec)
        return fail(source, "open", AVERROR(ENOMEM), err);
    int code = avcodec_parameters_to_context(source->codec, stream->codecpar);
    source->codec->thread_count = 1; /* the other processors have faces to find */
    source->codec->max_pixels = IMAGE_MAX_PIXELS;
    if (code >= 0)
        code = avcodec_open2(source->codec, codec, NULL);
    return code < 0 ? fail(source, "open", code, err) : 0;
}

static void set_rates(struct file_source *source)
{
    AVStream *stream = source->format->streams[source->stream];
    double rate = av_q2d(av_guess_frame_rate(source->format, stream, NULL));
    if (!(rate > 0.01 && rate <= 1000))
        rate = 25;
    source->frame_s = 1 / rate;
    source->time_base_s = av_q2d(stream->time_base);
    if (!(source->time_base_s > 0))
        source->time_base_s = source->frame_s;
    source->fps = source->options.fps > 0 ? source->options.fps : fmin(rate, SOURCE_MAX_FPS);
    source->limit = source_frame_limit(&source->options, source->fps);
}

/* One packet from the file to the decoder. Returns 0, or -1 with `err` set. */
static int feed(struct file_source *source, struct err *err)
{
    int code = av_read_frame(source->format, source->packet);
    if (code == AVERROR_EOF || code == AVERROR_INVALIDDATA) {
        source->at_end = 1;
        avcodec_send_packet(source->codec, NULL);
        return 0;
    }
    if (code < 0)
        return fail(source, "read", code, err);
    code = 0;
    if (source->packet->stream_index == source->stream)
        code = avcodec_send_packet(source->codec, source->packet);
    av_packet_unref(source->packet);
    if (code >= 0)
        return 0;
    /* A damaged packet costs a picture, not the camera. */
    if (++source->bad_packets > MAX_BAD_PACKETS)
        return fail(source, "decode", AVERROR_INVALIDDATA, err);
    return 0;
}

/* The next picture in the file's order. Returns 1, 0 at the end, or -1. */
static int decode(struct file_source *source, struct err *err)
{
    for (;;) {
        int code = avcodec_receive_frame(source->codec, source->next);
        if (code == 0) {
            source->bad_packets = 0;
            return 1;
        }
        if (code == AVERROR_EOF || source->at_end)
            return 0;
        if (code != AVERROR(EAGAIN) && ++source->bad_packets > MAX_BAD_PACKETS)
            return fail(source, "decode", code, err);
        if (feed(source, err) < 0)
            return -1;
    }
}

/* Time of the picture just decoded; what is missing, goes back or jumps follows its predecessor. */
static double picture_time(struct file_source *source, double last_s)
{
    int64_t ticks = source->next->best_effort_timestamp;
    int64_t origin = source->format->streams[source->stream]->start_time;
    if (origin == AV_NOPTS_VALUE)
        origin = 0;
    int first = !source->have_current;
    double expected_s = first ? 0 : last_s + source->frame_s;
    if (ticks == AV_NOPTS_VALUE)
        return expected_s;
    double time_s = ((double)ticks - (double)origin) * source->time_base_s + source->shift_s;
    if (first)
        return time_s;
    if (time_s <= last_s || time_s > last_s + SOURCE_MAX_GAP_S) {
        source->shift_s += expected_s - time_s;
        return expected_s;
    }
    return time_s;
}

static int fetch_next(struct file_source *source, struct err *err)
{
    int result = decode(source, err);
    if (result < 0)
        return -1;
    source->have_next = result;
    double last_s = source->next_s;
    if (!result) {
        source->next_s = last_s + (source->have_current ? source->frame_s : 0);
        return 0;
    }
    if (source->next->width != source->width || source->next->height != source->height)
        return err_set(err, ERR_UNSUPPORTED, "read %s: the picture changes from %dx%d to %dx%d",
                       source->path, source->width, source->height, source->next->width,
                       source->next->height);
    source->next_s = picture_time(source, last_s);
    return 0;
}

/* Make next the current picture, and decode the one behind it. */
static int step(struct file_source *source, struct err *err)
{
    AVFrame *shown = source->current;
    source->current = source->next;
    source->next = shown;
    source->have_current = 1;
    return fetch_next(source, err);
}

/* Go to start_s: the picture shown then is current. */
static int rewind_file(struct file_source *source, struct err *err)
{
    source->have_current = source->have_next = source->at_end = 0;
    source->shift_s = source->next_s = 0;
    AVStream *stream = source->format->streams[source->stream];
    int64_t origin = stream->start_time == AV_NOPTS_VALUE ? 0 : stream->start_time;
    int64_t ticks = origin + (int64_t)(source->options.start_s / source->time_base_s);
    if (av_seek_frame(source->format, source->stream, ticks, AVSEEK_FLAG_BACKWARD) < 0 &&
        av_seek_frame(source->format, source->stream, ticks, AVSEEK_FLAG_ANY) < 0 &&
        (source->number > 0 || source->options.start_s > 0))
        return err_set(err, ERR_UNSUPPORTED, "read %s: it has no index to start from %g s",
                       source->path, source->options.start_s);
    avcodec_flush_buffers(source->codec);
    if (fetch_next(source, err) < 0)
        return -1;
    if (!source->have_next)
        return err_set(err, ERR_INVALID, "read %s: no picture from %g s on", source->path,
                       source->options.start_s);
    if (source->next_s > source->options.start_s + SOURCE_MAX_GAP_S)
        return err_set(err, ERR_CORRUPT, "read %s: its first picture comes at %g s", source->path,
                       source->next_s);
    while (source->have_next &&
           (!source->have_current || source->next_s <= source->options.start_s))
        if (step(source, err) < 0)
            return -1;
    if (!source->have_next && source->next_s <= source->options.start_s)
        return err_set(err, ERR_INVALID, "read %s: it ends at %.2f s, before the start at %g s",
                       source->path, source->next_s, source->options.start_s);
    return 0;
}

static int open_all(struct file_source *source, struct err *err)
{
    if (access(source->path, R_OK) < 0)
        return err_set_errno(err, "open %s", source->path);
    source->packet = av_packet_alloc();
    source->current = av_frame_alloc();
    source->next = av_frame_alloc();
    if (!source->packet || !source->current || !source->next)
        return fail(source, "open", AVERROR(ENOMEM), err);
    if (open_format(source, err) < 0 || open_codec(source, err) < 0)
        return -1;
    source->width = source->codec->width;
    source->height = source->codec->height;
    set_rates(source);
    return rewind_file(source, err);
}

static void close_file(struct source *base)
{
    struct file_source *source = (struct file_source *)base;
    av_frame_free(&source->current);
    av_frame_free(&source->next);
    av_packet_free(&source->packet);
    avcodec_free_context(&source->codec);
    avformat_close_input(&source->format);
    free(source);
}

static struct source *open_file(const char *path, const struct source_options *options,
                                struct err *err)
{
    av_log_set_level(log_shows(LOG_DEBUG) ? AV_LOG_INFO : AV_LOG_QUIET);
    struct file_source *source = calloc(1, sizeof *source);
    if (!source) {
        err_set(err, ERR_NO_MEMORY, "open %s: out of memory", path);
        return NULL;
    }
    source->options = *options;
    snprintf(source->path, sizeof source->path, "%s", path);
    if (open_all(source, err) < 0) {
        close_file(&source->base);
        return NULL;
    }
    return &source->base;
}

static double fps_of_file(const struct source *base)
{
    return ((const struct file_source *)base)->fps;
}

/* Show the picture of `time_s` after the start. Returns 1, 0 when the file is over, or -1. */
static int advance_to(struct file_source *source, double time_s, struct err *err)
{
    const double slack_s = 1e-6; /* 1/30 * 30 need not be 1 */
    for (;;) {
        double file_s = source->options.start_s + time_s - source->played_s + slack_s;
        while (source->have_next && source->next_s <= file_s)
            if (step(source, err) < 0)
                return -1;
        if (source->have_next || file_s < source->next_s)
            return 1;
        if (!source->options.loop)
            return 0;
        source->played_s += source->next_s - source->options.start_s;
        if (rewind_file(source, err) < 0)
            return -1;
    }
}

static int read_file(struct source *base, struct frame *frame, struct err *err)
{
    struct file_source *source = (struct file_source *)base;
    if (source->limit > 0 && source->number == source->limit)
        return 0;
    double time_s = (double)source->number / source->fps;
    int result = advance_to(source, time_s, err);
    if (result <= 0)
        return result;
    if (source->number == 0)
        source->begin_ns = clock_monotonic_ns();
    uint64_t due_ns = source->begin_ns + (uint64_t)(time_s * 1e9);
    if (source->options.real_time)
        clock_sleep_until_ns(due_ns);
    source->number++;
    *frame = (struct frame){
        .picture = source->current,
        .width = source->width,
        .height = source->height,
        .number = source->number,
        .captured_ns = source->options.real_time ? due_ns : clock_monotonic_ns(),
        .begins = source->number == 1,
    };
    return 1;
}

const struct source_kind source_file = {
    .open = open_file,
    .close = close_file,
    .fps = fps_of_file,
    .read = read_file,
};
