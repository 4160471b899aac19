#include "face/identification.h"
#include "simd/kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void search_trials_finish(struct search_trials *trials)
{
    free(trials->all);
    *trials = (struct search_trials){0};
}

static int add_trial(struct search_trials *trials, const struct search_trial *trial,
                     struct err *err)
{
    if (trials->count == trials->capacity) {
        size_t wanted = trials->capacity ? 2 * trials->capacity : 256;
        struct search_trial *all = realloc(trials->all, wanted * sizeof *all);
        if (!all)
            return err_set(err, ERR_NO_MEMORY, "no memory for %zu searches", wanted);
        trials->all = all;
        trials->capacity = wanted;
    }
    trials->all[trials->count++] = *trial;
    return 0;
}

int search_trials_add(struct search_trials *trials, const struct gallery *gallery,
                      const struct album *album, enum search_kind kind, struct err *err)
{
    for (size_t i = 0; i < album->count; i++) {
        const struct album_photo *photo = &album->photos[i];
        size_t person = 0;
        struct candidate top = {0, -1};
        struct search_trial trial = {.photo = i, .failed = photo->state != ALBUM_FACE};
        trial.mated = gallery_find(gallery, photo->person, &person);
        if (kind == (trial.mated ? SEARCH_STRANGERS : SEARCH_ENROLLED))
            continue;
        if (!trial.failed && gallery_search(gallery, photo->face.embedding, &top, 1) == 1)
            trial.right = trial.mated && top.person == person;
        trial.candidate = top.person;
        trial.similarity = top.similarity;
        if (add_trial(trials, &trial, err) < 0)
            return -1;
    }
    return 0;
}

/* The cosine of a person's template to the mean direction of the person's others. */
static float similarity_to_others(const struct gallery *gallery, size_t person, size_t index,
                                  const float *own)
{
    float other[FACE_EMBEDDING_FLOATS];
    double sum[FACE_EMBEDDING_FLOATS] = {0}, product = 0, square = 0;
    for (size_t i = 0; i < gallery_person_templates(gallery, person); i++) {
        if (i == index)
            continue;
        gallery_template(gallery, person, i, other);
        for (int k = 0; k < FACE_EMBEDDING_FLOATS; k++)
            sum[k] += (double)other[k];
    }
    for (int k = 0; k < FACE_EMBEDDING_FLOATS; k++) {
        product += sum[k] * (double)own[k];
        square += sum[k] * sum[k];
    }
    return square > 0 ? (float)(product / sqrt(square)) : -1;
}

