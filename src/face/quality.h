#ifndef FACE_QUALITY_H
#define FACE_QUALITY_H

#include "image/image.h"

/* How good a view of a face a picture gives: numbers with units, no verdict. What training asks of
 * them is in face/train.h; how they were checked is in docs/recognition.md. */
struct face_quality {
    float eye_distance_px; /* between the eye centres, pixels of the picture */
    float blur_px;         /* edges look smeared by a Gaussian of this standard deviation, in pixels
                              of the aligned face (112 x 112, 35 of them between the eyes), 0 to
                              QUALITY_MAX_BLUR */
    float yaw_deg;         /* turned; above 0: the nose points to the picture's right */
    float pitch_deg;       /* above 0: looks up */
    float roll_deg;        /* tilted; above 0: clockwise in the picture */
    float brightness;      /* mean grey of the face, 0 to 255 */
    float contrast;        /* standard deviation of the grey, 0 to 127 */
};

enum { QUALITY_MAX_BLUR = 16, QUALITY_POINTS = 68, QUALITY_CHIP_SIDE = 112 };

/* Yaw, pitch, roll from the 68 points (pixels of the picture, in the order of iBUG's 300-W): the
 * least-squares view, without perspective, of an average head. All 0 where the points lie on one
 * line. */
void quality_measure_pose(struct face_quality *quality, const float (*points)[2]);

/* The same, roughly, from the five points of recognizer.h, where there are no 68. */
void quality_measure_pose_from_five(struct face_quality *quality, const float (*five)[2]);

/* Blur and light of an aligned face of QUALITY_CHIP_SIDE pixels a side. */
void quality_measure_chip(struct face_quality *quality, const struct image *chip);

#endif
