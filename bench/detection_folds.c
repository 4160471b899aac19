/* How well the searches for faces do on photos that their weights have not seen, and the weights:
 * bench_detection_folds MODELS IMAGES FACES.tsv [FOLDS (10)], lists as of `ken evaluate detection`.
 * A photo is in one fold with all its faces. What is printed last stands in src/face/detect*.c. */
#include "face/detection.h"
#include "face/parts.h"
#include "simd/kernels.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_SAMPLES = 200000, MAX_EVIDENCE = DETECT_EVIDENCE, WEIGHTS = MAX_EVIDENCE + 1 };
static const float least_fast = 0.1f;

struct sample {
    struct face_box box;
    double evidence[MAX_EVIDENCE];
    size_t photo;
    int label; /* 1: a face, 0: none, -1: a face to ignore */
};

struct set {
    struct true_faces truth;
    struct sample *samples;
    size_t count, photos, *wanted, *first; /* of each photo: its faces, its first in the list */
    int evidence, folds;
    float overlap; /* above which faces are one */
};

static void die(const struct err *err)
{
    fprintf(stderr, "detection_folds: %s\n", err->message);
    exit(EXIT_FAILURE);
}

static int label(const struct set *set, size_t photo, const struct face_box *box)
{
    int result = 0;
    const struct true_face *faces = set->truth.faces + set->first[photo];
    for (size_t i = 0; i < true_faces_in_image(&set->truth, set->first[photo]); i++) {
        const float *b = faces[i].box;
        struct face_box face = {b[0], b[1], b[0] + b[2], b[1] + b[3], 0};
        if (face_box_overlap(&face, box) >= 0.5f && result != 1)
            result = faces[i].ignore ? -1 : 1;
    }
    return result;
}

static void add(struct set *set, size_t photo, const struct image *image, struct face_box box,
                const double *evidence)
{
    if (set->count == MAX_SAMPLES)
        return;
    struct sample *sample = &set->samples[set->count++];
    box.left = fmaxf(box.left, 0);
    box.top = fmaxf(box.top, 0);
    box.right = fminf(box.right, (float)image->width);
    box.bottom = fminf(box.bottom, (float)image->height);
    *sample = (struct sample){.box = box, .photo = photo, .label = label(set, photo, &box)};
    for (int i = 0; i < set->evidence; i++)
        sample->evidence[i] = evidence[i];
}

static void take_photo(struct set *fast, struct set *thorough, size_t photo,
                       struct detector *detector, const char *folder)
{
    struct err err = {0};
    struct image image;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, fast->truth.faces[fast->first[photo]].image);
    if (image_read(&image, path, &err) < 0)
        die(&err);
    const struct face_box *found;
    size_t count = detector_run_raw(detector, &image, least_fast, &found);
    for (size_t i = 0; i < count; i++) {
        double logit = log((double)found[i].score / (1 - (double)found[i].score));
        add(fast, photo, &image, found[i], &logit);
    }
    count = detector_propose(detector, &image);
    for (size_t i = 0; i < count; i++) {
        struct face_box face;
        double evidence[DETECT_EVIDENCE];
        if (detector_study(detector, &image, &detector->proposals[i], &face, evidence))
            add(thorough, photo, &image, face, evidence);
    }
    image_finish(&image);
}

/* Solves a * x = b by Gauss, a symmetric and positive. */
static void solve(double a[WEIGHTS][WEIGHTS], double *b, int n)
{
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            double factor = a[j][i] / a[i][i];
            for (int k = i; k < n; k++)
                a[j][k] -= factor * a[i][k];
            b[j] -= factor * b[i];
        }
    for (int i = n - 1; i >= 0; i--) {
        for (int k = i + 1; k < n; k++)
            b[i] -= a[i][k] * b[k];
        b[i] /= a[i][i];
    }
}

static double logit_of(const struct set *set, const struct sample *sample, const double *weights)
{
    double logit = weights[set->evidence];
    for (int i = 0; i < set->evidence; i++)
        logit += weights[i] * sample->evidence[i];
    return logit;
}

/* Fold of a photo: in an order that does not go by its name. */
static int fold_of(const struct set *set, size_t photo)
{
    return (int)((photo * 2654435761u >> 7) % (unsigned)set->folds);
}

/* One step of Newton towards the logistic regression of all samples outside `fold`, with a little
 * pull (half a square) to keep weights small. */
static void step(const struct set *set, int fold, double *weights)
{
    int n = set->evidence + 1;
    double a[WEIGHTS][WEIGHTS] = {0}, b[WEIGHTS] = {0};
    for (size_t i = 0; i < set->count; i++) {
        const struct sample *sample = &set->samples[i];
        if (sample->label < 0 || fold_of(set, sample->photo) == fold)
            continue;
        double p = 1 / (1 + exp(-logit_of(set, sample, weights))), x[WEIGHTS];
        for (int j = 0; j < n; j++)
            x[j] = j < set->evidence ? sample->evidence[j] : 1;
        for (int j = 0; j < n; j++) {
            b[j] += x[j] * (sample->label - p);
            for (int k = 0; k < n; k++)
                a[j][k] += p * (1 - p) * x[j] * x[k];
        }
    }
    for (int j = 0; j < n; j++) {
        a[j][j] += 1;
        b[j] -= weights[j];
    }
    solve(a, b, n);
    for (int j = 0; j < n; j++)
        weights[j] += b[j];
}

