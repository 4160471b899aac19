#include "face/detection.h"
#include "face/parts.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWS = 1000 };
static const float least_overlap = 0.5f;
static const double precision_wanted = 0.95;

static struct face_box corners(const float box[4])
{
    return (struct face_box){box[0], box[1], box[0] + box[2], box[1] + box[3], 0};
}

static int by_score(const void *a, const void *b)
{
    const struct detection *first = a, *second = b;
    return (first->score < second->score) - (first->score > second->score);
}

/* The face that overlaps most among those of the kind, free ones only; NULL below the least. */
static struct true_face *find_face(struct true_face *faces, size_t count,
                                   const struct detection *detection, int ignore)
{
    struct face_box box = corners(detection->box);
    struct true_face *best = NULL;
    float most = 0;
    for (size_t i = 0; i < count; i++) {
        struct face_box other = corners(faces[i].box);
        float overlap = face_box_overlap(&box, &other);
        if (faces[i].ignore == ignore && !faces[i].found && overlap >= least_overlap &&
            overlap > most) {
            best = &faces[i];
            most = overlap;
        }
    }
    return best;
}

void detection_judge(struct true_face *faces, size_t face_count, struct detection *found,
                     size_t found_count)
{
    qsort(found, found_count, sizeof *found, by_score);
    for (size_t i = 0; i < found_count; i++) {
        struct true_face *face = find_face(faces, face_count, &found[i], 0);
        if (face)
            face->found = 1;
        found[i].hit = face ? 1 : find_face(faces, face_count, &found[i], 1) ? -1 : 0;
    }
}

static size_t drop_ignored(struct detection *found, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (found[i].hit >= 0)
            found[kept++] = found[i];
    return kept;
}

void detection_evaluate(struct detection *found, size_t count, size_t wanted,
                        struct detection_result *result)
{
    *result = (struct detection_result){.threshold = 1};
    count = drop_ignored(found, count);
    qsort(found, count, sizeof *found, by_score);
    size_t hits = 0;
    for (size_t i = 0; i < count; i++)
        hits += found[i].hit == 1;
    result->recall = (double)hits / (double)wanted;
    /* From the end: the best precision from each hit on. */
    double best = 0;
    for (size_t i = count; i-- > 0;) {
        double precision = (double)hits / (double)(i + 1);
        int whole_score = i + 1 == count || found[i + 1].score < found[i].score;
        if (whole_score && precision > best)
            best = precision;
        if (whole_score && precision >= precision_wanted && result->recall_at_95 == 0) {
            result->recall_at_95 = (double)hits / (double)wanted;
            result->threshold = (double)found[i].score;
        }
        if (found[i].hit == 1) {
            result->average_precision += best / (double)wanted;
            hits--;
        }
    }
}

/* One draw of the bootstrap: how often each photo was drawn. */
struct draw {
    unsigned *times;
    size_t wanted; /* faces in the photos drawn */
};

/* xorshift64* with a fixed start: the same list has the same interval every time. */
static uint64_t next_number(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL;
}

static void draw_photos(struct draw *draw, const size_t *wanted, size_t photos, uint64_t *state)
{
    memset(draw->times, 0, photos * sizeof *draw->times);
    draw->wanted = 0;
    for (size_t i = 0; i < photos; i++) {
        size_t photo = (size_t)((next_number(state) >> 32) * photos >> 32);
        draw->times[photo]++;
        draw->wanted += wanted[photo];
    }
}

/* recall_at_95 of the photos drawn; `found` is sorted by score. */
static double drawn_recall(const struct detection *found, size_t count, const struct draw *draw)
{
    size_t hits = 0, all = 0, best = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned times = found[i].hit >= 0 ? draw->times[found[i].photo] : 0;
        hits += found[i].hit == 1 ? times : 0;
        all += times;
        int whole_score = i + 1 == count || found[i + 1].score < found[i].score;
        if (whole_score && (double)hits >= precision_wanted * (double)all)
            best = hits;
    }
    return draw->wanted ? (double)best / (double)draw->wanted : 0;
}

static int by_value(const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

int detection_interval(struct detection *found, size_t count, const size_t *wanted, size_t photos,
                       double interval[2], struct err *err)
{
    struct draw draw = {.times = calloc(photos, sizeof *draw.times)};
    double *recalls = calloc(DRAWS, sizeof *recalls);
    if (draw.times && recalls) {
        uint64_t state = 0x9e3779b97f4a7c15ULL;
        qsort(found, count, sizeof *found, by_score);
        for (int i = 0; i < DRAWS; i++) {
            draw_photos(&draw, wanted, photos, &state);
            recalls[i] = drawn_recall(found, count, &draw);
        }
        qsort(recalls, DRAWS, sizeof *recalls, by_value);
        interval[0] = recalls[DRAWS / 40];
        interval[1] = recalls[DRAWS - 1 - DRAWS / 40];
    }
    int result = draw.times && recalls
                     ? 0
                     : err_set(err, ERR_NO_MEMORY, "no memory to draw from %zu photos", photos);
    free(draw.times);
    free(recalls);
    return result;
}
