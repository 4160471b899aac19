#include "edge/deliver.h"

#include "base/clock.h"
#include "base/file.h"
#include "edge/retry.h"
#include "edge/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What is sent of a frame, as RGB. */
static int convert(struct worker *worker, const struct edge_job *job, struct image *image,
                   struct err *err)
{
    if (!worker->converter && !(worker->converter = converter_create(err)))
        return -1;
    if (converter_run(worker->converter, job->picture, image, err) < 0)
        return -1;
    if (job->crop[2] > 0)
        *image = (struct image){.pixels = image->pixels + (size_t)job->crop[1] * image->stride +
                                          3 * (size_t)job->crop[0],
                                .width = job->crop[2],
                                .height = job->crop[3],
                                .stride = image->stride};
    return 0;
}

static int encode(struct worker *worker, const struct image *image, struct edge_frame *frame,
                  struct err *err)
{
    const struct edge_options *options = worker->run->options;
    buf_clear(&worker->encoded);
    if (image_encode(image, options->format, options->quality, &worker->encoded, err) < 0)
        return -1;
    frame->bytes = worker->encoded.size;
    return 0;
}

/* Copies that stay must not take what the recording and the system need. */
enum { MIN_FREE_MB = 100 };

static int leave_room(const char *folder, struct err *err)
{
    struct statvfs disk;
    if (statvfs(folder, &disk) < 0)
        return err_set_errno(err, "write into %s", folder);
    if ((double)disk.f_bavail * (double)disk.f_frsize >= MIN_FREE_MB * 1e6)
        return 0;
    return err_set(err, ERR_NO_SPACE, "write into %s: less than %d MB are free", folder,
                   MIN_FREE_MB);
}

/* A copy in the work folder, so that a frame that cannot be delivered is not gone. Without fsync:
 * most are short-lived, and the answer would wait for the disk. */
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
void deliver_keep(struct worker *worker, struct delivery *delivery)
{
    struct err err = {0};
    struct edge_run *run = worker->run;
    if (delivery->saved || delivery->frame.bytes == 0)
        return;
    delivery->saved =
        leave_room(run->options->work, &err) == 0 && save(delivery, &worker->encoded, &err) == 0;
    pthread_mutex_lock(&run->lock);
    int say = !delivery->saved && !run->said_work_full;
    run->said_work_full |= say;
    pthread_mutex_unlock(&run->lock);
    if (say)
        edge_notice(run, "%s; frames are sent on, but no copy is kept", err.message);
}

/* With a queue on the disk a frame is not tried for long: it is safe there. */
static const double QUEUE_RETRY_S = 0.5;

static const char *content_type(const struct edge_run *run)
{
    return run->options->format == IMAGE_PNG ? "image/png" : "image/jpeg";
}

static int upload(struct worker *worker, struct delivery *delivery, struct err *err)
{
    return uplink_put(worker->uplink, delivery->frame.key, content_type(worker->run),
                      worker->encoded.data, worker->encoded.size, err);
}

/* C asks about the frame in the bucket, D sends it along. */
static int send_question(struct worker *worker, const struct delivery *delivery,
                         const struct buf **body, struct err *err)
{
    const struct uplink_frame frame = {.key = delivery->frame.key,
                                       .content_type = content_type(worker->run),
                                       .data = worker->encoded.data,
                                       .size = worker->encoded.size};
    if (worker->run->options->architecture == EDGE_FRAME_IN_REQUEST)
        return uplink_post(worker->uplink, &frame, body, err);
    return uplink_ask(worker->uplink, delivery->frame.key, body, err);
}

static int ask(struct worker *worker, struct delivery *delivery, struct err *err)
{
    const struct buf *body;
    double sent_unix_ms = (double)clock_unix_us() / 1000;
    uint64_t sent_ns = clock_monotonic_ns();
    delivery->frame.asked++;
    int status = send_question(worker, delivery, &body, err);
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

/* Try `step` until it succeeds, fails for good, or the time is up. */
static int persist(struct worker *worker, struct delivery *delivery,
                   int (*step)(struct worker *, struct delivery *, struct err *), struct err *err)
{
    struct edge_run *run = worker->run;
    struct retry retry;
    double retry_s = run->options->retry_s;
    retry_start(&retry, run->spool ? fmin(retry_s, QUEUE_RETRY_S) : retry_s);
    for (;;) {
        if (step(worker, delivery, err) == 0) {
            edge_note_success(run);
            return 0;
        }
        if (!run->spool) /* which is a better place */
            deliver_keep(worker, delivery);
        if (!uplink_may_pass(err) || atomic_load(&run->cloud_gone) || !retry_wait(&retry)) {
            edge_note_failure(run, err);
            return -1;
        }
    }
}

static int open_uplink(struct worker *worker, struct err *err)
{
    if (!worker->uplink)
        worker->uplink = uplink_open(worker->run->options->deployment, err);
    return worker->uplink ? 0 : -1;
}

static int encode_timed(struct worker *worker, const struct image *image, struct delivery *delivery,
                        struct err *err)
{
    uint64_t start_ns = clock_monotonic_ns();
    if (encode(worker, image, &delivery->frame, err) < 0)
        return -1;
    delivery->frame.stage_ms[STAGE_encode] += clock_ms_since(start_ns);
    return 0;
}

static int upload_first(struct worker *worker, struct delivery *delivery, struct err *err)
{
    uint64_t start_ns = clock_monotonic_ns();
    if (persist(worker, delivery, upload, err) < 0)
        return -1;
    delivery->frame.stage_ms[STAGE_upload] = clock_ms_since(start_ns);
    return 0;
}

/* While older frames wait on the disk the sender finds out when the cloud is back; a worker that
 * tried too would hold up the frames behind it. */
static int wait_for_cloud(const struct edge_run *run, struct err *err)
{
    if (!run->spool || !atomic_load(&run->cloud_gone) || spool_state(run->spool).items == 0)
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "the cloud does not answer");
}

