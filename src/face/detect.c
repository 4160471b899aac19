#include "face/parts.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The network's own priors and boxes: per candidate two scores (background, face) and a box as
 * left, top, right, bottom in parts of the input. */
enum { INPUT_WIDTH = DETECT_INPUT_WIDTH, INPUT_HEIGHT = DETECT_INPUT_HEIGHT, MAX_PRIORS = 65536 };
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
    detector->proposals =
        calloc(DETECT_MAX_PROPOSALS + DETECT_VIEW_PROPOSALS, sizeof *detector->proposals);
    if (!detector->candidates || !detector->proposals)
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
    free(detector->proposals);
    *detector = (struct detector){0};
}

static void run_network(struct detector *detector)
{
    simd_kernels(simd_best())
        ->normalize_u8_f32(session_input(detector->session, 0), detector->input.pixels,
                           (size_t)3 * INPUT_WIDTH * INPUT_HEIGHT, 127, 1 / 128.0f);
    session_run(detector->session);
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
    run_network(detector);
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

/* Where the picture's part of one axis lies: in the picture and in the input. */
struct overlap {
    double low, size;
    int first, count;
};

static int find_overlap(struct overlap *out, double start, double step, int input, int picture)
{
    out->low = fmax(start, 0);
    out->size = fmin(start + input * step, picture) - out->low;
    out->first = (int)lround((out->low - start) / step);
    out->count = (int)lround((out->low + out->size - start) / step) - out->first;
    return out->size > 0 && out->first >= 0 && out->count > 0 && out->first + out->count <= input;
}

static void mirror(struct image *image)
{
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image->pixels + (size_t)y * image->stride;
        uint8_t *right = left + (size_t)3 * (size_t)(image->width - 1);
        for (; left < right; left += 3, right -= 3)
            for (int c = 0; c < 3; c++) {
                uint8_t kept = left[c];
                left[c] = right[c];
                right[c] = kept;
            }
    }
}

/* Returns 0 where the view does not meet the picture. */
static int fill_view(struct detector *detector, const struct image *image,
                     const struct detector_view *view)
{
    struct image *input = &detector->input, part = *input;
    struct overlap x, y;
    if (!find_overlap(&x, view->left, view->step, INPUT_WIDTH, image->width) ||
        !find_overlap(&y, view->top, view->step, INPUT_HEIGHT, image->height))
        return 0;
    if (x.count < INPUT_WIDTH || y.count < INPUT_HEIGHT)
        memset(input->pixels, 0, input->stride * (size_t)input->height);
    part.owned = 0;
    part.width = x.count;
    part.height = y.count;
    part.pixels += (size_t)y.first * input->stride + (size_t)3 * (size_t)x.first;
    image_resize_part(&part, image, (double[4]){x.low, y.low, x.size, y.size});
    if (view->mirrored)
        mirror(input);
    return 1;
}

static int place_in_view(struct face_box *box, const float *corners,
                         const struct detector_view *view)
{
    const struct letterbox fit = {.per_x = view->step, .per_y = view->step};
    if (!place_box(box, corners, &fit))
        return 0;
    if (view->mirrored) {
        float width = (float)(INPUT_WIDTH * view->step), left = box->left;
        box->left = width - box->right;
        box->right = width - left;
    }
    box->left += (float)view->left;
    box->right += (float)view->left;
    box->top += (float)view->top;
    box->bottom += (float)view->top;
    return 1;
}

size_t detector_look(struct detector *detector, const struct image *image,
                     const struct detector_view *view, float min_score)
{
    if (!fill_view(detector, image, view))
        return 0;
    run_network(detector);
    const float *scores = session_output(detector->session, detector->scores_output);
    const float *boxes = session_output(detector->session, detector->boxes_output);
    size_t count = 0;
    for (size_t i = 0; i < detector->priors; i++) {
        struct face_box *box = &detector->candidates[count];
        box->score = scores[2 * i + 1];
        if (box->score > min_score && place_in_view(box, boxes + 4 * i, view))
            count++;
    }
    return count;
}
