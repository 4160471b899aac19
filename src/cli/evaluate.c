#include "cli/evaluate.h"
#include "base/clock.h"
#include "cli/detect_option.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/verbs.h"
#include "face/pairs.h"
#include "face/recognizer.h"
#include "simd/kernels.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct evaluate {
    const char *images, *pairs_path, *models_folder, *detect_text;
    enum face_detect detect;
    long threads;
    int json;
    struct face_models *models;
    struct pair_list list;
    float *embeddings; /* photo_count x FACE_EMBEDDING_FLOATS */
    char *has_face;    /* photo_count */
    atomic_size_t next;
    atomic_flag reporting;
    atomic_int failed;
    struct err err; /* of the first worker that failed */
};

static const char details[] =
    "\"ken evaluate pairs\" runs the whole pipeline on every photo (the face nearest the centre\n"
    "counts) and compares the pairs. FILE has the columns image_a, image_b, same (1 or 0),\n"
    "apart by tabs. A photo without a face makes its pairs wrong. Accuracy is by 10-fold\n"
    "cross-validation of the threshold; TAR at FAR 0.01 is the part of the same pairs accepted\n"
    "where 1 % of the others are.\n"
    "\"ken evaluate detection\" (--help shows more) measures how well faces are found.\n\n"
    "example:\n"
    "  ken evaluate pairs --images lfw/images --pairs lfw/pairs.tsv\n\n"
    "\"ken evaluate identify\" measures a gallery with photos of its people and of strangers: see\n"
    "ken evaluate identify --help";

static const struct face *nearest_centre(const struct face *faces, int count,
                                         const struct image *image)
{
    const struct face *best = faces;
    double least = INFINITY;
    for (int i = 0; i < count; i++) {
        const float *box = faces[i].box;
        double distance = hypot(box[0] + box[2] / 2 - image->width / 2.0,
                                box[1] + box[3] / 2 - image->height / 2.0);
        if (distance < least) {
            least = distance;
            best = &faces[i];
        }
    }
    return best;
}

static int embed_photo(struct evaluate *evaluate, struct recognizer *recognizer,
                       struct image *image, size_t index, struct err *err)
{
    enum { LOOK_AT = 32 };
    struct face faces[LOOK_AT];
    char path[PATH_MAX];
    const char *name = evaluate->list.photos[index];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", evaluate->images, name) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "%s: the path is too long", name);
    if (image_read(image, path, err) < 0)
        return -1;
    int count = recognizer_run(recognizer, image, faces, LOOK_AT, NULL, err);
    if (count < 0)
        return err_wrap(err, "read %s", path);
    evaluate->has_face[index] = count > 0;
    if (count > 0)
        memcpy(evaluate->embeddings + index * FACE_EMBEDDING_FLOATS,
               nearest_centre(faces, count, image)->embedding, sizeof faces[0].embedding);
    return 0;
}

static void fail(struct evaluate *evaluate, const struct err *err)
{
    if (!atomic_flag_test_and_set(&evaluate->reporting))
        evaluate->err = *err;
    atomic_store(&evaluate->failed, 1);
}

/* One thread: takes photos until none is left. */
static void work(void *context, size_t thread)
{
    (void)thread;
    struct evaluate *evaluate = context;
    struct err err = {0};
    struct recognizer_options options = recognizer_defaults;
    options.detect = evaluate->detect;
    struct recognizer *recognizer = recognizer_create(evaluate->models, &options, &err);
    if (!recognizer) {
        fail(evaluate, &err);
        return;
    }
    size_t index;
    while (!atomic_load(&evaluate->failed) &&
           (index = atomic_fetch_add(&evaluate->next, 1)) < evaluate->list.photo_count) {
        struct image image = {0};
        if (embed_photo(evaluate, recognizer, &image, index, &err) < 0)
            fail(evaluate, &err);
        image_finish(&image);
    }
    recognizer_destroy(recognizer);
}

static int embed_all(struct evaluate *evaluate, struct err *err)
{
    size_t count = evaluate->list.photo_count;
    size_t threads = evaluate->threads > 0 ? (size_t)evaluate->threads : pool_processors();
    evaluate->embeddings = calloc(count, FACE_EMBEDDING_FLOATS * sizeof(float));
    evaluate->has_face = calloc(count, 1);
    if (!evaluate->embeddings || !evaluate->has_face)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu photos", count);
    struct pool *pool = pool_create(threads < count ? threads : count, err);
    if (!pool)
        return -1;
    pool_run(pool, pool_threads(pool), work, evaluate);
    pool_destroy(pool);
    if (!atomic_load(&evaluate->failed))
        return 0;
    *err = evaluate->err;
    return -1;
}

