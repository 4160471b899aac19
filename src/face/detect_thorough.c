#include "face/parts.h"

#include <math.h>
#include <string.h>

/* Large pictures. Proposals come from the whole picture and from tiles of it, at steps that halve,
 * each also mirrored; a score at one step alone tells little there (at a fine step the network
 * calls hands and knees faces), so that each proposal is looked at again, alone, in several ways.
 * How the numbers below were chosen: docs/accuracy.md. */
static const float proposal_score = 0.2f;
static const double tile_overlap = 0.3; /* of a tile's side */
static const double finest_step = 3;    /* pixels of the picture: from here on no finer tiles */
static const float proposal_overlap = 0.45f;
const float detector_face_overlap = 0.35f;

/* A look: how large the face is in the input, pixels (the square root of its area). */
struct look {
    double size;
    int mirrored, evened;
};
static const struct look looks[] = {{24, 0, 0}, {24, 1, 0}, {36, 0, 0},
                                    {36, 1, 0}, {24, 0, 1}, {36, 1, 1}};
enum { LOOKS = sizeof looks / sizeof looks[0] };

static const float look_score = 0.02f;  /* answers below are all alike */
static const float certain = 0.9995f;   /* and so are those above */
static const float hopeless = 0.1f;     /* at the first look: the others are spared */
static const float same_face = 0.4f;    /* overlap of an answer with the proposal */
static const float same_answer = 0.6f;  /* overlap of the answers that make one box */
static const double usual_shape = 0.75; /* width by height of a face */
/* Mean logits at which two looks are as good as all. */
static const double surely_none = -0.5, surely_face = 5;
static const int least_looks = 2;
/* Proposals grow at most that much, a side, when they are looked at. */
static const float most_growth = 1.4f;

/* From evidence to the logit of the probability, fitted by bench/detection_folds.c. */
static const double weights[DETECT_EVIDENCE] = {
    [EVIDENCE_LOOKS] = 1.045, [EVIDENCE_SHAPE] = -1.213, [EVIDENCE_PROPOSAL] = 0.326};
static const double offset = -0.592;

/* A box that a tile cuts is rough; the next tile has it whole. The picture's edge is no cut. */
static int is_cut(const struct face_box *box, const struct detector_view *view,
                  const struct image *image)
{
    double margin = 2 * view->step, right = view->left + DETECT_INPUT_WIDTH * view->step;
    double bottom = view->top + DETECT_INPUT_HEIGHT * view->step;
    return (view->left > 1 && (double)box->left < view->left + margin) ||
           (view->top > 1 && (double)box->top < view->top + margin) ||
           (right < image->width - 1 && (double)box->right > right - margin) ||
           (bottom < image->height - 1 && (double)box->bottom > bottom - margin);
}

static size_t at_most(size_t count, size_t limit)
{
    return count < limit ? count : limit;
}

static int is_large_enough(const struct face_box *box)
{
    float side = DETECT_MIN_SIDE / most_growth;
    return (box->right - box->left) * (box->bottom - box->top) >= side * side;
}

static size_t propose(struct detector *detector, const struct image *image,
                      const struct detector_view *view, size_t count)
{
    size_t whole = 0, found = detector_look(detector, image, view, proposal_score);
    for (size_t i = 0; i < found; i++)
        if (is_large_enough(&detector->candidates[i]) &&
            !is_cut(&detector->candidates[i], view, image))
            detector->candidates[whole++] = detector->candidates[i];
    whole = face_suppress(detector->candidates, whole, proposal_overlap);
    whole = at_most(whole, DETECT_VIEW_PROPOSALS);
    memcpy(detector->proposals + count, detector->candidates, whole * sizeof *detector->proposals);
    count += whole;
    if (count > DETECT_MAX_PROPOSALS)
        count = face_suppress(detector->proposals, count, proposal_overlap);
    return at_most(count, DETECT_MAX_PROPOSALS);
}

/* How many tiles of `tile` pixels cover `side` pixels. */
static int count_tiles(int side, double tile)
{
    return side <= tile ? 1 : 1 + (int)ceil((side - tile) / (tile * (1 - tile_overlap)));
}

static double tile_start(int side, double tile, int index, int count)
{
    return count > 1 ? (side - tile) * index / (count - 1) : 0;
}

/* The view and its mirror image: they miss different faces. */
static size_t propose_twice(struct detector *detector, const struct image *image,
                            const struct detector_view *view, size_t count)
{
    struct detector_view mirrored = *view;
    mirrored.mirrored = 1;
    count = propose(detector, image, view, count);
    return propose(detector, image, &mirrored, count);
}

static size_t propose_tiles(struct detector *detector, const struct image *image, double step,
                            size_t count)
{
    double width = DETECT_INPUT_WIDTH * step, height = DETECT_INPUT_HEIGHT * step;
    int columns = count_tiles(image->width, width), rows = count_tiles(image->height, height);
    for (int i = 0; i < rows * columns; i++) {
        struct detector_view view = {
            .left = tile_start(image->width, width, i % columns, columns),
            .top = tile_start(image->height, height, i / columns, rows),
            .step = step,
        };
        count = propose_twice(detector, image, &view, count);
    }
    return count;
}

