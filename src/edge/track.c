#include "edge/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct track {
    uint64_t visit; /* 0: free */
    int64_t entered_ms, seen_ms;
    float box[4], speed[4]; /* pixels; pixels a millisecond */
    int frames, entered, has_embedding;
    struct ballot ballot;
    float embedding[TRACK_EMBEDDING_FLOATS];
};

struct tracker {
    struct tracker_options options;
    struct track tracks[TRACK_MAX];
    uint64_t last_visit;
    struct track_event events[TRACK_MAX_EVENTS];
    size_t first, waiting;
};

/* How much of a step's surprise goes into the place and the speed: an alpha-beta filter, which is
 * what a Kalman filter of constant noise becomes. */
static const float place_gain = 0.7f, speed_gain = 0.2f;
enum { MAX_PREDICTION_MS = 500 };

const char *track_event_name(enum track_event_kind kind)
{
    static const char *const names[] = {"enter", "name", "leave"};
    return names[kind];
}

struct tracker *tracker_create(const struct tracker_options *options, struct err *err)
{
    struct tracker *tracker = calloc(1, sizeof *tracker);
    if (!tracker) {
        err_set(err, ERR_NO_MEMORY, "follow faces: out of memory");
        return NULL;
    }
    tracker->options = *options;
    if (tracker->options.leave_ms <= 0)
        tracker->options.leave_ms = TRACK_LEAVE_MS;
    if (tracker->options.enter_frames <= 0)
        tracker->options.enter_frames = TRACK_ENTER_FRAMES;
    return tracker;
}

void tracker_destroy(struct tracker *tracker)
{
    if (!tracker)
        return;
    explicit_bzero(tracker, sizeof *tracker); /* embeddings */
    free(tracker);
}

float track_overlap(const float a[4], const float b[4])
{
    float width = fminf(a[0] + a[2], b[0] + b[2]) - fmaxf(a[0], b[0]);
    float height = fminf(a[1] + a[3], b[1] + b[3]) - fmaxf(a[1], b[1]);
    if (!(width > 0) || !(height > 0))
        return 0;
    float shared = width * height;
    return shared / (a[2] * a[3] + b[2] * b[3] - shared);
}

static void tell(struct tracker *tracker, const struct track *track, enum track_event_kind kind,
                 int64_t at_ms)
{
    if (tracker->waiting == TRACK_MAX_EVENTS)
        return;
    size_t at = (tracker->first + tracker->waiting++) % TRACK_MAX_EVENTS;
    struct track_event *event = &tracker->events[at];
    const char *name = ballot_name(&track->ballot);
    *event = (struct track_event){.kind = kind,
                                  .visit = track->visit,
                                  .at_ms = at_ms,
                                  .entered_ms = track->entered_ms,
                                  .has_name = name != NULL,
                                  .similarity = ballot_similarity(&track->ballot),
                                  .looks = track->ballot.votes};
    memcpy(event->box, track->box, sizeof event->box);
    if (name)
        memcpy(event->name, name, sizeof event->name);
}

int tracker_event(struct tracker *tracker, struct track_event *event)
{
    if (tracker->waiting == 0)
        return 0;
    *event = tracker->events[tracker->first];
    tracker->first = (tracker->first + 1) % TRACK_MAX_EVENTS;
    tracker->waiting--;
    return 1;
}

static void enter(struct tracker *tracker, struct track *track)
{
    if (track->entered)
        return;
    track->entered = 1;
    tell(tracker, track, TRACK_ENTER, track->entered_ms);
}

static void leave(struct tracker *tracker, struct track *track)
{
    if (track->entered)
        tell(tracker, track, TRACK_LEAVE, track->seen_ms);
    *track = (struct track){0};
}

static void predict(const struct track *track, int64_t at_ms, float box[4])
{
    float ms = (float)(at_ms - track->seen_ms);
    ms = fminf(fmaxf(ms, 0), MAX_PREDICTION_MS);
    for (int i = 0; i < 4; i++)
        box[i] = track->box[i] + track->speed[i] * ms;
}

static float cosine(const float *a, const float *b)
{
    float sum = 0;
    for (int i = 0; i < TRACK_EMBEDDING_FLOATS; i++)
        sum += a[i] * b[i];
    return sum;
}

/* How well a face fits a visit: overlapping ones first (2 to 3), then those that look alike (1 to
 * 2), then near ones of like size (0 to 1); -1: not at all. */
