#include "face/parts.h"

#include <math.h>
#include <string.h>

/* The detector's box is rough, and the points are best where the crop lies about the face as in the
 * network's training: so the first crop is the box as the points' extent is in it on average, and
 * where the points say that this face lies otherwise, a second crop is made around them
 * (docs/accuracy.md has what each gains). */
enum { INPUT_SIDE = 64 };
static const double first_width = 1.12;     /* of the detector's box */
static const double first_centre_y = 0.09;  /* of its height: so far below its centre */
static const double second_width = 1.08;    /* of the extent of the 68 points */
static const double second_height = 1.25;   /* leaves room for the forehead, which has no points */
static const double second_centre_y = 0.55; /* where the extent's centre lies in the crop */
static const double most_difference = 0.12; /* of the two crops' places and sizes, in crops */

int landmarker_init(struct landmarker *landmarker, const struct model *model,
                    const struct session *beside, struct err *err)
{
    *landmarker = (struct landmarker){.use = model_use(model)};
    if (face_check_input(model, "landmark", 1, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    if (model_outputs(model) != 1 || model_output(model, 0)->floats != 2 * LANDMARK_POINTS)
        return err_set(err, ERR_CORRUPT, "landmark network: its output is not %d points",
                       LANDMARK_POINTS);
    if (image_init(&landmarker->input, INPUT_SIDE, INPUT_SIDE, err) < 0)
        return -1;
    landmarker->session = session_create_beside(model, beside, err);
    return landmarker->session ? 0 : -1;
}

void landmarker_finish(struct landmarker *landmarker)
{
    session_destroy(landmarker->session);
    image_finish(&landmarker->input);
    *landmarker = (struct landmarker){0};
}

/* To a grid of about 1/400 of the crop. Pixels are bytes, so that a crop moved by a hundred
 * thousandth of a pixel, which is what processors' arithmetic differs by, can have some that differ
 * by one, and then all that comes after differs by some thousandths. */
static void snap(double part[4])
{
    const double steps = 256; /* in the power of two below the side */
    for (int axis = 0; axis < 2; axis++) {
        double side = part[2 + axis], step = exp2(floor(log2(fmax(side, 1)))) / steps;
        part[axis] = round(part[axis] / step) * step;
        part[2 + axis] = fmax(round(side / step), 1) * step;
    }
}

/* The points in parts of the crop, valid until the next run. */
static const float *find_points(struct landmarker *landmarker, const struct image *image,
                                const double part[4])
{
    image_resize_part(&landmarker->input, image, part);
    face_fill_input(landmarker->session, &landmarker->input, &landmarker->use);
    session_run(landmarker->session);
    return session_output(landmarker->session, 0);
}

static void find_extent(const float *points, int axis, double *low, double *high)
{
    *low = *high = points[axis];
    for (int i = 1; i < LANDMARK_POINTS; i++) {
        *low = fmin(*low, points[2 * i + axis]);
        *high = fmax(*high, points[2 * i + axis]);
    }
}

static void crop_around(const float *points, const double first[4], double second[4])
{
    double left, right, top, bottom;
    find_extent(points, 0, &left, &right);
    find_extent(points, 1, &top, &bottom);
    second[2] = first[2] * (right - left) * second_width;
    second[3] = first[3] * (bottom - top) * second_height;
    second[0] = first[0] + first[2] * (left + right) / 2 - second[2] / 2;
    second[1] = first[1] + first[3] * (top + bottom) / 2 - second[3] * second_centre_y;
}

/* The largest difference of two crops: of their centres and their sizes, in parts of the first. */
static double difference(const double first[4], const double second[4])
{
    double most = 0;
    for (int axis = 0; axis < 2; axis++) {
        double size = first[2 + axis], grown = second[2 + axis] - size;
        double moved = second[axis] - first[axis] + grown / 2;
        most = fmax(most, fmax(fabs(moved), fabs(grown)) / size);
    }
    return most;
}

void landmarker_run(struct landmarker *landmarker, const struct image *image,
                    const struct face_box *box, float (*points)[2])
{
    double width = first_width * (box->right - box->left), height = box->bottom - box->top;
    double part[4] = {(box->left + box->right - width) / 2, box->top + first_centre_y * height,
                      width, height};
    double second[4];
    snap(part);
    const float *found = find_points(landmarker, image, part);
    crop_around(found, part, second);
    if (difference(part, second) > most_difference) {
        memcpy(part, second, sizeof part);
        snap(part);
        found = find_points(landmarker, image, part);
    }
    for (int i = 0; i < LANDMARK_POINTS; i++, found += 2) {
        points[i][0] = (float)(part[0] + part[2] * found[0]);
        points[i][1] = (float)(part[1] + part[3] * found[1]);
    }
}

/* The mean of some of the points. */
static void mean_point(float out[2], const float (*points)[2], const int *wanted, int count)
{
    double x = 0, y = 0;
    for (int i = 0; i < count; i++) {
        x += points[wanted[i]][0];
        y += points[wanted[i]][1];
    }
    out[0] = (float)(x / count);
    out[1] = (float)(y / count);
}

void landmarks_reduce(float (*five)[2], const float (*points)[2])
{
    mean_point(five[0], points, (const int[]){37, 38, 40, 41}, 4); /* eyelids: the centre */
    mean_point(five[1], points, (const int[]){43, 44, 46, 47}, 4);
    mean_point(five[2], points, (const int[]){30}, 1);     /* nose tip */
    mean_point(five[3], points, (const int[]){48, 60}, 2); /* mouth corner, outer and inner */
    mean_point(five[4], points, (const int[]){54, 64}, 2);
}
