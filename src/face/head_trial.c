#include "face/head_trial.h"
#include "face/seal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_BACK_OF = 5, LATER_OF = 4 };
static const double wanted_fpir = 0.01;

/* Which part a photo has. */
enum part { PART_TRAINED, PART_TEMPLATE, PART_HELD_BACK };

struct split {
    const struct head_photos *photos;
    enum part *parts;     /* a photo */
    char *is_later;       /* a person: nothing of the head is from them */
    uint32_t *counts;     /* photos a person */
    size_t able, trained; /* people with two photos or more; of them, trained on */
};

static void finish_split(struct split *split)
{
    free(split->parts);
    free(split->is_later);
    free(split->counts);
}

/* Every fourth of those with two photos or more, in an order drawn by the seed, comes later. */
static void choose_later(struct split *split, uint32_t *order, uint64_t *random)
{
    size_t people = split->photos->people_count;
    head_shuffle(order, people, random);
    for (size_t i = 0; i < people; i++) {
        uint32_t person = order[i];
        int able = split->counts[person] > 1;
        split->is_later[person] = !able || split->able % LATER_OF == LATER_OF - 1;
        split->able += (size_t)able;
        split->trained += !split->is_later[person];
    }
}

/* In an order drawn by the seed, so that it is not always the last of a folder. */
static void choose_held_back(struct split *split, uint32_t *order, uint32_t *held, uint64_t *random)
{
    head_shuffle(order, split->photos->count, random);
    for (size_t i = 0; i < split->photos->count; i++) {
        uint32_t photo = order[i], person = split->photos->people[photo];
        uint32_t count = split->counts[person];
        uint32_t wanted = count / HELD_BACK_OF > 0 ? count / HELD_BACK_OF : 1;
        if (count > 1 && held[person] < wanted) {
            held[person]++;
            split->parts[photo] = PART_HELD_BACK;
        } else {
            split->parts[photo] = split->is_later[person] ? PART_TEMPLATE : PART_TRAINED;
        }
    }
}

static int make_split(struct split *split, uint64_t seed, struct err *err)
{
    const struct head_photos *photos = split->photos;
    uint64_t random = seed;
    split->parts = calloc(photos->count + 1, sizeof *split->parts);
    split->is_later = calloc(photos->people_count + 1, 1);
    split->counts = calloc(photos->people_count + 1, sizeof *split->counts);
    uint32_t *order = calloc(photos->count + photos->people_count + 1, sizeof *order);
    uint32_t *held = calloc(photos->people_count + 1, sizeof *held);
    int result = 0;
    if (!split->parts || !split->is_later || !split->counts || !order || !held) {
        result = err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", photos->count);
    } else {
        for (size_t i = 0; i < photos->count; i++)
            split->counts[photos->people[i]]++;
        choose_later(split, order, &random);
        choose_held_back(split, order, held, &random);
    }
    free(order);
    free(held);
    return result;
}

/* ---- training on its part ---- */

static const float *view_of(const struct head_photos *photos, size_t photo)
{
    return photos->embeddings + photo * photos->views * ROW_VALUES;
}

/* The photos trained on, with people numbered anew from 0. `embeddings` and `people` are the
 * caller's to free. */
static void gather_trained(const struct split *split, uint32_t *numbers, float *embeddings,
                           uint32_t *people, struct head_photos *out)
{
    const struct head_photos *photos = split->photos;
    size_t floats = photos->views * ROW_VALUES;
    *out = (struct head_photos){embeddings, people, .views = photos->views};
    for (size_t i = 0; i < photos->people_count; i++)
        numbers[i] = split->is_later[i] ? 0 : (uint32_t)out->people_count++;
    for (size_t i = 0; i < photos->count; i++) {
        if (split->parts[i] != PART_TRAINED)
            continue;
        memcpy(embeddings + out->count * floats, view_of(photos, i), floats * sizeof *embeddings);
        people[out->count++] = numbers[photos->people[i]];
    }
}

static struct head *train(const struct split *split, const struct head_options *options,
                          struct head_trial *trial, struct err *err)
{
    const struct head_photos *photos = split->photos;
    size_t bytes = photos->count * photos->views * ROW_VALUES * sizeof(float);
    float *embeddings = malloc(bytes + 1);
    uint32_t *people = calloc(photos->count + 1, sizeof *people);
    uint32_t *numbers = calloc(photos->people_count + 1, sizeof *numbers);
    struct head *head = NULL;
    struct head_photos trained;
    if (!embeddings || !people || !numbers) {
        err_set(err, ERR_NO_MEMORY, "train the head: no memory for %zu photos", photos->count);
    } else {
        gather_trained(split, numbers, embeddings, people, &trained);
        trial->people_trained = trained.people_count;
        trial->photos_trained = trained.count;
        head = head_train(&trained, options, err);
    }
    if (embeddings)
        seal_wipe(embeddings, bytes);
    free(embeddings);
    free(people);
    free(numbers);
    return head;
}

/* ---- searching with the rest ---- */

static void name_of(char name[16], uint32_t person)
{
    snprintf(name, 16, "%u", person);
}

static struct gallery *make_gallery(const struct split *split, const struct head *head,
                                    struct err *err)
{
    struct gallery *gallery = gallery_create(err);
    struct head *copy = gallery && head ? head_read(head, err) : NULL;
    int result = !gallery || (head && !copy) ? -1 : 0;
    if (copy)
        result = gallery_set_head(gallery, copy, err);
    for (size_t i = 0; result == 0 && i < split->photos->count; i++) {
        char name[16];
        name_of(name, split->photos->people[i]);
        if (split->parts[i] != PART_HELD_BACK)
            result = gallery_add(gallery, name, view_of(split->photos, i), err);
    }
    if (result == 0)
        return gallery;
    gallery_destroy(gallery);
    return NULL;
}

