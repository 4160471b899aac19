#include "face/parts.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The network's own priors and boxes: per candidate two scores (background, face) and a box as
 * left, top, right, bottom in parts of the input. */
enum { INPUT_WIDTH = 320, INPUT_HEIGHT = 240, MAX_PRIORS = 65536 };
static const float suppression_overlap = 0.3f;

int face_check_input(const struct model *model, const char *what, int channels, int height,
                     int width, struct err *err)
{
    const struct model_tensor *in = model_inputs(model) == 1 ? model_input(model, 0) : NULL;
    if (!in || in->rank != 4 || in->dims[0] != 1 || in->dims[1] != channels ||
        in->dims[2] != height || in->dims[3] != width)
        return err_set(err, ERR_CORRUPT, "%s network: its input is not 1x%dx%dx%d", what, channels,
                       height, width);
    return 0;
}

/* Index of the output whose rows have `columns` floats; -1 for none. */
static int find_output(const struct model *model, size_t columns)
{
    for (size_t i = 0; i < model_outputs(model); i++) {
        const struct model_tensor *out = model_output(model, i);
        if (out->rank >= 1 && out->dims[out->rank - 1] == (int)columns && out->floats >= columns)
            return (int)i;
    }
    return -1;
}

int detector_init(struct detector *detector, const struct model *model, struct pool *pool,
                  struct err *err)
{
    *detector = (struct detector){0};
    if (face_check_input(model, "detector", 3, INPUT_HEIGHT, INPUT_WIDTH, err) < 0)
        return -1;
    int scores = find_output(model, 2), boxes = find_output(model, 4);
    if (scores < 0 || boxes < 0)
        return err_set(err, ERR_CORRUPT, "detector network: no scores and boxes among its outputs");
    detector->scores_output = (size_t)scores;
    detector->boxes_output = (size_t)boxes;
    detector->priors = model_output(model, detector->scores_output)->floats / 2;
    if (detector->priors > MAX_PRIORS ||
        detector->priors != model_output(model, detector->boxes_output)->floats / 4)
        return err_set(err, ERR_CORRUPT, "detector network: scores and boxes do not match");
    detector->candidates = calloc(detector->priors, sizeof *detector->candidates);
    if (!detector->candidates)
        return err_set(err, ERR_NO_MEMORY, "no memory for the detector");
    if (image_init(&detector->input, INPUT_WIDTH, INPUT_HEIGHT, err) < 0)
        return -1;
    detector->session = session_create(model, pool, err);
    return detector->session ? 0 : -1;
}

void detector_finish(struct detector *detector)
{
    session_destroy(detector->session);
    image_finish(&detector->input);
    free(detector->candidates);
    *detector = (struct detector){0};
}

static void fill_input(struct detector *detector, const struct image *image,
                       const struct letterbox *fit)
{
    struct image *input = &detector->input, part = *input;
    part.owned = 0;
    part.width = fit->width;
    part.height = fit->height;
    if (fit->width < INPUT_WIDTH || fit->height < INPUT_HEIGHT)
        memset(input->pixels, 0, input->stride * (size_t)input->height);
    image_resize(&part, image);
    simd_kernels(simd_best())
        ->normalize_u8_f32(session_input(detector->session, 0), input->pixels,
                           (size_t)3 * INPUT_WIDTH * INPUT_HEIGHT, 127, 1 / 128.0f);
}

/* In pixels of the picture. Returns 0 for what is no box. */
static int place_box(struct face_box *box, const float *corners, const struct letterbox *fit)
{
    box->left = (float)(corners[0] * INPUT_WIDTH * fit->per_x);
    box->top = (float)(corners[1] * INPUT_HEIGHT * fit->per_y);
    box->right = (float)(corners[2] * INPUT_WIDTH * fit->per_x);
    box->bottom = (float)(corners[3] * INPUT_HEIGHT * fit->per_y);
    return box->right - box->left >= 1 && box->bottom - box->top >= 1 &&
           isfinite(box->right - box->left) && isfinite(box->bottom - box->top);
}

size_t detector_run(struct detector *detector, const struct image *image, float min_score,
                    const struct face_box **faces)
{
    struct letterbox fit = letterbox_fit(image->width, image->height, INPUT_WIDTH, INPUT_HEIGHT);
    fill_input(detector, image, &fit);
    session_run(detector->session);
    const float *scores = session_output(detector->session, detector->scores_output);
    const float *boxes = session_output(detector->session, detector->boxes_output);
    size_t count = 0;
    for (size_t i = 0; i < detector->priors; i++) {
        struct face_box *box = &detector->candidates[count];
        box->score = scores[2 * i + 1];
        if (box->score > min_score && place_box(box, boxes + 4 * i, &fit))
            count++;
    }
    *faces = detector->candidates;
    return face_suppress(detector->candidates, count, suppression_overlap);
}
