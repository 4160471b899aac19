#include "base/clock.h"
#include "base/file.h"
#include "edge/retry.h"
#include "edge/run.h"
#include "edge/uplink.h"
#include "video/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one worker keeps between its frames. */
struct worker {
    struct edge_run *run;
    struct uplink *uplink; /* NULL until it could be opened */
    struct converter *converter;
    struct buf encoded;
};

/* One frame on its way. */
struct delivery {
    struct edge_frame frame;
    struct answer answer;
    char path[sizeof((struct edge_totals *)0)->frames_folder + EDGE_KEY_BYTES];
    int saved;
    double round_trip_ms; /* of the question that was answered */
};

static int encode(struct worker *worker, const struct edge_job *job, struct edge_frame *frame,
                  struct err *err)
{
    const struct edge_options *options = worker->run->options;
    struct image image;
    buf_clear(&worker->encoded);
    if (!worker->converter && !(worker->converter = converter_create(err)))
        return -1;
    if (converter_run(worker->converter, job->picture, &image, err) < 0 ||
        image_encode(&image, options->format, options->quality, &worker->encoded, err) < 0)
        return -1;
    frame->bytes = worker->encoded.size;
    return 0;
}

/* A copy in the work folder, so that a frame that cannot be delivered is not gone. Without fsync:
 * it is short-lived, and the answer would wait for the disk. */
