#include "base/file.h"
#include "cli/det_chart.h"
#include "cli/detect_option.h"
#include "cli/gallery_files.h"
#include "cli/line.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/verbs.h"
#include "face/identification.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct calibration {
    const char *gallery_path, *impostors_folder, *probes_folder, *models_folder, *svg_path;
    const char *detect_text;
    enum face_detect detect;
    double fpir;
    long threads;
    int force, json;
    struct gallery *gallery;
    struct album impostors, probes;
    struct search_trials trials;
    struct search_curve curve;
    size_t no_face; /* impostors' photos */
    float threshold, before;
};

enum { MAX_CHART_BYTES = 1 << 20 };

static const char details[] =
    "Searches the gallery with every photo of --impostors (photos, or folders of photos, of "
    "people\n"
    "who are not enrolled) and sets the threshold at which no more than the part --fpir of them\n"
    "is taken for somebody. What it costs, FNIR, the part of enrolled people's photos not\n"
    "found, is measured on --probes (one folder a person), else on the enrolled photos, each\n"
    "left out in turn: kinder than life, where photos of one day are enrolled together.\n"
    "Fewer than 3 / FPIR photos cannot show a rate of FPIR (rule of three): then nothing is set,\n"
    "unless --force says so. Intervals are of 95 %.\n\n"
    "examples:\n"
    "  ken calibrate --gallery gallery.ken --impostors others --fpir 0.003\n"
    "  ken calibrate --impostors others --probes new-photos --svg det.svg --json";

static int find_faces(const struct calibration *calibration, struct album *album,
                      const struct face_models *models, struct err *err)
{
    struct album_options options = {
        .models = models, .detect = calibration->detect, .threads = (size_t)calibration->threads};
    return progress_find_faces(album, &options, err);
}

static int read_photos(struct calibration *calibration, struct err *err)
{
    if (album_add_all(&calibration->impostors, calibration->impostors_folder, err) < 0)
        return -1;
    if (calibration->probes_folder &&
        album_add_people(&calibration->probes, calibration->probes_folder, err) < 0)
        return -1;
    struct face_models *models = paths_open_models(calibration->models_folder, err);
    if (!models)
        return -1;
    const struct face_network network = face_models_network(models);
    int result = gallery_check_network(calibration->gallery, &network, err);
    if (result == 0)
        result = find_faces(calibration, &calibration->impostors, models, err);
    if (result == 0)
        result = find_faces(calibration, &calibration->probes, models, err);
    face_models_close(models);
    return result;
}

static int search_all(struct calibration *calibration, struct err *err)
{
    struct search_trials *trials = &calibration->trials;
    if (search_trials_add(trials, calibration->gallery, &calibration->impostors, SEARCH_STRANGERS,
                          err) < 0)
        return -1;
    for (size_t i = 0; i < trials->count; i++)
        calibration->no_face += trials->all[i].failed != 0;
    if (!calibration->probes_folder)
        return search_trials_add_enrolled(trials, calibration->gallery, err);
    if (search_trials_add(trials, calibration->gallery, &calibration->probes, SEARCH_ENROLLED,
                          err) < 0)
        return -1;
    if (search_fnir(trials, 0).trials == 0)
        return err_set(err, ERR_INVALID, "%s: no folder in it has the name of an enrolled person",
                       calibration->probes_folder);
    return 0;
}

static int check_enough(const struct calibration *calibration, struct err *err)
{
    size_t have = search_fpir(&calibration->trials, 0).trials;
    size_t needed = search_least_trials(calibration->fpir);
    if (have >= needed || calibration->force)
        return 0;
    return err_set(err, ERR_INVALID,
                   "an FPIR of %g needs %zu photos of strangers that show a face (rule of three: "
                   "3 / %g), and there are %zu; nothing was changed: take more photos, a larger "
                   "rate, or --force",
                   calibration->fpir, needed, calibration->fpir, have);
}

static int save(const struct calibration *calibration, const char *path, struct err *err)
{
    if (calibration->svg_path) {
        struct buf chart;
        buf_init(&chart, MAX_CHART_BYTES);
        det_chart_write(&calibration->trials, &calibration->curve, calibration->threshold, &chart);
        int result = chart.failed
                         ? err_set(err, ERR_NO_MEMORY, "no memory for the chart")
                         : file_write(calibration->svg_path, chart.data, chart.size, 0644, err);
        buf_finish(&chart);
        if (result < 0)
            return -1;
    }
    return gallery_files_save(calibration->gallery, path, gallery_is_plain(calibration->gallery),
                              err);
}

static json_t *curve_to_json(const struct search_trials *trials, const struct search_curve *curve)
{
    json_t *out = json_array();
    for (size_t i = 0; i < curve->count; i++) {
        float threshold = curve->thresholds[i];
        struct rate fpir = search_fpir(trials, threshold), fnir = search_fnir(trials, threshold);
        json_array_append_new(out, json_pack("{s:f, s:o, s:o}", "threshold", (double)threshold,
                                             "fpir", json_rate(&fpir), "fnir", json_rate(&fnir)));
    }
    return out;
}

