#include "video/recorder.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "image/image.h"
#include "video/decoder.h"
#include "video/encoder.h"
#include "video/picture.h"
#include "video/pre_roll.h"
#include "video/recorder_file.h"
#include "video/retention.h"
#include "video/source.h"
#include "video/turn.h"

#include <libavcodec/avcodec.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NICENESS = 5 };

/* What waits for the thread: a picture to encode, or a packet. */
struct item {
    AVFrame *picture;
    AVPacket *packet;
    AVCodecParameters *parameters; /* of the packet, where they begin anew; else NULL */
    int64_t time_ns, taken_ns;     /* in the recording; by the monotonic clock */
};

struct recorder {
    struct recorder_options options;
    /* the capturing thread's: the next packet is to begin a stream; one was dropped, and what
     * follows is of no use up to the next key frame */
    int begins, broken;

    struct queue *queue; /* of struct item */
    pthread_t thread;
    atomic_uint_fast64_t dropped;
    atomic_int event;                 /* something goes on */
    atomic_uint_fast64_t events;      /* how often something began */
    atomic_uint_fast64_t event_ended; /* monotonic ns */
    atomic_int failed;
    struct err err; /* why; written before `failed` is set */

    /* the writing thread's own */
    struct encoder *encoder;
    struct decoder *decoder; /* for packets that are to be encoded */
    struct turner *turner;   /* and turned, as nobody has done it */
    AVCodecParameters *parameters;
    AVPacket *packet;
    struct pre_roll *roll; /* with events_only */
    struct recorder_file *file;
    int copies;                     /* what comes is stored as it is */
    int64_t last_ticks, file_ticks; /* of the last packet; of the file's first one */
    uint64_t seen_events;
    struct recorder_result result;
};

static void item_destroy(struct item *item)
{
    av_frame_free(&item->picture);
    av_packet_free(&item->packet);
    avcodec_parameters_free(&item->parameters);
    free(item);
}

static int64_t ticks_of(int64_t time_ns)
{
    return av_rescale(time_ns, RECORDER_TICKS, 1000000000);
}

static int close_file(struct recorder *recorder, int keep_part, struct err *err)
{
    struct recorder_result *result = &recorder->result;
    if (!recorder->file)
        return 0;
    uint64_t bytes;
    int done = recorder_file_finish(recorder->file, keep_part, result->path, &bytes, err);
    recorder->file = NULL;
    result->bytes += bytes;
    result->files++;
    if (done < 0 || keep_part)
        return done;
    retention_apply(&recorder->options, NULL);
    return 0;
}

static int open_file(struct recorder *recorder, int64_t age_ticks, struct err *err)
{
    const struct recorder_options *options = &recorder->options;
    const struct recorder_file_options how = {
        .folder = options->folder,
        .parameters =
            recorder->copies ? recorder->parameters : encoder_parameters(recorder->encoder),
        .fps = options->fps,
        .rotate = recorder->copies ? options->rotate : 0,
        .mirror = recorder->copies && options->mirror,
        .begins = time(NULL) - (time_t)(age_ticks / RECORDER_TICKS),
        .context = options->context,
        .finished = options->finished,
    };
    retention_apply(options, NULL);
    recorder->file = recorder_file_open(&how, err);
    if (!recorder->file)
        return -1;
    snprintf(recorder->result.encoder, sizeof recorder->result.encoder, "%s",
             recorder->copies ? "copy" : encoder_name(recorder->encoder));
    return 0;
}

/* The packet belongs into a file of its own: the last one is long enough, or long ago. */
static int begins_a_file(const struct recorder *recorder, const AVPacket *packet)
{
    const struct recorder_options *options = &recorder->options;
    if (!(packet->flags & AV_PKT_FLAG_KEY))
        return 0;
    if (!recorder->file)
        return 1;
    /* the next key frame would be further from the length asked for than this one */
    double slack_s = fmin(RECORDER_FRAGMENT_S / 2.0, options->segment_s / 10);
    return options->segment_s > 0 && (double)(packet->pts - recorder->file_ticks) >=
                                         (options->segment_s - slack_s) * RECORDER_TICKS;
}

