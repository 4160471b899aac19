#ifndef FACE_PAIRS_H
#define FACE_PAIRS_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/* Verification on labelled pairs of photos: the list, and the figures from the similarities. */

enum { PAIRS_MAX = 4000000, PAIRS_FOLDS = 10 };

struct pair {
    size_t a, b; /* index into photos */
    int same;    /* 1: one person */
};

struct pair_list {
    struct pair *pairs;
    size_t count;
    const char **photos; /* each name once, sorted; they point into `text` */
    size_t photo_count;
    struct buf text;
};

/* A TSV file: image_a, image_b, same (1 or 0) on each line. A first line whose third column is
 * neither is a heading. An error names the line. */
int pair_list_read(struct pair_list *list, const char *path, struct err *err) MUST_USE;
void pair_list_finish(struct pair_list *list);

struct pair_score {
    float similarity;
    int same;
    int failed; /* a photo had no face: the pair counts as wrong, and as not accepted */
    int fold;   /* filled by pairs_evaluate() */
};

struct pair_result {
    double accuracy;  /* 10-fold: each fold judged by the threshold best for the other nine */
    double threshold; /* mean of the ten */
    double tar_at_far_1e2, tar_at_far_1e3; /* same pairs accepted where so many others are */
};

/* Sorts `scores`. ERR_INVALID unless there are at least 10 pairs of each kind. */
int pairs_evaluate(struct pair_score *scores, size_t count, struct pair_result *result,
                   struct err *err) MUST_USE;

#endif
