#include "video/source_kind.h"

#include "base/clock.h"
#include "base/log.h"
#include "video/capture_program.h"
#include "video/capture_wire.h"
#include "video/decoder.h"

#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A camera, as ken-capture hands its pictures over. What may go wrong with one ends there: here it
 * is a reason in the status, and a time to try again. */

/* A device that is started answers within DEVICE_MS each time, or its driver hangs: together with
 * the next start that is less than the 5 s in which a camera that returns is to be back. */
enum { CONNECT_MS = 15000, DEVICE_MS = 4000, GRACE_MS = 1000, CLOSE_MS = 500 };

/* A message that is being read. */
struct incoming {
    uint8_t header_bytes[CAPTURE_HEADER_BYTES];
    size_t have; /* of header and payload together */
    struct capture_header header;
    AVPacket *payload; /* for all kinds: padded, and shared without copying */
};

struct camera_source {
    struct source base;
    struct source_options options;
    char *location, label[SOURCE_LABEL_BYTES];
    struct capture_program program;
    struct incoming in;
    AVCodecParameters *parameters; /* of the stream; NULL before its format is known */
    enum capture_codec codec;
    double fps;
    struct decoder *decoder; /* NULL for raw pictures */
    AVFrame *raw;
    AVPacket *packet;    /* of the frame handed out last */
    int begins, started; /* started: a device has told that it is */
    uint64_t number, begin_ns;
    uint64_t heard_ns, tried_ns; /* last sign of life; last start */
    int pause_ms;                /* from one start to the next; 0: the first */
};

static void forget_stream(struct camera_source *source)
{
    avcodec_parameters_free(&source->parameters);
    decoder_destroy(source->decoder);
    source->decoder = NULL;
    av_packet_unref(source->in.payload);
    source->in.have = 0;
}

static void lose(struct camera_source *source, const char *reason, int patience_ms)
{
    struct source *base = &source->base;
    if (strcmp(base->status.reason, reason) != 0)
        log_line(LOG_WARN, "camera %s: %s", source->label, reason);
    /* one that never gave a picture is still being connected to */
    source_set_state(base, base->status.connects > 0 ? SOURCE_LOST : SOURCE_CONNECTING, reason);
    capture_program_stop(&source->program, patience_ms);
    forget_stream(source);
    source->pause_ms *= 2;
    if (source->pause_ms < SOURCE_PAUSE_MIN_MS)
        source->pause_ms = SOURCE_PAUSE_MIN_MS;
    if (source->pause_ms > SOURCE_PAUSE_MAX_MS)
        source->pause_ms = SOURCE_PAUSE_MAX_MS;
}

/* When it is time, else returns 0 after a rest. */
static int connect_camera(struct camera_source *source)
{
    uint64_t now_ns = clock_monotonic_ns();
    uint64_t next_ns = source->tried_ns + (uint64_t)source->pause_ms * 1000000u;
    if (now_ns < next_ns) {
        uint64_t rest_ns = now_ns + (uint64_t)SOURCE_WAIT_MS * 1000000u;
        clock_sleep_until_ns(rest_ns < next_ns ? rest_ns : next_ns);
        return 0;
    }
    struct err err = {0};
    source->tried_ns = source->heard_ns = now_ns;
    source->started = !capture_is_device(source->location);
    if (capture_program_start(&source->program, source->location, &source->options, &err) < 0) {
        lose(source, err.message, 0);
        return 0;
    }
    return 1;
}

/* Time to hear nothing: longer before the first picture, which needs a key frame. */
static int silence_ms(const struct camera_source *source)
{
    double frozen_s = source->options.frozen_s > 0 ? source->options.frozen_s : SOURCE_FROZEN_S;
    int allowed_ms = (int)(frozen_s * 1000);
    if (!source->started)
        return DEVICE_MS;
    if (!source->parameters)
        return allowed_ms > CONNECT_MS ? allowed_ms : CONNECT_MS;
    /* the process tells of a silent camera by itself, unless it hangs */
    return allowed_ms + GRACE_MS;
}

