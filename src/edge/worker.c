#include "edge/deliver.h"
#include "edge/visits.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

void deliver_account(struct edge_run *run, const struct delivery *delivery, const struct err *err)
{
    const struct edge_frame *frame = &delivery->frame;
    pthread_mutex_lock(&run->lock);
    struct edge_totals *totals = &run->totals;
    totals->requests += frame->asked > 0;
    totals->retries += frame->asked > 1 ? (uint64_t)frame->asked - 1 : 0;
    totals->queued += (uint64_t)frame->queued;
    if (frame->answer) {
        totals->answers++;
        totals->verdicts[frame->verdict]++;
    } else if (!frame->queued) {
        totals->lost++;
        totals->kept += (uint64_t)delivery->saved;
        if (run->first_error.code == ERR_NONE)
            run->first_error = *err;
    }
    if (frame->answer || !frame->queued)
        report_frame(run->report, frame);
    run->listener->frame(run->listener->context, frame);
    pthread_mutex_unlock(&run->lock);
}

/* "105.png"; a visit's best shot, of which a frame may have several, is "105-2.png". */
static void name_frame(const struct edge_run *run, const struct edge_job *job,
                       struct delivery *delivery)
{
    char name[64], visit[24] = "";
    if (job->visit)
        snprintf(visit, sizeof visit, "-%" PRIu64, job->visit);
    snprintf(name, sizeof name, "%" PRIu64 "%s.%s", job->number, visit,
             run->options->format == IMAGE_PNG ? "png" : "jpg");
    snprintf(delivery->frame.key, sizeof delivery->frame.key, "%s%s", run->options->prefix, name);
    snprintf(delivery->path, sizeof delivery->path, "%s/%s", run->totals.frames_folder, name);
}

void deliver_begin(const struct edge_run *run, const struct edge_job *job,
                   struct delivery *delivery)
{
    *delivery = (struct delivery){
        .frame = {.number = job->number, .captured_unix_ms = job->captured_unix_ms}};
    for (int i = 0; i < STAGE_COUNT; i++)
        delivery->frame.stage_ms[i] = NAN;
    name_frame(run, job, delivery);
}

/* The answer is out; nobody waits for this. */
static void archive(struct worker *worker, const struct edge_job *job, struct delivery *delivery)
{
    struct err err = {0};
    struct edge_run *run = worker->run;
    int done = deliver_archive(worker, job, delivery, &err);
    int queued = done < 0 && run->spool && delivery->frame.bytes > 0 &&
                 deliver_later(worker, job, delivery, 0, &err) == 0;
    if (done == 0 || queued) {
        pthread_mutex_lock(&run->lock);
        run->totals.queued += (uint64_t)queued;
        pthread_mutex_unlock(&run->lock);
        return;
    }
    deliver_keep(worker, delivery);
    pthread_mutex_lock(&run->lock);
    run->totals.unarchived++;
    run->totals.kept += (uint64_t)delivery->saved;
    if (run->first_error.code == ERR_NONE)
        run->first_error = err;
    pthread_mutex_unlock(&run->lock);
    delivery->saved = 0; /* the copy stays */
}

/* The cloud is gone or refuses: the frame goes to the queue, and where there is a gallery here the
 * device answers meanwhile. One that could not be encoded has no bytes. */
static void make_do(struct worker *worker, const struct edge_job *job, struct delivery *delivery)
{
    struct err err = {0};
    struct edge_run *run = worker->run;
    if (!run->spool || delivery->frame.bytes == 0)
        return;
    int here = run->local && deliver_here(worker, job, delivery, &err) == 0;
    delivery->frame.queued = deliver_later(worker, job, delivery, !here, &err) == 0;
    if (here)
        delivery->frame.answer = &delivery->answer;
    if (!delivery->frame.queued)
        edge_notice(run, "frame %" PRIu64 ": %s", job->number, err.message);
}

static void handle(struct worker *worker, const struct edge_job *job)
{
    struct err err = {0};
    struct delivery delivery;
    deliver_begin(worker->run, job, &delivery);
    if (deliver(worker, job, &delivery, &err) == 0) {
        delivery.frame.answer = &delivery.answer;
    } else {
        make_do(worker, job, &delivery);
        delivery.frame.lost_because = delivery.frame.answer ? NULL : err.message;
        if (!delivery.frame.answer && !delivery.frame.queued)
            deliver_keep(worker, &delivery);
    }
    if (delivery.frame.answer)
        delivery.frame.verdict = answer_verdict(&delivery.answer, worker->run->options->expect);
    deliver_account(worker->run, &delivery, &err);
    if (delivery.frame.answer && worker->run->visits)
        visits_answer(worker->run->visits, job, &delivery.answer, !worker->run->watch);
    if (delivery.frame.answer && worker->run->options->architecture == EDGE_ON_DEVICE)
        archive(worker, job, &delivery);
    if ((delivery.frame.answer || delivery.frame.queued) && delivery.saved)
        unlink(delivery.path);
    answer_finish(&delivery.answer);
}

void *edge_work(void *argument)
{
    struct err err = {0};
    struct worker worker = {.run = argument};
    buf_init(&worker.encoded, IMAGE_MAX_FILE_BYTES);
    buf_init(&worker.body, LOCAL_MAX_BODY_BYTES);
    /* Open now: the first frame should not pay for it. A failure comes back with that frame. */
    worker.uplink = uplink_open(worker.run->options->deployment, &err);
    if (worker.uplink && worker.run->options->architecture != EDGE_ON_DEVICE)
        uplink_warm(worker.uplink);
    for (struct edge_job *job; (job = queue_pop(worker.run->queue));) {
        handle(&worker, job);
        edge_job_destroy(job);
    }
    buf_finish(&worker.encoded);
    buf_finish(&worker.body);
    uplink_close(worker.uplink);
    converter_destroy(worker.converter);
    return NULL;
}
