#include "cli/detect_option.h"
#include "cli/line.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/verbs.h"
#include "face/gallery.h"
#include "face/liveness.h"
#include "face/recognizer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

enum { MAX_FACES = FACE_MAX_FACES };

struct identify {
    const char *gallery_path, *models, *detect_text;
    enum face_detect detect;
    double min_score;
    int json, wants_liveness;
    struct liveness *liveness; /* or NULL */
    struct recognizer *recognizer;
    struct gallery *gallery;
    struct face *faces; /* MAX_FACES */
    json_t *photos;     /* with --json */
    size_t failed;
};

static const char details[] =
    "Prints every face with its name, or \"unknown\". A photo that cannot be read gets a line on\n"
    "standard error; the others are answered and the exit code is 1.\n\n"
    "examples:\n"
    "  ken identify --gallery gallery.ken door.jpg\n"
    "  ken identify --json *.png | jq '.photos[].faces[].name'";

/* Rounded to what the networks can tell. */
static json_t *number(double value, double steps)
{
    return json_real(round(value * steps) / steps);
}

static json_t *face_to_json(const struct face *face, const struct match *match)
{
    json_t *box = json_array(), *landmarks = json_array();
    for (int i = 0; i < 4; i++)
        json_array_append_new(box, number(face->box[i], 100));
    for (int i = 0; i < FACE_LANDMARKS; i++) {
        json_t *point = json_array();
        json_array_append_new(point, number(face->landmarks[i][0], 100));
        json_array_append_new(point, number(face->landmarks[i][1], 100));
        json_array_append_new(landmarks, point);
    }
    json_t *out = json_object();
    json_object_set_new(out, "box", box);
    json_object_set_new(out, "landmarks", landmarks);
    json_object_set_new(out, "score", number(face->score, 1e4));
    json_object_set_new(out, "quality", json_quality(&face->quality));
    json_object_set_new(out, "name", json_string(match->name ? match->name : "unknown"));
    json_object_set_new(out, "similarity", number(match->similarity, 1e6));
    return out;
}

static void add_json(struct identify *identify, const char *file, const struct image *image,
                     int count)
{
    json_t *photo = json_object(), *faces = json_array();
    for (int i = 0; i < count; i++) {
        struct match match;
        gallery_match(identify->gallery, identify->faces[i].embedding, &match);
        json_t *face = face_to_json(&identify->faces[i], &match);
        if (identify->liveness)
            json_object_set_new(
                face, "liveness",
                number(liveness_score(identify->liveness, image, identify->faces[i].box), 1e4));
        json_array_append_new(faces, face);
    }
    json_object_set_new(photo, "file", json_file_name(file));
    json_object_set_new(photo, "width", json_integer(image->width));
    json_object_set_new(photo, "height", json_integer(image->height));
    json_object_set_new(photo, "faces", faces);
    json_array_append_new(identify->photos, photo);
}

static void print_text(const struct identify *identify, const char *file, const struct image *image,
                       int count)
{
    line_print(stdout, "%s: %dx%d, %d face%s", file, image->width, image->height, count,
               count == 1 ? "" : "s");
    for (int i = 0; i < count; i++) {
        const struct face *face = &identify->faces[i];
        struct match match;
        gallery_match(identify->gallery, face->embedding, &match);
        printf("  %-20s similarity %5.2f  at %.0f,%.0f, %.0fx%.0f pixels  score %.2f",
               match.name ? match.name : "unknown", (double)match.similarity, (double)face->box[0],
               (double)face->box[1], (double)face->box[2], (double)face->box[3],
               (double)face->score);
        if (identify->liveness)
            printf("  liveness %.2f", (double)liveness_score(identify->liveness, image, face->box));
        putchar('\n');
    }
}

static int identify_photo(struct identify *identify, const char *file, struct err *err)
{
    struct image image;
    if (image_read(&image, file, err) < 0)
        return -1;
    int count = recognizer_run(identify->recognizer, &image, identify->faces, MAX_FACES, NULL, err);
    if (count < 0)
        err_wrap(err, "read %s", file);
    else if (identify->json)
        add_json(identify, file, &image, count);
    else
        print_text(identify, file, &image, count);
    image_finish(&image);
    return count < 0 ? -1 : 0;
}

