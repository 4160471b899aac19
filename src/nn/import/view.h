#ifndef NN_IMPORT_VIEW_H
#define NN_IMPORT_VIEW_H

#include "nn/import/import.h"

#include <stdint.h>

/* A tensor as the importer sees it: part of a root (a buffer of the arena, or constants), with
 * ONNX's order of dimensions and strides that say where they really lie. Layout (NHWC),
 * transposing, slicing, reshaping and concatenating are then a matter of strides, and cost nothing
 * when run. */
struct view {
    int root, rank;
    int64_t offset; /* floats, from the root's start */
    int64_t dims[IMPORT_MAX_RANK], strides[IMPORT_MAX_RANK];
};

int64_t view_count(const struct view *view);

/* A view of a whole new root: rows last (ONNX's order); channels last when rank is 4; in the order
 * that `like` has in memory. */
struct view view_rows(int root, int rank, const int64_t *dims);
struct view view_pixels(int root, int rank, const int64_t *dims);
struct view view_like(int root, const struct view *like);

/* Whether the two show the same floats in the same places (dimensions of 1 have no stride). */
int view_same_places(const struct view *a, const struct view *b);

/* Other dimensions for the same floats. Returns 0 when no strides can say it: copy first. */
int view_reshape(const struct view *in, int rank, const int64_t *dims, struct view *out);

/* Repeated to a larger shape, as ONNX broadcasts. Returns 0 when the shapes do not go together. */
int view_broadcast(const struct view *in, int rank, const int64_t *dims, struct view *out);

/* (1, C, H, W) as the convolution kernels address it. Returns 0 when it lies otherwise. */
int view_as_pixels(const struct view *in, struct view *out);

/* Bring `count` views of one shape to 4 dimensions, merging neighbours; the first `keep` from the
 * end (0 or 1) stays last, unmerged. The order is the first view's in memory. Returns 0 when it
 * cannot be done. */
int view_to_four(struct view **views, int count, int keep);

#endif