static void watch(struct camera_source *source)
{
    if (clock_ms_since(source->heard_ns) <= silence_ms(source))
        return;
    char reason[128];
    snprintf(reason, sizeof reason, "frozen: nothing came for %g s", silence_ms(source) / 1000.0);
    lose(source, reason, 0);
}

static int begin_payload(struct incoming *in, struct err *err)
{
    if (capture_header_read(&in->header, in->header_bytes, err) < 0)
        return -1;
    if (av_new_packet(in->payload, (int)in->header.size) < 0)
        return err_set(err, ERR_NO_MEMORY, "read camera: out of memory");
    return 0;
}

/* Returns 1 with a whole message, 0 when there is more to come, -1 at the end. */
static int read_message(struct camera_source *source, struct err *err)
{
    struct incoming *in = &source->in;
    for (;;) {
        int in_header = in->have < CAPTURE_HEADER_BYTES;
        size_t done = in_header ? in->have : in->have - CAPTURE_HEADER_BYTES;
        size_t whole = in_header ? CAPTURE_HEADER_BYTES : in->header.size;
        uint8_t *to = in_header ? in->header_bytes : in->payload->data;
        ssize_t size = read(source->program.fd, to + done, whole - done);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno == EAGAIN)
            return 0;
        if (size <= 0)
            return err_set(err, ERR_UNAVAILABLE, "the capturing process ended");
        source->heard_ns = clock_monotonic_ns();
        in->have += (size_t)size;
        if ((size_t)size < whole - done)
            continue;
        if (!in_header) {
            in->have = 0;
            return 1;
        }
        if (begin_payload(in, err) < 0)
            return -1;
    }
}

static enum AVCodecID codec_id(enum capture_codec codec)
{
    static const enum AVCodecID ids[] = {[CAPTURE_H264] = AV_CODEC_ID_H264,
                                         [CAPTURE_MJPEG] = AV_CODEC_ID_MJPEG,
                                         [CAPTURE_YUYV] = AV_CODEC_ID_RAWVIDEO};
    return ids[codec];
}

static int fill_parameters(AVCodecParameters *to, const struct capture_format *format)
{
    to->codec_type = AVMEDIA_TYPE_VIDEO;
    to->codec_id = codec_id(format->codec);
    to->width = format->width;
    to->height = format->height;
    if (format->codec == CAPTURE_MJPEG)
        to->format = AV_PIX_FMT_YUVJ420P;
    if (format->parameter_bytes == 0)
        return 0;
    to->extradata = av_mallocz(format->parameter_bytes + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!to->extradata)
        return -1;
    memcpy(to->extradata, format->parameters, format->parameter_bytes);
    to->extradata_size = (int)format->parameter_bytes;
    return 0;
}

static int begin_stream(struct camera_source *source, struct err *err)
{
    struct capture_format format;
    const AVPacket *payload = source->in.payload;
    if (capture_format_read(&format, payload->data, (size_t)payload->size, err) < 0)
        return -1;
    avcodec_parameters_free(&source->parameters);
    decoder_destroy(source->decoder);
    source->decoder = NULL;
    AVCodecParameters *parameters = avcodec_parameters_alloc();
    if (!parameters || fill_parameters(parameters, &format) < 0) {
        avcodec_parameters_free(&parameters);
        return err_set(err, ERR_NO_MEMORY, "read camera: out of memory");
    }
    source->parameters = parameters;
    source->codec = format.codec;
    source->fps = format.fps;
    source->begins = 1;
    if (format.codec == CAPTURE_YUYV)
        return 0;
    source->decoder = decoder_create(parameters, err);
    return source->decoder ? 0 : -1;
}

