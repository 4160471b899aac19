#include "base/clock.h"
#include "cli/detect_option.h"
#include "cli/evaluate.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "face/detection.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* Scores from here on are looked at, so that precision can be told over all of them. Below lies the
 * noise of plain background, hundreds of boxes a photo. */
static const float least_score = 0.015f;

struct evaluate_detection {
    const char *images, *faces_path, *found_path, *models_folder, *detect;
    int json;
    struct recognizer *recognizer;
    struct true_faces truth;
    struct found_faces others; /* of --found */
    size_t others_judged;
    struct detection *found;
    size_t count, capacity;
    size_t *wanted, photos; /* wanted faces of each photo */
    double seconds;         /* of detection; reading is not counted */
};

static const char details[] =
    "FILE has the columns image, x, y, w, h, ignore (1 or 0), apart by tabs: every face of every\n"
    "photo. A hit overlaps the true face by at least half; faces to ignore count for nothing.\n"
    "The interval is the range of 95 % of 1,000 draws of as many photos from these photos.\n"
    "Times are of the search for faces alone, on one thread, without reading the photos.\n"
    "--found judges what another program found instead: columns image, x, y, w, h, score.\n\n"
    "examples:\n"
    "  ken evaluate detection --images wider/images --faces wider/faces.tsv\n"
    "  ken evaluate detection --found theirs.tsv --faces wider/faces.tsv";

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

/* Looks for the faces of one photo. Returns how many, or -1. */
static int look(struct evaluate_detection *evaluate, const char *name, struct face *faces,
                struct err *err)
{
    char path[PATH_MAX];
    struct image image;
    if ((size_t)snprintf(path, sizeof path, "%s/%s", evaluate->images, name) >= sizeof path)
        return err_set(err, ERR_TOO_BIG, "%s: the path is too long", name);
    if (image_read(&image, path, err) < 0)
        return -1;
    uint64_t start = clock_monotonic_ns();
    int found = recognizer_detect(evaluate->recognizer, &image, faces, FACE_MAX_FACES, err);
    evaluate->seconds += clock_ms_since(start) / 1000;
    image_finish(&image);
    return found < 0 ? err_wrap(err, "read %s", path) : found;
}

static void add(struct evaluate_detection *evaluate, const float box[4], float score)
{
    evaluate->found[evaluate->count++] = (struct detection){
        .box = {box[0], box[1], box[2], box[3]}, .score = score, .photo = evaluate->photos};
}

static int add_looked_at(struct evaluate_detection *evaluate, const char *image, struct face *faces,
                         struct err *err)
{
    int found = look(evaluate, image, faces, err);
    if (found < 0 || reserve(evaluate, (size_t)found, err) < 0)
        return -1;
    for (int i = 0; i < found; i++)
        add(evaluate, faces[i].box, faces[i].score);
    return 0;
}

/* Both lists are by image. */
static int add_others(struct evaluate_detection *evaluate, const char *image, struct err *err)
{
    const struct found_faces *others = &evaluate->others;
    for (; evaluate->others_judged < others->count; evaluate->others_judged++) {
        const struct found_face *face = &others->faces[evaluate->others_judged];
        int order = strcmp(face->image, image);
        if (order > 0)
            break;
        if (order < 0)
            return err_set(err, ERR_INVALID, "%s: no photo \"%s\" is in %s", evaluate->found_path,
                           face->image, evaluate->faces_path);
        if (reserve(evaluate, 1, err) < 0)
            return -1;
        add(evaluate, face->box, face->score);
    }
    return 0;
}

static int judge_photo(struct evaluate_detection *evaluate, struct true_face *truth, size_t count,
                       struct face *faces, struct err *err)
{
    size_t first = evaluate->count;
    int added = evaluate->found_path ? add_others(evaluate, truth->image, err)
                                     : add_looked_at(evaluate, truth->image, faces, err);
    if (added < 0)
        return -1;
    detection_judge(truth, count, evaluate->found + first, evaluate->count - first);
    for (size_t i = 0; i < count; i++)
        evaluate->wanted[evaluate->photos] += !truth[i].ignore;
    evaluate->photos++;
    return 0;
}

static void print_text(const struct evaluate_detection *evaluate,
                       const struct detection_result *result, const double interval[2])
{
    printf("photos, faces                %zu, %zu\n", evaluate->photos, evaluate->truth.wanted);
    printf("recall at precision 0.95     %.1f %% (%.1f to %.1f %%; score from %.3f)\n",
           100 * result->recall_at_95, 100 * interval[0], 100 * interval[1], result->threshold);
    printf("average precision            %.3f\n", result->average_precision);
    printf("recall at any score          %.1f %%\n", 100 * result->recall);
    if (evaluate->found_path)
        return;
    double ms = 1000 * evaluate->seconds / (double)evaluate->photos;
    printf("ms a photo                   %.1f\n", ms);
    printf("photos, faces a second       %.1f, %.1f\n", 1000 / ms,
           (double)evaluate->truth.wanted / evaluate->seconds);
}

