#include "edge/edge.h"

#include "base/clock.h"
#include "base/file.h"
#include "edge/capture.h"
#include "edge/run.h"
#include "edge/sender.h"
#include "edge/spill.h"
#include "edge/spool.h"
#include "edge/uplink.h"
#include "edge/uploads.h"
#include "edge/visits.h"
#include "edge/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FOLDER_TRIES = 100 };

void edge_notice(struct edge_run *run, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&run->lock);
    run->listener->notice(run->listener->context, text);
    pthread_mutex_unlock(&run->lock);
}

int edge_architecture_read(enum edge_architecture *architecture, const char *word)
{
    static const char *const words[] = {
        [EDGE_FRAME_TO_BUCKET] = "c", [EDGE_FRAME_IN_REQUEST] = "d", [EDGE_ON_DEVICE] = "e"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(word, words[i]) != 0)
            continue;
        *architecture = (enum edge_architecture)i;
        return 0;
    }
    return -1;
}

void edge_note_success(struct edge_run *run)
{
    if (atomic_exchange(&run->cloud_gone, 0))
        edge_notice(run, "the cloud is back");
}

void edge_note_failure(struct edge_run *run, const struct err *err)
{
    if (atomic_exchange(&run->cloud_gone, 1))
        return;
    if (run->spool)
        edge_notice(run, "%s; frames wait in %s/queue", err->message, run->options->work);
    else
        edge_notice(run, "%s; frames that cannot be delivered stay in %s", err->message,
                    run->totals.frames_folder);
}

int edge_check(const struct edge_options *options, struct err *err)
{
    if (options->every < 1)
        return err_set(err, ERR_INVALID, "--every: 0 is no distance between frames");
    if (options->workers < 1 || options->workers > EDGE_MAX_WORKERS)
        return err_set(err, ERR_INVALID, "--workers: %zu is not 1 to %d", options->workers,
                       EDGE_MAX_WORKERS);
    size_t length = strlen(options->prefix);
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/";
    if (length > EDGE_MAX_PREFIX || strspn(options->prefix, allowed) != length ||
        options->prefix[0] == '/')
        return err_set(err, ERR_INVALID,
                       "--prefix: \"%s\" is not up to %d letters, digits, \"-._/\"",
                       options->prefix, EDGE_MAX_PREFIX);
    return 0;
}

