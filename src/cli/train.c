#include "face/train.h"
#include "cli/detect_option.h"
#include "cli/gallery_files.h"
#include "cli/line.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "cli/verbs.h"
#include "face/head_trial.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

struct train {
    const char *output, *models, *detect_text;
    enum face_detect detect;
    double threshold;
    long threads, seed;
    int plain, quiet, json, no_head;
    struct head_options head;
    struct head_progress first, last; /* epochs of the head; `last.epoch` 0: none yet */
    struct head_trial tried;
    int was_tried;
    struct progress line;
    json_t *photos, *alike, *trial; /* with --json */
    struct face_network network;    /* that made the embeddings */
    float usual_threshold;          /* of that network */
};

static const char details[] =
    "FOLDER holds one folder a person, named after the person, with photos (JPEG, PNG) in it.\n"
    "Each photo is used, or refused with a reason: no face, several, too small, too blurred, "
    "turned\n"
    "away, in bad light, a duplicate, unlike the person's other photos, like somebody else. People "
    "who look\n"
    "alike are named. The exit code is 1 when nobody is enrolled.\n"
    "A head is trained on top where 20 people or more have two photos: a correction of the\n"
    "embeddings that holds this gallery's people further apart. It is kept only where it finds\n"
    "more of the photos held back than the plain templates do, by more than chance.\n"
    "The names also go to labels.json beside the gallery. The gallery is encrypted with the key\n"
    "in KEN_GALLERY_KEY (64 hex digits), else with that in GALLERY.key, made when absent.\n\n"
    "examples:\n"
    "  ken train data/real_images -o gallery.ken\n"
    "  ken train people --plain -o test.ken";

static json_t *number(double value, double steps)
{
    return json_real(round(value * steps) / steps);
}

static void photo_to_json(struct train *train, const struct album_photo *photo,
                          const struct train_verdict *verdict)
{
    json_t *out = json_object();
    json_object_set_new(out, "file", json_file_name(photo->path));
    json_object_set_new(out, "person", json_file_name(photo->person));
    json_object_set_new(out, "reason", json_string(train_reason_name(verdict->reason)));
    if (verdict->reason != TRAIN_USED)
        json_object_set_new(out, "message", json_file_name(verdict->text));
    if (photo->state == ALBUM_FACE)
        json_object_set_new(out, "quality", json_quality(&photo->face.quality));
    json_array_append_new(train->photos, out);
}

static void take_photo(void *context, const struct album_photo *photo,
                       const struct train_verdict *verdict)
{
    struct train *train = context;
    if (train->json)
        photo_to_json(train, photo, verdict);
    else if (verdict->reason != TRAIN_USED)
        line_print(stdout, "refused  %s: %s", photo->path,
                   output_reason(verdict->text, photo->path));
    else if (!train->quiet)
        line_print(stdout, "used     %s", photo->path);
}

static void take_alike(void *context, const struct train_pair *pair)
{
    struct train *train = context;
    if (train->json) {
        json_t *out = json_object();
        json_t *people = json_array();
        json_array_append_new(people, json_file_name(pair->a));
        json_array_append_new(people, json_file_name(pair->b));
        json_object_set_new(out, "people", people);
        json_object_set_new(out, "similarity", number((double)pair->similarity, 1e4));
        json_array_append_new(train->alike, out);
        return;
    }
    line_print(
        stdout,
        "alike    %s and %s (similarity %.2f): one may be taken for the other; check that no",
        pair->a, pair->b, (double)pair->similarity);
    puts("         photo lies in the wrong folder, or set a higher --threshold");
}

static json_t *figures_to_json(const struct head_figures *figures)
{
    return json_pack("{s:o, s:o, s:f}", "rank1", json_rate(&figures->rank1), "fnir",
                     json_rate(&figures->fnir), "threshold", (double)figures->threshold);
}

static void trial_to_json(struct train *train, const struct head_trial *trial)
{
    train->trial =
        json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:I, s:I}", "trained", 1, "kept",
                  trial->kept, "people", (json_int_t)trial->people_trained, "photos",
                  (json_int_t)trial->photos_trained, "held_back", (json_int_t)trial->held_back,
                  "strangers", (json_int_t)trial->strangers, "fpir", trial->fpir, "plain",
                  figures_to_json(&trial->plain), "head", figures_to_json(&trial->head), "gained",
                  (json_int_t)trial->gained, "lost", (json_int_t)trial->lost);
}

static void print_figures(const char *label, const struct head_figures *figures)
{
    printf("         %-9srank 1 ", label);
    output_rate(&figures->rank1);
    printf(", FNIR ");
    output_rate(&figures->fnir);
    putchar('\n');
}

