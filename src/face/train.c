#include "face/train.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct training {
    struct gallery *gallery;
    const struct train_options *options;
    struct train_summary *summary;
};

static float area(const struct face *face)
{
    return face->box[2] * face->box[3];
}

int train_photo(struct gallery *gallery, const char *person, const struct image *image,
                struct recognizer *recognizer, struct err *err)
{
    enum { LOOK_AT = 8 };
    struct face faces[LOOK_AT];
    int count = recognizer_run(recognizer, image, faces, LOOK_AT, NULL, err);
    if (count < 0)
        return -1;
    if (count == 0)
        return err_set(err, ERR_INVALID, "no face in it");
    /* People in the background do not matter; a second person beside the first does. */
    int similar = 1;
    while (similar < count && area(&faces[similar]) > area(&faces[0]) / 4)
        similar++;
    if (similar > 1)
        return err_set(err, ERR_INVALID, "%d faces of like size: show one person", similar);
    if (faces[0].box[2] < TRAIN_MIN_FACE_WIDTH)
        return err_set(err, ERR_INVALID, "the face is %.0f pixels wide, %d are needed: go closer",
                       (double)faces[0].box[2], TRAIN_MIN_FACE_WIDTH);
    return gallery_add(gallery, person, faces[0].embedding, err);
}

static void report(struct training *training, const char *person, const char *file,
                   const char *refusal)
{
    if (refusal)
        training->summary->refused++;
    else
        training->summary->used++;
    struct train_photo photo = {person, file, refusal};
    if (training->options->report)
        training->options->report(training->options->context, &photo);
}

static int join(char out[PATH_MAX], const char *folder, const char *name, struct err *err)
{
    if ((size_t)snprintf(out, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return err_set(err, ERR_TOO_BIG, "%s/%s: the path is too long", folder, name);
    return 0;
}

static int use_photo(struct training *training, const char *person, const char *path,
                     struct err *err)
{
    struct image image;
    if (image_read(&image, path, err) < 0)
        return -1;
    int result = train_photo(training->gallery, person, &image, training->options->recognizer, err);
    image_finish(&image);
    return result;
}

static int train_file(struct training *training, const char *person, const char *path,
                      struct err *err)
{
    struct err reason = {0};
    if (use_photo(training, person, path, &reason) == 0) {
        report(training, person, path, NULL);
        return 0;
    }
    report(training, person, path, reason.message);
    if (reason.code != ERR_NO_MEMORY)
        return 0;
    *err = reason;
    return -1;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The entries of a folder in the order of their bytes; each name and the list are to be freed. */
static int list_folder(const char *folder, struct dirent ***entries, struct err *err)
{
    int count = scandir(folder, entries, is_visible, alphasort);
    if (count < 0)
        return err_set_errno(err, "read folder %s", folder);
    return count;
}

static void free_entries(struct dirent **entries, int count)
{
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

static int train_person(struct training *training, const char *person, const char *folder,
                        struct err *err)
{
    struct dirent **entries;
    int count = list_folder(folder, &entries, err), result = count < 0 ? -1 : 0;
    if (count < 0)
        return -1;
    for (int i = 0; i < count && result == 0; i++) {
        char path[PATH_MAX];
        result = join(path, folder, entries[i]->d_name, err);
        if (result == 0)
            result = train_file(training, person, path, err);
    }
    free_entries(entries, count);
    return result;
}

static int train_entry(struct training *training, const char *folder, const char *name,
                       struct err *err)
{
    char path[PATH_MAX];
    struct stat status;
    if (join(path, folder, name, err) < 0)
        return -1;
    if (stat(path, &status) < 0)
        return err_set_errno(err, "read %s", path);
    if (S_ISDIR(status.st_mode))
        return train_person(training, name, path, err);
    return 0; /* a note beside the people's folders */
}

int train_folder(struct gallery *gallery, const char *folder, const struct train_options *options,
                 struct train_summary *summary, struct err *err)
{
    *summary = (struct train_summary){0};
    struct training training = {gallery, options, summary};
    struct dirent **entries;
    int count = list_folder(folder, &entries, err), result = 0;
    if (count < 0)
        return -1;
    size_t before = gallery_people(gallery);
    for (int i = 0; i < count && result == 0; i++)
        result = train_entry(&training, folder, entries[i]->d_name, err);
    free_entries(entries, count);
    summary->people = gallery_people(gallery) - before;
    if (result == 0 && summary->used == 0)
        return err_set(err, ERR_INVALID,
                       "%s: no usable photo (one folder a person is wanted, with photos in it)",
                       folder);
    return result;
}
