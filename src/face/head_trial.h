#ifndef FACE_HEAD_TRIAL_H
#define FACE_HEAD_TRIAL_H

#include "face/head_train.h"
#include "face/identification.h"

/* Trains a head and asks whether it is worth keeping, with photos it has not seen. Of everybody
 * with two photos or more a fifth of the photos, at least one, is held back; of every fourth of
 * them all photos, as of somebody who is enrolled later, and so of everybody with one photo. The
 * others' rest trains the head. Then two galleries of all that was not held back, without and with
 * the head, are searched: with the photos held back (mated), and with the photos of those who were
 * not trained on, each without the person's own templates (nonmated). */

enum {
    HEAD_TRIAL_MIN_PEOPLE = 20, /* with two photos */
    HEAD_VIEWS = 3,             /* of a photo, besides it as it is, to learn from */
};

struct head_figures {
    struct rate rank1, fnir;
    float threshold; /* for the trial's FPIR */
};

struct head_trial {
    size_t people, people_trained, photos_trained;
    size_t held_back, strangers; /* searches, mated and nonmated */
    double fpir; /* 0.01, or as little as so many strangers can show (rule of three) */
    struct head_figures plain, head;
    size_t gained, lost; /* held-back photos found, at that FPIR, only with and only without */
    int trained;         /* 0: there were too few people, and nothing else is filled in */
    int kept;
    float threshold; /* where the head has as many false positives as there are without it at
                        head_options.threshold: by mean and deviation of the strangers' scores */
};

/* Sets *head, or NULL where it is not kept: where it does not find more of the photos held back
 * than it loses, by more than chance (95 % interval of gained / (gained + lost) above one half), or
 * has a lower rank 1. */
int head_try(struct head **head, const struct head_photos *photos,
             const struct head_options *options, struct head_trial *trial,
             struct err *err) MUST_USE;

#endif
