#include "cli/detect_option.h"
#include "cli/evaluate.h"
#include "cli/line.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "face/identification.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* People taken for others, whatever the threshold. */
struct confusion {
    const char *person, *taken_for;
    float similarity; /* the largest */
    size_t photos;
};

struct evaluation {
    const char *gallery_path, *probes_folder, *impostors_folder, *models_folder, *detect_text;
    enum face_detect detect;
    long threads;
    int json;
    struct gallery *gallery;
    struct album probes, impostors;
    struct search_trials trials;
    struct confusion *confusions; /* most photos first */
    size_t confusion_count;
};

static const double rates[] = {0.01, 0.003};
enum { RATES = sizeof rates / sizeof *rates };

static const char details[] =
    "DIR holds one folder a person, named after the person, with photos in it. Those the gallery\n"
    "has by name are searched as enrolled people, all others as strangers; so are those in the\n"
    "folder of --impostors (photos, or folders of photos). Rank 1 is the part of the enrolled\n"
    "people's photos whose most similar person is the right one; FNIR the part not found, at\n"
    "the threshold where FPIR of the strangers are taken for somebody. Intervals are of 95 %.\n\n"
    "example:\n"
    "  ken evaluate identify --gallery gallery.ken --probes new-photos --impostors others";

static int find_faces(const struct evaluation *evaluation, struct album *album,
                      const struct face_models *models, struct err *err)
{
    struct album_options options = {
        .models = models, .detect = evaluation->detect, .threads = (size_t)evaluation->threads};
    return progress_find_faces(album, &options, err);
}

static int search_all(struct evaluation *evaluation, struct err *err)
{
    struct face_models *models = paths_open_models(evaluation->models_folder, err);
    if (!models)
        return -1;
    const struct face_network network = face_models_network(models);
    int result = gallery_check_network(evaluation->gallery, &network, err);
    if (result == 0)
        result = album_add_people(&evaluation->probes, evaluation->probes_folder, err);
    if (result == 0 && evaluation->impostors_folder)
        result = album_add_all(&evaluation->impostors, evaluation->impostors_folder, err);
    if (result == 0)
        result = find_faces(evaluation, &evaluation->probes, models, err);
    if (result == 0)
        result = find_faces(evaluation, &evaluation->impostors, models, err);
    face_models_close(models);
    if (result == 0)
        result = search_trials_add(&evaluation->trials, evaluation->gallery, &evaluation->probes,
                                   SEARCH_BY_NAME, err);
    if (result == 0 && search_rank1(&evaluation->trials).trials == 0)
        result = err_set(err, ERR_INVALID, "%s: no folder in it has the name of an enrolled person",
                         evaluation->probes_folder);
    return result;
}

static int by_people(const void *a, const void *b)
{
    const struct confusion *first = a, *second = b;
    int order = strcmp(first->person, second->person);
    return order ? order : strcmp(first->taken_for, second->taken_for);
}

static int by_photos(const void *a, const void *b)
{
    const struct confusion *first = a, *second = b;
    if (first->photos != second->photos)
        return first->photos < second->photos ? 1 : -1;
    return by_people(a, b);
}

static int find_confusions(struct evaluation *evaluation, struct err *err)
{
    struct confusion *found = calloc(evaluation->trials.count + 1, sizeof *found);
    if (!found)
        return err_set(err, ERR_NO_MEMORY, "no memory for the list of confusions");
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < evaluation->trials.count; i++) {
        const struct search_trial *trial = &evaluation->trials.all[i];
        if (trial->mated && !trial->right && !trial->failed)
            found[count++] = (struct confusion){evaluation->probes.photos[trial->photo].person,
                                                gallery_name(evaluation->gallery, trial->candidate),
                                                trial->similarity, 1};
    }
    qsort(found, count, sizeof *found, by_people);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || by_people(&found[kept - 1], &found[i]) != 0) {
            found[kept++] = found[i];
            continue;
        }
        found[kept - 1].photos++;
        found[kept - 1].similarity = fmaxf(found[kept - 1].similarity, found[i].similarity);
    }
    qsort(found, kept, sizeof *found, by_photos);
    evaluation->confusions = found;
    evaluation->confusion_count = kept;
    return 0;
}

static size_t count_failed(const struct search_trials *trials)
{
    size_t failed = 0;
    for (size_t i = 0; i < trials->count; i++)
        failed += trials->all[i].failed != 0;
    return failed;
}

static void print_at(const struct evaluation *evaluation, const char *label, float threshold)
{
    struct rate fnir = search_fnir(&evaluation->trials, threshold);
    struct rate fpir = search_fpir(&evaluation->trials, threshold);
    printf("%-18s threshold %.3f: FNIR ", label, (double)threshold);
    output_rate(&fnir);
    printf(", FPIR ");
    output_rate(&fpir);
    putchar('\n');
}

