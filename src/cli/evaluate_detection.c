#include "base/clock.h"
#include "cli/detect_option.h"
#include "cli/evaluate.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "face/detection.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

/* Scores from here on are looked at, so that precision can be told over all of them. Below lies the
 * noise of plain background, hundreds of boxes a photo. */
static const float least_score = 0.1f;

struct evaluate_detection {
    const char *images, *faces_path, *models_folder, *detect;
    int json;
    struct recognizer *recognizer;
    struct true_faces truth;
    struct detection *found;
    size_t count, capacity, photos;
    double seconds; /* of detection; reading is not counted */
};

static const char details[] =
    "FILE has the columns image, x, y, w, h, ignore (1 or 0), apart by tabs: every face of every\n"
    "photo. A hit overlaps the true face by at least half; faces to ignore count for nothing.\n"
    "Times are of the search for faces alone, on one thread, without reading the photos.\n\n"
    "example:\n"
    "  ken evaluate detection --images wider/images --faces wider/faces.tsv";

static int reserve(struct evaluate_detection *evaluate, size_t more, struct err *err)
{
    size_t wanted = evaluate->count + more;
    if (wanted <= evaluate->capacity)
        return 0;
    size_t capacity = 2 * wanted;
    struct detection *found = reallocarray(evaluate->found, capacity, sizeof *found);
    if (!found)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu faces", capacity);
    evaluate->found = found;
    evaluate->capacity = capacity;
    return 0;
}

static int find_faces(struct evaluate_detection *evaluate, struct true_face *truth, size_t count,
                      struct face *faces, struct err *err)
{
    char path[PATH_MAX];
    struct image image;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", evaluate->images, truth->image) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "%s: the path is too long", truth->image);
    if (image_read(&image, path, err) < 0)
        return -1;
    uint64_t start = clock_monotonic_ns();
    int found = recognizer_detect(evaluate->recognizer, &image, faces, FACE_MAX_FACES, err);
    evaluate->seconds += clock_ms_since(start) / 1000;
    image_finish(&image);
    if (found < 0)
        return err_wrap(err, "read %s", path);
    if (reserve(evaluate, (size_t)found, err) < 0)
        return -1;
    struct detection *out = evaluate->found + evaluate->count;
    for (int i = 0; i < found; i++) {
        const float *box = faces[i].box;
        out[i] = (struct detection){{box[0], box[1], box[2], box[3]}, faces[i].score, 0};
    }
    detection_judge(truth, count, out, (size_t)found);
    evaluate->count += (size_t)found;
    evaluate->photos++;
    return 0;
}

static void print_result(const struct evaluate_detection *evaluate,
                         const struct detection_result *result)
{
    double photos = (double)evaluate->photos, faces = (double)evaluate->truth.wanted;
    double ms = 1000 * evaluate->seconds / photos;
    if (!evaluate->json) {
        printf("photos, faces                %zu, %zu\n", evaluate->photos, evaluate->truth.wanted);
        printf("recall at precision 0.95     %.1f %% (score from %.3f)\n",
               100 * result->recall_at_95, result->threshold);
        printf("average precision            %.3f\n", result->average_precision);
        printf("recall at any score          %.1f %%\n", 100 * result->recall);
        printf("ms a photo                   %.1f\n", ms);
        printf("photos, faces a second       %.1f, %.1f\n", 1000 / ms, faces / evaluate->seconds);
        return;
    }
    json_t *out = json_pack(
        "{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "photos", (json_int_t)evaluate->photos,
        "faces", (json_int_t)evaluate->truth.wanted, "recall_at_precision_0.95",
        result->recall_at_95, "threshold", result->threshold, "average_precision",
        result->average_precision, "recall", result->recall, "ms_per_photo", ms,
        "photos_per_second", 1000 / ms, "faces_per_second", faces / evaluate->seconds);
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

static int judge_photos(struct evaluate_detection *evaluate, struct err *err)
{
    struct face *faces = calloc(FACE_MAX_FACES, sizeof *faces);
    if (!faces)
        return err_set(err, ERR_NO_MEMORY, "no memory for %d faces", FACE_MAX_FACES);
    int result = 0;
    for (size_t i = 0, count; result == 0 && i < evaluate->truth.count; i += count) {
        count = true_faces_in_image(&evaluate->truth, i);
        result = find_faces(evaluate, &evaluate->truth.faces[i], count, faces, err);
    }
    free(faces);
    return result;
}

static int run(struct evaluate_detection *evaluate, enum face_detect detect, struct err *err)
{
    struct recognizer_options options = recognizer_defaults;
    options.detect = detect;
    options.min_score = least_score;
    if (true_faces_read(&evaluate->truth, evaluate->faces_path, err) < 0)
        return -1;
    struct face_models *models = paths_open_models(evaluate->models_folder, err);
    if (models)
        evaluate->recognizer = recognizer_create(models, &options, err);
    int done = evaluate->recognizer ? judge_photos(evaluate, err) : -1;
    if (done == 0) {
        struct detection_result result;
        detection_evaluate(evaluate->found, evaluate->count, evaluate->truth.wanted, &result);
        print_result(evaluate, &result);
    }
    recognizer_destroy(evaluate->recognizer);
    face_models_close(models);
    return done;
}

int evaluate_detection(int argc, char **argv)
{
    struct evaluate_detection evaluate = {0};
    const struct option_spec options[] = {
        {"images", 0, OPTION_TEXT, &evaluate.images, "DIR", "folder of the photos", 0, 0},
        {"faces", 0, OPTION_TEXT, &evaluate.faces_path, "FILE", "the list of faces, TSV", 0, 0},
        DETECT_OPTION(&evaluate.detect),
        {"models", 0, OPTION_TEXT, &evaluate.models_folder, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"json", 0, OPTION_FLAG, &evaluate.json, NULL, "print one JSON document", 0, 0},
        {0}};
    const struct command_line line = {"evaluate detection", "Measure how well ken finds faces.",
                                      NULL, details, options};
    enum face_detect detect;
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (!evaluate.images || !evaluate.faces_path) {
        err_set(&err, ERR_INVALID,
                "--images DIR and --faces FILE are wanted (see ken evaluate detection --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (detect_option_read(evaluate.detect, &detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    int result = run(&evaluate, detect, &err);
    true_faces_finish(&evaluate.truth);
    free(evaluate.found);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