static int save(const struct delivery *delivery, const struct buf *encoded, struct err *err)
{
    int fd = open(delivery->path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set_errno(err, "write %s", delivery->path);
    int result = file_write_all(fd, encoded->data, encoded->size, err);
    if (close(fd) < 0 && result == 0)
        result = err_set_errno(err, "write %s", delivery->path);
    if (result < 0)
        unlink(delivery->path);
    return result;
}

/* A full disk costs the copies, not the recognition. */
static void save_or_say(struct worker *worker, struct delivery *delivery)
{
    struct err err = {0};
    struct edge_run *run = worker->run;
    delivery->saved = save(delivery, &worker->encoded, &err) == 0;
    pthread_mutex_lock(&run->lock);
    int say = !delivery->saved && !run->said_work_full;
    run->said_work_full |= say;
    pthread_mutex_unlock(&run->lock);
    if (say)
        edge_notice(run, "%s; frames are sent on, but no copy is kept", err.message);
}

static int upload(struct worker *worker, struct delivery *delivery, struct err *err)
{
    const char *type = worker->run->options->format == IMAGE_PNG ? "image/png" : "image/jpeg";
    return uplink_put(worker->uplink, delivery->frame.key, type, worker->encoded.data,
                      worker->encoded.size, err);
}

static int ask(struct worker *worker, struct delivery *delivery, struct err *err)
{
    const struct buf *body;
    double sent_unix_ms = (double)clock_unix_us() / 1000;
    uint64_t sent_ns = clock_monotonic_ns();
    delivery->frame.asked++;
    int status = uplink_ask(worker->uplink, delivery->frame.key, &body, err);
    if (status < 0)
        return -1;
    delivery->round_trip_ms = clock_ms_since(sent_ns);
    if (answer_parse(&delivery->answer, body->data, body->size, err) < 0)
        return err_set(err, ERR_INVALID,
                       "ask the API: HTTP %d and no answer of the function: %.100s", status,
                       body->size ? body->data : "(empty)");
    delivery->frame.status = status;
    answer_stages(&delivery->answer, sent_unix_ms, delivery->round_trip_ms,
                  delivery->frame.stage_ms);
    return 0;
}

static void note_success(struct edge_run *run)
{
    if (atomic_exchange(&run->cloud_gone, 0))
        edge_notice(run, "the cloud is back");
}

static void note_failure(struct edge_run *run, const struct err *err)
{
    if (!atomic_exchange(&run->cloud_gone, 1))
        edge_notice(run, "%s; frames that cannot be delivered stay in %s", err->message,
                    run->totals.frames_folder);
}

/* Try `step` until it succeeds, fails for good, or the time is up. */
static int persist(struct worker *worker, struct delivery *delivery,
                   int (*step)(struct worker *, struct delivery *, struct err *), struct err *err)
{
    struct edge_run *run = worker->run;
    struct retry retry;
    retry_start(&retry, run->options->retry_s);
    for (;;) {
        if (step(worker, delivery, err) == 0) {
            note_success(run);
            return 0;
        }
        if (!uplink_may_pass(err) || atomic_load(&run->cloud_gone) || !retry_wait(&retry)) {
            note_failure(run, err);
            return -1;
        }
    }
}

static int deliver(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                   struct err *err)
{
    double *stage_ms = delivery->frame.stage_ms;
    stage_ms[STAGE_wait] = clock_ms_since(job->captured_ns);
    uint64_t start_ns = clock_monotonic_ns();
    if (encode(worker, job, &delivery->frame, err) < 0)
        return -1;
    stage_ms[STAGE_encode] = clock_ms_since(start_ns);
    start_ns = clock_monotonic_ns();
    save_or_say(worker, delivery);
    stage_ms[STAGE_save] = clock_ms_since(start_ns);
    if (!worker->uplink && !(worker->uplink = uplink_open(worker->run->options->deployment, err)))
        return -1;
    start_ns = clock_monotonic_ns();
    if (persist(worker, delivery, upload, err) < 0)
        return -1;
    stage_ms[STAGE_upload] = clock_ms_since(start_ns);
    start_ns = clock_monotonic_ns();
    if (persist(worker, delivery, ask, err) < 0)
        return -1;
    stage_ms[STAGE_gateway_and_queue] += clock_ms_since(start_ns) - delivery->round_trip_ms;
    stage_ms[STAGE_total] = clock_ms_since(job->captured_ns);
    return 0;
}

/* Count the frame and tell who listens; all under one lock, so lines never mix. */
static void account(struct edge_run *run, struct delivery *delivery, const struct err *err)
{
    struct edge_frame *frame = &delivery->frame;
    pthread_mutex_lock(&run->lock);
    struct edge_totals *totals = &run->totals;
    totals->requests += frame->asked > 0;
    totals->retries += frame->asked > 1 ? (uint64_t)frame->asked - 1 : 0;
    if (frame->answer) {
        totals->answers++;
        totals->verdicts[frame->verdict]++;
    } else {
        totals->lost++;
        totals->kept += (uint64_t)delivery->saved;
        if (run->first_error.code == ERR_NONE)
            run->first_error = *err;
    }
    report_frame(run->report, frame);
    run->listener->frame(run->listener->context, frame);
    pthread_mutex_unlock(&run->lock);
}

static void name_frame(const struct edge_run *run, const struct edge_job *job,
                       struct delivery *delivery)
{
    const char *extension = run->options->format == IMAGE_PNG ? "png" : "jpg";
    snprintf(delivery->frame.key, sizeof delivery->frame.key, "%s%" PRIu64 ".%s",
             run->options->prefix, job->number, extension);
    snprintf(delivery->path, sizeof delivery->path, "%s/%" PRIu64 ".%s", run->totals.frames_folder,
             job->number, extension);
}

static void handle(struct worker *worker, const struct edge_job *job)
{
    struct err err = {0};
    struct delivery delivery = {
        .frame = {.number = job->number, .captured_unix_ms = job->captured_unix_ms}};
    for (int i = 0; i < STAGE_COUNT; i++)
        delivery.frame.stage_ms[i] = NAN;
    name_frame(worker->run, job, &delivery);
    if (deliver(worker, job, &delivery, &err) == 0) {
        delivery.frame.answer = &delivery.answer;
        delivery.frame.verdict = answer_verdict(&delivery.answer, worker->run->options->expect);
        if (delivery.saved)
            unlink(delivery.path);
    } else {
        delivery.frame.lost_because = err.message;
    }
    account(worker->run, &delivery, &err);
    answer_finish(&delivery.answer);
}

void *edge_work(void *argument)
{
    struct err err = {0};
    struct worker worker = {.run = argument};
    buf_init(&worker.encoded, IMAGE_MAX_FILE_BYTES);
    /* Open now: the first frame should not pay for it. A failure comes back with that frame. */
    worker.uplink = uplink_open(worker.run->options->deployment, &err);
    for (struct edge_job *job; (job = queue_pop(worker.run->queue));) {
        handle(&worker, job);
        edge_job_destroy(job);
    }
    buf_finish(&worker.encoded);
    uplink_close(worker.uplink);
    converter_destroy(worker.converter);
    return NULL;
}