/* The best, and the best who is not `own`. */
static void search(const struct gallery *gallery, const float *embedding, size_t own,
                   struct search_trial *mated, struct search_trial *nonmated)
{
    struct candidate top[2] = {{0, -1}, {0, -1}};
    size_t found = gallery_search(gallery, embedding, top, 2);
    const struct candidate *other = found > 0 && top[0].person == own ? &top[1] : &top[0];
    *mated = (struct search_trial){.similarity = top[0].similarity,
                                   .candidate = top[0].person,
                                   .mated = 1,
                                   .right = found > 0 && top[0].person == own};
    *nonmated = (struct search_trial){.similarity = other->similarity, .candidate = other->person};
}

/* The mated searches come in the order of the photos, whatever the head. */
static int search_all(const struct split *split, const struct head *head,
                      struct search_trials *trials, struct err *err)
{
    const struct head_photos *photos = split->photos;
    struct gallery *gallery = make_gallery(split, head, err);
    trials->all = calloc(2 * photos->count + 1, sizeof *trials->all);
    trials->capacity = 2 * photos->count;
    int result = gallery ? 0 : -1;
    if (gallery && !trials->all)
        result = err_set(err, ERR_NO_MEMORY, "no memory for %zu searches", photos->count);
    for (size_t i = 0; result == 0 && i < photos->count; i++) {
        char name[16];
        size_t own = SIZE_MAX;
        struct search_trial mated, nonmated;
        name_of(name, photos->people[i]);
        (void)gallery_find(gallery, name, &own); /* everybody has a template */
        search(gallery, view_of(photos, i), own, &mated, &nonmated);
        if (split->parts[i] == PART_HELD_BACK)
            trials->all[trials->count++] = mated;
        if (split->is_later[photos->people[i]])
            trials->all[trials->count++] = nonmated;
    }
    gallery_destroy(gallery);
    return result;
}

/* ---- judging ---- */

static int measure(const struct search_trials *trials, double fpir, struct head_figures *figures,
                   struct err *err)
{
    if (search_threshold(trials, fpir, &figures->threshold, err) < 0)
        return -1;
    figures->rank1 = search_rank1(trials);
    figures->fnir = search_fnir(trials, figures->threshold);
    return 0;
}

static int is_found(const struct search_trial *trial, float threshold)
{
    return trial->right && trial->similarity >= threshold;
}

static void compare(const struct search_trials *plain, const struct search_trials *with,
                    struct head_trial *trial)
{
    for (size_t i = 0; i < plain->count; i++) {
        if (!plain->all[i].mated)
            continue;
        int before = is_found(&plain->all[i], trial->plain.threshold);
        int after = is_found(&with->all[i], trial->head.threshold);
        trial->gained += after > before;
        trial->lost += after < before;
    }
    struct rate share = rate_of(trial->gained, trial->gained + trial->lost);
    trial->kept = share.low > 0.5 && trial->head.rank1.hits >= trial->plain.rank1.hits;
}

static void describe_strangers(const struct search_trials *trials, double *mean, double *deviation)
{
    double sum = 0, squares = 0, count = 0;
    for (size_t i = 0; i < trials->count; i++) {
        double score = (double)trials->all[i].similarity;
        if (trials->all[i].mated)
            continue;
        sum += score;
        squares += score * score;
        count++;
    }
    *mean = sum / count;
    *deviation = sqrt(fmax(squares / count - *mean * *mean, 1e-12));
}

static float matching_threshold(const struct search_trials *plain, const struct search_trials *with,
                                double at)
{
    double mean[2], deviation[2];
    describe_strangers(plain, &mean[0], &deviation[0]);
    describe_strangers(with, &mean[1], &deviation[1]);
    return (float)fmin(mean[1] + (at - mean[0]) * deviation[1] / deviation[0], 1);
}

static int judge(const struct split *split, const struct head *head, float threshold,
                 struct head_trial *trial, struct err *err)
{
    struct search_trials plain = {0}, with = {0};
    int result = search_all(split, NULL, &plain, err);
    if (result == 0)
        result = search_all(split, head, &with, err);
    if (result == 0) {
        trial->held_back = search_rank1(&plain).trials;
        trial->strangers = search_fpir(&plain, 0).trials;
        trial->fpir = fmax(wanted_fpir, 3 / (double)trial->strangers);
        result = measure(&plain, trial->fpir, &trial->plain, err);
    }
    if (result == 0)
        result = measure(&with, trial->fpir, &trial->head, err);
    if (result == 0) {
        compare(&plain, &with, trial);
        trial->threshold = matching_threshold(&plain, &with, (double)threshold);
    }
    search_trials_finish(&plain);
    search_trials_finish(&with);
    return result;
}

int head_try(struct head **head, const struct head_photos *photos,
             const struct head_options *options, struct head_trial *trial, struct err *err)
{
    struct split split = {.photos = photos};
    *head = NULL;
    *trial = (struct head_trial){.people = photos->people_count};
    int result = make_split(&split, options->seed, err);
    if (result == 0 && split.able >= HEAD_TRIAL_MIN_PEOPLE && photos->count <= HEAD_MAX_PHOTOS &&
        split.trained <= HEAD_MAX_PEOPLE) {
        trial->trained = 1;
        *head = train(&split, options, trial, err);
        result = *head ? judge(&split, *head, options->threshold, trial, err) : -1;
    }
    finish_split(&split);
    if (result < 0 || !trial->kept) {
        head_destroy(*head);
        *head = NULL;
    }
    return result;
}
