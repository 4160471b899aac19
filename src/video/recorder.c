#include "video/recorder.h"

#include "base/clock.h"
#include "base/log.h"
#include "image/image.h"
#include "video/decoder.h"
#include "video/encoder.h"
#include "video/pre_roll.h"
#include "video/recorder_thread.h"
#include "video/source.h"
#include "video/turn.h"

#include <libavcodec/avcodec.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    size_t packets = options->wait ? 0 : RECORDER_MAX_PACKETS;
    recorder->queue = queue_create(packets > options->queue ? packets : options->queue, err);
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
        recorder_open_encoder(recorder, options->width, options->height, err) < 0)
        return -1;
    if (pthread_create(&recorder->thread, NULL, recorder_thread, recorder) != 0)
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

/* Pictures are large and few may wait; packets are small, and a disk may stop for seconds. */
static int has_room(struct recorder *recorder, const struct item *item)
{
    if (recorder->options.wait)
        return 1;
    if (item->packet)
        return atomic_load(&recorder->waiting_bytes) + (size_t)item->packet->size <=
               RECORDER_MAX_PACKET_BYTES;
    return atomic_load(&recorder->waiting_pictures) < recorder->options.queue;
}

static int push(struct recorder *recorder, struct item *item)
{
    if (!has_room(recorder, item))
        return -1;
    recorder_count_waiting(recorder, item, 1);
    if ((recorder->options.wait ? queue_push(recorder->queue, item)
                                : queue_try_push(recorder->queue, item)) == 0)
        return 0;
    recorder_count_waiting(recorder, item, -1);
    return -1;
}

/* Takes the item, complete or not. Returns 1 when it waits for the thread, 0 when there was no room
 * for it, -1 for want of memory. */
static int hand_over(struct recorder *recorder, struct item *item, struct err *err)
{
    if (!item || (!item->picture && !item->packet)) {
        if (item)
            recorder_item_destroy(item);
        return err_set(err, ERR_NO_MEMORY, "record video: out of memory");
    }
    if (push(recorder, item) == 0)
        return 1;
    recorder_item_destroy(item);
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
    if (frame->packet && (!frame->picture || recorder_may_copy(recorder, frame->parameters)))
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