static void print_json(const struct evaluate_detection *evaluate,
                       const struct detection_result *result, const double interval[2])
{
    json_t *out = json_pack(
        "{s:I, s:I, s:f, s:[f, f], s:f, s:f, s:f}", "photos", (json_int_t)evaluate->photos, "faces",
        (json_int_t)evaluate->truth.wanted, "recall_at_precision_0.95", result->recall_at_95,
        "interval_95", interval[0], interval[1], "threshold", result->threshold,
        "average_precision", result->average_precision, "recall", result->recall);
    if (out && !evaluate->found_path) {
        double ms = 1000 * evaluate->seconds / (double)evaluate->photos;
        json_object_set_new(out, "ms_per_photo", json_real(ms));
        json_object_set_new(out, "photos_per_second", json_real(1000 / ms));
        json_object_set_new(out, "faces_per_second",
                            json_real((double)evaluate->truth.wanted / evaluate->seconds));
    }
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

static int print_result(struct evaluate_detection *evaluate, struct err *err)
{
    struct detection_result result;
    double interval[2];
    if (detection_interval(evaluate->found, evaluate->count, evaluate->wanted, evaluate->photos,
                           interval, err) < 0)
        return -1;
    detection_evaluate(evaluate->found, evaluate->count, evaluate->truth.wanted, &result);
    if (evaluate->json)
        print_json(evaluate, &result, interval);
    else
        print_text(evaluate, &result, interval);
    return 0;
}

static int judge_photos(struct evaluate_detection *evaluate, struct err *err)
{
    struct face *faces = calloc(FACE_MAX_FACES, sizeof *faces);
    evaluate->wanted = calloc(evaluate->truth.count, sizeof *evaluate->wanted);
    int result = faces && evaluate->wanted ? reserve(evaluate, 1, err)
                                           : err_set(err, ERR_NO_MEMORY, "no memory for the faces");
    for (size_t i = 0, count; result == 0 && i < evaluate->truth.count; i += count) {
        count = true_faces_in_image(&evaluate->truth, i);
        result = judge_photo(evaluate, &evaluate->truth.faces[i], count, faces, err);
    }
    const struct found_faces *others = &evaluate->others;
    if (result == 0 && evaluate->others_judged < others->count)
        result = err_set(err, ERR_INVALID, "%s: no photo \"%s\" is in %s", evaluate->found_path,
                         others->faces[evaluate->others_judged].image, evaluate->faces_path);
    free(faces);
    return result;
}

static int run_search(struct evaluate_detection *evaluate, enum face_detect detect, struct err *err)
{
    struct recognizer_options options = recognizer_defaults;
    options.detect = detect;
    options.min_score = least_score;
    struct face_models *models = paths_open_models(evaluate->models_folder, err);
    if (models)
        evaluate->recognizer = recognizer_create(models, &options, err);
    int done = evaluate->recognizer ? judge_photos(evaluate, err) : -1;
    recognizer_destroy(evaluate->recognizer);
    face_models_close(models);
    return done;
}

static int run(struct evaluate_detection *evaluate, enum face_detect detect, struct err *err)
{
    if (true_faces_read(&evaluate->truth, evaluate->faces_path, err) < 0)
        return -1;
    if (evaluate->found_path) {
        if (found_faces_read(&evaluate->others, evaluate->found_path, err) < 0 ||
            judge_photos(evaluate, err) < 0)
            return -1;
    } else if (run_search(evaluate, detect, err) < 0) {
        return -1;
    }
    return print_result(evaluate, err);
}

int evaluate_detection(int argc, char **argv)
{
    struct evaluate_detection evaluate = {0};
    const struct option_spec options[] = {
        {"images", 0, OPTION_TEXT, &evaluate.images, "DIR", "folder of the photos", 0, 0},
        {"faces", 0, OPTION_TEXT, &evaluate.faces_path, "FILE", "the list of faces, TSV", 0, 0},
        {"found", 0, OPTION_TEXT, &evaluate.found_path, "FILE",
         "judge these boxes, TSV, instead of looking for faces", 0, 0},
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
    if (!evaluate.faces_path || !evaluate.images == !evaluate.found_path) {
        err_set(
            &err, ERR_INVALID,
            "--faces FILE and one of --images DIR and --found FILE are wanted (see ken evaluate "
            "detection --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (detect_option_read(evaluate.detect, &detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    int result = run(&evaluate, detect, &err);
    true_faces_finish(&evaluate.truth);
    found_faces_finish(&evaluate.others);
    free(evaluate.found);
    free(evaluate.wanted);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
