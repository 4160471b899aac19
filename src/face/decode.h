#ifndef FACE_DECODE_H
#define FACE_DECODE_H

#include "face/parts.h"

/* What a detector's outputs mean. Which form they have is told by their number and shapes
 * (docs/networks.md); W x H is the network's input, R the rows of an output:
 *   Ultra-Light  2 outputs: R x 2 scores (background, face), R x 4 corners in parts of the input
 *   SCRFD        for each stride 8, 16, 32, R = W/stride * H/stride * 2: R x 1 scores, R x 4
 *                distances from the cell to the box's sides, in strides, and, in the form with nine
 *                outputs, R x 10 distances to the five points
 *   YuNet        for each stride 8, 16, 32, R = W/stride * H/stride: R x 1 class and R x 1 object
 *                scores, R x 4 centre (from the cell) and logarithm of the size, in strides, and
 *                R x 10 points from the cell */

enum decoder_form { FORM_ULTRA_LIGHT, FORM_SCRFD, FORM_YUNET };
enum { DECODER_LEVELS = 3 };

struct decoder_level {
    size_t stride, columns, rows;          /* cells of the input */
    size_t scores, objects, boxes, points; /* outputs' numbers */
};

struct decoder {
    enum decoder_form form;
    int width, height;                           /* of the input */
    int has_points;                              /* the five of recognizer.h come with each box */
    size_t candidates;                           /* the most that decoder_run() finds */
    struct decoder_level levels[DECODER_LEVELS]; /* Ultra-Light: the first alone, no cells */
};

/* ERR_UNSUPPORTED, with the outputs named, when they have none of the forms. */
int decoder_choose(struct decoder *decoder, const struct model *model, struct err *err) MUST_USE;

/* The candidates above `min_score` of the session's last run, in pixels of the input, not
 * suppressed; boxes that are none (no size, not a number) are left out. Returns how many. */
size_t decoder_run(const struct decoder *decoder, const struct session *session, float min_score,
                   struct face_box *candidates);

#endif