static int store(struct recorder *recorder, AVPacket *packet, int64_t age_ticks, struct err *err)
{
    if (begins_a_file(recorder, packet)) {
        if (close_file(recorder, 0, err) < 0 || open_file(recorder, age_ticks, err) < 0)
            return -1;
        recorder->file_ticks = packet->pts;
    }
    if (!recorder->file) {
        recorder->result.discarded++; /* nothing can begin with it */
        av_packet_unref(packet);
        return 0;
    }
    if (recorder_file_write(recorder->file, packet, err) < 0)
        return -1;
    recorder->result.frames++;
    return 0;
}

/* Something goes on at that time, or did not long ago. */
static int is_wanted(struct recorder *recorder, int64_t taken_ns)
{
    uint64_t events = atomic_load(&recorder->events);
    if (atomic_load(&recorder->event) || events != recorder->seen_events) {
        recorder->seen_events = events;
        return 1;
    }
    uint64_t ended_ns = atomic_load(&recorder->event_ended);
    return ended_ns > 0 &&
           taken_ns <= (int64_t)ended_ns + (int64_t)(recorder->options.post_roll_s * 1e9);
}

static int store_roll(struct recorder *recorder, struct err *err)
{
    int64_t span = pre_roll_span(recorder->roll);
    while (pre_roll_pop(recorder->roll, recorder->packet))
        if (store(recorder, recorder->packet, span, err) < 0)
            return -1;
    return 0;
}

/* recorder->packet goes where it belongs. */
static int take_packet(struct recorder *recorder, int64_t taken_ns, struct err *err)
{
    AVPacket *packet = recorder->packet;
    if (!recorder->options.events_only)
        return store(recorder, packet, 0, err);
    int wanted = is_wanted(recorder, taken_ns);
    if (wanted && recorder->file)
        return store(recorder, packet, 0, err);
    if (!wanted && close_file(recorder, 0, err) < 0)
        return -1;
    int let_go = pre_roll_push(recorder->roll, packet, err);
    if (let_go < 0)
        return -1;
    recorder->result.discarded += (uint64_t)let_go;
    return wanted ? store_roll(recorder, err) : 0;
}

/* What the encoder has ready. */
static int drain(struct recorder *recorder, int64_t taken_ns, struct err *err)
{
    int more;
    while ((more = encoder_receive(recorder->encoder, recorder->packet, err)) > 0)
        if (take_packet(recorder, taken_ns, err) < 0)
            return -1;
    return more;
}

/* What comes is of another kind: the file ends with what the encoder still has. */
static int end_stream(struct recorder *recorder, int64_t taken_ns, struct err *err)
{
    int result = 0;
    if (recorder->encoder &&
        (encoder_send(recorder->encoder, NULL, 0, err) < 0 || drain(recorder, taken_ns, err) < 0))
        result = -1;
    encoder_destroy(recorder->encoder);
    recorder->encoder = NULL;
    if (recorder->roll)
        recorder->result.discarded += pre_roll_clear(recorder->roll);
    return result < 0 ? -1 : close_file(recorder, 0, err);
}

static int open_encoder(struct recorder *recorder, int width, int height, struct err *err)
{
    const struct recorder_options *options = &recorder->options;
    struct encoder_options how = {
        .width = width,
        .height = height,
        .fps = options->fps,
        .preset = options->preset,
        .hardware = options->codec != RECORDER_X264,
        .software = options->codec != RECORDER_HARDWARE,
    };
    recorder->encoder = encoder_create(&how, err);
    return recorder->encoder ? 0 : -1;
}

static int is_after_gap(const struct recorder *recorder, int64_t time_ns)
{
    return recorder->last_ticks >= 0 &&
           ticks_of(time_ns) - recorder->last_ticks > (int64_t)RECORDER_MAX_GAP_S * RECORDER_TICKS;
}

static int64_t next_ticks(struct recorder *recorder, int64_t time_ns)
{
    int64_t ticks = ticks_of(time_ns);
    if (ticks <= recorder->last_ticks)
        ticks = recorder->last_ticks + 1; /* a clock that stood still */
    return recorder->last_ticks = ticks;
}

