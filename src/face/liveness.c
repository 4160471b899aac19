#include "face/liveness.h"
#include "face/parts.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>

enum { INPUT_SIDE = 128, CLASSES = 3, CLASS_REAL = 0 /* by measurement: docs/liveness.md */ };
static const double surroundings = 2.7; /* of the face's box: edges of paper and screens show */

struct liveness {
    struct model *model;
    struct session *session;
    struct image input;
    struct model_use use;
};

static int start(struct liveness *liveness, struct err *err)
{
    if (face_check_input(liveness->model, "liveness", 3, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    if (model_outputs(liveness->model) != 1 || model_output(liveness->model, 0)->floats != CLASSES)
        return err_set(err, ERR_CORRUPT, "liveness network: its output is not %d classes", CLASSES);
    if (image_init(&liveness->input, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    liveness->session = session_create(liveness->model, NULL, err);
    return liveness->session ? 0 : -1;
}

struct liveness *liveness_create(const char *folder, struct err *err)
{
    struct liveness *liveness = calloc(1, sizeof *liveness);
    if (!liveness) {
        err_set(err, ERR_NO_MEMORY, "open models in %s: no memory", folder);
        return NULL;
    }
    liveness->model = face_model_open(folder, ROLE_LIVENESS, err);
    if (liveness->model)
        liveness->use = model_use(liveness->model);
    if (liveness->model && start(liveness, err) == 0)
        return liveness;
    liveness_destroy(liveness);
    return NULL;
}

void liveness_destroy(struct liveness *liveness)
{
    if (!liveness)
        return;
    session_destroy(liveness->session);
    model_close(liveness->model);
    image_finish(&liveness->input);
    free(liveness);
}

void liveness_crop(double crop[4], const struct image *image, const float box[4])
{
    double width = fmax((double)box[2], 1), height = fmax((double)box[3], 1);
    double scale = fmin(surroundings, fmin(image->width / width, image->height / height));
    crop[2] = width * scale;
    crop[3] = height * scale;
    double x = (double)box[0] + width / 2 - crop[2] / 2;
    double y = (double)box[1] + height / 2 - crop[3] / 2;
    crop[0] = fmax(fmin(x, image->width - crop[2]), 0);
    crop[1] = fmax(fmin(y, image->height - crop[3]), 0);
}

float liveness_score(struct liveness *liveness, const struct image *image, const float box[4])
{
    double crop[4];
    simd_flush_denormals();
    liveness_crop(crop, image, box);
    image_resize_part(&liveness->input, image, crop);
    face_fill_input(liveness->session, &liveness->input, &liveness->use);
    session_run(liveness->session);
    const float *classes = session_output(liveness->session, 0);
    double sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += exp((double)classes[i] - (double)classes[CLASS_REAL]);
    return sum > 0 ? (float)(1 / sum) : 0;
}
