#ifndef FACE_HEAD_H
#define FACE_HEAD_H

#include "base/err.h"
#include "face/rows.h"

#include <stddef.h>
#include <stdint.h>

/* A trained head: a linear correction of embeddings, fitted to the people of a gallery and kept
 * with it. What is compared is head(x) = (x + D x) / |x + D x|, for templates and faces alike, so a
 * person added later needs no training. D is kept as bytes with a scale a row. */
struct head {
    int8_t rows[ROW_VALUES][ROW_VALUES];
    float scales[ROW_VALUES]; /* of a row: 0 to HEAD_MAX_SCALE */
};

#define HEAD_MAX_SCALE 1.0f

/* As D rounds to bytes: no finer than that is anything measured. `correction` is ROW_VALUES x
 * ROW_VALUES, by rows. */
struct head *head_create(const float *correction, struct err *err);
/* From the bytes of a gallery's file, which are a struct head. ERR_CORRUPT for a scale that is
 * none. */
struct head *head_read(const void *bytes, struct err *err);
void head_destroy(struct head *head); /* NULL is fine; wiped */

/* `in` has unit length, and `out` then too; they may be the same. With head NULL a copy. The same
 * at every SIMD level to the last few bits: the products are of whole numbers. */
void head_apply(const struct head *head, float out[ROW_VALUES], const float in[ROW_VALUES]);

#endif
