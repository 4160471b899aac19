#include "video/recorder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/queue.h"
#include "video/picture.h"
#include "video/source.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NAME_TRIES = 60, NICENESS = 5 };

struct recorder {
    struct recorder_options options;
    char path[RECORDER_PATH_BYTES - 8], part[RECORDER_PATH_BYTES];
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *scaled; /* for pictures that are not planar YUV 4:2:0 */
    struct SwsContext *scaler;
    struct queue *queue;
    pthread_t thread;
    int64_t last_pts;
    uint64_t frames;
    atomic_uint_fast64_t dropped;
    double cpu_s;
    atomic_int failed;
    struct err err; /* why; written before `failed` is set */
};

static int fail(const struct recorder *recorder, const char *verb, int code, struct err *err)
{
    if (code == AVERROR(ENOMEM))
        return err_set(err, ERR_NO_MEMORY, "%s %s: out of memory", verb, recorder->part);
    if (AVUNERROR(code) > 0 && AVUNERROR(code) < 4096) {
        errno = AVUNERROR(code);
        return err_set_errno(err, "%s %s", verb, recorder->part);
    }
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_make_error_string(text, sizeof text, code);
    return err_set(err, ERR_IO, "%s %s: %s", verb, recorder->part, text);
}

/* Take a name that nobody has: a second recording within the same second gets the next one. */
static int choose_name(struct recorder *recorder, struct err *err)
{
    time_t now = time(NULL);
    for (int i = 0; i < MAX_NAME_TRIES; i++, now++) {
        struct tm local;
        char name[32];
        localtime_r(&now, &local);
        strftime(name, sizeof name, "%d_%m_%Y_%H_%M_%S.mp4", &local);
        int length = snprintf(recorder->path, sizeof recorder->path, "%s/%s",
                              recorder->options.folder, name);
        if (length < 0 || (size_t)length >= sizeof recorder->path)
            return err_set(err, ERR_TOO_BIG, "record into %s: the name is too long",
                           recorder->options.folder);
        snprintf(recorder->part, sizeof recorder->part, "%s.part", recorder->path);
        if (access(recorder->path, F_OK) == 0)
            continue;
        int fd = open(recorder->part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0) {
            close(fd);
            return 0;
        }
        if (errno != EEXIST)
            return err_set_errno(err, "create %s", recorder->part);
    }
    return err_set(err, ERR_EXISTS, "create %s: exists", recorder->path);
}

static int open_codec(struct recorder *recorder, struct err *err)
{
    const AVCodec *h264 = avcodec_find_encoder_by_name("libx264");
    if (!h264)
        return err_set(err, ERR_UNSUPPORTED, "record video: libavcodec here has no libx264");
    AVCodecContext *codec = recorder->codec = avcodec_alloc_context3(h264);
    if (!codec)
        return fail(recorder, "record", AVERROR(ENOMEM), err);
    codec->width = recorder->options.width & ~1;
    codec->height = recorder->options.height & ~1;
    codec->pix_fmt = AV_PIX_FMT_YUV420P;
    codec->framerate = av_d2q(recorder->options.fps, 100000);
    codec->time_base = av_inv_q(codec->framerate);
    codec->gop_size = (int)(recorder->options.fps * RECORDER_FRAGMENT_S + 0.5);
    codec->thread_count = 1;
    codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    av_opt_set(codec->priv_data, "preset", recorder->options.preset, 0);
    av_opt_set(codec->priv_data, "crf", "23", 0);
    av_opt_set(codec->priv_data, "x264-params", "rc-lookahead=10:force-cfr=1", 0);
    int code = avcodec_open2(codec, h264, NULL);
    return code < 0 ? fail(recorder, "record", code, err) : 0;
}

static int open_format(struct recorder *recorder, struct err *err)
{
    char url[RECORDER_PATH_BYTES + 16];
    snprintf(url, sizeof url, "file:%s", recorder->part);
    int code = avformat_alloc_output_context2(&recorder->format, NULL, "mp4", url);
    if (code < 0)
        return fail(recorder, "record", code, err);
    recorder->stream = avformat_new_stream(recorder->format, NULL);
    if (!recorder->stream)
        return fail(recorder, "record", AVERROR(ENOMEM), err);
    recorder->stream->time_base = recorder->codec->time_base;
    recorder->stream->avg_frame_rate = recorder->codec->framerate;
    code = avcodec_parameters_from_context(recorder->stream->codecpar, recorder->codec);
    if (code >= 0)
        code = avio_open(&recorder->format->pb, url, AVIO_FLAG_WRITE);
    if (code < 0)
        return fail(recorder, "record", code, err);
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "movflags", "frag_keyframe+empty_moov+default_base_moof", 0);
    code = avformat_write_header(recorder->format, &settings);
    av_dict_free(&settings);
    if (code >= 0)
        code = recorder->format->pb->error;
    return code < 0 ? fail(recorder, "write", code, err) : 0;
}

