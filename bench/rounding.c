/* What keeping templates as bytes costs: labelled pairs of photos, compared in floats, with one
 * side rounded (as a gallery does), and with both. usage: bench_rounding IMAGES PAIRS.tsv [MODELS];
 * the face nearest the centre counts. Figures of docs/gallery.md. */
#include "face/pairs.h"
#include "face/recognizer.h"
#include "face/rows.h"
#include "simd/kernels.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sides { FLOATS, ONE_ROUNDED, BOTH_ROUNDED, SIDES };

struct photo {
    float as_given[FACE_EMBEDDING_FLOATS], rounded[FACE_EMBEDDING_FLOATS];
    int found;
};

static float from_centre(const struct face *face, const struct image *image)
{
    return hypotf(face->box[0] + face->box[2] / 2 - (float)image->width / 2,
                  face->box[1] + face->box[3] / 2 - (float)image->height / 2);
}

static int embed(struct photo *photo, const char *path, struct recognizer *recognizer)
{
    struct err err = {0};
    struct image image;
    static struct face faces[FACE_MAX_FACES];
    int8_t row[ROW_VALUES];
    if (image_read(&image, path, &err) < 0)
        return -1;
    int count = recognizer_run(recognizer, &image, faces, FACE_MAX_FACES, NULL, &err), nearest = 0;
    for (int i = 1; i < count; i++)
        if (from_centre(&faces[i], &image) < from_centre(&faces[nearest], &image))
            nearest = i;
    image_finish(&image);
    photo->found = count > 0;
    if (count < 1)
        return 0;
    memcpy(photo->as_given, faces[nearest].embedding, sizeof photo->as_given);
    row_from_floats(row, photo->as_given);
    row_to_floats(photo->rounded, row);
    return 0;
}

static struct photo *embed_all(const struct pair_list *list, const char *folder,
                               struct recognizer *recognizer)
{
    struct photo *photos = calloc(list->photo_count, sizeof *photos);
    for (size_t i = 0; photos && i < list->photo_count; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, list->photos[i]);
        if (embed(&photos[i], path, recognizer) < 0)
            fprintf(stderr, "%s: not readable\n", path);
    }
    return photos;
}

static float similarity(const struct photo *a, const struct photo *b, enum sides sides)
{
    return simd_kernels(simd_best())
        ->dot_f32(sides == BOTH_ROUNDED ? a->rounded : a->as_given,
                  sides == FLOATS ? b->as_given : b->rounded, FACE_EMBEDDING_FLOATS);
}

static int print(const struct pair_list *list, const struct photo *photos, enum sides sides,
                 struct err *err)
{
    static const char *const names[SIDES] = {"floats", "one rounded", "both rounded"};
    struct pair_score *scores = calloc(list->count, sizeof *scores);
    double most = 0;
    for (size_t i = 0; scores && i < list->count; i++) {
        const struct photo *a = &photos[list->pairs[i].a], *b = &photos[list->pairs[i].b];
        scores[i] = (struct pair_score){.similarity = similarity(a, b, sides),
                                        .same = list->pairs[i].same,
                                        .failed = !a->found || !b->found};
        double change = fabs((double)scores[i].similarity - (double)similarity(a, b, FLOATS));
        most = change > most ? change : most;
    }
    struct pair_result result;
    int done = scores ? pairs_evaluate(scores, list->count, &result, err) : -1;
    if (done == 0)
        printf("%-12s %8.2f %% %8.1f %% %8.1f %% %10.5f\n", names[sides], 100 * result.accuracy,
               100 * result.tar_at_far_1e2, 100 * result.tar_at_far_1e3, most);
    free(scores);
    return done;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct pair_list list = {0};
    struct face_models *models = NULL;
    struct recognizer *recognizer = NULL;
    if (argc < 3)
        err_set(&err, ERR_INVALID, "usage: bench_rounding IMAGES PAIRS.tsv [MODELS]");
    else if (pair_list_read(&list, argv[2], &err) == 0)
        models = face_models_open(argc > 3 ? argv[3] : "build/models", &err);
    if (models)
        recognizer = recognizer_create(models, NULL, &err);
    struct photo *photos = recognizer ? embed_all(&list, argv[1], recognizer) : NULL;
    if (photos)
        printf("             accuracy   FAR 1e-2   FAR 1e-3   most changed\n");
    for (int sides = FLOATS; photos && sides < SIDES && !err.code; sides++)
        (void)!print(&list, photos, (enum sides)sides, &err);
    if (err.code)
        fprintf(stderr, "bench_rounding: %s\n", err.message);
    free(photos);
    recognizer_destroy(recognizer);
    face_models_close(models);
    pair_list_finish(&list);
    return err.code != ERR_NONE;
}
