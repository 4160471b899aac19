#ifndef FACE_TRAIN_H
#define FACE_TRAIN_H

#include "face/album.h"
#include "face/gallery.h"
#include "face/recognizer.h"

/* Enrolment from photos: which are good enough, and whether they show whom they should. What the
 * limits were chosen by is in docs/accuracy.md. */

#define TRAIN_MIN_EYE_DISTANCE 14.0f /* pixels */
#define TRAIN_MAX_BLUR 1.6f          /* pixels of the aligned face */
#define TRAIN_MAX_YAW 40.0f          /* degrees, either side */
#define TRAIN_MAX_PITCH 35.0f        /* degrees, up or down */
#define TRAIN_MIN_BRIGHTNESS 20.0f   /* mean grey of the face */
#define TRAIN_MAX_BRIGHTNESS 220.0f
#define TRAIN_MIN_ALIKE 0.25f      /* cosine to a person's other photos */
#define TRAIN_MIN_DUPLICATE 0.998f /* cosine of two photos */

enum train_reason {
    TRAIN_USED,
    TRAIN_UNREADABLE,
    TRAIN_NO_FACE,
    TRAIN_SEVERAL_FACES,
    TRAIN_TOO_SMALL,
    TRAIN_TOO_BLURRED,
    TRAIN_TURNED_AWAY,
    TRAIN_BAD_LIGHT, /* too dark, or so bright that the skin is white */
    TRAIN_DUPLICATE,
    TRAIN_OUTLIER,    /* unlike the person's other photos */
    TRAIN_LIKE_OTHER, /* and like somebody else's */
    TRAIN_BAD_NAME,   /* of the folder */
    TRAIN_REASONS
};
/* "no_face", for programs. */
const char *train_reason_name(enum train_reason reason);

enum { TRAIN_TEXT_BYTES = 512 };
struct train_verdict {
    enum train_reason reason;
    char text[TRAIN_TEXT_BYTES]; /* in plain words; "" when used */
};

/* Two people enrolled who may be taken for each other. */
struct train_pair {
    const char *a, *b;
    float similarity; /* cosine of their mean directions */
};

struct train_summary {
    size_t people, used, refused; /* people: with a used photo */
    size_t reasons[TRAIN_REASONS];
};

struct head_options;
struct head_trial;
struct train_options {
    void (*report)(void *context, const struct album_photo *photo,
                   const struct train_verdict *verdict);         /* each photo; or NULL */
    void (*alike)(void *context, const struct train_pair *pair); /* or NULL */
    void *context;
    float alike_from; /* cosine from which two people are reported; GALLERY_DEFAULT_THRESHOLD */
    /* Try a trained head (face/head_trial.h) on the used photos and the album's views; NULL: none.
     * A head that is kept sets the gallery's threshold to trial.threshold, unless keep_threshold.
     */
    const struct head_options *head;
    int keep_threshold;
    void (*tried)(void *context, const struct head_trial *trial); /* or NULL */
};

/* Judge the photos of an album whose faces have been found (persons' photos one after the other)
 * and add the good ones to `gallery`. Fails where not one is usable. */
int train_album(struct gallery *gallery, const struct album *album,
                const struct train_options *options, struct train_summary *summary,
                struct err *err) MUST_USE;

/* For the files of this module. */
__attribute__((format(printf, 3, 4))) void
train_refuse(struct train_verdict *verdict, enum train_reason reason, const char *format, ...);

/* The photo by itself: not whether it shows the right person. */
void train_judge(const struct album_photo *photo, struct train_verdict *verdict);

/* One photo of one person: adds its face to `gallery`. The photo must pass train_judge(), not
 * show another enrolled person, and not be one of the person's already. ERR_INVALID with the reason
 * otherwise. */
int train_photo(struct gallery *gallery, const char *person, const struct image *image,
                struct recognizer *recognizer, struct err *err) MUST_USE;

#endif
