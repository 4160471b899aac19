#include "video/recorder_thread.h"

#include "base/clock.h"
#include "base/log.h"
#include "video/decoder.h"
#include "video/encoder.h"
#include "video/picture.h"
#include "video/pre_roll.h"
#include "video/recorder_file.h"
#include "video/retention.h"
#include "video/turn.h"

#include <libavcodec/avcodec.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { NICENESS = 5 };

void recorder_item_destroy(struct item *item)
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

int recorder_open_encoder(struct recorder *recorder, int width, int height, struct err *err)
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
    if (!recorder->encoder &&
        recorder_open_encoder(recorder, picture->width, picture->height, err) < 0)
        return -1;
    int64_t ticks = next_ticks(recorder, item->time_ns);
    if (encoder_send(recorder->encoder, picture, ticks, err) < 0)
        return -1;
    return drain(recorder, item->taken_ns, err);
}

int recorder_may_copy(const struct recorder *recorder, const AVCodecParameters *parameters)
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
    recorder->copies = recorder_may_copy(recorder, recorder->parameters);
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

void recorder_count_waiting(struct recorder *recorder, const struct item *item, int change)
{
    size_t pictures = !item->packet, bytes = item->packet ? (size_t)item->packet->size : 0;
    if (change > 0) {
        atomic_fetch_add(&recorder->waiting_pictures, pictures);
        atomic_fetch_add(&recorder->waiting_bytes, bytes);
    } else {
        atomic_fetch_sub(&recorder->waiting_pictures, pictures);
        atomic_fetch_sub(&recorder->waiting_bytes, bytes);
    }
}

static void give_up(struct recorder *recorder)
{
    atomic_store(&recorder->failed, 1);
    queue_close(recorder->queue);
}

void *recorder_thread(void *argument)
{
    struct recorder *recorder = argument;
    int64_t last_ns = 0;
    /* On Linux the niceness is the thread's own: recognition comes first. */
    if (setpriority(PRIO_PROCESS, 0, NICENESS) < 0)
        log_line(LOG_INFO, "recorder: setpriority: %s", strerror(errno));
    for (struct item *item; (item = queue_pop(recorder->queue));) {
        last_ns = item->taken_ns;
        recorder_count_waiting(recorder, item, -1);
        if (!atomic_load(&recorder->failed) && take(recorder, item, &recorder->err) < 0)
            give_up(recorder);
        recorder_item_destroy(item);
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
