#include "cli/enrol.h"
#include "cli/gallery_files.h"
#include "cli/line.h"
#include "cli/output.h"
#include "cli/paths.h"
#include "face/train.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

/* {"NAME": COUNT} is printed by every change. */
static int report(const struct enrolment *enrolment, const char *what, const char *name,
                  size_t photos, const struct gallery *gallery)
{
    if (enrolment->json) {
        json_t *answer = json_pack("{s:s, s:i, s:i}", what, name, "photos", (int)photos, "people",
                                   (int)gallery_people(gallery));
        json_dumpf(answer, stdout, 0);
        json_decref(answer);
        printf("\n");
    } else {
        line_print(stdout, "%s %s (%zu photo%s): %s, %zu %s", what, name, photos,
                   photos == 1 ? "" : "s", paths_gallery(enrolment->gallery),
                   gallery_people(gallery), gallery_people(gallery) == 1 ? "person" : "people");
    }
    return 0;
}

static int save(const struct gallery *gallery, const struct enrolment *enrolment, struct err *err)
{
    return gallery_files_save(gallery, paths_gallery(enrolment->gallery), gallery_is_plain(gallery),
                              err);
}

static int use_photo(struct gallery *gallery, const char *name, const char *photo,
                     struct recognizer *recognizer)
{
    struct image image;
    struct err reason = {0};
    int result = image_read(&image, photo, &reason);
    if (result == 0) {
        result = train_photo(gallery, name, &image, recognizer, &reason);
        image_finish(&image);
    }
    if (result < 0)
        line_print(stderr, "refused  %s: %s", photo, output_reason(reason.message, photo));
    return result == 0;
}

static int enrol(const struct enrolment *enrolment, int count, char **operands,
                 struct recognizer *recognizer, struct gallery *gallery, struct err *err)
{
    size_t used = 0;
    for (int i = 1; i < count; i++)
        used += (size_t)use_photo(gallery, operands[0], operands[i], recognizer);
    if (used == 0)
        return err_set(err, ERR_INVALID, "enrol %s: no usable photo; nothing is changed",
                       operands[0]);
    if (save(gallery, enrolment, err) < 0)
        return -1;
    return report(enrolment, "enrolled", operands[0], used, gallery);
}

static int take_network(struct gallery *gallery, int is_new, const struct face_models *models,
                        struct err *err)
{
    const struct face_network network = face_models_network(models);
    if (gallery_check_network(gallery, &network, err) < 0)
        return -1;
    gallery_set_network(gallery, &network);
    if (is_new)
        gallery_set_threshold(gallery, face_models_threshold(models));
    return 0;
}

int enrol_photos(const struct enrolment *enrolment, int count, char **operands, struct err *err)
{
    int result = -1;
    char place[PATH_MAX];
    struct face_models *models = face_models_open(paths_models(enrolment->models, place), err);
    struct recognizer_options options = recognizer_defaults;
    options.exact = 1;
    struct recognizer *recognizer = models ? recognizer_create(models, &options, err) : NULL;
    int is_new = 0;
    struct gallery *gallery =
        recognizer ? gallery_files_open_or_create(paths_gallery(enrolment->gallery), &is_new, err)
                   : NULL;
    if (gallery && take_network(gallery, is_new, models, err) == 0)
        result = enrol(enrolment, count, operands, recognizer, gallery, err);
    gallery_destroy(gallery);
    recognizer_destroy(recognizer);
    face_models_close(models);
    return result;
}

int enrol_forget(const struct enrolment *enrolment, int count, char **operands, struct err *err)
{
    (void)count;
    struct gallery *gallery = gallery_files_open_to_change(paths_gallery(enrolment->gallery), err);
    size_t person, photos = 0;
    if (gallery && gallery_find(gallery, operands[0], &person))
        photos = gallery_person_templates(gallery, person);
    int result = gallery ? gallery_forget(gallery, operands[0], err) : -1;
    if (result == 0)
        result = save(gallery, enrolment, err);
    if (result == 0)
        result = report(enrolment, "forgotten", operands[0], photos, gallery);
    gallery_destroy(gallery);
    return result;
}

int enrol_rename(const struct enrolment *enrolment, int count, char **operands, struct err *err)
{
    (void)count;
    struct gallery *gallery = gallery_files_open_to_change(paths_gallery(enrolment->gallery), err);
    int result = gallery ? gallery_rename(gallery, operands[0], operands[1], err) : -1;
    if (result == 0)
        result = save(gallery, enrolment, err);
    size_t person;
    if (result == 0 && gallery_find(gallery, operands[1], &person))
        result = report(enrolment, "renamed", operands[1],
                        gallery_person_templates(gallery, person), gallery);
    gallery_destroy(gallery);
    return result;
}

static int print_json(const struct gallery *gallery, struct err *err)
{
    json_t *people = json_array();
    for (size_t i = 0; i < gallery_people(gallery); i++)
        json_array_append_new(people,
                              json_pack("{s:s, s:i}", "name", gallery_name(gallery, i), "photos",
                                        (int)gallery_person_templates(gallery, i)));
    json_t *answer = json_pack("{s:b, s:f, s:o}", "encrypted", !gallery_is_plain(gallery),
                               "threshold", (double)gallery_threshold(gallery), "people", people);
    int result = answer ? json_dumpf(answer, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : -1;
    json_decref(answer);
    printf("\n");
    return result < 0 ? err_set(err, ERR_IO, "print the list") : 0;
}

int enrol_list(const struct enrolment *enrolment, int count, char **operands, struct err *err)
{
    (void)count, (void)operands;
    int result = 0;
    struct gallery *gallery = gallery_open(paths_gallery(enrolment->gallery), err);
    if (!gallery)
        return -1;
    if (enrolment->json)
        result = print_json(gallery, err);
    for (size_t i = 0; !enrolment->json && i < gallery_people(gallery); i++)
        line_print(stdout, "%-32s %zu photo%s", gallery_name(gallery, i),
                   gallery_person_templates(gallery, i),
                   gallery_person_templates(gallery, i) == 1 ? "" : "s");
    gallery_destroy(gallery);
    return result;
}