static void report_failure(struct identify *identify, const struct command_line *line,
                           const char *file, const struct err *err)
{
    identify->failed++;
    options_fail(line, err);
    if (!identify->json)
        return;
    json_t *photo = json_object();
    json_object_set_new(photo, "file", json_file_name(file));
    json_object_set_new(photo, "error", json_file_name(err->message));
    json_array_append_new(identify->photos, photo);
}

/* Without a gallery of the default name everybody is unknown; one that was named must be there. */
static struct gallery *open_gallery(const char *option, struct err *err)
{
    const char *path = paths_gallery(option), *variable = getenv("KEN_GALLERY");
    int named = option || (variable && *variable);
    if (!named && access(path, F_OK) < 0) {
        fprintf(stderr, "ken identify: no %s here: everybody is unknown (see ken train)\n", path);
        return gallery_create(err);
    }
    return gallery_open(path, err);
}

static int check_network(const struct identify *identify, const struct face_models *models,
                         struct err *err)
{
    const struct face_network network = face_models_network(models);
    return gallery_check_network(identify->gallery, &network, err);
}

static int run(struct identify *identify, const struct command_line *line, char **files,
               struct err *err)
{
    struct recognizer_options options = recognizer_defaults;
    options.threads = recognizer_threads();
    options.min_score = (float)identify->min_score;
    options.detect = identify->detect;
    options.exact = 1;
    struct face_models *models = NULL;
    identify->gallery = open_gallery(identify->gallery_path, err);
    if (identify->gallery)
        models = paths_open_models(identify->models, err);
    if (models && check_network(identify, models, err) == 0)
        identify->recognizer = recognizer_create(models, &options, err);
    char place[PATH_MAX];
    if (identify->recognizer && identify->wants_liveness)
        identify->liveness = liveness_create(paths_models(identify->models, place), err);
    identify->faces = calloc(MAX_FACES, sizeof *identify->faces);
    identify->photos = json_array();
    int ready = identify->recognizer && identify->faces &&
                (identify->liveness || !identify->wants_liveness);
    for (; ready && *files; files++) {
        struct err failure = {0};
        if (identify_photo(identify, *files, &failure) < 0)
            report_failure(identify, line, *files, &failure);
    }
    json_t *out = json_pack("{s:o}", "photos", identify->photos);
    if (ready && identify->json && json_dumpf(out, stdout, JSON_REAL_PRECISION(8)) == 0)
        putchar('\n');
    json_decref(out);
    free(identify->faces);
    liveness_destroy(identify->liveness);
    recognizer_destroy(identify->recognizer);
    face_models_close(models);
    gallery_destroy(identify->gallery);
    return ready ? 0 : -1;
}

int verb_identify(int argc, char **argv)
{
    struct identify identify = {.min_score = (double)recognizer_defaults.min_score};
    const struct option_spec options[] = {
        {"gallery", 'g', OPTION_TEXT, &identify.gallery_path, "FILE",
         "enrolled people (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"models", 0, OPTION_TEXT, &identify.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"min-score", 0, OPTION_REAL, &identify.min_score, "X",
         "least score of a face, 0.05 to 1 (default: the detector's, 0.5 of ken's own)", 0.05, 1},
        DETECT_OPTION(&identify.detect_text),
        {"liveness", 0, OPTION_FLAG, &identify.wants_liveness, NULL,
         "say how likely each face is no picture of one, 0 to 1: a hint, no protection", 0, 0},
        {"json", 0, OPTION_FLAG, &identify.json, NULL, "print one JSON document", 0, 0},
        {0}};
    const struct command_line line = {"identify", "Say who is in photos.", "PHOTO...", details,
                                      options};
    int first, code = options_start(&line, argc, argv, &first);
    if (code >= 0)
        return code;
    struct err err = {0};
    if (first == argc) {
        err_set(&err, ERR_INVALID, "a PHOTO is wanted (see ken identify --help)");
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (detect_option_read(identify.detect_text, &identify.detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    if (run(&identify, &line, argv + first, &err) < 0)
        return options_fail(&line, &err);
    return identify.failed ? EXIT_FAILED : EXIT_OK;
}
