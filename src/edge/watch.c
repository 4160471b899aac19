#include "edge/watch.h"

#include "edge/shot.h"
#include "edge/visits.h"
#include "face/recognizer.h"
#include "video/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_FRAMES = 4, MAX_FACES = 32 };
/* What a crop shows around a face, in parts of its box: the detector wants some background. */
static const float crop_margin = 0.7f;

/* The best picture of a visit so far. */
struct best {
    uint64_t visit; /* 0: free */
    int64_t seen_ms;
    struct shot shot;
    struct edge_job *job; /* NULL: none waits */
};

struct watch {
    struct edge_run *run;
    struct queue *queue;
    pthread_t thread;
    struct face_models *models;
    struct recognizer *recognizer;
    struct converter *converter;
    struct face *faces;
    struct best best[TRACK_MAX];
    int64_t last_look_ms;
    atomic_int busy;
    int said_failure;
};

static void destroy(struct watch *watch)
{
    queue_destroy(watch->queue);
    recognizer_destroy(watch->recognizer);
    face_models_close(watch->models);
    converter_destroy(watch->converter);
    free(watch->faces);
    free(watch);
}

static int whole_frame_is_sent(const struct edge_options *options)
{
    return !options->when_face && !options->best_shot && !options->crop;
}

/* --best-shot needs the quality, which the landmarks tell; the others only where faces are. */
static int find_faces(struct watch *watch, const struct image *image, struct err *err)
{
    if (watch->run->options->best_shot)
        return recognizer_run(watch->recognizer, image, watch->faces, MAX_FACES, NULL, err);
    return recognizer_detect(watch->recognizer, image, watch->faces, MAX_FACES, err);
}

static int look(struct watch *watch, const struct edge_job *job)
{
    struct err err = {0};
    struct image image;
    int count = converter_run(watch->converter, job->picture, &image, &err);
    if (count == 0)
        count = find_faces(watch, &image, &err);
    if (count < 0 && !watch->said_failure) {
        edge_notice(watch->run, "look for faces: %s", err.message);
        watch->said_failure = 1;
    }
    return count < 0 ? 0 : count;
}

static void follow(struct watch *watch, struct edge_job *job, int count, uint64_t ids[MAX_FACES])
{
    struct track_face faces[MAX_FACES] = {0};
    for (int i = 0; i < count; i++) {
        memcpy(faces[i].box, watch->faces[i].box, sizeof faces[i].box);
        if (watch->run->options->best_shot)
            faces[i].embedding = watch->faces[i].embedding;
    }
    visits_see(watch->run->visits, job->time_ms, faces, (size_t)count, ids);
    for (int i = 0; i < count && job->mark_count < EDGE_MAX_MARKS; i++) {
        struct edge_mark *mark = &job->marks[job->mark_count++];
        mark->visit = ids[i];
        memcpy(mark->box, faces[i].box, sizeof mark->box);
    }
}

/* The part of the frame around faces `first` to `last`. */
static void crop_to(const struct watch *watch, struct edge_job *job, int first, int last)
{
    float left = INFINITY, top = INFINITY, right = 0, bottom = 0;
    for (int i = first; i <= last; i++) {
        const float *box = watch->faces[i].box;
        left = fminf(left, box[0] - crop_margin * box[2]);
        top = fminf(top, box[1] - crop_margin * box[3]);
        right = fmaxf(right, box[0] + (1 + crop_margin) * box[2]);
        bottom = fmaxf(bottom, box[1] + (1 + crop_margin) * box[3]);
    }
    int width, height;
    picture_size(job->picture, &width, &height);
    job->crop[0] = (int)fmaxf(left, 0);
    job->crop[1] = (int)fmaxf(top, 0);
    job->crop[2] = (int)fminf(right, (float)width) - job->crop[0];
    job->crop[3] = (int)fminf(bottom, (float)height) - job->crop[1];
    if (job->crop[2] < FACE_MIN_PICTURE_SIDE || job->crop[3] < FACE_MIN_PICTURE_SIDE)
        memset(job->crop, 0, sizeof job->crop);
}

static struct best *best_of(struct watch *watch, uint64_t visit, int64_t at_ms)
{
    struct best *free_one = NULL;
    for (size_t i = 0; i < TRACK_MAX; i++) {
        if (watch->best[i].visit == visit)
            return &watch->best[i];
        if (!watch->best[i].visit && !free_one)
            free_one = &watch->best[i];
    }
    if (free_one) {
        *free_one = (struct best){.visit = visit};
        shot_begin(&free_one->shot, at_ms);
    }
    return free_one;
}

