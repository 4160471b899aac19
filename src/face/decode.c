#include "face/decode.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CANDIDATES = 1 << 20, ANCHORS = 2 /* SCRFD: boxes a cell */, POINT_FLOATS = 10 };

/* Rows of `columns` floats; 0 for an output of another shape. */
static size_t rows_of(const struct model_tensor *t, size_t columns)
{
    if (t->rank < 2 || t->rank > 3 || t->dims[t->rank - 1] != (int)columns)
        return 0;
    return t->floats / columns;
}

/* The next output of this shape that is not taken yet; -1 for none. */
static int take_output(const struct model *model, size_t rows, size_t columns, unsigned *taken)
{
    for (size_t i = 0; i < model_outputs(model); i++)
        if (!(*taken >> i & 1) && rows_of(model_output(model, i), columns) == rows) {
            *taken |= 1U << i;
            return (int)i;
        }
    return -1;
}

static int choose_ultra_light(struct decoder *d, const struct model *model)
{
    struct decoder_level *level = &d->levels[0];
    for (size_t i = 0; i < 2; i++) {
        size_t rows = rows_of(model_output(model, i), 2);
        if (rows && rows == rows_of(model_output(model, 1 - i), 4)) {
            *level = (struct decoder_level){.scores = i, .boxes = 1 - i, .rows = rows};
            d->form = FORM_ULTRA_LIGHT;
            d->candidates = rows;
            return 1;
        }
    }
    return 0;
}

static int choose_level(struct decoder *d, const struct model *model, struct decoder_level *level,
                        unsigned *taken)
{
    size_t rows = level->columns * level->rows * (d->form == FORM_SCRFD ? ANCHORS : 1);
    int scores = take_output(model, rows, 1, taken);
    int objects = d->form == FORM_YUNET ? take_output(model, rows, 1, taken) : 0;
    int boxes = take_output(model, rows, 4, taken);
    int points = d->has_points ? take_output(model, rows, POINT_FLOATS, taken) : 0;
    if (scores < 0 || objects < 0 || boxes < 0 || points < 0)
        return 0;
    level->scores = (size_t)scores;
    level->objects = (size_t)objects;
    level->boxes = (size_t)boxes;
    level->points = (size_t)points;
    d->candidates += rows;
    return 1;
}

/* SCRFD and YuNet: three levels of cells. */
static int choose_cells(struct decoder *d, const struct model *model, enum decoder_form form,
                        int has_points)
{
    unsigned taken = 0;
    d->form = form;
    d->has_points = has_points;
    d->candidates = 0;
    for (size_t i = 0; i < DECODER_LEVELS; i++) {
        size_t stride = (size_t)8 << i;
        d->levels[i] = (struct decoder_level){.stride = stride,
                                              .columns = (size_t)d->width / stride,
                                              .rows = (size_t)d->height / stride};
        if (!choose_level(d, model, &d->levels[i], &taken))
            return 0;
    }
    return 1;
}

static int refuse(const struct model *model, struct err *err)
{
    char text[160] = "";
    size_t length = 0;
    for (size_t i = 0; i < model_outputs(model) && length < sizeof text - 40; i++) {
        const struct model_tensor *t = model_output(model, i);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%.20s ", i ? ", " : "",
                                   t->name);
        for (int k = 0; k < t->rank && length < sizeof text - 12; k++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%d", k ? "x" : "",
                                       t->dims[k]);
    }
    return err_set(err, ERR_UNSUPPORTED,
                   "detector network: its %zu outputs (%s%s) have none of the forms that ken "
                   "decodes: Ultra-Light, SCRFD or YuNet",
                   model_outputs(model), text, length >= sizeof text - 40 ? ", ..." : "");
}

int decoder_choose(struct decoder *decoder, const struct model *model, struct err *err)
{
    const struct model_tensor *in = model_inputs(model) == 1 ? model_input(model, 0) : NULL;
    *decoder = (struct decoder){0};
    if (!in || in->rank != 4 || in->dims[0] != 1 || in->dims[1] != 3)
        return err_set(err, ERR_CORRUPT, "detector network: its input is no picture (1x3xHxW)");
    decoder->height = in->dims[2];
    decoder->width = in->dims[3];
    size_t outputs = model_outputs(model);
    int whole_cells = in->dims[2] % 32 == 0 && in->dims[3] % 32 == 0;
    int found = 0;
    if (outputs == 2)
        found = choose_ultra_light(decoder, model);
    else if (outputs == 6 || outputs == 9)
        found = whole_cells && choose_cells(decoder, model, FORM_SCRFD, outputs == 9);
    else if (outputs == 12)
        found = whole_cells && choose_cells(decoder, model, FORM_YUNET, 1);
    if (!found)
        return refuse(model, err);
    return decoder->candidates > MAX_CANDIDATES
               ? err_set(err, ERR_TOO_BIG, "detector network: more than %d candidates",
                         MAX_CANDIDATES)
               : 0;
}

