#ifndef FACE_HEAD_TRAIN_H
#define FACE_HEAD_TRAIN_H

#include "face/head.h"

/* Fits a head to people's photos: softmax over the people with an additive margin on the cosine
 * (CosFace, Wang et al. 2018), by Adam. The embeddings themselves stay as they are. Whether the
 * head is worth keeping is not asked here, but in face/head_trial.h. */

enum { HEAD_MAX_PHOTOS = 100000, HEAD_MAX_PEOPLE = 20000, HEAD_MAX_BATCH = 1024 };

struct head_photos {
    const float *embeddings; /* count x views x ROW_VALUES, unit vectors */
    const uint32_t *people;  /* count: whose photo, below people_count */
    size_t count, people_count;
    size_t views; /* of a photo: each epoch learns from one of them, drawn by the seed */
};

struct head_progress {
    long epoch, epochs; /* from 1 */
    double loss;        /* mean, with the margin */
    double accuracy;    /* part of the photos whose person came first, without */
};

struct head_options {
    long epochs, batch_size; /* 1 to 10,000; 1 to HEAD_MAX_BATCH */
    double learning_rate;    /* above 0, to 1 */
    uint64_t seed;
    float threshold; /* from which a face is known without a head */
    size_t threads;  /* 0: one a processor */
    void (*progress)(void *context, const struct head_progress *progress); /* or NULL */
    void *context;
};
/* 20 epochs of 128 photos at 0.0003, seed 1, GALLERY_DEFAULT_THRESHOLD. */
extern const struct head_options head_defaults;

/* The same bytes for the same photos, options and SIMD level at any number of threads. ERR_INVALID
 * with fewer than two people, ERR_TOO_BIG past the limits. */
struct head *head_train(const struct head_photos *photos, const struct head_options *options,
                        struct err *err);

/* For what must not differ from run to run: a sequence of numbers from a seed (splitmix64, Steele
 * et al. 2014). */
uint64_t head_random(uint64_t *state);
/* 0 to count - 1 in an order drawn by `state`. */
void head_shuffle(uint32_t *order, size_t count, uint64_t *state);

#endif