/* Keep this frame for face `i`'s visit where it is the best so far. */
static void offer(struct watch *watch, const struct edge_job *job, int i, uint64_t visit)
{
    struct err err;
    const struct face *face = &watch->faces[i];
    struct best *best = visit ? best_of(watch, visit, job->time_ms) : NULL;
    if (!best)
        return;
    best->seen_ms = job->time_ms;
    if (!shot_offer(&best->shot, shot_quality(&face->quality, face->score)))
        return;
    struct edge_job *copy = edge_job_copy(job, &err);
    if (!copy)
        return;
    copy->visit = visit;
    if (watch->run->options->crop)
        crop_to(watch, copy, i, i);
    edge_job_destroy(best->job);
    best->job = copy;
}

/* Send what is due; at the end everything that waits. */
static void send_due(struct watch *watch, int64_t at_ms, int at_end)
{
    for (size_t i = 0; i < TRACK_MAX; i++) {
        struct best *best = &watch->best[i];
        int leaving = at_end || at_ms - best->seen_ms > TRACK_LEAVE_MS;
        if (!best->visit)
            continue;
        if (best->job && shot_due(&best->shot, at_ms, leaving)) {
            edge_send(watch->run, best->job);
            best->job = NULL;
            shot_sent(&best->shot, at_ms);
        }
        if (!leaving)
            continue;
        edge_job_destroy(best->job);
        *best = (struct best){0};
    }
}

/* Whether the frame itself goes; a best shot goes as a copy. */
static int goes_on(struct watch *watch, struct edge_job *job, int count)
{
    const struct edge_options *options = watch->run->options;
    if (!job->sampled || options->best_shot ||
        (count == 0 && (options->when_face || options->crop)))
        return 0;
    if (options->crop)
        crop_to(watch, job, 0, count - 1);
    return 1;
}

static void handle(struct watch *watch, struct edge_job *job)
{
    uint64_t ids[MAX_FACES] = {0};
    int count = look(watch, job);
    atomic_store(&watch->busy, count > 0);
    follow(watch, job, count, ids);
    for (int i = 0; i < count && watch->run->options->best_shot; i++)
        offer(watch, job, i, ids[i]);
    send_due(watch, job->time_ms, 0);
    if (goes_on(watch, job, count))
        edge_send(watch->run, job);
    else
        edge_job_destroy(job);
}

static void *work(void *argument)
{
    struct watch *watch = argument;
    for (struct edge_job *job; (job = queue_pop(watch->queue));)
        handle(watch, job);
    send_due(watch, 0, 1);
    return NULL;
}

static int open_networks(struct watch *watch, struct err *err)
{
    watch->models = face_models_open(watch->run->options->local->models, err);
    watch->recognizer = watch->models ? recognizer_create(watch->models, NULL, err) : NULL;
    if (watch->recognizer && !watch->run->options->best_shot)
        face_models_rest(watch->models);
    return watch->recognizer ? 0 : -1;
}

struct watch *watch_start(struct edge_run *run, struct err *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    struct face *faces = calloc(MAX_FACES, sizeof *faces);
    if (!watch || !faces) {
        free(watch);
        free(faces);
        err_set(err, ERR_NO_MEMORY, "look for faces: out of memory");
        return NULL;
    }
    watch->run = run;
    watch->faces = faces;
    watch->last_look_ms = INT64_MIN / 2;
    if (open_networks(watch, err) < 0 || !(watch->converter = converter_create(err)) ||
        !(watch->queue = queue_create(QUEUE_FRAMES, err))) {
        destroy(watch);
        return NULL;
    }
    if (pthread_create(&watch->thread, NULL, work, watch) != 0) {
        err_set(err, ERR_NO_MEMORY, "look for faces: no thread to be had");
        destroy(watch);
        return NULL;
    }
    return watch;
}

int watch_wants(struct watch *watch, int64_t time_ms)
{
    int pause_ms = atomic_load(&watch->busy) ? WATCH_BUSY_MS : WATCH_IDLE_MS;
    if (time_ms - watch->last_look_ms < pause_ms)
        return 0;
    watch->last_look_ms = time_ms;
    return 1;
}

void watch_look(struct watch *watch, struct edge_job *job)
{
    int waits = !watch->run->options->source.real_time;
    if ((waits ? queue_push(watch->queue, job) : queue_try_push(watch->queue, job)) == 0)
        return;
    /* Too slow to look at every frame: one that is to be sent anyway goes unseen. */
    if (job->sampled && whole_frame_is_sent(watch->run->options))
        edge_send(watch->run, job);
    else
        edge_job_destroy(job);
}

void watch_stop(struct watch *watch)
{
    if (!watch)
        return;
    queue_close(watch->queue);
    pthread_join(watch->thread, NULL);
    destroy(watch);
}
