#include "cli/evaluate.h"
#include "base/clock.h"
#include "cli/detect_option.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/verbs.h"
#include "face/album.h"
#include "face/pairs.h"
#include "simd/kernels.h"

#include <limits.h>
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
    struct album album; /* the list's photos, in its order */
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

static int add_photos(struct evaluate *evaluate, struct err *err)
{
    for (size_t i = 0; i < evaluate->list.photo_count; i++) {
        char path[PATH_MAX];
        const char *name = evaluate->list.photos[i];
        if ((size_t)snprintf(path, sizeof path, "%s/%s", evaluate->images, name) >= sizeof path)
            return err_set(err, ERR_TOO_BIG, "%s: the path is too long", name);
        if (album_add(&evaluate->album, "", path, err) < 0)
            return -1;
    }
    return 0;
}

static int embed_all(struct evaluate *evaluate, struct err *err)
{
    struct album_options options = {.models = evaluate->models,
                                    .detect = evaluate->detect,
                                    .threads = (size_t)evaluate->threads,
                                    .choice = ALBUM_NEAREST_CENTRE,
                                    .all_wanted = 1};
    return progress_find_faces(&evaluate->album, &options, err);
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
        const struct album_photo *a = &evaluate->album.photos[pair->a];
        const struct album_photo *b = &evaluate->album.photos[pair->b];
        scores[i].same = pair->same;
        scores[i].failed = a->state != ALBUM_FACE || b->state != ALBUM_FACE;
        scores[i].similarity =
            kernels->dot_f32(a->face.embedding, b->face.embedding, FACE_EMBEDDING_FLOATS);
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
        no_face += evaluate->album.photos[i].state != ALBUM_FACE;
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
    if (add_photos(evaluate, err) < 0)
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
    album_finish(&evaluate->album);
}

int verb_evaluate(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "identify") == 0)
        return evaluate_identify(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "detection") == 0)
        return evaluate_detection(argc - 1, argv + 1);
    struct evaluate evaluate = {0};
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
                                      "pairs|detection|identify", details, options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    int of_pairs = argc - first == 1 && strcmp(argv[first], "pairs") == 0;
    if (!of_pairs || !evaluate.images || !evaluate.pairs_path) {
        err_set(&err, ERR_INVALID, "%s wanted (see ken evaluate --help)",
                of_pairs ? "--images DIR and --pairs FILE are" : "pairs, detection or identify is");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (detect_option_read(evaluate.detect_text, &evaluate.detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    album_init(&evaluate.album);
    int result = run(&evaluate, &err);
    finish(&evaluate);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
