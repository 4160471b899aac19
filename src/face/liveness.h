#ifndef FACE_LIVENESS_H
#define FACE_LIVENESS_H

#include "base/err.h"
#include "image/image.h"

/* A guess whether a face is a person or a picture of one (paper, screen), from fr_liveness. It errs
 * often (docs/liveness.md): a hint for people, no protection. Belongs to one thread. */
struct liveness;

/* Opens fr_liveness.ken in `folder`. NULL on failure. */
struct liveness *liveness_create(const char *folder, struct err *err);
void liveness_destroy(struct liveness *liveness); /* NULL is fine */

/* 0 (a picture) to 1 (a person). `box` is the face's: x, y, w, h in pixels, inside the picture. */
float liveness_score(struct liveness *liveness, const struct image *image, const float box[4]);

/* The part of the picture that the network sees, x, y, w, h: 2.7 times the box, less where the
 * picture is smaller, moved inside the picture. */
void liveness_crop(double crop[4], const struct image *image, const float box[4]);

#endif