/* What the encoder has ready goes into the file. */
static int drain(struct recorder *recorder, struct err *err)
{
    for (;;) {
        int code = avcodec_receive_packet(recorder->codec, recorder->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return 0;
        if (code < 0)
            return fail(recorder, "encode", code, err);
        av_packet_rescale_ts(recorder->packet, recorder->codec->time_base,
                             recorder->stream->time_base);
        code = av_write_frame(recorder->format, recorder->packet);
        av_packet_unref(recorder->packet);
        if (code >= 0)
            code = recorder->format->pb->error;
        if (code < 0)
            return fail(recorder, "write", code, err);
    }
}

static int scale(struct recorder *recorder, AVFrame *picture, struct err *err)
{
    AVFrame *out = recorder->scaled;
    if (!out) {
        out = recorder->scaled = av_frame_alloc();
        if (!out)
            return fail(recorder, "record", AVERROR(ENOMEM), err);
        out->format = AV_PIX_FMT_YUV420P;
        out->width = recorder->codec->width;
        out->height = recorder->codec->height;
        int code = av_frame_get_buffer(out, 0);
        if (code < 0)
            return fail(recorder, "record", code, err);
    }
    /* the encoder may still hold the last one */
    int code = av_frame_make_writable(out);
    if (code < 0)
        return fail(recorder, "record", code, err);
    recorder->scaler = sws_getCachedContext(
        recorder->scaler, out->width, out->height, (enum AVPixelFormat)picture->format, out->width,
        out->height, AV_PIX_FMT_YUV420P, SWS_BILINEAR, NULL, NULL, NULL);
    if (!recorder->scaler)
        return err_set(err, ERR_UNSUPPORTED, "record video: unknown picture format %d",
                       picture->format);
    sws_scale(recorder->scaler, (const uint8_t *const *)picture->data, picture->linesize, 0,
              out->height, out->data, out->linesize);
    return 0;
}

/* `picture` is the queue's own reference: its fields may be changed, its pixels not. */
static int encode(struct recorder *recorder, AVFrame *picture, struct err *err)
{
    if (picture->width < recorder->codec->width || picture->height < recorder->codec->height)
        return err_set(err, ERR_INVALID, "record video: a picture of %dx%d among %dx%d",
                       picture->width, picture->height, recorder->codec->width,
                       recorder->codec->height);
    int64_t pts = picture->pts;
    AVFrame *in = picture;
    if (picture->format != AV_PIX_FMT_YUV420P) {
        if (scale(recorder, picture, err) < 0)
            return -1;
        in = recorder->scaled;
    }
    in->width = recorder->codec->width;
    in->height = recorder->codec->height;
    in->pts = pts;
    in->pict_type = AV_PICTURE_TYPE_NONE;
    if (pts <= recorder->last_pts)
        return err_set(err, ERR_INVALID, "record video: frame %lld comes twice", (long long)pts);
    recorder->last_pts = pts;
    int code = avcodec_send_frame(recorder->codec, in);
    if (code < 0)
        return fail(recorder, "encode", code, err);
    recorder->frames++;
    return drain(recorder, err);
}

static void give_up(struct recorder *recorder)
{
    atomic_store(&recorder->failed, 1);
    queue_close(recorder->queue);
}

static void *record(void *argument)
{
    struct recorder *recorder = argument;
    /* On Linux the niceness is the thread's own: recognition comes first. */
    if (setpriority(PRIO_PROCESS, 0, NICENESS) < 0)
        log_line(LOG_INFO, "recorder: setpriority: %s", strerror(errno));
    for (AVFrame *picture; (picture = queue_pop(recorder->queue));) {
        if (!atomic_load(&recorder->failed) && encode(recorder, picture, &recorder->err) < 0)
            give_up(recorder);
        picture_release(picture);
    }
    if (!atomic_load(&recorder->failed)) {
        int code = avcodec_send_frame(recorder->codec, NULL);
        if ((code < 0 && fail(recorder, "encode", code, &recorder->err) < 0) ||
            drain(recorder, &recorder->err) < 0)
            give_up(recorder);
    }
    struct timespec used;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0)
        recorder->cpu_s = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    return NULL;
}