static void print_trial(const struct train *train, const struct head_trial *trial)
{
    if (!trial->trained) {
        if (!train->quiet)
            printf("head     not trained: fewer than %d people with two usable photos\n",
                   HEAD_TRIAL_MIN_PEOPLE);
        return;
    }
    printf(
        "head     trained on %zu photos of %zu people in %ld epochs: loss %.4f to %.4f, accuracy "
        "%.2f to %.2f %%\n",
        trial->photos_trained, trial->people_trained, train->last.epochs, train->first.loss,
        train->last.loss, 100 * train->first.accuracy, 100 * train->last.accuracy);
    printf("         tried on %zu photos held back, and at an FPIR of %.3g on %zu of strangers:\n",
           trial->held_back, trial->fpir, trial->strangers);
    print_figures("without", &trial->plain);
    print_figures("with", &trial->head);
    printf("         %s: it finds %zu more, and loses %zu%s\n", trial->kept ? "kept" : "not kept",
           trial->gained, trial->lost,
           trial->kept ? "" : "; it must gain by more than chance, and rank 1 must not fall");
}

static void take_trial(void *context, const struct head_trial *trial)
{
    struct train *train = context;
    progress_end(&train->line);
    train->tried = *trial;
    train->was_tried = 1;
    if (train->json && trial->trained)
        trial_to_json(train, trial);
}

/* Where it is asked to look, people see one line, and with --json programs a line of JSON for each
 * epoch: on standard error, since standard output is one document. */
static void take_epoch(void *context, const struct head_progress *progress)
{
    struct train *train = context;
    if (train->last.epoch == 0)
        train->first = *progress;
    train->last = *progress;
    if (train->json)
        fprintf(stderr, "{\"epoch\": %ld, \"epochs\": %ld, \"loss\": %.4f, \"accuracy\": %.4f}\n",
                progress->epoch, progress->epochs, progress->loss, progress->accuracy);
    else
        progress_print(&train->line, "head: epoch %ld of %ld, loss %.4f, accuracy %.2f %%",
                       progress->epoch, progress->epochs, progress->loss, 100 * progress->accuracy);
}