static int encode(struct recorder *recorder, AVFrame *picture, const struct item *item,
                  struct err *err)
{
    if (recorder->copies && end_stream(recorder, item->taken_ns, err) < 0)
        return -1;
    recorder->copies = 0;
    if (recorder->encoder &&
        (!encoder_fits(recorder->encoder, picture) || is_after_gap(recorder, item->time_ns)) &&
        end_stream(recorder, item->taken_ns, err) < 0)
        return -1;
    if (!recorder->encoder && open_encoder(recorder, picture->width, picture->height, err) < 0)
        return -1;
    int64_t ticks = next_ticks(recorder, item->time_ns);
    if (encoder_send(recorder->encoder, picture, ticks, err) < 0)
        return -1;
    return drain(recorder, item->taken_ns, err);
}

/* May a packet of that kind be stored as it is? */
static int may_copy(const struct recorder *recorder, const AVCodecParameters *parameters)
{
    enum recorder_codec codec = recorder->options.codec;
    return codec == RECORDER_COPY ||
           (codec == RECORDER_AUTO && parameters->codec_id == AV_CODEC_ID_H264);
}

static int begin_packets(struct recorder *recorder, struct item *item, struct err *err)
{
    if (end_stream(recorder, item->taken_ns, err) < 0)
        return -1;
    avcodec_parameters_free(&recorder->parameters);
    recorder->parameters = item->parameters;
    item->parameters = NULL;
    recorder->copies = may_copy(recorder, recorder->parameters);
    decoder_destroy(recorder->decoder);
    recorder->decoder = NULL;
    if (recorder->copies)
        return 0;
    recorder->decoder = decoder_create(recorder->parameters, err);
    return recorder->decoder ? 0 : -1;
}

static int copy(struct recorder *recorder, struct item *item, struct err *err)
{
    if (is_after_gap(recorder, item->time_ns) && close_file(recorder, 0, err) < 0)
        return -1;
    av_packet_unref(recorder->packet);
    av_packet_move_ref(recorder->packet, item->packet);
    AVPacket *packet = recorder->packet;
    packet->pts = packet->dts = next_ticks(recorder, item->time_ns);
    packet->duration = (int64_t)(RECORDER_TICKS / recorder->options.fps);
    packet->time_base = (AVRational){1, RECORDER_TICKS};
    return take_packet(recorder, item->taken_ns, err);
}

/* A camera's picture that nobody has decoded. */
static int transcode(struct recorder *recorder, const struct item *item, struct err *err)
{
    AVFrame *picture;
    if (decoder_push(recorder->decoder, item->packet, err) < 0)
        return -1;
    int result = decoder_picture(recorder->decoder, &picture, err);
    if (result <= 0)
        return result; /* damaged: left out */
    if (recorder->turner && turner_run(recorder->turner, picture, &picture, err) < 0)
        return -1;
    AVFrame *own = picture_keep(picture, err);
    if (!own)
        return -1;
    result = encode(recorder, own, item, err);
    picture_release(own);
    return result;
}

static int take(struct recorder *recorder, struct item *item, struct err *err)
{
    if (item->picture)
        return encode(recorder, item->picture, item, err);
    if (item->parameters && begin_packets(recorder, item, err) < 0)
        return -1;
    return recorder->copies ? copy(recorder, item, err) : transcode(recorder, item, err);
}

static void give_up(struct recorder *recorder)
{
    atomic_store(&recorder->failed, 1);
    queue_close(recorder->queue);
}

