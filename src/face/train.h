#ifndef FACE_TRAIN_H
#define FACE_TRAIN_H

#include "face/gallery.h"
#include "face/recognizer.h"

/* Enrolment from a folder that holds one sub-folder of photos a person, named after the person. */

enum {
    TRAIN_MIN_FACE_WIDTH = 32, /* pixels */
    TRAIN_REASON_BYTES = 512,
};

struct train_photo {
    const char *person, *file; /* `file` is the path */
    const char *refusal;       /* why it was not used, in plain words; NULL when it was */
};

struct train_options {
    struct recognizer *recognizer;                                  /* borrowed */
    void (*report)(void *context, const struct train_photo *photo); /* each photo; or NULL */
    void *context;
};

struct train_summary {
    size_t people, used, refused; /* people: with a used photo */
};

/* Adds every usable photo to `gallery`, in the order of names. Fails where the folder cannot be
 * read or not one photo is usable; a photo that is not usable is reported and passed over. */
int train_folder(struct gallery *gallery, const char *folder, const struct train_options *options,
                 struct train_summary *summary, struct err *err) MUST_USE;

/* One photo of one person: adds its face to `gallery`. A photo must show one face, or one that is
 * much larger than the others. ERR_INVALID with the reason otherwise. */
int train_photo(struct gallery *gallery, const char *person, const struct image *image,
                struct recognizer *recognizer, struct err *err) MUST_USE;

#endif