static void print_json(struct train *train, const struct gallery *gallery,
                       const struct train_summary *summary, const char *path)
{
    json_t *reasons = json_object();
    for (int i = TRAIN_USED + 1; i < TRAIN_REASONS; i++)
        if (summary->reasons[i])
            json_object_set_new(reasons, train_reason_name((enum train_reason)i),
                                json_integer((json_int_t)summary->reasons[i]));
    json_t *out = json_pack("{s:o, s:I, s:I, s:I, s:o, s:f, s:O, s:O, s:O}", "gallery",
                            json_file_name(path), "people", (json_int_t)summary->people, "used",
                            (json_int_t)summary->used, "refused", (json_int_t)summary->refused,
                            "reasons", reasons, "threshold", (double)gallery_threshold(gallery),
                            "alike", train->alike, "head", train->trial, "photos", train->photos);
    if (out && json_dumpf(out, stdout, JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    json_decref(out);
}

static void print_summary(const struct train *train, const struct train_summary *summary,
                          const char *path)
{
    static const char *const plain_words[TRAIN_REASONS] = {
        [TRAIN_UNREADABLE] = "unreadable",
        [TRAIN_NO_FACE] = "without a face",
        [TRAIN_SEVERAL_FACES] = "several faces",
        [TRAIN_TOO_SMALL] = "too small",
        [TRAIN_TOO_BLURRED] = "too blurred",
        [TRAIN_TURNED_AWAY] = "turned away",
        [TRAIN_BAD_LIGHT] = "in bad light",
        [TRAIN_DUPLICATE] = "duplicates",
        [TRAIN_OUTLIER] = "unlike the person's others",
        [TRAIN_LIKE_OTHER] = "like somebody else",
        [TRAIN_BAD_NAME] = "in a folder that is no name"};
    for (int i = TRAIN_USED + 1; i < TRAIN_REASONS; i++)
        if (summary->reasons[i])
            printf("%8zu %s\n", summary->reasons[i], plain_words[i]);
    if (train->was_tried)
        print_trial(train, &train->tried);
    line_print(stdout, "%zu %s enrolled from %zu photo%s, %zu refused: %s%s", summary->people,
               summary->people == 1 ? "person" : "people", summary->used,
               summary->used == 1 ? "" : "s", summary->refused, path,
               train->plain ? " (not encrypted)" : "");
}

static int train_and_save(struct train *train, const struct album *album, struct gallery *gallery,
                          struct err *err)
{
    float threshold = train->threshold > 0 ? (float)train->threshold : train->usual_threshold;
    struct train_options options = {.report = take_photo,
                                    .alike = take_alike,
                                    .context = train,
                                    .alike_from = threshold,
                                    .head = train->no_head ? NULL : &train->head,
                                    .keep_threshold = train->threshold > 0,
                                    .tried = take_trial};
    struct train_summary summary;
    train->head.threshold = threshold;
    gallery_set_threshold(gallery, threshold);
    gallery_set_network(gallery, &train->network);
    int result = train_album(gallery, album, &options, &summary, err);
    const char *path = paths_gallery(train->output);
    if (result == 0)
        result = gallery_files_save(gallery, path, train->plain, err);
    if (result < 0)
        return -1;
    if (train->json)
        print_json(train, gallery, &summary, path);
    else
        print_summary(train, &summary, path);
    return 0;
}

/* Whether so many people have two photos that a head can be tried; some photos may be refused
 * later. */
static int wants_head(const struct train *train, const struct album *album)
{
    size_t people = 0, photos = 0;
    for (size_t i = 0; i < album->count; i++) {
        int same = i > 0 && strcmp(album->photos[i].person, album->photos[i - 1].person) == 0;
        photos = same ? photos + 1 : 1;
        people += photos == 2;
    }
    return !train->no_head && people >= HEAD_TRIAL_MIN_PEOPLE && album->count <= HEAD_MAX_PHOTOS;
}

static int find_faces(struct train *train, struct album *album, const char *folder, struct err *err)
{
    struct face_models *models = paths_open_models(train->models, err);
    if (!models)
        return -1;
    train->network = face_models_network(models);
    train->usual_threshold = face_models_threshold(models);
    int result = album_add_people(album, folder, err);
    if (album->passed_over)
        line_print(stderr,
                   "warning: %zu file%s beside the persons' folders in %s: whose? Not used.",
                   album->passed_over, album->passed_over == 1 ? " lies" : "s lie", folder);
    struct album_options options = {.models = models,
                                    .detect = train->detect,
                                    .exact = 1,
                                    .views = wants_head(train, album) ? HEAD_VIEWS : 0,
                                    .view_seed = train->head.seed,
                                    .threads = (size_t)train->threads};
    if (result == 0)
        result = progress_find_faces(album, &options, err);
    face_models_close(models);
    return result;
}

static int run(struct train *train, const char *folder, struct err *err)
{
    struct album album;
    album_init(&album);
    train->photos = json_array();
    train->alike = json_array();
    train->trial = json_null();
    struct gallery *gallery = NULL;
    int result = gallery_files_check(paths_gallery(train->output), train->plain, err);
    if (result == 0)
        result = find_faces(train, &album, folder, err);
    if (result == 0)
        gallery = gallery_create(err);
    result = gallery ? train_and_save(train, &album, gallery, err) : -1;
    if (result < 0 && err->code == ERR_INVALID)
        err_wrap(err, "%s", folder);
    gallery_destroy(gallery);
    json_decref(train->photos);
    json_decref(train->alike);
    json_decref(train->trial);
    album_finish(&album);
    return result;
}

int verb_train(int argc, char **argv)
{
    struct train train = {.head = head_defaults, .seed = (long)head_defaults.seed};
    const struct option_spec options[] = {
        {"output", 'o', OPTION_TEXT, &train.output, "GALLERY",
         "gallery file to write (default: $KEN_GALLERY, else gallery.ken)", 0, 0},
        {"models", 0, OPTION_TEXT, &train.models, "DIR", PATHS_MODELS_HELP, 0, 0},
        {"threshold", 't', OPTION_REAL, &train.threshold, "X",
         "least similarity of a known face, 0 to 1 (default: 0.50, or the network's own)", 0, 1},
        DETECT_OPTION(&train.detect_text),
        {"plain", 0, OPTION_FLAG, &train.plain, NULL, "do not encrypt the gallery", 0, 0},
        {"threads", 0, OPTION_INT, &train.threads, "N",
         "threads, 1 to 256 (default: one a processor)", 1, 256},
        {"no-head", 0, OPTION_FLAG, &train.no_head, NULL, "train no head", 0, 0},
        {"epochs", 0, OPTION_INT, &train.head.epochs, "N",
         "times the head sees each photo, 1 to 10000 (default: 20)", 1, 10000},
        {"batch-size", 0, OPTION_INT, &train.head.batch_size, "N",
         "photos a step, 1 to 1024 (default: 128)", 1, HEAD_MAX_BATCH},
        {"learning-rate", 0, OPTION_REAL, &train.head.learning_rate, "X",
         "of Adam, 0.0000001 to 1 (default: 0.0003)", 1e-7, 1},
        {"seed", 0, OPTION_INT, &train.seed, "N",
         "of everything drawn: the photos held back, views, order (default: 1)", 0, UINT32_MAX},
        {"json", 0, OPTION_FLAG, &train.json, NULL, "print one JSON document", 0, 0},
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
    if (detect_option_read(train.detect_text, &train.detect, &err) < 0) {
        options_fail(&line, &err);
        return EXIT_USAGE;
    }
    train.head.seed = (uint64_t)train.seed;
    train.head.threads = (size_t)train.threads;
    train.head.progress = take_epoch;
    train.head.context = &train;
    return run(&train, argv[first], &err) < 0 ? options_fail(&line, &err) : EXIT_OK;
}
