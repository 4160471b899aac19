#include "face/parts.h"

enum { INPUT_SIDE = 64 };

int landmarker_init(struct landmarker *landmarker, const struct model *model, struct pool *pool,
                    struct err *err)
{
    *landmarker = (struct landmarker){0};
    if (face_check_input(model, "landmark", 1, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    if (model_outputs(model) != 1 || model_output(model, 0)->floats != 2 * LANDMARK_POINTS)
        return err_set(err, ERR_CORRUPT, "landmark network: its output is not %d points",
                       LANDMARK_POINTS);
    if (image_init(&landmarker->input, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    landmarker->session = session_create(model, pool, err);
    return landmarker->session ? 0 : -1;
}

void landmarker_finish(struct landmarker *landmarker)
{
    session_destroy(landmarker->session);
    image_finish(&landmarker->input);
    *landmarker = (struct landmarker){0};
}

/* Grey by ITU-R BT.601, in 1/256ths of full scale as the network was trained. */
static void fill_input(struct landmarker *landmarker, const struct image *image,
                       const double part[4])
{
    image_resize_part(&landmarker->input, image, part);
    float *out = session_input(landmarker->session, 0);
    const uint8_t *in = landmarker->input.pixels;
    for (int i = 0; i < INPUT_SIDE * INPUT_SIDE; i++, in += 3)
        out[i] = (0.299f * in[0] + 0.587f * in[1] + 0.114f * in[2]) / 256;
}

/* The mean of some of the 68 points, back in the picture. */
static void mean_point(float out[2], const float *points, const double part[4], const int *wanted,
                       int count)
{
    double x = 0, y = 0;
    for (int i = 0; i < count; i++) {
        x += points[2 * wanted[i]];
        y += points[2 * wanted[i] + 1];
    }
    out[0] = (float)(part[0] + part[2] * x / count);
    out[1] = (float)(part[1] + part[3] * y / count);
}

void landmarker_run(struct landmarker *landmarker, const struct image *image,
                    const struct face_box *box, float five[][2])
{
    double part[4] = {box->left, box->top, box->right - box->left, box->bottom - box->top};
    fill_input(landmarker, image, part);
    session_run(landmarker->session);
    const float *points = session_output(landmarker->session, 0);
    mean_point(five[0], points, part, (const int[]){37, 38, 40, 41}, 4); /* eyelids: the centre */
    mean_point(five[1], points, part, (const int[]){43, 44, 46, 47}, 4);
    mean_point(five[2], points, part, (const int[]){30}, 1);     /* nose tip */
    mean_point(five[3], points, part, (const int[]){48, 60}, 2); /* mouth corner, outer and inner */
    mean_point(five[4], points, part, (const int[]){54, 64}, 2);
}
