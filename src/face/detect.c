#include "face/decode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float suppression_overlap = 0.3f;
enum { MAX_INPUT_SIDE = 4096 };

/* The network's score is no probability: half of what it gives 0.7 are faces. Fitted by
 * bench/detection_folds.c. */
static const double score_slope = 1.402, score_offset = -1.127;

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

static int allocate(struct detector *detector, struct err *err)
{
    detector->candidates = calloc(detector->decoder->candidates, sizeof *detector->candidates);
    detector->proposals =
        calloc(DETECT_MAX_PROPOSALS + DETECT_VIEW_PROPOSALS, sizeof *detector->proposals);
    if (!detector->candidates || !detector->proposals)
        return err_set(err, ERR_NO_MEMORY, "no memory for the detector");
    return image_init(&detector->input, detector->decoder->width, detector->decoder->height, err);
}

int detector_init(struct detector *detector, const struct model *model, struct pool *pool,
                  int exact, struct err *err)
{
    *detector = (struct detector){.use = model_use(model)};
    detector->decoder = calloc(1, sizeof *detector->decoder);
    if (!detector->decoder)
        return err_set(err, ERR_NO_MEMORY, "no memory for the detector");
    if (decoder_choose(detector->decoder, model, err) < 0)
        return -1;
    if (detector->decoder->width > MAX_INPUT_SIDE || detector->decoder->height > MAX_INPUT_SIDE)
        return err_set(err, ERR_TOO_BIG, "detector network: an input of more than %d pixels a side",
                       MAX_INPUT_SIDE);
    if (allocate(detector, err) < 0)
        return -1;
    detector->session =
        exact ? session_create_exact(model, pool, err) : session_create(model, pool, err);
    return detector->session ? 0 : -1;
}

void detector_finish(struct detector *detector)
{
    session_destroy(detector->session);
    image_finish(&detector->input);
    free(detector->decoder);
    free(detector->candidates);
    free(detector->proposals);
    *detector = (struct detector){0};
}

int detector_has_points(const struct detector *detector)
{
    return detector->decoder->has_points;
}

int detector_can_be_thorough(const struct detector *detector)
{
    const struct decoder *decoder = detector->decoder;
    return decoder->form == FORM_ULTRA_LIGHT && decoder->width == DETECT_INPUT_WIDTH &&
           decoder->height == DETECT_INPUT_HEIGHT;
}

float detector_usual_score(const struct detector *detector)
{
    static const float usual[] = {
        [FORM_ULTRA_LIGHT] = 0.7f, [FORM_SCRFD] = 0.5f, [FORM_YUNET] = 0.9f};
    return detector_can_be_thorough(detector) ? 0.5f : usual[detector->decoder->form];
}

static void run_network(struct detector *detector)
{
    face_fill_input(detector->session, &detector->input, &detector->use);
    session_run(detector->session);
}

static void fill_input(struct detector *detector, const struct image *image,
                       const struct letterbox *fit)
{
    struct image *input = &detector->input, part = *input;
    part.owned = 0;
    part.width = fit->width;
    part.height = fit->height;
    if (fit->width < input->width || fit->height < input->height)
        memset(input->pixels, 0, input->stride * (size_t)input->height);
    image_resize(&part, image);
}

/* From pixels of the input to those of the picture. Returns 0 for a box of less than a pixel. */
static int place_box(struct face_box *box, double per_x, double per_y)
{
    box->left = (float)((double)box->left * per_x);
    box->top = (float)((double)box->top * per_y);
    box->right = (float)((double)box->right * per_x);
    box->bottom = (float)((double)box->bottom * per_y);
    for (int i = 0; i < FACE_LANDMARKS; i++) {
        box->points[i][0] = (float)((double)box->points[i][0] * per_x);
        box->points[i][1] = (float)((double)box->points[i][1] * per_y);
    }
    return box->right - box->left >= 1 && box->bottom - box->top >= 1;
}

/* Whether there is anything of the picture in the box: beside it the input is black. */
static int meets(const struct face_box *box, const struct image *image)
{
    return box->right > 0 && box->bottom > 0 && box->left < (float)image->width &&
           box->top < (float)image->height;
}

size_t detector_run_raw(struct detector *detector, const struct image *image, float min_score,
                        const struct face_box **faces)
{
    struct letterbox fit =
        letterbox_fit(image->width, image->height, detector->input.width, detector->input.height);
    fill_input(detector, image, &fit);
    run_network(detector);
    struct face_box *boxes = detector->candidates;
    size_t found = decoder_run(detector->decoder, detector->session, min_score, boxes), count = 0;
    for (size_t i = 0; i < found; i++) {
        boxes[count] = boxes[i];
        count +=
            (size_t)(place_box(&boxes[count], fit.per_x, fit.per_y) && meets(&boxes[count], image));
    }
    *faces = boxes;
    return face_suppress(boxes, count, suppression_overlap);
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

size_t detector_run(struct detector *detector, const struct image *image, float min_score,
                    const struct face_box **faces)
{
    if (!detector_can_be_thorough(detector))
        return detector_run_raw(detector, image, min_score, faces);
    double p = fmin(fmax((double)min_score, 0), 1);
    double least = logistic((log(p / (1 - p)) - score_offset) / score_slope);
    size_t count = detector_run_raw(detector, image, (float)least, faces);
    for (size_t i = 0; i < count; i++) {
        double score = (double)detector->candidates[i].score;
        detector->candidates[i].score =
            (float)logistic(score_slope * log(score / (1 - score)) + score_offset);
    }
    return count;
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
    if (!find_overlap(&x, view->left, view->step, DETECT_INPUT_WIDTH, image->width) ||
        !find_overlap(&y, view->top, view->step, DETECT_INPUT_HEIGHT, image->height))
        return 0;
    if (x.count < DETECT_INPUT_WIDTH || y.count < DETECT_INPUT_HEIGHT)
        memset(input->pixels, 0, input->stride * (size_t)input->height);
    part.owned = 0;
    part.width = x.count;
    part.height = y.count;
    part.pixels += (size_t)y.first * input->stride + (size_t)3 * (size_t)x.first;
    image_resize_part(&part, image, (double[4]){x.low, y.low, x.size, y.size});
    if (view->mirrored)
        mirror(input);
    if (view->evened)
        detector_even_light(input);
    return 1;
}

/* The views are of the detector that can be thorough, which finds no points. */
static int place_in_view(struct face_box *box, const struct detector_view *view)
{
    if (!place_box(box, view->step, view->step))
        return 0;
    if (view->mirrored) {
        float width = (float)(DETECT_INPUT_WIDTH * view->step), left = box->left;
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
    struct face_box *boxes = detector->candidates;
    size_t found = decoder_run(detector->decoder, detector->session, min_score, boxes), count = 0;
    for (size_t i = 0; i < found; i++) {
        boxes[count] = boxes[i];
        count += (size_t)place_in_view(&boxes[count], view);
    }
    return count;
}
