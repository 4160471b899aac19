#include "edge/capture.h"

#include "base/clock.h"
#include "base/log.h"
#include "edge/sender.h"
#include "edge/spill.h"
#include "edge/spool.h"
#include "edge/uploads.h"
#include "edge/visits.h"
#include "edge/watch.h"
#include "video/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* Two seconds of pictures at 30 a second: room for a slow fragment, not for a dead disk. */
enum { RECORDER_QUEUE_FRAMES = 60 };

/* A file of the recording is complete: it goes to the bucket while the camera goes on. */
static void on_video(void *context, const char *path)
{
    struct err err = {0};
    struct edge_run *run = context;
    if (!run->spool)
        uploads_add(run->uploads, path);
    else if (sender_queue_video(run, path, &err) < 0)
        edge_notice(run, "%s; it stays here", err.message);
}

/* Recordings that wait for their bucket are not forgotten before they are there. */
static int may_remove(void *context, const char *path)
{
    const struct edge_run *run = context;
    char name[300];
    const char *base = strrchr(path, '/');
    snprintf(name, sizeof name, "\"%s\"", base ? base + 1 : path);
    return !spool_holds(run->spool, SPOOL_VIDEO, name);
}

void edge_set_recorder(struct edge_run *run, struct recorder *recorder)
{
    pthread_mutex_lock(&run->lock);
    run->recorder = recorder;
    if (recorder && run->present > 0) /* who came before the first frame was recorded */
        recorder_event(recorder, 1);
    pthread_mutex_unlock(&run->lock);
}

static struct recorder_options recorder_options_of(struct capture *capture,
                                                   const struct frame *frame)
{
    const struct edge_options *options = capture->run->options;
    struct recorder_options how = options->recorder;
    how.folder = options->work;
    how.fps = source_fps(capture->source);
    how.width = frame->width;
    how.height = frame->height;
    how.queue = RECORDER_QUEUE_FRAMES;
    how.wait = !options->source.real_time;
    how.rotate = options->source.rotate;
    how.mirror = options->source.mirror;
    how.context = capture->run;
    how.finished = on_video;
    how.may_remove = capture->run->spool ? may_remove : NULL;
    return how;
}

/* In real time the disk may have room again later; a cause that lasts is said once. */
static void recording_failed(struct capture *capture, const struct err *err, const char *part)
{
    const struct edge_options *options = capture->run->options;
    double pause_s = options->record_again_s > 0 ? options->record_again_s : EDGE_RECORD_AGAIN_S;
    int again = options->source.real_time, said = capture->recorder_err.code != ERR_NONE;
    capture->recorder_err = *err;
    capture->record_at_ns = again ? clock_monotonic_ns() + (uint64_t)(pause_s * 1e9) : UINT64_MAX;
    if (said)
        return;
    if (part)
        edge_notice(capture->run,
                    "%s; recording stopped, what there is plays from %s, recognition goes on%s",
                    err->message, part, again ? "; it is tried again every minute" : "");
    else
        edge_notice(capture->run, "%s; nothing is recorded, recognition goes on%s", err->message,
                    again ? "; it is tried again every minute" : "");
}

/* With the first frame, whose size it has, or the first one after a while without. */
static void begin_recording(struct capture *capture, const struct frame *frame)
{
    struct err err = {0};
    struct edge_run *run = capture->run;
    const struct recorder_options how = recorder_options_of(capture, frame);
    if (capture->recorder_err.code != ERR_NONE && run->spool && sender_adopt_videos(run, &err) < 0)
        log_line(LOG_INFO, "%s", err.message); /* the next start finds it too */
    capture->recorder = recorder_start(&how, &err);
    edge_set_recorder(run, capture->recorder);
    if (!capture->recorder)
        recording_failed(capture, &err, NULL);
}

/* Its failure is its own. */
static void record(struct capture *capture, const struct frame *frame)
{
    struct err err = {0};
    struct edge_run *run = capture->run;
    if (!capture->recorder && run->options->record && clock_monotonic_ns() >= capture->record_at_ns)
        begin_recording(capture, frame);
    if (!capture->recorder || recorder_write_frame(capture->recorder, frame, &err) == 0)
        return;
    edge_set_recorder(run, NULL);
    if (recorder_finish(capture->recorder, &run->totals.recording, &err) < 0)
        recording_failed(capture, &err, run->totals.recording.path);
    capture->recorder = NULL;
}

/* By the clock that nobody sets for a camera, by the frames for a file that plays faster. */
static int64_t time_of(const struct capture *capture, const struct frame *frame)
{
    if (capture->run->options->source.real_time)
        return (int64_t)(frame->captured_ns / 1000000);
    double fps = source_fps(capture->source);
    return capture->start_unix_ms + (int64_t)((double)frame->number * 1000 / (fps > 0 ? fps : 30));
}

static void drop(struct edge_run *run, struct edge_job *job, const char *why)
{
    pthread_mutex_lock(&run->lock);
    struct edge_totals *totals = &run->totals;
    uint64_t dropped = ++totals->dropped;
    totals->lost++;
    if (run->first_error.code == ERR_NONE)
        err_set(&run->first_error, ERR_BUSY, "frame %" PRIu64 " dropped: %s", job->number, why);
    pthread_mutex_unlock(&run->lock);
    if (dropped == 1)
        edge_notice(run, "frame %" PRIu64 " dropped: %s", job->number, why);
    edge_job_destroy(job);
}