static void say_streaming(struct camera_source *source)
{
    struct source *base = &source->base;
    if (base->status.state != SOURCE_STREAMING)
        log_line(LOG_INFO, "camera %s: here", source->label);
    source_set_state(base, SOURCE_STREAMING, NULL);
    pthread_mutex_lock(&base->lock);
    snprintf(base->status.camera, sizeof base->status.camera, "%s %dx%d at %g",
             capture_codec_name(source->codec), source->parameters->width,
             source->parameters->height, source->fps);
    pthread_mutex_unlock(&base->lock);
    source->pause_ms = 0;
}

/* YUYV rows as a picture that shares the message's memory. */
static int wrap_raw(struct camera_source *source, struct frame *frame, struct err *err)
{
    AVFrame *raw = source->raw;
    const AVCodecParameters *parameters = source->parameters;
    if ((size_t)source->packet->size != (size_t)parameters->width * 2 * (size_t)parameters->height)
        return err_set(err, ERR_CORRUPT, "read from ken-capture: a picture of %d bytes",
                       source->packet->size);
    av_frame_unref(raw);
    raw->buf[0] = av_buffer_ref(source->packet->buf);
    if (!raw->buf[0])
        return err_set(err, ERR_NO_MEMORY, "read camera: out of memory");
    raw->data[0] = source->packet->data;
    raw->linesize[0] = parameters->width * 2;
    raw->format = AV_PIX_FMT_YUYV422;
    raw->width = parameters->width;
    raw->height = parameters->height;
    frame->picture = raw;
    return SOURCE_FRAME;
}

static int decode_now(struct camera_source *source, struct frame *frame, struct err *err)
{
    int result = decoder_picture(source->decoder, &frame->picture, err);
    if (result <= 0)
        frame->picture = NULL;
    return result < 0 ? -1 : result ? SOURCE_FRAME : SOURCE_WAITING;
}

static int make_frame(struct camera_source *source, struct frame *frame, struct err *err)
{
    if (!source->parameters)
        return err_set(err, ERR_CORRUPT, "read from ken-capture: a picture before its format");
    av_packet_unref(source->packet);
    av_packet_move_ref(source->packet, source->in.payload);
    if (source->in.header.flags & CAPTURE_KEY)
        source->packet->flags |= AV_PKT_FLAG_KEY;
    *frame = (struct frame){
        .width = source->parameters->width,
        .height = source->parameters->height,
        .number = source->number + 1,
        .captured_ns = source->in.header.captured_ns,
        .begins = source->begins,
    };
    int result = SOURCE_FRAME;
    if (source->codec == CAPTURE_YUYV) {
        result = wrap_raw(source, frame, err);
    } else {
        frame->packet = source->packet;
        frame->parameters = source->parameters;
        if (decoder_push(source->decoder, source->packet, err) < 0)
            return -1;
        if (!source->options.on_demand)
            result = decode_now(source, frame, err);
    }
    if (result != SOURCE_FRAME)
        return result;
    source->number++;
    if (source->begins)
        say_streaming(source);
    source->begins = 0;
    return SOURCE_FRAME;
}

/* One message. Returns an enum source_result, or -1 when the camera is to be given up. */
static int take_message(struct camera_source *source, struct frame *frame, struct err *err)
{
    int result = read_message(source, err);
    if (result <= 0)
        return result < 0 ? -1 : SOURCE_WAITING;
    AVPacket *payload = source->in.payload;
    switch (source->in.header.kind) {
    case CAPTURE_PACKET:
        result = make_frame(source, frame, err);
        break;
    case CAPTURE_FORMAT:
        result = begin_stream(source, err) < 0 ? -1 : SOURCE_WAITING;
        break;
    case CAPTURE_ALIVE:
        source->started |= payload->data[0] == CAPTURE_STARTED;
        result = SOURCE_WAITING;
        break;
    case CAPTURE_ERROR:
        result = err_set(err, ERR_UNAVAILABLE, "%.*s", payload->size, (const char *)payload->data);
        break;
    }
    av_packet_unref(payload);
    return result;
}