static float fit(const struct track *track, const struct track_face *face, int64_t at_ms)
{
    float box[4];
    predict(track, at_ms, box);
    float overlap = track_overlap(box, face->box);
    if (overlap >= TRACK_MIN_OVERLAP)
        return 2 + overlap;
    if (track->has_embedding && face->embedding) {
        float alike = cosine(track->embedding, face->embedding);
        return alike >= TRACK_SAME_FACE ? 1 + alike : -1;
    }
    float side = fmaxf(sqrtf(fmaxf(box[2] * box[3], 1)), 1);
    float ratio = sqrtf(fmaxf(face->box[2] * face->box[3], 1)) / side;
    float away = hypotf(face->box[0] + face->box[2] / 2 - box[0] - box[2] / 2,
                        face->box[1] + face->box[3] / 2 - box[1] - box[3] / 2);
    return ratio > 0.5f && ratio < 2 && away < side ? 1 - away / side : -1;
}

static void follow(struct track *track, const struct track_face *face, int64_t at_ms)
{
    float box[4], ms = fmaxf((float)(at_ms - track->seen_ms), 1);
    predict(track, at_ms, box);
    for (int i = 0; i < 4; i++) {
        float surprise = face->box[i] - box[i];
        track->box[i] = box[i] + place_gain * surprise;
        track->speed[i] += speed_gain * surprise / ms;
    }
    if (ms > MAX_PREDICTION_MS) { /* too long ago to know a speed */
        memcpy(track->box, face->box, sizeof track->box);
        memset(track->speed, 0, sizeof track->speed);
    }
    if (face->embedding) {
        memcpy(track->embedding, face->embedding, sizeof track->embedding);
        track->has_embedding = 1;
    }
    track->seen_ms = at_ms;
    track->frames++;
}

static struct track *begin(struct tracker *tracker, const struct track_face *face, int64_t at_ms)
{
    for (size_t i = 0; i < TRACK_MAX; i++) {
        struct track *track = &tracker->tracks[i];
        if (track->visit)
            continue;
        *track =
            (struct track){.visit = ++tracker->last_visit, .entered_ms = at_ms, .seen_ms = at_ms};
        ballot_init(&track->ballot);
        memcpy(track->box, face->box, sizeof track->box);
        follow(track, face, at_ms);
        return track;
    }
    return NULL;
}

/* The best fit of all visits that no face of this frame has yet, and faces without a visit. */
static struct track *best_pair(struct tracker *tracker, int64_t at_ms,
                               const struct track_face *faces, size_t count, uint64_t *visits,
                               size_t *face)
{
    struct track *best = NULL;
    float best_fit = -1;
    for (size_t t = 0; t < TRACK_MAX; t++) {
        struct track *track = &tracker->tracks[t];
        if (!track->visit || track->seen_ms >= at_ms)
            continue;
        for (size_t i = 0; i < count; i++) {
            float now = visits[i] ? -1 : fit(track, &faces[i], at_ms);
            if (now <= best_fit)
                continue;
            best_fit = now;
            best = track;
            *face = i;
        }
    }
    return best;
}

void tracker_update(struct tracker *tracker, int64_t at_ms, const struct track_face *faces,
                    size_t count, uint64_t *visits)
{
    struct track *track;
    size_t face;
    memset(visits, 0, count * sizeof *visits);
    for (size_t t = 0; t < TRACK_MAX; t++) /* before anybody takes over a place that is long left */
        if (tracker->tracks[t].visit &&
            at_ms - tracker->tracks[t].seen_ms > tracker->options.leave_ms)
            leave(tracker, &tracker->tracks[t]);
    while ((track = best_pair(tracker, at_ms, faces, count, visits, &face))) {
        follow(track, &faces[face], at_ms);
        visits[face] = track->visit;
        if (track->frames >= tracker->options.enter_frames)
            enter(tracker, track);
    }
    for (size_t i = 0; i < count; i++) {
        struct track *fresh = visits[i] ? NULL : begin(tracker, &faces[i], at_ms);
        if (fresh)
            visits[i] = fresh->visit;
        if (fresh && tracker->options.enter_frames <= 1)
            enter(tracker, fresh);
    }
}

void tracker_vote(struct tracker *tracker, uint64_t visit, const char *name, float similarity,
                  int64_t at_ms)
{
    for (size_t t = 0; t < TRACK_MAX && visit; t++) {
        struct track *track = &tracker->tracks[t];
        if (track->visit != visit)
            continue;
        enter(tracker, track);
        if (ballot_vote(&track->ballot, name, similarity))
            tell(tracker, track, TRACK_NAME, at_ms);
        return;
    }
}

size_t tracker_count(const struct tracker *tracker)
{
    size_t count = 0;
    for (size_t t = 0; t < TRACK_MAX; t++)
        count += tracker->tracks[t].visit != 0;
    return count;
}

void tracker_end(struct tracker *tracker)
{
    for (size_t t = 0; t < TRACK_MAX; t++)
        if (tracker->tracks[t].visit)
            leave(tracker, &tracker->tracks[t]);
}
