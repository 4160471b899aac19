#include "edge/visits.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FACES = 32 };

struct visits {
    pthread_mutex_t lock;
    struct tracker *tracker;
    struct visits_listener listener;
    int64_t last_ms;
};

/* A face of an answer. */
struct voter {
    float box[4];
    const char *name; /* NULL: nobody enrolled */
    float similarity;
};

struct visits *visits_create(const struct visits_listener *listener, struct err *err)
{
    struct visits *visits = calloc(1, sizeof *visits);
    if (!visits) {
        err_set(err, ERR_NO_MEMORY, "follow faces: out of memory");
        return NULL;
    }
    pthread_mutex_init(&visits->lock, NULL);
    visits->listener = *listener;
    visits->last_ms = INT64_MIN;
    visits->tracker = tracker_create(&(struct tracker_options){0}, err);
    if (visits->tracker)
        return visits;
    visits_destroy(visits);
    return NULL;
}

void visits_destroy(struct visits *visits)
{
    if (!visits)
        return;
    tracker_destroy(visits->tracker);
    pthread_mutex_destroy(&visits->lock);
    free(visits);
}

static void tell(struct visits *visits)
{
    struct track_event event;
    while (tracker_event(visits->tracker, &event))
        visits->listener.event(visits->listener.context, &event);
}

static void see_locked(struct visits *visits, int64_t at_ms, const struct track_face *faces,
                       size_t count, uint64_t *ids)
{
    memset(ids, 0, count * sizeof *ids);
    if (at_ms <= visits->last_ms)
        return;
    visits->last_ms = at_ms;
    tracker_update(visits->tracker, at_ms, faces, count, ids);
}

void visits_see(struct visits *visits, int64_t at_ms, const struct track_face *faces, size_t count,
                uint64_t *ids)
{
    pthread_mutex_lock(&visits->lock);
    see_locked(visits, at_ms, faces, count, ids);
    tell(visits);
    pthread_mutex_unlock(&visits->lock);
}

void visits_pass_time(struct visits *visits, int64_t now_ms)
{
    uint64_t nobody;
    if (!visits)
        return;
    pthread_mutex_lock(&visits->lock);
    if (tracker_count(visits->tracker) > 0 && now_ms - visits->last_ms > VISITS_SILENCE_MS)
        see_locked(visits, visits->last_ms + TRACK_LEAVE_MS + 1, NULL, 0, &nobody);
    tell(visits);
    pthread_mutex_unlock(&visits->lock);
}

/* The faces of an answer, in the whole frame's pixels. */
static size_t read_faces(const struct answer *answer, const struct edge_job *job,
                         struct voter voters[MAX_FACES])
{
    size_t count = 0, index;
    const json_t *face;
    json_array_foreach(json_object_get(answer->body, "faces"), index, face)
    {
        const json_t *box = json_object_get(face, "box");
        if (count == MAX_FACES || json_array_size(box) != 4)
            continue;
        struct voter *voter = &voters[count++];
        for (size_t i = 0; i < 4; i++)
            voter->box[i] = (float)json_number_value(json_array_get(box, i));
        voter->box[0] += (float)job->crop[0];
        voter->box[1] += (float)job->crop[1];
        const char *name = json_string_value(json_object_get(face, "name"));
        voter->name = name && strcmp(name, EXPECT_UNKNOWN) != 0 ? name : NULL;
        voter->similarity = (float)json_number_value(json_object_get(face, "similarity"));
    }
    return count;
}

/* Whose visit a face of the answer is, by the marks in the job. */
static uint64_t visit_of(const struct edge_job *job, const float box[4])
{
    uint64_t visit = 0;
    float best = TRACK_MIN_OVERLAP;
    for (size_t i = 0; i < job->mark_count; i++) {
        float overlap = track_overlap(job->marks[i].box, box);
        if (overlap < best)
            continue;
        best = overlap;
        visit = job->marks[i].visit;
    }
    return visit;
}

void visits_answer(struct visits *visits, const struct edge_job *job, const struct answer *answer,
                   int sees)
{
    struct voter voters[MAX_FACES];
    struct track_face faces[MAX_FACES] = {0};
    uint64_t ids[MAX_FACES];
    size_t count = read_faces(answer, job, voters);
    for (size_t i = 0; i < count; i++)
        memcpy(faces[i].box, voters[i].box, sizeof faces[i].box);
    pthread_mutex_lock(&visits->lock);
    if (sees)
        see_locked(visits, job->time_ms, faces, count, ids);
    for (size_t i = 0; i < count; i++)
        tracker_vote(visits->tracker, sees ? ids[i] : visit_of(job, voters[i].box), voters[i].name,
                     voters[i].similarity, job->time_ms);
    tell(visits);
    pthread_mutex_unlock(&visits->lock);
}

int visits_going_on(struct visits *visits)
{
    pthread_mutex_lock(&visits->lock);
    int count = (int)tracker_count(visits->tracker);
    pthread_mutex_unlock(&visits->lock);
    return count;
}

void visits_end(struct visits *visits)
{
    if (!visits)
        return;
    pthread_mutex_lock(&visits->lock);
    tracker_end(visits->tracker);
    tell(visits);
    pthread_mutex_unlock(&visits->lock);
}
