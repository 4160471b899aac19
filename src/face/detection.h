#ifndef FACE_DETECTION_H
#define FACE_DETECTION_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

/* How well faces are found, on photos where every face is known: the list, and the figures. */

enum { DETECTION_MAX_FACES = 1000000 };

struct true_face {
    const char *image; /* file name; points into the list's text */
    float box[4];      /* x, y, w, h in pixels */
    int ignore;        /* neither a hit nor, when found, a false alarm */
    int found;         /* of detection_judge() */
};

struct true_faces {
    struct true_face *faces; /* by image */
    size_t count, wanted;    /* wanted: those not to be ignored */
    struct buf text;
};

/* A TSV file: image, x, y, w, h, ignore (1 or 0) on each line; a first line whose last column is
 * neither is a heading. An error names the line. */
int true_faces_read(struct true_faces *list, const char *path, struct err *err) MUST_USE;
void true_faces_finish(struct true_faces *list);

/* How many faces from `first` on lie in the same image. */
size_t true_faces_in_image(const struct true_faces *list, size_t first);

/* What another program found: image, x, y, w, h, score on each line, a first line without a score
 * is a heading. */
struct found_face {
    const char *image; /* points into the list's text */
    float box[4], score;
};

struct found_faces {
    struct found_face *faces; /* by image */
    size_t count;
    struct buf text;
};

int found_faces_read(struct found_faces *list, const char *path, struct err *err) MUST_USE;
void found_faces_finish(struct found_faces *list);

struct detection {
    float box[4]; /* x, y, w, h */
    float score;
    size_t photo; /* index, for detection_interval() */
    int hit;      /* 1: a wanted face, 0: a false alarm, -1: an ignored face, counts for nothing */
};

/* One photo: fills `hit`. The best score chooses first; a hit overlaps the true face, which nobody
 * has found yet, by at least half (shared by joint area). Sorts `found`. */
void detection_judge(struct true_face *faces, size_t face_count, struct detection *found,
                     size_t found_count);

struct detection_result {
    double recall_at_95, threshold; /* most faces found where 95 % of what is found is a face, and
                                       the score that gives it; 0 and 1 where no score does */
    double average_precision;       /* area below precision over recall, precision made monotonic */
    double recall;                  /* whatever the score */
};

/* All photos' detections together. Sorts `found`. `wanted` > 0. */
void detection_evaluate(struct detection *found, size_t count, size_t wanted,
                        struct detection_result *result);

/* The 95 % interval of recall_at_95, by drawing photos again with replacement 1,000 times: how much
 * the figure owes to these photos. `wanted[i]` faces are in photo i of `photos` (at least one).
 * Sorts `found`. */
int detection_interval(struct detection *found, size_t count, const size_t *wanted, size_t photos,
                       double interval[2], struct err *err) MUST_USE;

#endif