/* A folder of this run's own: what an earlier run could not deliver is never overwritten. */
static int make_frames_folder(struct edge_run *run, struct err *err)
{
    char *path = run->totals.frames_folder;
    size_t size = sizeof run->totals.frames_folder;
    struct tm local;
    time_t now = time(NULL);
    char stamp[32];
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%d_%m_%Y_%H_%M_%S", &local);
    if (file_make_folders(run->options->work, 0700, err) < 0)
        return -1;
    for (int i = 1; i <= MAX_FOLDER_TRIES; i++) {
        int length = i == 1 ? snprintf(path, size, "%s/%s", run->options->work, stamp)
                            : snprintf(path, size, "%s/%s-%d", run->options->work, stamp, i);
        if (length < 0 || (size_t)length >= size)
            return err_set(err, ERR_TOO_BIG, "create a folder in %s: the name is too long",
                           run->options->work);
        if (mkdir(path, 0700) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    return err_set_errno(err, "create %s", path);
}

static size_t start_workers(struct edge_run *run, pthread_t ids[EDGE_MAX_WORKERS], struct err *err)
{
    size_t count = 0;
    while (count < run->options->workers && pthread_create(&ids[count], NULL, edge_work, run) == 0)
        count++;
    if (count == 0)
        err_set(err, ERR_NO_MEMORY, "start workers: no thread to be had");
    return count;
}

/* With the time of day as it is now: a clock may be set while the program runs. */
static struct track_event by_the_clock(const struct edge_run *run, const struct track_event *event)
{
    struct track_event told = *event;
    if (run->options->source.real_time) {
        int64_t offset_ms = clock_unix_ms() - (int64_t)(clock_monotonic_ns() / 1000000);
        told.at_ms += offset_ms;
        told.entered_ms += offset_ms;
    }
    return told;
}

static void on_visit(void *context, const struct track_event *event)
{
    struct edge_run *run = context;
    struct track_event told = by_the_clock(run, event);
    pthread_mutex_lock(&run->lock);
    run->totals.visits += event->kind == TRACK_ENTER;
    int before = run->present;
    run->present += (event->kind == TRACK_ENTER) - (event->kind == TRACK_LEAVE);
    if (run->recorder && (before > 0) != (run->present > 0))
        recorder_event(run->recorder, run->present > 0);
    if (run->listener->visit)
        run->listener->visit(run->listener->context, &told);
    pthread_mutex_unlock(&run->lock);
}

/* Without networks on the device visits are followed by the answers alone. */
static int start_watch(struct edge_run *run, struct err *err)
{
    const struct edge_options *options = run->options;
    const struct visits_listener listener = {run, on_visit};
    int by_faces = options->when_face || options->best_shot || options->crop;
    if (!by_faces && !options->visits && !options->recorder.events_only)
        return 0;
    run->visits = visits_create(&listener, err);
    run->watch = run->visits ? watch_start(run, err) : NULL;
    if (run->watch || (run->visits && !by_faces && err->code == ERR_NOT_FOUND))
        return 0;
    return err_wrap(err, "look for faces (--models names the networks' folder)");
}

/* To the workers and, with a spool, to the disk. */
static int open_queues(struct edge_run *run, struct err *err)
{
    size_t capacity = run->options->queue;
    if (run->spool && capacity > EDGE_QUEUE_BEFORE_DISK)
        capacity = EDGE_QUEUE_BEFORE_DISK;
    run->queue = queue_create(capacity, err);
    if (run->queue && run->spool && !(run->spill = spill_start(run, err))) {
        queue_destroy(run->queue);
        run->queue = NULL;
    }
    return run->queue ? 0 : -1;
}

static void close_queues(struct edge_run *run, const pthread_t ids[], size_t workers)
{
    queue_close(run->queue);
    spill_finish(run->spill);
    for (size_t i = 0; i < workers; i++)
        pthread_join(ids[i], NULL);
    queue_destroy(run->queue);
    run->spill = NULL;
}

static int capture_and_deliver(struct capture *capture, struct err *err)
{
    struct edge_run *run = capture->run;
    pthread_t ids[EDGE_MAX_WORKERS];
    if (run->options->record && !run->spool && !(run->uploads = uploads_start(run, err)))
        return -1;
    if (open_queues(run, err) < 0)
        return -1;
    size_t workers = start_watch(run, err) < 0 ? 0 : start_workers(run, ids, err);
    int result = workers > 0 ? capture_all(capture, err) : -1;
    watch_stop(run->watch);
    close_queues(run, ids, workers);
    visits_end(run->visits);
    visits_destroy(run->visits);
    return result;
}

/* The recorder may have told of it when it was finished. */
static int queue_recording(struct edge_run *run, struct err *err)
{
    const char *path = run->totals.recording.path;
    char *full = realpath(path, NULL); /* it has its name by now */
    int queued = !*path || (full && strcmp(full, run->last_video) == 0);
    free(full);
    return queued ? 0 : sender_queue_video(run, path, err);
}

/* Name the recording: whoever brings it to its bucket is told then. */
static int finish_recorder(struct capture *capture, struct err *err)
{
    struct edge_totals *totals = &capture->run->totals;
    if (!capture->recorder && capture->recorder_err.code == ERR_NONE)
        return 0; /* there was nothing to record */
    if (!capture->recorder) {
        *err = capture->recorder_err;
        return err_wrap(err, "the recording failed");
    }
    edge_set_recorder(capture->run, NULL);
    if (recorder_finish(capture->recorder, &totals->recording, err) < 0)
        return err_wrap(err, "the recording failed");
    totals->recorded = 1;
    if (capture->run->spool && queue_recording(capture->run, err) < 0)
        return -1;
    if (capture->recorder_err.code == ERR_NONE)
        return 0;
    *err = capture->recorder_err;
    return err_wrap(err, "the recording was interrupted");
}

/* The first failure is told; all that can be done is done. */
static int store_recording(struct capture *capture, struct err *err)
{
    struct err later = {0};
    struct edge_run *run = capture->run;
    uploads_end(run->uploads);
    int result = finish_recorder(capture, err);
    int is_direct = run->uploads != NULL, sent = uploads_finish(run->uploads, &later);
    run->uploads = NULL;
    run->totals.stored = is_direct && sent == 0 && run->totals.recording.files > 0;
    if (result < 0 || sent == 0)
        return result;
    *err = later;
    return -1;
}

static void measure(struct edge_totals *totals, uint64_t start_ns)
{
    struct rusage usage;
    totals->seconds = clock_ms_since(start_ns) / 1000;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        totals->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int lost_frames(const struct edge_run *run, struct err *err)
{
    const struct edge_totals *totals = &run->totals;
    if (totals->lost == 0 && totals->unarchived > 0)
        return err_set(err, run->first_error.code,
                       "%" PRIu64 " of %" PRIu64 " frames are not in the bucket (%" PRIu64
                       " of them kept in %s): %s",
                       totals->unarchived, totals->sampled, totals->kept, totals->frames_folder,
                       run->first_error.message);
    if (totals->lost == 0)
        return 0;
    return err_set(err, run->first_error.code,
                   "%" PRIu64 " of %" PRIu64 " frames without an answer (%" PRIu64
                   " of them kept in %s): %s",
                   totals->lost, totals->sampled, totals->kept, totals->frames_folder,
                   run->first_error.message);
}

/* A camera that is absent is no failure of the source, but of a run that ends without a frame. */
static int had_frames(const struct capture *capture, struct err *err)
{
    char label[SOURCE_LABEL_BYTES];
    struct source_status camera;
    if (capture->run->totals.frames > 0 || !source_is_camera(capture->source))
        return 0;
    source_label(capture->run->options->video, label);
    source_get_status(capture->source, &camera);
    return err_set(err, ERR_UNAVAILABLE, "camera %s gave no frame: %s (see ken doctor --video)",
                   label, camera.reason[0] ? camera.reason : "it was waited for");
}

/* The last chance for what waits on the disk; what is left goes with the next start. */
static int finish_queue(struct edge_run *run, struct err *err)
{
    struct edge_totals *totals = &run->totals;
    if (!run->spool)
        return 0;
    sender_finish(run->sender, run->options->retry_s);
    run->sender = NULL;
    struct spool_state state = spool_state(run->spool);
    char *full = realpath(totals->recording.path, NULL);
    totals->stored = totals->recorded && full && strcmp(full, run->sent_video) == 0;
    free(full);
    totals->waiting = state.items;
    totals->evicted = state.evicted;
    totals->aside = state.aside;
    if (state.items == 0 && state.evicted == 0 && state.aside == 0)
        return 0;
    if (state.evicted)
        return err_set(err, ERR_NO_SPACE,
                       "the queue in %s/queue was full: %" PRIu64 " items are gone unsent, %" PRIu64
                       " wait",
                       run->options->work, state.evicted, state.items);
    if (state.aside)
        return err_set(err, ERR_DENIED,
                       "%" PRIu64 " items of the queue can never be sent; they lie in "
                       "%s/queue/" SPOOL_ASIDE ", %" PRIu64 " wait",
                       state.aside, run->options->work, state.items);
    return err_set(err, ERR_UNAVAILABLE,
                   "%" PRIu64 " frames and %" PRIu64
                   " recordings wait in %s/queue; the next start sends them",
                   state.of_rank[SPOOL_ARCHIVE] + state.of_rank[SPOOL_QUESTION],
                   state.of_rank[SPOOL_VIDEO], run->options->work);
}

/* The first of several failures is the one to tell. */
static int run_all(struct capture *capture, struct err *err)
{
    struct edge_run *run = capture->run;
    struct err later = {0};
    uint64_t start_ns = clock_monotonic_ns();
    report_header(run->report, run->options, source_fps(capture->source));
    int result = capture_and_deliver(capture, err);
    if (result == 0 && had_frames(capture, err) < 0)
        result = -1;
    if (result == 0)
        result = lost_frames(run, err);
    if (store_recording(capture, &later) < 0 && result == 0) {
        *err = later;
        result = -1;
    }
    if (finish_queue(run, &later) < 0 && result == 0) {
        *err = later;
        result = -1;
    }
    measure(&run->totals, start_ns);
    report_footer(run->report, &run->totals);
    return result;
}

/* What no waiting heals, absent credentials say, is told before the camera starts. */
static int check_uplink(const struct deployment *deployment, struct err *err)
{
    struct uplink *uplink = uplink_open(deployment, err);
    uplink_close(uplink);
    return uplink ? 0 : -1;
}

/* E needs networks and gallery; otherwise they serve while the cloud is gone, where they are. */
static int open_local(struct edge_run *run, struct err *err)
{
    const struct edge_options *options = run->options;
    int needed = options->architecture == EDGE_ON_DEVICE;
    struct err cause = {0};
    if (!needed && !(options->queue_bytes && options->answer_here))
        return 0;
    run->local = local_open(options->local, options->deployment, needed ? err : &cause);
    if (!run->local && !needed)
        edge_notice(run, "%s; without the cloud there will be no answers", cause.message);
    return run->local || !needed ? 0 : -1;
}

static int open_queue(struct edge_run *run, struct err *err)
{
    char folder[4096];
    const struct edge_options *options = run->options;
    if (!options->queue_bytes)
        return 0;
    snprintf(folder, sizeof folder, "%s/queue", options->work);
    run->spool = spool_open(folder, options->queue_bytes, err);
    if (!run->spool || sender_adopt_videos(run, err) < 0)
        return -1;
    run->sender = sender_start(run, err);
    return run->sender ? 0 : -1;
}

static int open_and_run(struct edge_run *run, struct err *err)
{
    struct capture capture = {.run = run};
    const struct edge_options *options = run->options;
    if (edge_check(options, err) < 0 || check_uplink(options->deployment, err) < 0 ||
        open_local(run, err) < 0)
        return -1;
    capture.source = source_open(options->video, &options->source, err);
    if (!capture.source)
        return -1;
    int result = make_frames_folder(run, err);
    if (result == 0)
        result = open_queue(run, err);
    if (result == 0 && options->report && !(run->report = report_create(options->report, err)))
        result = -1;
    if (result == 0)
        result = run_all(&capture, err);
    source_close(capture.source);
    if (run->totals.frames_folder[0])
        rmdir(run->totals.frames_folder); /* stays where frames are kept in it */
    struct err later = {0};
    if (report_close(run->report, &later) < 0 && result == 0) {
        *err = later;
        result = -1;
    }
    return result;
}

int edge_run(const struct edge_options *options, const struct edge_listener *listener,
             struct edge_totals *totals, struct err *err)
{
    struct edge_run run = {.options = options, .listener = listener};
    pthread_mutex_init(&run.lock, NULL);
    int result = open_and_run(&run, err);
    *totals = run.totals;
    sender_finish(run.sender, 0);
    spool_close(run.spool);
    local_close(run.local);
    pthread_mutex_destroy(&run.lock);
    return result;
}