static int by_cloud(struct worker *worker, const struct image *image, struct delivery *delivery,
                    struct err *err)
{
    int to_bucket = worker->run->options->architecture == EDGE_FRAME_TO_BUCKET;
    if (encode_timed(worker, image, delivery, err) < 0 || wait_for_cloud(worker->run, err) < 0 ||
        open_uplink(worker, err) < 0 || (to_bucket && upload_first(worker, delivery, err) < 0))
        return -1;
    uint64_t start_ns = clock_monotonic_ns();
    if (persist(worker, delivery, ask, err) < 0)
        return -1;
    delivery->frame.stage_ms[STAGE_gateway_and_queue] +=
        clock_ms_since(start_ns) - delivery->round_trip_ms;
    return 0;
}

static int by_device(struct worker *worker, const struct image *image, struct delivery *delivery,
                     struct err *err)
{
    double sent_unix_ms = (double)clock_unix_us() / 1000;
    uint64_t sent_ns = clock_monotonic_ns();
    buf_clear(&worker->body);
    int status = local_ask(worker->run->local, delivery->frame.key, image, &worker->body);
    delivery->round_trip_ms = clock_ms_since(sent_ns);
    if (answer_parse(&delivery->answer, worker->body.data, worker->body.size, err) < 0)
        return -1;
    delivery->frame.status = status;
    answer_stages(&delivery->answer, sent_unix_ms, delivery->round_trip_ms,
                  delivery->frame.stage_ms);
    return 0;
}

int deliver(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
            struct err *err)
{
    double *stage_ms = delivery->frame.stage_ms;
    struct image image;
    stage_ms[STAGE_wait] = clock_ms_since(job->captured_ns);
    uint64_t start_ns = clock_monotonic_ns();
    if (convert(worker, job, &image, err) < 0)
        return -1;
    stage_ms[STAGE_encode] = clock_ms_since(start_ns);
    int here = worker->run->options->architecture == EDGE_ON_DEVICE;
    int done =
        here ? by_device(worker, &image, delivery, err) : by_cloud(worker, &image, delivery, err);
    if (done == 0)
        stage_ms[STAGE_total] = clock_ms_since(job->captured_ns);
    return done;
}

int deliver_archive(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                    struct err *err)
{
    struct image image;
    if (convert(worker, job, &image, err) < 0 || encode_timed(worker, &image, delivery, err) < 0 ||
        wait_for_cloud(worker->run, err) < 0 || open_uplink(worker, err) < 0)
        return -1;
    return persist(worker, delivery, upload, err);
}

int deliver_here(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                 struct err *err)
{
    struct image image;
    if (convert(worker, job, &image, err) < 0 || by_device(worker, &image, delivery, err) < 0)
        return -1;
    delivery->frame.by_device = 1;
    delivery->frame.stage_ms[STAGE_total] = clock_ms_since(job->captured_ns);
    return 0;
}

int deliver_encode(struct worker *worker, const struct edge_job *job, struct delivery *delivery,
                   struct err *err)
{
    struct image image;
    if (convert(worker, job, &image, err) < 0)
        return -1;
    return encode(worker, &image, &delivery->frame, err);
}

char *deliver_line(const struct edge_run *run, const struct edge_job *job,
                   const struct delivery *delivery, int ask_then)
{
    const char *folder = strrchr(run->totals.frames_folder, '/');
    json_t *meta =
        json_pack("{ss ss ss ss sI sI sI sb}", "kind", "frame", "key", delivery->frame.key, "type",
                  content_type(run), "run", folder ? folder + 1 : "", "number",
                  (json_int_t)job->number, "captured_unix_ms", (json_int_t)job->captured_unix_ms,
                  "captured_ns", (json_int_t)job->captured_ns, "ask", ask_then);
    char *text = meta ? json_dumps(meta, JSON_COMPACT) : NULL;
    json_decref(meta);
    return text;
}

int deliver_later(struct worker *worker, const struct edge_job *job,
                  const struct delivery *delivery, int ask_then, struct err *err)
{
    char *line = deliver_line(worker->run, job, delivery, ask_then);
    const struct spool_item item = {.rank = ask_then ? SPOOL_QUESTION : SPOOL_ARCHIVE,
                                    .meta = line ? line : "{}",
                                    .unix_ms = job->captured_unix_ms,
                                    .data = worker->encoded.data,
                                    .size = worker->encoded.size};
    int done = line ? spool_add(worker->run->spool, &item, err)
                    : err_set(err, ERR_NO_MEMORY, "queue frame: out of memory");
    free(line);
    return done;
}