int search_trials_add_enrolled(struct search_trials *trials, const struct gallery *gallery,
                               struct err *err)
{
    for (size_t person = 0; person < gallery_people(gallery); person++) {
        size_t count = gallery_person_templates(gallery, person);
        for (size_t i = 0; count > 1 && i < count; i++) {
            float own[FACE_EMBEDDING_FLOATS];
            struct candidate top[2];
            gallery_template(gallery, person, i, own);
            size_t found = gallery_search_kept(gallery, own, top, 2);
            const struct candidate *other = NULL;
            for (size_t k = found; k-- > 0;)
                if (top[k].person != person)
                    other = &top[k];
            struct search_trial trial = {.mated = 1, .right = 1, .candidate = person};
            trial.similarity = similarity_to_others(gallery, person, i, own);
            if (other && other->similarity > trial.similarity)
                trial = (struct search_trial){
                    .mated = 1, .candidate = other->person, .similarity = other->similarity};
            if (add_trial(trials, &trial, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* The regularised incomplete beta function by its continued fraction (Lentz's method), for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int k = 0; k < 2; k++) {
            double term = k ? odd : even;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            value *= c * d;
        }
        if (fabs(c * d - 1) < 1e-13)
            break;
    }
    return exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b)) * value / a;
}

static double beta_distribution(double a, double b, double x)
{
    if (x <= 0 || x >= 1)
        return x >= 1;
    return x < (a + 1) / (a + b + 2) ? beta_fraction(a, b, x) : 1 - beta_fraction(b, a, 1 - x);
}

static double beta_quantile(double a, double b, double part)
{
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (beta_distribution(a, b, middle) < part)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

struct rate rate_of(size_t hits, size_t trials)
{
    struct rate rate = {.hits = hits, .trials = trials, .high = 1};
    if (trials == 0)
        return rate;
    double k = (double)hits, n = (double)trials;
    rate.value = k / n;
    if (hits > 0)
        rate.low = beta_quantile(k, n - k + 1, 0.025);
    if (hits < trials)
        rate.high = beta_quantile(k + 1, n - k, 0.975);
    return rate;
}

struct rate search_fpir(const struct search_trials *trials, float threshold)
{
    size_t hits = 0, all = 0;
    for (size_t i = 0; i < trials->count; i++) {
        const struct search_trial *trial = &trials->all[i];
        if (trial->mated || trial->failed)
            continue;
        all++;
        hits += trial->similarity >= threshold;
    }
    return rate_of(hits, all);
}

struct rate search_fnir(const struct search_trials *trials, float threshold)
{
    size_t misses = 0, all = 0;
    for (size_t i = 0; i < trials->count; i++) {
        const struct search_trial *trial = &trials->all[i];
        all += trial->mated != 0;
        misses += trial->mated && !(trial->right && trial->similarity >= threshold);
    }
    return rate_of(misses, all);
}

struct rate search_rank1(const struct search_trials *trials)
{
    struct rate misses = search_fnir(trials, -2);
    return rate_of(misses.trials - misses.hits, misses.trials);
}

static int descending(const void *a, const void *b)
{
    const float *first = a, *second = b;
    return (*first < *second) - (*first > *second);
}

int search_threshold(const struct search_trials *trials, double fpir, float *threshold,
                     struct err *err)
{
    float *scores = calloc(trials->count + 1, sizeof *scores);
    if (!scores)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu searches", trials->count);
    size_t count = 0;
    for (size_t i = 0; i < trials->count; i++)
        if (!trials->all[i].mated && !trials->all[i].failed)
            scores[count++] = trials->all[i].similarity;
    qsort(scores, count, sizeof *scores, descending);
    size_t allowed = (size_t)floor(fpir * (double)count + 1e-9);
    /* Just above the first one that may not pass; a cosine of 1 is rounded at times to more, and no
     * gallery keeps such a threshold. */
    if (count > 0)
        *threshold = allowed < count ? fminf(nextafterf(scores[allowed], 2), 1) : -1;
    free(scores);
    if (count == 0)
        return err_set(err, ERR_INVALID, "no photo of a stranger shows a face");
    return 0;
}

static int by_similarity(const void *a, const void *b)
{
    const struct search_trial *first = a, *second = b;
    return (first->similarity > second->similarity) - (first->similarity < second->similarity);
}

static int has_changed(size_t hits, size_t last)
{
    enum { PART = 64 };
    return (hits > last ? hits - last : last - hits) > last / PART;
}

int search_curve_init(struct search_curve *curve, const struct search_trials *trials,
                      struct err *err)
{
    size_t passed = 0, missed = 0, last_passed, last_missed, count = trials->count;
    struct search_trial *sorted = calloc(count + 1, sizeof *sorted);
    *curve = (struct search_curve){calloc(count + 2, sizeof *curve->thresholds), 0};
    if (!sorted || !curve->thresholds) {
        free(sorted);
        free(curve->thresholds);
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu searches", count);
    }
    if (count > 0)
        memcpy(sorted, trials->all, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_similarity);
    for (size_t i = 0; i < count; i++) {
        passed += !sorted[i].mated && !sorted[i].failed;
        missed += sorted[i].mated && !sorted[i].right;
    }
    curve->thresholds[curve->count++] = -1;
    last_passed = passed;
    last_missed = missed;
    for (size_t i = 0; i < count; i++) {
        passed -= !sorted[i].mated && !sorted[i].failed;
        missed += sorted[i].mated && sorted[i].right;
        if (i + 1 < count &&
            (sorted[i + 1].similarity <= sorted[i].similarity ||
             (!has_changed(passed, last_passed) && !has_changed(missed, last_missed))))
            continue;
        curve->thresholds[curve->count++] = nextafterf(sorted[i].similarity, 2);
        last_passed = passed;
        last_missed = missed;
    }
    free(sorted);
    return 0;
}

size_t search_least_trials(double rate)
{
    return (size_t)ceil(3 / rate - 1e-9);
}