/* `fold` -1: nothing is held out. */
static void fit(const struct set *set, int fold, double *weights)
{
    for (int i = 0; i < WEIGHTS; i++)
        weights[i] = 0;
    for (int i = 0; i < 25; i++)
        step(set, fold, weights);
}

/* Appends what is found in `photo`, judged. */
static size_t judge(struct set *set, size_t photo, const double *weights, struct detection *out)
{
    static struct face_box boxes[MAX_SAMPLES];
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->samples[i].photo == photo) {
            boxes[count] = set->samples[i].box;
            boxes[count++].score = (float)logit_of(set, &set->samples[i], weights);
        }
    count = face_suppress(boxes, count, set->overlap);
    for (size_t i = 0; i < count; i++) {
        const struct face_box *b = &boxes[i];
        out[i] = (struct detection){{b->left, b->top, b->right - b->left, b->bottom - b->top},
                                    (float)(1 / (1 + exp(-(double)b->score))),
                                    photo,
                                    0};
    }
    struct true_face *faces = set->truth.faces + set->first[photo];
    size_t faces_count = true_faces_in_image(&set->truth, set->first[photo]);
    for (size_t i = 0; i < faces_count; i++)
        faces[i].found = 0;
    detection_judge(faces, faces_count, out, count);
    return count;
}

static void print_figures(struct set *set, const char *what, struct detection *found, size_t count)
{
    struct err err = {0};
    struct detection_result result;
    double interval[2];
    if (detection_interval(found, count, set->wanted, set->photos, interval, &err) < 0)
        die(&err);
    for (double low = 0; low < 0.95; low += 0.2) {
        double sum = 0, hits = 0, all = 0;
        for (size_t i = 0; i < count; i++)
            if (found[i].hit >= 0 && (double)found[i].score >= low &&
                (double)found[i].score < low + 0.2) {
                all++;
                hits += found[i].hit;
                sum += (double)found[i].score;
            }
        printf("    score %.1f to %.1f: %4.0f found, mean score %.2f, faces %.2f\n", low, low + 0.2,
               all, sum / fmax(all, 1), hits / fmax(all, 1));
    }
    detection_evaluate(found, count, set->truth.wanted, &result);
    printf("  %s: recall at precision 0.95 %.1f %% (%.1f to %.1f), from score %.3f; average "
           "precision %.3f; recall %.1f %%\n",
           what, 100 * result.recall_at_95, 100 * interval[0], 100 * interval[1], result.threshold,
           result.average_precision, 100 * result.recall);
}

static void report(struct set *set, const char *name)
{
    struct detection *found = calloc(set->count + 1, sizeof *found);
    double all[WEIGHTS], folds[64][WEIGHTS];
    size_t count = 0;
    if (!found)
        exit(EXIT_FAILURE);
    printf("%s\n", name);
    fit(set, -1, all);
    for (int fold = 0; fold < set->folds; fold++)
        fit(set, fold, folds[fold]);
    for (size_t i = 0; i < set->photos; i++)
        count += judge(set, i, all, found + count);
    print_figures(set, "fitted on these photos", found, count);
    count = 0;
    for (size_t i = 0; i < set->photos; i++)
        count += judge(set, i, folds[fold_of(set, i)], found + count);
    print_figures(set, "held out", found, count);
    printf("  weights:");
    for (int i = 0; i <= set->evidence; i++)
        printf(" %.3f", all[i]);
    printf("\n");
    free(found);
}

static void start(struct set *set, const char *path, int evidence, float overlap, int folds)
{
    struct err err = {0};
    *set = (struct set){.evidence = evidence, .overlap = overlap, .folds = folds};
    if (true_faces_read(&set->truth, path, &err) < 0)
        die(&err);
    set->samples = calloc(MAX_SAMPLES, sizeof *set->samples);
    set->wanted = calloc(set->truth.count, sizeof *set->wanted);
    set->first = calloc(set->truth.count, sizeof *set->first);
    if (!set->samples || !set->wanted || !set->first)
        exit(EXIT_FAILURE);
    for (size_t i = 0, count; i < set->truth.count; i += count, set->photos++) {
        count = true_faces_in_image(&set->truth, i);
        set->first[set->photos] = i;
        for (size_t j = i; j < i + count; j++)
            set->wanted[set->photos] += !set->truth.faces[j].ignore;
    }
}

static void finish(struct set *set)
{
    true_faces_finish(&set->truth);
    free(set->samples);
    free(set->wanted);
    free(set->first);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct detector detector;
    char path[PATH_MAX];
    int folds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 10;
    if (argc < 4 || folds < 2 || folds > 64) {
        fprintf(stderr, "usage: bench_detection_folds MODELS IMAGES FACES.tsv [FOLDS (2 to 64)]\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/fr_detect.ken", argv[1]);
    struct model *model = model_open(path, &err);
    if (!model || detector_init(&detector, model, NULL, 0, &err) < 0)
        die(&err);
    simd_flush_denormals();
    struct set fast, thorough;
    start(&fast, argv[3], 1, 0.3f, folds);
    start(&thorough, argv[3], DETECT_EVIDENCE, detector_face_overlap, folds);
    for (size_t i = 0; i < fast.photos; i++)
        take_photo(&fast, &thorough, i, &detector, argv[2]);
    report(&fast, "fast (slope, offset)");
    report(&thorough, "thorough (looks, shape, proposal, offset)");
    finish(&fast);
    finish(&thorough);
    detector_finish(&detector);
    model_close(model);
    return 0;
}
