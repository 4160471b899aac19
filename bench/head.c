/* How long training a head takes, and what it gains where there is something to gain: made-up
 * faces, a direction a person and on every photo something along few axes that has nothing to do
 * with who it is. usage: bench_head [PEOPLE [PHOTOS [VIEWS]]]. Figures of docs/recognition.md. */
#include "base/clock.h"
#include "face/head_trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUISANCES = 12 };
static const double nuisance = 0.4;

/* Nearly normal: a sum of twelve. */
static double random_normal(uint64_t *state)
{
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += (double)(head_random(state) >> 11) * 0x1p-53;
    return sum;
}

static void make_photo(float *out, const float *who, uint64_t *state)
{
    double square = 0;
    for (int i = 0; i < ROW_VALUES; i++) {
        double value = (double)who[i] + 0.02 * random_normal(state);
        value += i < NUISANCES ? nuisance * random_normal(state) : 0;
        out[i] = (float)value;
        square += value * value;
    }
    for (int i = 0; i < ROW_VALUES; i++)
        out[i] /= (float)sqrt(square);
}

static void make_people(float *out, uint32_t *people, const struct head_photos *photos)
{
    uint64_t state = 1;
    float who[ROW_VALUES] = {0};
    size_t each = photos->count / photos->people_count;
    for (size_t photo = 0; photo < photos->count; photo++) {
        people[photo] = (uint32_t)(photo / each);
        for (int i = 0; photo % each == 0 && i < ROW_VALUES; i++)
            who[i] = (float)random_normal(&state) / 23;
        for (size_t view = 0; view < photos->views; view++, out += ROW_VALUES)
            make_photo(out, who, &state);
    }
}

static void print_epoch(void *context, const struct head_progress *progress)
{
    (void)context;
    if (progress->epoch == 1 || progress->epoch == progress->epochs)
        printf("epoch %ld of %ld: loss %.3f, accuracy %.2f %%\n", progress->epoch, progress->epochs,
               progress->loss, 100 * progress->accuracy);
}

static int train(const struct head_photos *photos)
{
    struct err err = {0};
    struct head *head;
    struct head_trial trial;
    struct head_options options = head_defaults;
    options.progress = print_epoch;
    uint64_t start = clock_monotonic_ns();
    if (head_try(&head, photos, &options, &trial, &err) < 0) {
        fprintf(stderr, "bench_head: %s\n", err.message);
        return 1;
    }
    printf("%.1f s for %zu people x %zu photos, %zu views each\n", clock_ms_since(start) / 1000,
           photos->people_count, photos->count / photos->people_count, photos->views);
    printf("held back: FNIR %.2f %% without, %.2f %% with, at FPIR %.3g; %s\n",
           100 * trial.plain.fnir.value, 100 * trial.head.fnir.value, trial.fpir,
           trial.kept ? "kept" : "not kept");
    head_destroy(head);
    return 0;
}

static size_t argument(int argc, char **argv, int index, size_t otherwise)
{
    long value = argc > index ? strtol(argv[index], NULL, 10) : 0;
    return value > 0 ? (size_t)value : otherwise;
}

int main(int argc, char **argv)
{
    struct head_photos photos = {.people_count = argument(argc, argv, 1, 1000),
                                 .views = argument(argc, argv, 3, 1 + HEAD_VIEWS)};
    photos.count = photos.people_count * argument(argc, argv, 2, 10);
    float *embeddings = calloc(photos.count * photos.views, ROW_VALUES * sizeof *embeddings);
    uint32_t *people = calloc(photos.count, sizeof *people);
    if (!embeddings || !people)
        return 1;
    make_people(embeddings, people, &photos);
    photos.embeddings = embeddings;
    photos.people = people;
    int failed = train(&photos);
    free(embeddings);
    free(people);
    return failed;
}