void edge_send(struct edge_run *run, struct edge_job *job)
{
    pthread_mutex_lock(&run->lock);
    run->totals.sampled++;
    pthread_mutex_unlock(&run->lock);
    /* A camera cannot wait; a file that is not played in real time can. */
    int pushed = run->options->source.real_time ? queue_try_push(run->queue, job)
                                                : queue_push(run->queue, job);
    if (pushed < 0 && run->spill)
        pushed = spill_push(run->spill, job);
    if (pushed < 0)
        drop(run, job,
             run->spill ? "the disk is too slow for the queue"
                        : "the queue to the workers is full (see --queue, --workers, --offline)");
}

void edge_job_destroy(struct edge_job *job)
{
    if (!job)
        return;
    picture_release(job->picture);
    free(job);
}

struct edge_job *edge_job_copy(const struct edge_job *job, struct err *err)
{
    struct edge_job *copy = malloc(sizeof *copy);
    if (!copy) {
        err_set(err, ERR_NO_MEMORY, "keep frame %" PRIu64, job->number);
        return NULL;
    }
    *copy = *job;
    copy->picture = picture_keep(job->picture, err);
    if (copy->picture)
        return copy;
    free(copy);
    return NULL;
}

static struct edge_job *make_job(const struct capture *capture, const struct frame *frame,
                                 struct err *err)
{
    const struct edge_job job = {
        .number = frame->number,
        .captured_ns = frame->captured_ns,
        .captured_unix_ms = clock_unix_ms() - (int64_t)clock_ms_since(frame->captured_ns),
        .picture = frame->picture,
    };
    struct edge_job *copy = edge_job_copy(&job, err);
    if (copy)
        copy->time_ms = time_of(capture, frame);
    return copy;
}

/* Is it this frame's turn? */
static int is_due(struct capture *capture, const struct frame *frame)
{
    const struct edge_options *options = capture->run->options;
    if (options->interval_ms <= 0)
        return frame->number % options->every == 0;
    double now_ms = (double)time_of(capture, frame);
    if (now_ms < capture->next_due_ms)
        return 0;
    /* a frame that came late does not put off those after it */
    capture->next_due_ms += options->interval_ms;
    if (capture->next_due_ms <= now_ms)
        capture->next_due_ms = now_ms + options->interval_ms;
    return 1;
}

/* Send the frame, have it looked at, or neither. */
static int use(struct capture *capture, struct frame *frame, struct err *err)
{
    struct edge_run *run = capture->run;
    int sampled = is_due(capture, frame);
    int looked_at = run->watch && (watch_wants(run->watch, time_of(capture, frame)) || sampled);
    if (!sampled && !looked_at)
        return 0;
    int shown = source_picture(capture->source, frame, err);
    if (shown != SOURCE_FRAME)
        return shown < 0 ? -1 : 0;
    struct edge_job *job = make_job(capture, frame, err);
    if (!job)
        return -1;
    job->sampled = sampled;
    if (looked_at)
        watch_look(run->watch, job);
    else
        edge_send(run, job);
    return 0;
}

/* Of a file: a camera waits for the cloud, and E answers without it. */
static int nobody_wants_more(const struct capture *capture)
{
    const struct edge_run *run = capture->run;
    return !capture->recorder && !run->spool && atomic_load(&run->cloud_gone) &&
           !source_is_camera(capture->source) && run->options->architecture != EDGE_ON_DEVICE;
}

/* About once a second, also while there is no camera: visits end, and what watches the service
 * wants to hear. */
static void tell_status(struct capture *capture)
{
    struct edge_run *run = capture->run;
    struct source_status camera;
    uint64_t now_ns = clock_monotonic_ns();
    if (now_ns - capture->told_ns < (uint64_t)EDGE_STATUS_MS * 1000000)
        return;
    capture->told_ns = now_ns;
    if (run->options->source.real_time)
        visits_pass_time(run->visits, (int64_t)(now_ns / 1000000));
    if (!run->listener->status)
        return;
    source_get_status(capture->source, &camera);
    struct edge_status status = {.frames = run->totals.frames,
                                 .cloud_gone = atomic_load(&run->cloud_gone),
                                 .camera = camera.state};
    if (run->spool) {
        struct spool_state waiting = spool_state(run->spool);
        status.queue_items = waiting.items;
        status.queue_bytes = waiting.bytes;
        status.queue_evicted = waiting.evicted;
        status.queue_aside = waiting.aside;
    }
    run->listener->status(run->listener->context, &status);
}

int capture_all(struct capture *capture, struct err *err)
{
    struct edge_run *run = capture->run;
    const struct edge_listener *listener = run->listener;
    struct frame frame;
    int result;
    prctl(PR_SET_TIMERSLACK, 1ul); /* a file's frame counts from when it was due */
    capture->start_unix_ms = clock_unix_ms();
    while ((result = source_read(capture->source, &frame, err)) > 0) {
        tell_status(capture);
        if (result == SOURCE_WAITING) {
            if (listener->stop && listener->stop(listener->context))
                return 0;
            continue;
        }
        run->totals.frames = frame.number;
        if (use(capture, &frame, err) < 0)
            return -1;
        record(capture, &frame);
        if ((listener->stop && listener->stop(listener->context)) || nobody_wants_more(capture))
            return 0;
    }
    return result;
}