static int wait_for_bytes(const struct camera_source *source, uint64_t since_ns)
{
    int left_ms = SOURCE_WAIT_MS - (int)clock_ms_since(since_ns);
    struct pollfd ready = {.fd = source->program.fd, .events = POLLIN};
    return left_ms > 0 && poll(&ready, 1, left_ms) > 0;
}

static int read_camera(struct source *base, struct frame *frame, struct err *err)
{
    (void)err; /* what befalls a camera is no failure of the source */
    struct camera_source *source = (struct camera_source *)base;
    uint64_t start_ns = clock_monotonic_ns();
    if (source->options.seconds > 0 &&
        clock_ms_since(source->begin_ns) >= source->options.seconds * 1000)
        return SOURCE_END;
    if (source->program.fd < 0 && !connect_camera(source))
        return SOURCE_WAITING;
    while (wait_for_bytes(source, start_ns)) {
        struct err why = {0};
        int result = take_message(source, frame, &why);
        if (result == SOURCE_FRAME)
            return SOURCE_FRAME;
        if (result < 0) {
            lose(source, why.message, 0);
            return SOURCE_WAITING;
        }
    }
    watch(source);
    return SOURCE_WAITING;
}

static int picture_of_camera(struct source *base, struct frame *frame, struct err *err)
{
    struct camera_source *source = (struct camera_source *)base;
    if (!source->decoder || frame->number != source->number)
        return err_set(err, ERR_INVALID, "decode frame %" PRIu64 ": it is not the last one",
                       frame->number);
    return decode_now(source, frame, err);
}

static void close_camera(struct source *base)
{
    struct camera_source *source = (struct camera_source *)base;
    capture_program_stop(&source->program, CLOSE_MS);
    avcodec_parameters_free(&source->parameters);
    decoder_destroy(source->decoder);
    av_packet_free(&source->in.payload);
    av_packet_free(&source->packet);
    av_frame_free(&source->raw);
    free(source->location);
    free(source);
}

static int check(const char *location, const struct source_options *options, struct err *err)
{
    char label[SOURCE_LABEL_BYTES];
    enum capture_codec ignored;
    source_label(location, label);
    if (options->start_s > 0 || options->loop)
        return err_set(err, ERR_INVALID,
                       "open %s: a camera has no opening to skip, and no end "
                       "to start again from",
                       label);
    if (strlen(location) >= 4096 || strcspn(location, "\r\n") != strlen(location))
        return err_set(err, ERR_INVALID, "open %s: no such camera", label);
    return options->format ? capture_codec_parse(options->format, &ignored, err) : 0;
}

static struct source *open_camera(const char *location, const struct source_options *options,
                                  struct err *err)
{
    if (check(location, options, err) < 0)
        return NULL;
    struct camera_source *source = calloc(1, sizeof *source);
    if (!source) {
        err_set(err, ERR_NO_MEMORY, "open camera: out of memory");
        return NULL;
    }
    av_log_set_level(log_shows(LOG_DEBUG) ? AV_LOG_INFO : AV_LOG_QUIET);
    source->options = *options;
    source->program.fd = -1;
    source->location = strdup(location);
    source->in.payload = av_packet_alloc();
    source->packet = av_packet_alloc();
    source->raw = av_frame_alloc();
    if (!source->location || !source->in.payload || !source->packet || !source->raw) {
        close_camera(&source->base);
        err_set(err, ERR_NO_MEMORY, "open camera: out of memory");
        return NULL;
    }
    source_label(location, source->label);
    source->begin_ns = clock_monotonic_ns();
    return &source->base;
}

static double fps_of_camera(const struct source *base)
{
    const struct camera_source *source = (const struct camera_source *)base;
    if (source->fps > 0)
        return source->fps;
    return source->options.fps > 0 ? source->options.fps : 30;
}

const struct source_kind source_camera = {
    .open = open_camera,
    .close = close_camera,
    .fps = fps_of_camera,
    .read = read_camera,
    .picture = picture_of_camera,
};
