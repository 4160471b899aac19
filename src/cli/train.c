#include "face/train.h"
#include "base/file.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/verbs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct train {
    const char *output, *models;
    double threshold;
    int plain, quiet;
};

static const char details[] =
    "FOLDER holds one folder a person, named after the person, with photos (JPEG, PNG) in it.\n"
    "The names also go to labels.json beside the gallery. The gallery is encrypted with the key\n"
    "in KEN_GALLERY_KEY (64 hex digits), else with that in GALLERY.key, made when absent.\n\n"
    "examples:\n"
    "  ken train data/real_images -o gallery.ken\n"
    "  ken train people --plain -o test.ken";

static void print_photo(void *context, const struct train_photo *photo)
{
    const struct train *train = context;
    if (photo->refusal)
        printf("refused  %s: %s\n", photo->file, photo->refusal);
    else if (!train->quiet)
        printf("used     %s\n", photo->file);
    fflush(stdout);
}

/* labels.json in the gallery's folder: the names in the order of enrolment. */
static int write_labels(const struct gallery *gallery, const char *gallery_path, struct err *err)
{
    char path[PATH_MAX];
    const char *slash = strrchr(gallery_path, '/');
    int folder = slash ? (int)(slash - gallery_path + 1) : 0;
    snprintf(path, sizeof path, "%.*slabels.json", folder, gallery_path);
    json_t *names = json_array();
    for (size_t i = 0; i < gallery_people(gallery); i++)
        json_array_append_new(names, json_string(gallery_name(gallery, i)));
    char *text = json_dumps(names, JSON_INDENT(2));
    json_decref(names);
    if (!text)
        return err_set(err, ERR_NO_MEMORY, "write %s: no memory", path);
    int result = file_write(path, text, strlen(text), 0644, err);
    free(text);
    return result;
}

static int train_and_save(const struct train *train, const char *folder,
                          struct recognizer *recognizer, struct gallery *gallery, struct err *err)
{
    struct train_options options = {recognizer, print_photo, (void *)train};
    struct train_summary summary;
    if (train_folder(gallery, folder, &options, &summary, err) < 0)
        return -1;
    if (train->threshold > 0)
        gallery_set_threshold(gallery, (float)train->threshold);
    const char *path = paths_gallery(train->output);
    int result =
        train->plain ? gallery_save_plain(gallery, path, err) : gallery_save(gallery, path, err);
    if (result < 0 || write_labels(gallery, path, err) < 0)
        return -1;
    printf("%zu %s enrolled from %zu photos, %zu refused: %s%s\n", summary.people,
           summary.people == 1 ? "person" : "people", summary.used, summary.refused, path,
           train->plain ? " (not encrypted)" : "");
    return 0;
}

static int run(const struct train *train, const char *folder, struct err *err)
{
    int result = -1;
    struct face_models *models = paths_open_models(train->models, err);
    struct recognizer *recognizer = models ? recognizer_create(models, NULL, err) : NULL;
    struct gallery *gallery = recognizer ? gallery_create(err) : NULL;
    if (gallery)
        result = train_and_save(train, folder, recognizer, gallery, err);
    gallery_destroy(gallery);
    recognizer_destroy(recognizer);
    face_models_close(models);
    return result;
}

int verb_train(int argc, char **argv)
{
    struct train train = {0};
    const struct option_spec options[] = {
        {"output", 'o', OPTION_TEXT, &train.output, "GALLERY",
         "gallery file to write (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"models", 0, OPTION_TEXT, &train.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"threshold", 't', OPTION_REAL, &train.threshold, "X",
         "least similarity of a known face, 0 to 1 (default: the built-in one)", 0, 1},
        {"plain", 0, OPTION_FLAG, &train.plain, NULL, "do not encrypt the gallery", 0, 0},
        {"quiet", 'q', OPTION_FLAG, &train.quiet, NULL, "print only refused photos and the summary",
         0, 0},
        {0}};
    const struct command_line line = {"train", "Enrol people from a folder of photos.", "FOLDER",
                                      details, options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (argc - first != 1) {
        err_set(&err, ERR_INVALID, "one FOLDER is wanted (see ken train --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    return run(&train, argv[first], &err) < 0 ? options_fail(&line, &err) : EXIT_OK;
}