static void *record(void *argument)
{
    struct recorder *recorder = argument;
    int64_t last_ns = 0;
    /* On Linux the niceness is the thread's own: recognition comes first. */
    if (setpriority(PRIO_PROCESS, 0, NICENESS) < 0)
        log_line(LOG_INFO, "recorder: setpriority: %s", strerror(errno));
    for (struct item *item; (item = queue_pop(recorder->queue));) {
        last_ns = item->taken_ns;
        if (!atomic_load(&recorder->failed) && take(recorder, item, &recorder->err) < 0)
            give_up(recorder);
        item_destroy(item);
    }
    struct err ignored = {0};
    if (!atomic_load(&recorder->failed) && end_stream(recorder, last_ns, &recorder->err) < 0)
        give_up(recorder);
    if (atomic_load(&recorder->failed) && close_file(recorder, 1, &ignored) < 0)
        log_line(LOG_WARN, "%s", ignored.message);
    struct timespec used;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0)
        recorder->result.cpu_s = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    return NULL;
}

static int check_times(const struct recorder_options *options, struct err *err)
{
    if (!(options->segment_s >= 0 && options->segment_s <= 1e6))
        return err_set(err, ERR_INVALID, "record video: files of %g s", options->segment_s);
    if (!(options->pre_roll_s >= 0 && options->pre_roll_s <= RECORDER_MAX_PRE_ROLL_S))
        return err_set(err, ERR_INVALID, "record video: %g s before an event, not 0 to %d",
                       options->pre_roll_s, RECORDER_MAX_PRE_ROLL_S);
    if (!(options->post_roll_s >= 0 && options->post_roll_s <= 86400))
        return err_set(err, ERR_INVALID, "record video: %g s after an event", options->post_roll_s);
    if (!(options->keep_s >= 0))
        return err_set(err, ERR_INVALID, "record video: kept for %g s", options->keep_s);
    return 0;
}

static int check_options(const struct recorder_options *options, struct err *err)
{
    if (options->width < 2 || options->height < 2 || options->width > IMAGE_MAX_SIDE ||
        options->height > IMAGE_MAX_SIDE)
        return err_set(err, ERR_INVALID, "record video: %dx%d pixels", options->width,
                       options->height);
    if (!(options->fps >= 0.1 && options->fps <= 1000))
        return err_set(err, ERR_INVALID, "record video: %g frames a second", options->fps);
    if (check_times(options, err) < 0)
        return -1;
    const char *const presets[] = {"ultrafast", "superfast", "veryfast", "faster", "fast"};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(presets[i], options->preset) == 0)
            return 0;
    return err_set(err, ERR_INVALID, "record video: no preset \"%s\"", options->preset);
}

static int start(struct recorder *recorder, struct err *err)
{
    const struct recorder_options *options = &recorder->options;
    recorder->queue = queue_create(options->queue, err);
    recorder->packet = av_packet_alloc();
    if (!recorder->queue || !recorder->packet)
        return err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    if (access(options->folder, W_OK | X_OK) < 0)
        return err_set_errno(err, "record into %s", options->folder);
    if (options->events_only && !(recorder->roll = pre_roll_create(options->pre_roll_s, err)))
        return -1;
    if ((options->rotate || options->mirror) &&
        !(recorder->turner = turner_create(options->rotate, options->mirror, err)))
        return -1;
    if (options->codec == RECORDER_HARDWARE &&
        open_encoder(recorder, options->width, options->height, err) < 0)
        return -1;
    if (pthread_create(&recorder->thread, NULL, record, recorder) != 0)
        return err_set(err, ERR_NO_MEMORY, "record video: no thread to be had");
    return 0;
}

static void destroy(struct recorder *recorder)
{
    encoder_destroy(recorder->encoder);
    decoder_destroy(recorder->decoder);
    turner_destroy(recorder->turner);
    pre_roll_destroy(recorder->roll);
    avcodec_parameters_free(&recorder->parameters);
    av_packet_free(&recorder->packet);
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
    recorder->last_ticks = -1;
    recorder->begins = 1;
    if (start(recorder, err) < 0) {
        destroy(recorder);
        return NULL;
    }
    return recorder;
}

/* Takes the item, complete or not. Returns 1 when it waits for the thread, 0 when there was no room
 * for it, -1 for want of memory. */
static int hand_over(struct recorder *recorder, struct item *item, struct err *err)
{
    if (!item || (!item->picture && !item->packet)) {
        if (item)
            item_destroy(item);
        return err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    }
    int pushed = recorder->options.wait ? queue_push(recorder->queue, item)
                                        : queue_try_push(recorder->queue, item);
    if (pushed == 0)
        return 1;
    item_destroy(item);
    atomic_fetch_add(&recorder->dropped, 1);
    return 0;
}

