#ifndef FACE_IDENTIFICATION_H
#define FACE_IDENTIFICATION_H

#include "face/album.h"
#include "face/gallery.h"

/* One-to-many figures in the terms of NIST's FRTE: a mated search is of an enrolled person, a
 * nonmated one of a stranger. At a threshold T,
 *   FNIR  part of the mated searches whose top candidate is not the person, or is below T;
 *   FPIR  part of the nonmated searches whose top candidate is at or above T.
 * A mated search without a face counts as a miss; a nonmated one is left out, since it says nothing
 * about false positives. */

struct search_trial {
    float similarity; /* of the top candidate; -1 without a face */
    size_t candidate; /* its number in the gallery */
    size_t photo;     /* of the album */
    int mated, right; /* right: the top candidate is the person */
    int failed;       /* no face, or unreadable */
};

struct search_trials {
    struct search_trial *all;
    size_t count, capacity;
};

enum search_kind {
    SEARCH_BY_NAME,   /* mated where the gallery has the photo's person */
    SEARCH_STRANGERS, /* photos of people the gallery has by name are passed over */
    SEARCH_ENROLLED,  /* photos of people the gallery has not by name are passed over */
};

void search_trials_finish(struct search_trials *trials); /* all zeros is empty */
int search_trials_add(struct search_trials *trials, const struct gallery *gallery,
                      const struct album *album, enum search_kind kind, struct err *err) MUST_USE;
/* Mated searches with the gallery's own templates, each left out of its person's mean; people with
 * one template are passed over. */
int search_trials_add_enrolled(struct search_trials *trials, const struct gallery *gallery,
                               struct err *err) MUST_USE;

/* A part of so many trials, with its 95 % confidence interval by Clopper and Pearson, which holds
 * for any number of trials that do not depend on each other. */
struct rate {
    size_t hits, trials;
    double value, low, high; /* 0, 0, 1 without trials */
};
struct rate rate_of(size_t hits, size_t trials);

struct rate search_fpir(const struct search_trials *trials, float threshold);
struct rate search_fnir(const struct search_trials *trials, float threshold);
struct rate search_rank1(const struct search_trials *trials); /* mated: the person comes first */

/* The least threshold with an FPIR of at most `fpir`. ERR_INVALID without nonmated searches. */
int search_threshold(const struct search_trials *trials, double fpir, float *threshold,
                     struct err *err) MUST_USE;

/* Thresholds, rising, between which neither rate changes by more than a sixty-fourth (one hit,
 * where there are few): the DET curve's points. To be freed. */
struct search_curve {
    float *thresholds;
    size_t count;
};
int search_curve_init(struct search_curve *curve, const struct search_trials *trials,
                      struct err *err) MUST_USE;

/* The rule of three: where not one of n trials hits, the true rate is below 3 / n with 95 %
 * confidence; so this many are the least that can speak of `rate`. */
size_t search_least_trials(double rate);

#endif