/* One box from the answers to one look: the mean of those about the best. 0: none. */
static int answer(const struct face_box *candidates, size_t count, const struct face_box *proposal,
                  struct face_box *out)
{
    const struct face_box *best = NULL;
    for (size_t i = 0; i < count; i++)
        if ((!best || candidates[i].score > best->score) &&
            face_box_overlap(&candidates[i], proposal) >= same_face)
            best = &candidates[i];
    if (!best)
        return 0;
    struct face_box sum = {0};
    for (size_t i = 0; i < count; i++) {
        const struct face_box *box = &candidates[i];
        if (face_box_overlap(box, best) < same_answer)
            continue;
        sum.left += box->score * box->left;
        sum.top += box->score * box->top;
        sum.right += box->score * box->right;
        sum.bottom += box->score * box->bottom;
        sum.score += box->score;
    }
    *out = (struct face_box){sum.left / sum.score,   sum.top / sum.score, sum.right / sum.score,
                             sum.bottom / sum.score, best->score,         {{0}}};
    return 1;
}

static int look_at(struct detector *detector, const struct image *image,
                   const struct face_box *proposal, const struct look *look, struct face_box *out)
{
    double width = (double)proposal->right - (double)proposal->left;
    double height = (double)proposal->bottom - (double)proposal->top;
    double step = sqrt(width * height) / look->size;
    struct detector_view view = {
        .left = (double)proposal->left + width / 2 - DETECT_INPUT_WIDTH * step / 2,
        .top = (double)proposal->top + height / 2 - DETECT_INPUT_HEIGHT * step / 2,
        .step = step,
        .mirrored = look->mirrored,
        .evened = look->evened,
    };
    size_t count = detector_look(detector, image, &view, look_score);
    return answer(detector->candidates, count, proposal, out);
}

double detector_logit(float score)
{
    double p = fmin(fmax((double)score, (double)look_score), (double)certain);
    return log(p / (1 - p));
}

/* What the looks saw, added up. */
struct sight {
    int looks;
    double logits, weight, corners[4];
};

static void add_look(struct sight *sight, const struct face_box *seen)
{
    double weight = sqrt((double)seen->score);
    sight->looks++;
    sight->logits += detector_logit(seen->score);
    sight->weight += weight;
    sight->corners[0] += weight * (double)seen->left;
    sight->corners[1] += weight * (double)seen->top;
    sight->corners[2] += weight * (double)seen->right;
    sight->corners[3] += weight * (double)seen->bottom;
}

static int is_settled(const struct sight *sight)
{
    double mean = sight->logits / sight->looks;
    return sight->looks >= least_looks && (mean < surely_none || mean > surely_face);
}

int detector_study(struct detector *detector, const struct image *image,
                   const struct face_box *proposal, struct face_box *face,
                   double evidence[DETECT_EVIDENCE])
{
    struct face_box at = *proposal, seen = {0};
    look_at(detector, image, &at, &looks[0], &seen);
    if (seen.score < hopeless)
        return 0;
    at = seen; /* the proposal was rough; what the first look sees lies better */
    struct sight sight = {0};
    add_look(&sight, &seen);
    while (sight.looks < LOOKS && !is_settled(&sight)) {
        seen = (struct face_box){0};
        look_at(detector, image, &at, &looks[sight.looks], &seen);
        add_look(&sight, &seen);
    }
    for (int i = 0; i < 4; i++)
        sight.corners[i] /= sight.weight;
    double width = sight.corners[2] - sight.corners[0];
    double height = sight.corners[3] - sight.corners[1];
    if (!(width > 0 && height > 0 && width * height >= DETECT_MIN_SIDE * DETECT_MIN_SIDE))
        return 0;
    *face = (struct face_box){(float)sight.corners[0],
                              (float)sight.corners[1],
                              (float)sight.corners[2],
                              (float)sight.corners[3],
                              0,
                              {{0}}};
    evidence[EVIDENCE_LOOKS] = sight.logits / sight.looks;
    evidence[EVIDENCE_SHAPE] = fabs(log(width / height / usual_shape));
    evidence[EVIDENCE_PROPOSAL] = detector_logit(proposal->score);
    return 1;
}

size_t detector_propose(struct detector *detector, const struct image *image)
{
    double step = fmax((double)image->width / DETECT_INPUT_WIDTH,
                       (double)image->height / DETECT_INPUT_HEIGHT);
    struct detector_view whole = {.step = step};
    size_t count = propose_twice(detector, image, &whole, 0);
    do {
        step /= 2;
        count = propose_tiles(detector, image, step, count);
    } while (step > finest_step);
    return face_suppress(detector->proposals, count, proposal_overlap);
}

size_t detector_run_thorough(struct detector *detector, const struct image *image, float min_score,
                             const struct face_box **faces)
{
    size_t count = detector_propose(detector, image), kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct face_box face;
        double evidence[DETECT_EVIDENCE], logit = offset;
        if (!detector_study(detector, image, &detector->proposals[i], &face, evidence))
            continue;
        for (int j = 0; j < DETECT_EVIDENCE; j++)
            logit += weights[j] * evidence[j];
        face.score = (float)(1 / (1 + exp(-logit)));
        if (face.score > min_score)
            detector->proposals[kept++] = face;
    }
    *faces = detector->proposals;
    return face_suppress(detector->proposals, kept, detector_face_overlap);
}