static void print_text(const struct evaluation *evaluation)
{
    const struct search_trials *trials = &evaluation->trials;
    struct rate rank1 = search_rank1(trials), strangers = search_fpir(trials, -2);
    printf(
        "searches           %zu of enrolled people, %zu of strangers; %zu photos without a face\n",
        rank1.trials, strangers.trials, count_failed(trials));
    printf("rank 1             ");
    output_rate(&rank1);
    putchar('\n');
    print_at(evaluation, "as enrolled", gallery_threshold(evaluation->gallery));
    for (int i = 0; i < RATES; i++) {
        char label[32];
        float threshold;
        struct err err;
        snprintf(label, sizeof label, "FPIR %g", rates[i]);
        if (search_threshold(trials, rates[i], &threshold, &err) < 0)
            printf("%-18s unknown: %s\n", label, err.message);
        else if (strangers.trials < search_least_trials(rates[i]))
            printf("%-18s unknown: %zu strangers' photos are needed, there are %zu\n", label,
                   search_least_trials(rates[i]), strangers.trials);
        else
            print_at(evaluation, label, threshold);
    }
    for (size_t i = 0; i < evaluation->confusion_count; i++) {
        const struct confusion *confusion = &evaluation->confusions[i];
        line_print(stdout,
                   "confused           %s taken for %s in %zu photo%s (similarity up to %.2f)",
                   confusion->person, confusion->taken_for, confusion->photos,
                   confusion->photos == 1 ? "" : "s", (double)confusion->similarity);
    }
}

static json_t *point_to_json(const struct search_trials *trials, float threshold)
{
    struct rate fnir = search_fnir(trials, threshold), fpir = search_fpir(trials, threshold);
    return json_pack("{s:f, s:o, s:o}", "threshold", (double)threshold, "fnir", json_rate(&fnir),
                     "fpir", json_rate(&fpir));
}

static void print_json(const struct evaluation *evaluation)
{
    const struct search_trials *trials = &evaluation->trials;
    struct rate rank1 = search_rank1(trials), strangers = search_fpir(trials, -2);
    json_t *at = json_object(), *confusions = json_array();
    for (int i = 0; i < RATES; i++) {
        char name[32];
        float threshold;
        struct err err;
        snprintf(name, sizeof name, "%g", rates[i]);
        int known = strangers.trials >= search_least_trials(rates[i]) &&
                    search_threshold(trials, rates[i], &threshold, &err) == 0;
        json_object_set_new(at, name, known ? point_to_json(trials, threshold) : json_null());
    }
    for (size_t i = 0; i < evaluation->confusion_count; i++) {
        const struct confusion *confusion = &evaluation->confusions[i];
        json_array_append_new(confusions, json_pack("{s:o, s:o, s:I, s:f}", "person",
                                                    json_file_name(confusion->person), "taken_for",
                                                    json_file_name(confusion->taken_for), "photos",
                                                    (json_int_t)confusion->photos, "similarity",
                                                    (double)confusion->similarity));
    }
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "mated", (json_int_t)rank1.trials,
                  "nonmated", (json_int_t)strangers.trials, "no_face",
                  (json_int_t)count_failed(trials), "rank1", json_rate(&rank1), "as_enrolled",
                  point_to_json(trials, gallery_threshold(evaluation->gallery)), "at_fpir", at,
                  "confusions", confusions);
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

static int run(struct evaluation *evaluation, struct err *err)
{
    evaluation->gallery = gallery_open(paths_gallery(evaluation->gallery_path), err);
    if (!evaluation->gallery || search_all(evaluation, err) < 0 ||
        search_trials_add(&evaluation->trials, evaluation->gallery, &evaluation->impostors,
                          SEARCH_STRANGERS, err) < 0)
        return -1;
    if (find_confusions(evaluation, err) < 0)
        return -1;
    if (evaluation->json)
        print_json(evaluation);
    else
        print_text(evaluation);
    return 0;
}

static int check_usage(struct evaluation *evaluation, int operands, struct err *err)
{
    if (operands > 0 || !evaluation->probes_folder)
        return err_set(err, ERR_INVALID,
                       "--probes DIR is wanted, and no operand (see ken evaluate identify --help)");
    return detect_option_read(evaluation->detect_text, &evaluation->detect, err);
}

int evaluate_identify(int argc, char **argv)
{
    struct evaluation evaluation = {0};
    const struct option_spec options[] = {
        {"gallery", 'g', OPTION_TEXT, &evaluation.gallery_path, "FILE",
         "enrolled people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"probes", 0, OPTION_TEXT, &evaluation.probes_folder, "DIR",
         "one folder of photos a person", 0, 0},
        {"impostors", 0, OPTION_TEXT, &evaluation.impostors_folder, "DIR",
         "photos of people who are not enrolled", 0, 0},
        {"models", 0, OPTION_TEXT, &evaluation.models_folder, "DIR", PATHS_MODELS_HELP, 0, 0},
        DETECT_OPTION(&evaluation.detect_text),
        {"threads", 0, OPTION_INT, &evaluation.threads, "N",
         "threads, 1 to 256 (default: one a processor)", 1, 256},
        {"json", 0, OPTION_FLAG, &evaluation.json, NULL, "print one JSON document", 0, 0},
        {0}};
    const struct command_line line = {"evaluate identify", "Measure whether ken finds who is who.",
                                      NULL, details, options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (check_usage(&evaluation, argc - first, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    album_init(&evaluation.probes);
    album_init(&evaluation.impostors);
    int result = run(&evaluation, &err);
    album_finish(&evaluation.probes);
    album_finish(&evaluation.impostors);
    search_trials_finish(&evaluation.trials);
    gallery_destroy(evaluation.gallery);
    free(evaluation.confusions);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
