#include "edge/spill.h"

#include "edge/deliver.h"
#include "edge/spool.h"

#include <stdlib.h>

/* A frame that is encoded. */
struct parcel {
    struct parcel *next;
    struct delivery delivery;
    struct buf encoded;
    char *line;
    int64_t captured_unix_ms;
};

struct spill {
    struct edge_run *run;
    struct queue *jobs;
    pthread_t encoder, writer;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct parcel *first, **last; /* in order */
    size_t bytes;                 /* of the list, and of what is being written */
    int closed;
};

static void destroy(struct parcel *parcel)
{
    buf_finish(&parcel->encoded);
    free(parcel->line);
    free(parcel);
}

static void lose(const struct spill *spill, struct delivery *delivery, const struct err *err)
{
    delivery->frame.lost_because = err->message;
    deliver_account(spill->run, delivery, err);
}

/* Takes what the worker has encoded. NULL: out of memory. */
static struct parcel *wrap(const struct spill *spill, struct worker *worker,
                           const struct edge_job *job, const struct delivery *delivery)
{
    struct parcel *parcel = malloc(sizeof *parcel);
    char *line = deliver_line(spill->run, job, delivery, 1);
    if (!parcel || !line) {
        free(parcel);
        free(line);
        return NULL;
    }
    *parcel = (struct parcel){.delivery = *delivery,
                              .encoded = worker->encoded,
                              .line = line,
                              .captured_unix_ms = job->captured_unix_ms};
    buf_init(&worker->encoded, IMAGE_MAX_FILE_BYTES);
    return parcel;
}

/* NULL: it is lost, and that is told. */
static struct parcel *encode(const struct spill *spill, struct worker *worker,
                             const struct edge_job *job)
{
    struct err err = {0};
    struct delivery delivery;
    struct parcel *parcel = NULL;
    deliver_begin(spill->run, job, &delivery);
    if (deliver_encode(worker, job, &delivery, &err) == 0 &&
        !(parcel = wrap(spill, worker, job, &delivery)))
        err_set(&err, ERR_NO_MEMORY, "queue frame: out of memory");
    if (!parcel)
        lose(spill, &delivery, &err);
    return parcel;
}

/* Waits while the disk has enough to do. */
static void hand_over(struct spill *spill, struct parcel *parcel)
{
    pthread_mutex_lock(&spill->lock);
    while (spill->bytes > 0 && spill->bytes + parcel->encoded.size > SPILL_MAX_BYTES)
        pthread_cond_wait(&spill->changed, &spill->lock);
    *spill->last = parcel;
    spill->last = &parcel->next;
    spill->bytes += parcel->encoded.size;
    pthread_cond_broadcast(&spill->changed);
    pthread_mutex_unlock(&spill->lock);
}

static void close_list(struct spill *spill)
{
    pthread_mutex_lock(&spill->lock);
    spill->closed = 1;
    pthread_cond_broadcast(&spill->changed);
    pthread_mutex_unlock(&spill->lock);
}

static void *encode_all(void *argument)
{
    struct spill *spill = argument;
    struct worker worker = {.run = spill->run};
    buf_init(&worker.encoded, IMAGE_MAX_FILE_BYTES);
    for (struct edge_job *job; (job = queue_pop(spill->jobs));) {
        struct parcel *parcel = encode(spill, &worker, job);
        edge_job_destroy(job);
        if (parcel)
            hand_over(spill, parcel);
    }
    buf_finish(&worker.encoded);
    converter_destroy(worker.converter);
    close_list(spill);
    return NULL;
}

/* The whole list; NULL: it is empty and stays so. */
static struct parcel *take_all(struct spill *spill)
{
    pthread_mutex_lock(&spill->lock);
    while (!spill->first && !spill->closed)
        pthread_cond_wait(&spill->changed, &spill->lock);
    struct parcel *parcels = spill->first;
    spill->first = NULL;
    spill->last = &spill->first;
    pthread_mutex_unlock(&spill->lock);
    return parcels;
}

/* Done with it, as `err` says where the disk has not taken it. */
static struct parcel *settle(struct spill *spill, struct parcel *parcel, const struct err *err)
{
    struct parcel *next = parcel->next;
    parcel->delivery.frame.queued = !err;
    if (err) {
        lose(spill, &parcel->delivery, err);
    } else {
        parcel->delivery.frame.lost_because = "the workers are busy";
        deliver_account(spill->run, &parcel->delivery, &(struct err){0});
    }
    pthread_mutex_lock(&spill->lock);
    spill->bytes -= parcel->encoded.size;
    pthread_cond_broadcast(&spill->changed);
    pthread_mutex_unlock(&spill->lock);
    destroy(parcel);
    return next;
}

/* At least one; returns what is left. */
static struct parcel *write_some(struct spill *spill, struct parcel *parcels)
{
    struct err err = {0};
    struct spool_item items[SPOOL_BATCH];
    size_t count = 0, added;
    const struct parcel *parcel = parcels;
    do
        items[count++] = (struct spool_item){.rank = SPOOL_QUESTION,
                                             .meta = parcel->line,
                                             .unix_ms = parcel->captured_unix_ms,
                                             .data = parcel->encoded.data,
                                             .size = parcel->encoded.size};
    while ((parcel = parcel->next) && count < SPOOL_BATCH);
    added = spool_add_all(spill->run->spool, items, count, &err);
    for (size_t i = 0; i < added; i++)
        parcels = settle(spill, parcels, NULL);
    return added < count ? settle(spill, parcels, &err) : parcels;
}

static void *write_all(void *argument)
{
    struct spill *spill = argument;
    for (struct parcel *parcels; (parcels = take_all(spill));)
        while (parcels)
            parcels = write_some(spill, parcels);
    return NULL;
}

static int start_threads(struct spill *spill, struct err *err)
{
    if (pthread_create(&spill->writer, NULL, write_all, spill) == 0) {
        if (pthread_create(&spill->encoder, NULL, encode_all, spill) == 0)
            return 0;
        close_list(spill);
        pthread_join(spill->writer, NULL);
    }
    return err_set(err, ERR_NO_MEMORY, "start workers: no thread to be had");
}

static void release(struct spill *spill)
{
    queue_destroy(spill->jobs);
    pthread_cond_destroy(&spill->changed);
    pthread_mutex_destroy(&spill->lock);
    free(spill);
}

struct spill *spill_start(struct edge_run *run, struct err *err)
{
    struct spill *spill = calloc(1, sizeof *spill);
    if (!spill) {
        err_set(err, ERR_NO_MEMORY, "start workers: out of memory");
        return NULL;
    }
    spill->run = run;
    spill->last = &spill->first;
    pthread_mutex_init(&spill->lock, NULL);
    pthread_cond_init(&spill->changed, NULL);
    spill->jobs = queue_create(SPILL_FRAMES, err);
    if (spill->jobs && start_threads(spill, err) == 0)
        return spill;
    release(spill);
    return NULL;
}

int spill_push(struct spill *spill, struct edge_job *job)
{
    return queue_try_push(spill->jobs, job);
}

void spill_finish(struct spill *spill)
{
    if (!spill)
        return;
    queue_close(spill->jobs);
    pthread_join(spill->encoder, NULL);
    pthread_join(spill->writer, NULL);
    release(spill);
}