static int write_picture(struct recorder *recorder, const struct AVFrame *picture, int64_t time_ns,
                         uint64_t taken_ns, struct err *err)
{
    if (recorder->options.codec == RECORDER_COPY)
        return err_set(err, ERR_UNSUPPORTED,
                       "record video: pictures cannot be stored as they are, only a camera's "
                       "H.264 or MJPEG");
    struct item *item = calloc(1, sizeof *item);
    if (item) {
        item->time_ns = time_ns;
        item->taken_ns = (int64_t)taken_ns;
        item->picture = av_frame_clone(picture);
    }
    return hand_over(recorder, item, err) < 0 ? -1 : 0;
}

static int has_failed(const struct recorder *recorder, struct err *err)
{
    if (!atomic_load(&recorder->failed))
        return 0;
    *err = recorder->err;
    return 1;
}

static int64_t time_of_number(const struct recorder *recorder, uint64_t number)
{
    return (int64_t)llround((double)(number - 1) / recorder->options.fps * 1e9);
}

int recorder_write(struct recorder *recorder, const struct AVFrame *picture, uint64_t number,
                   struct err *err)
{
    if (has_failed(recorder, err))
        return -1;
    return write_picture(recorder, picture, time_of_number(recorder, number), clock_monotonic_ns(),
                         err);
}

/* Complete, or without its packet where there is no memory. */
static struct item *packet_item(const struct recorder *recorder, const struct frame *frame)
{
    struct item *item = calloc(1, sizeof *item);
    if (!item)
        return NULL;
    item->taken_ns = item->time_ns = (int64_t)frame->captured_ns;
    if (recorder->begins) {
        item->parameters = avcodec_parameters_alloc();
        if (!item->parameters || avcodec_parameters_copy(item->parameters, frame->parameters) < 0)
            return item;
    }
    item->packet = av_packet_clone(frame->packet);
    return item;
}

/* Of H.264 what follows a dropped packet shows nothing up to the next key frame. */
static int write_packet(struct recorder *recorder, const struct frame *frame, struct err *err)
{
    int key = (frame->packet->flags & AV_PKT_FLAG_KEY) != 0;
    if (recorder->broken && !key) {
        atomic_fetch_add(&recorder->dropped, 1);
        return 0;
    }
    int result = hand_over(recorder, packet_item(recorder, frame), err);
    recorder->broken = result == 0;
    if (result == 1)
        recorder->begins = 0;
    return result < 0 ? -1 : 0;
}

int recorder_write_frame(struct recorder *recorder, const struct frame *frame, struct err *err)
{
    if (has_failed(recorder, err))
        return -1;
    recorder->begins |= frame->begins;
    if (frame->packet && (!frame->picture || may_copy(recorder, frame->parameters)))
        return write_packet(recorder, frame, err);
    if (!frame->picture)
        return err_set(err, ERR_INVALID, "record video: a frame without a picture");
    int64_t time_ns = recorder->options.wait ? time_of_number(recorder, frame->number)
                                             : (int64_t)frame->captured_ns;
    return write_picture(recorder, frame->picture, time_ns, frame->captured_ns, err);
}

void recorder_event(struct recorder *recorder, int begins)
{
    if (begins)
        atomic_fetch_add(&recorder->events, 1);
    else
        atomic_store(&recorder->event_ended, clock_monotonic_ns());
    atomic_store(&recorder->event, begins);
}

int recorder_finish(struct recorder *recorder, struct recorder_result *result, struct err *err)
{
    *result = (struct recorder_result){0};
    if (!recorder)
        return 0;
    queue_close(recorder->queue);
    pthread_join(recorder->thread, NULL);
    *result = recorder->result;
    result->dropped = atomic_load(&recorder->dropped);
    int done = has_failed(recorder, err) ? -1 : 0;
    destroy(recorder);
    return done;
}