static int is_box(const struct face_box *box)
{
    return box->right - box->left > 0 && box->bottom - box->top > 0 &&
           isfinite(box->right - box->left) && isfinite(box->bottom - box->top);
}

static size_t run_ultra_light(const struct decoder *d, const struct session *session,
                              float min_score, struct face_box *out)
{
    const float *scores = session_output(session, d->levels[0].scores);
    const float *boxes = session_output(session, d->levels[0].boxes);
    size_t count = 0;
    for (size_t i = 0; i < d->candidates; i++, boxes += 4) {
        if (!(scores[2 * i + 1] > min_score))
            continue;
        out[count] = (struct face_box){
            boxes[0] * (float)d->width,  boxes[1] * (float)d->height, boxes[2] * (float)d->width,
            boxes[3] * (float)d->height, scores[2 * i + 1],           {{0}},
        };
        count += (size_t)is_box(&out[count]);
    }
    return count;
}

/* One candidate of a level: the outputs' row `at`, about the cell's corner (x, y) in pixels. */
struct cell {
    const float *box, *points;
    float x, y, stride;
};

static void place_scrfd(struct face_box *out, const struct cell *cell)
{
    out->left = cell->x - cell->box[0] * cell->stride;
    out->top = cell->y - cell->box[1] * cell->stride;
    out->right = cell->x + cell->box[2] * cell->stride;
    out->bottom = cell->y + cell->box[3] * cell->stride;
}

static void place_yunet(struct face_box *out, const struct cell *cell)
{
    float x = cell->x + cell->box[0] * cell->stride, y = cell->y + cell->box[1] * cell->stride;
    float width = expf(cell->box[2]) * cell->stride, height = expf(cell->box[3]) * cell->stride;
    out->left = x - width / 2;
    out->top = y - height / 2;
    out->right = x + width / 2;
    out->bottom = y + height / 2;
}

/* Returns 0 where a point is no number. */
static int place_points(struct face_box *out, const struct cell *cell)
{
    float sum = 0;
    for (size_t i = 0; i < FACE_LANDMARKS; i++) {
        out->points[i][0] = cell->x + cell->points[2 * i] * cell->stride;
        out->points[i][1] = cell->y + cell->points[2 * i + 1] * cell->stride;
        sum += out->points[i][0] + out->points[i][1];
    }
    return isfinite(sum);
}

static float clamp_score(float score)
{
    return score < 0 ? 0.0f : score > 1 ? 1.0f : score;
}

static size_t run_level(const struct decoder *d, const struct decoder_level *level,
                        const struct session *session, float min_score, struct face_box *out)
{
    const float *scores = session_output(session, level->scores);
    const float *objects = session_output(session, level->objects);
    const float *boxes = session_output(session, level->boxes);
    const float *points = session_output(session, level->points);
    size_t anchors = d->form == FORM_SCRFD ? ANCHORS : 1, count = 0;
    for (size_t i = 0; i < level->columns * level->rows * anchors; i++) {
        float score = clamp_score(scores[i]);
        if (d->form == FORM_YUNET)
            score = sqrtf(score * clamp_score(objects[i]));
        if (!(score > min_score))
            continue;
        size_t place = i / anchors;
        const struct cell cell = {
            .box = boxes + 4 * i,
            .points = d->has_points ? points + POINT_FLOATS * i : NULL,
            .x = (float)(place % level->columns * level->stride),
            .y = (float)(place / level->columns * level->stride),
            .stride = (float)level->stride,
        };
        struct face_box *box = &out[count];
        *box = (struct face_box){.score = score};
        (d->form == FORM_SCRFD ? place_scrfd : place_yunet)(box, &cell);
        count += (size_t)(is_box(box) && (!d->has_points || place_points(box, &cell)));
    }
    return count;
}

size_t decoder_run(const struct decoder *decoder, const struct session *session, float min_score,
                   struct face_box *candidates)
{
    if (decoder->form == FORM_ULTRA_LIGHT)
        return run_ultra_light(decoder, session, min_score, candidates);
    size_t count = 0;
    for (size_t i = 0; i < DECODER_LEVELS; i++)
        count += run_level(decoder, &decoder->levels[i], session, min_score, candidates + count);
    return count;
}