static int judge(const struct evaluate *evaluate, struct pair_result *result, struct err *err)
{
    const struct kernels *kernels = simd_kernels(simd_best());
    size_t count = evaluate->list.count;
    struct pair_score *scores = calloc(count, sizeof *scores);
    if (!scores)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu pairs", count);
    for (size_t i = 0; i < count; i++) {
        const struct pair *pair = &evaluate->list.pairs[i];
        const float *a = evaluate->embeddings + pair->a * FACE_EMBEDDING_FLOATS;
        const float *b = evaluate->embeddings + pair->b * FACE_EMBEDDING_FLOATS;
        scores[i].same = pair->same;
        scores[i].failed = !evaluate->has_face[pair->a] || !evaluate->has_face[pair->b];
        scores[i].similarity = kernels->dot_f32(a, b, FACE_EMBEDDING_FLOATS);
    }
    int done = pairs_evaluate(scores, count, result, err);
    free(scores);
    return done;
}

static void print_result(const struct evaluate *evaluate, const struct pair_result *result,
                         double seconds)
{
    size_t no_face = 0;
    for (size_t i = 0; i < evaluate->list.photo_count; i++)
        no_face += !evaluate->has_face[i];
    double speed = (double)evaluate->list.photo_count / seconds;
    if (!evaluate->json) {
        printf("pairs              %zu\n", evaluate->list.count);
        printf("accuracy           %.2f %% (10-fold, mean threshold %.3f)\n",
               100 * result->accuracy, result->threshold);
        printf("TAR at FAR 1e-2    %.2f %%\n", 100 * result->tar_at_far_1e2);
        printf("TAR at FAR 1e-3    %.2f %%\n", 100 * result->tar_at_far_1e3);
        printf("photos, no face    %zu, %zu\n", evaluate->list.photo_count, no_face);
        printf("photos a second    %.1f\n", speed);
        return;
    }
    json_t *out =
        json_pack("{s:I, s:f, s:{s:f, s:f}, s:f, s:I, s:f}", "pairs",
                  (json_int_t)evaluate->list.count, "accuracy", result->accuracy, "tar_at_far",
                  "0.01", result->tar_at_far_1e2, "0.001", result->tar_at_far_1e3, "threshold",
                  result->threshold, "no_face", (json_int_t)no_face, "photos_per_second", speed);
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

static int run(struct evaluate *evaluate, struct err *err)
{
    struct pair_result result;
    if (pair_list_read(&evaluate->list, evaluate->pairs_path, err) < 0)
        return -1;
    evaluate->models = paths_open_models(evaluate->models_folder, err);
    if (!evaluate->models)
        return -1;
    uint64_t start = clock_monotonic_ns();
    if (embed_all(evaluate, err) < 0)
        return -1;
    double seconds = clock_ms_since(start) / 1000;
    if (judge(evaluate, &result, err) < 0)
        return -1;
    print_result(evaluate, &result, seconds);
    return 0;
}

static void finish(struct evaluate *evaluate)
{
    face_models_close(evaluate->models);
    pair_list_finish(&evaluate->list);
    free(evaluate->embeddings);
    free(evaluate->has_face);
}

int verb_evaluate(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "identify") == 0)
        return evaluate_identify(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "detection") == 0)
        return evaluate_detection(argc - 1, argv + 1);
    struct evaluate evaluate = {.reporting = ATOMIC_FLAG_INIT};
    const struct option_spec options[] = {
        {"images", 0, OPTION_TEXT, &evaluate.images, "DIR", "folder of the photos", 0, 0},
        {"pairs", 0, OPTION_TEXT, &evaluate.pairs_path, "FILE", "the list of pairs, TSV", 0, 0},
        {"models", 0, OPTION_TEXT, &evaluate.models_folder, "DIR", PATHS_MODELS_HELP, 0, 0},
        DETECT_OPTION(&evaluate.detect_text),
        {"threads", 0, OPTION_INT, &evaluate.threads, "N",
         "threads, 1 to 256 (default: one a processor)", 1, 256},
        {"json", 0, OPTION_FLAG, &evaluate.json, NULL, "print one JSON document", 0, 0},
        {0}};
    const struct command_line line = {"evaluate", "Measure how well ken tells people apart.",
                                      "pairs", details, options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (argc - first != 1 || strcmp(argv[first], "pairs") != 0 || !evaluate.images ||
        !evaluate.pairs_path) {
        err_set(&err, ERR_INVALID,
                "\"pairs\", --images DIR and --pairs FILE are wanted (see ken evaluate --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (detect_option_read(evaluate.detect_text, &evaluate.detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    int result = run(&evaluate, &err);
    finish(&evaluate);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