static void print_json(const struct calibration *calibration, const char *path)
{
    struct rate fpir = search_fpir(&calibration->trials, calibration->threshold);
    struct rate fnir = search_fnir(&calibration->trials, calibration->threshold);
    json_t *out = json_pack("{s:o, s:f, s:f, s:f, s:o, s:o, s:s, s:I, s:b, s:o}", "gallery",
                            json_file_name(path), "threshold", (double)calibration->threshold,
                            "threshold_before", (double)calibration->before, "fpir_wanted",
                            calibration->fpir, "fpir", json_rate(&fpir), "fnir", json_rate(&fnir),
                            "fnir_from", calibration->probes_folder ? "probes" : "enrolled",
                            "no_face", (json_int_t)calibration->no_face, "enough",
                            fpir.trials >= search_least_trials(calibration->fpir), "det",
                            curve_to_json(&calibration->trials, &calibration->curve));
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

/* The DET curve at round rates, as far down as there are strangers enough to speak of them. */
static void print_table(const struct search_trials *trials)
{
    static const double rates[] = {0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001};
    printf("DET   FPIR up to   threshold   FNIR\n");
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        float threshold;
        struct err err;
        if (search_fpir(trials, 0).trials < search_least_trials(rates[i]) ||
            search_threshold(trials, rates[i], &threshold, &err) < 0)
            break;
        struct rate fnir = search_fnir(trials, threshold);
        printf("      %-10g   %-9.4f   ", rates[i], (double)threshold);
        output_rate(&fnir);
        putchar('\n');
    }
}

static void print_text(const struct calibration *calibration, const char *path)
{
    struct rate fpir = search_fpir(&calibration->trials, calibration->threshold);
    struct rate fnir = search_fnir(&calibration->trials, calibration->threshold);
    printf("strangers          %zu photos searched; %zu more show no face or cannot be read\n",
           fpir.trials, calibration->no_face);
    if (fpir.trials < search_least_trials(calibration->fpir))
        printf("                   too few for an FPIR of %g, which needs %zu\n", calibration->fpir,
               search_least_trials(calibration->fpir));
    printf("FPIR               ");
    output_rate(&fpir);
    printf("\nFNIR               ");
    output_rate(&fnir);
    printf(", on %s\n", calibration->probes_folder ? "the probes"
                                                   : "the enrolled photos, each left out in turn");
    if (fnir.trials == 0)
        printf("                   nobody has two photos enrolled: give others with --probes\n");
    print_table(&calibration->trials);
    line_print(stdout, "threshold          %.4f, was %.4f: %s", (double)calibration->threshold,
               (double)calibration->before, path);
}

static int run(struct calibration *calibration, struct err *err)
{
    const char *path = paths_gallery(calibration->gallery_path);
    if (calibration->svg_path && file_check_writable(calibration->svg_path, err) < 0)
        return -1;
    calibration->gallery = gallery_files_open_to_change(path, err);
    if (!calibration->gallery)
        return -1;
    calibration->before = gallery_threshold(calibration->gallery);
    if (read_photos(calibration, err) < 0 || search_all(calibration, err) < 0 ||
        check_enough(calibration, err) < 0 ||
        search_curve_init(&calibration->curve, &calibration->trials, err) < 0 ||
        search_threshold(&calibration->trials, calibration->fpir, &calibration->threshold, err) < 0)
        return -1;
    gallery_set_threshold(calibration->gallery, calibration->threshold);
    if (save(calibration, path, err) < 0)
        return -1;
    if (calibration->json)
        print_json(calibration, path);
    else
        print_text(calibration, path);
    return 0;
}

static int check_usage(struct calibration *calibration, int operands, struct err *err)
{
    if (operands > 0 || !calibration->impostors_folder)
        return err_set(err, ERR_INVALID, "--impostors DIR is wanted (see ken calibrate --help)");
    return detect_option_read(calibration->detect_text, &calibration->detect, err);
}

int verb_calibrate(int argc, char **argv)
{
    struct calibration calibration = {.fpir = 0.003};
    const struct option_spec options[] = {
        {"gallery", 'g', OPTION_TEXT, &calibration.gallery_path, "FILE",
         "enrolled people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"impostors", 0, OPTION_TEXT, &calibration.impostors_folder, "DIR",
         "photos of people who are not enrolled", 0, 0},
        {"fpir", 0, OPTION_REAL, &calibration.fpir, "RATE",
         "part of the strangers that may be taken for somebody, 0.000001 to 1 (default: 0.003)",
         1e-6, 1},
        {"probes", 0, OPTION_TEXT, &calibration.probes_folder, "DIR",
         "other photos of the enrolled people, one folder a person", 0, 0},
        {"svg", 0, OPTION_TEXT, &calibration.svg_path, "FILE", "draw the DET curve", 0, 0},
        {"force", 0, OPTION_FLAG, &calibration.force, NULL,
         "set the threshold though there are too few photos", 0, 0},
        {"models", 0, OPTION_TEXT, &calibration.models_folder, "DIR", PATHS_MODELS_HELP, 0, 0},
        DETECT_OPTION(&calibration.detect_text),
        {"threads", 0, OPTION_INT, &calibration.threads, "N",
         "threads, 1 to 256 (default: one a processor)", 1, 256},
        {"json", 0, OPTION_FLAG, &calibration.json, NULL, "print one JSON document, with the curve",
         0, 0},
        {0}};
    const struct command_line line = {
        "calibrate", "Set when a face counts as unknown, from a rate of false positives.", NULL,
        details, options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (check_usage(&calibration, argc - first, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    album_init(&calibration.impostors);
    album_init(&calibration.probes);
    int result = run(&calibration, &err);
    album_finish(&calibration.impostors);
    album_finish(&calibration.probes);
    search_trials_finish(&calibration.trials);
    free(calibration.curve.thresholds);
    gallery_destroy(calibration.gallery);
    return result < 0 ? options_fail(&line, &err) : EXIT_OK;
}