static int check_options(const struct recorder_options *options, struct err *err)
{
    if (options->width < 2 || options->height < 2 || options->width > IMAGE_MAX_SIDE ||
        options->height > IMAGE_MAX_SIDE)
        return err_set(err, ERR_INVALID, "record video: %dx%d pixels", options->width,
                       options->height);
    if (!(options->fps >= 0.1 && options->fps <= 1000))
        return err_set(err, ERR_INVALID, "record video: %g frames a second", options->fps);
    if (options->codec != RECORDER_AUTO || options->segment_s != 0 || options->events_only ||
        options->keep_s != 0 || options->keep_bytes != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "record video: codec, segments, events and retention are not there yet");
    const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast"};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i], options->preset) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "record video: no preset \"%s\"", options->preset);
}

static int start(struct recorder *recorder, struct err *err)
{
    recorder->queue = queue_create(recorder->options.queue, err);
    recorder->packet = av_packet_alloc();
    if (!recorder->queue || !recorder->packet)
        return err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    if (choose_name(recorder, err) < 0)
        return -1;
    if (open_codec(recorder, err) < 0 || open_format(recorder, err) < 0) {
        unlink(recorder->part);
        return -1;
    }
    if (pthread_create(&recorder->thread, NULL, record, recorder) != 0) {
        unlink(recorder->part);
        return err_set(err, ERR_NO_MEMORY, "record video: no thread to be had");
    }
    return 0;
}

static void destroy(struct recorder *recorder)
{
    if (recorder->format)
        avio_closep(&recorder->format->pb);
    avformat_free_context(recorder->format);
    avcodec_free_context(&recorder->codec);
    av_packet_free(&recorder->packet);
    av_frame_free(&recorder->scaled);
    sws_freeContext(recorder->scaler);
    queue_destroy(recorder->queue);
    free(recorder);
}

struct recorder *recorder_start(const struct recorder_options *options, struct err *err)
{
    struct recorder_options checked = *options;
    if (!checked.preset)
        checked.preset = RECORDER_PRESET;
    if (check_options(&checked, err) < 0)
        return NULL;
    av_log_set_level(log_shows(LOG_DEBUG) ? AV_LOG_INFO : AV_LOG_QUIET);
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) {
        err_set(err, ERR_NO_MEMORY, "record video: out of memory");
        return NULL;
    }
    recorder->options = checked;
    recorder->last_pts = -1;
    if (start(recorder, err) < 0) {
        destroy(recorder);
        return NULL;
    }
    return recorder;
}

int recorder_write(struct recorder *recorder, const struct AVFrame *picture, uint64_t number,
                   struct err *err)
{
    if (atomic_load(&recorder->failed)) {
        *err = recorder->err;
        return -1;
    }
    AVFrame *kept = picture_keep(picture, err);
    if (!kept)
        return -1;
    kept->pts = (int64_t)number - 1;
    int pushed = recorder->options.wait ? queue_push(recorder->queue, kept)
                                        : queue_try_push(recorder->queue, kept);
    if (pushed < 0) {
        picture_release(kept);
        atomic_fetch_add(&recorder->dropped, 1);
    }
    return 0;
}

int recorder_write_frame(struct recorder *recorder, const struct frame *frame, struct err *err)
{
    return recorder_write(recorder, frame->picture, frame->number, err);
}

void recorder_event(struct recorder *recorder, int begins)
{
    (void)recorder, (void)begins;
}

/* The bytes to the disk, then the name: a file with its name is complete, also after a power cut.
 */
static int publish(struct recorder *recorder, struct err *err)
{
    int code = av_write_trailer(recorder->format);
    int closed = avio_closep(&recorder->format->pb);
    if (code < 0 || closed < 0)
        return fail(recorder, "write", code < 0 ? code : closed, err);
    int fd = open(recorder->part, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        err_set_errno(err, "store %s", recorder->part);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    close(fd);
    if (rename(recorder->part, recorder->path) < 0)
        return err_set_errno(err, "rename %s", recorder->part);
    return 0;
}

int recorder_finish(struct recorder *recorder, struct recorder_result *result, struct err *err)
{
    *result = (struct recorder_result){0};
    if (!recorder)
        return 0;
    queue_close(recorder->queue);
    pthread_join(recorder->thread, NULL);
    int done = -1;
    if (atomic_load(&recorder->failed))
        *err = recorder->err;
    else
        done = publish(recorder, err);
    struct stat status;
    snprintf(result->path, sizeof result->path, "%s", done < 0 ? recorder->part : recorder->path);
    if (stat(result->path, &status) == 0)
        result->bytes = (uint64_t)status.st_size;
    result->frames = recorder->frames;
    result->dropped = atomic_load(&recorder->dropped);
    result->cpu_s = recorder->cpu_s;
    destroy(recorder);
    return done;
}
