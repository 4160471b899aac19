#ifndef FACE_ALBUM_H
#define FACE_ALBUM_H

#include "base/arena.h"
#include "face/recognizer.h"

#include <stdint.h>

/* A list of photo files, and the face in each, found on all processors. */

enum { ALBUM_MAX_PHOTOS = 1000000, ALBUM_DIGEST_BYTES = 32 };

enum album_state { ALBUM_UNREADABLE, ALBUM_NO_FACE, ALBUM_FACE };

struct album_photo {
    const char *person; /* "" for none */
    const char *path;
    enum album_state state;
    const char *failure; /* why it could not be read */
    int similar;         /* faces of at least a quarter of the largest one's area, itself counted */
    struct face face;    /* with ALBUM_FACE */
    uint8_t digest[ALBUM_DIGEST_BYTES]; /* SHA-256 of the file; zeros where it could not be read */
};

struct album {
    struct album_photo *photos;
    size_t count, capacity;
    size_t passed_over; /* files beside the persons' folders */
    struct arena text;  /* names and paths */
    float *
        views; /* count x view_count x FACE_EMBEDDING_FLOATS; of a photo without a face undefined */
    size_t view_count, view_bytes;
};

void album_init(struct album *album);
void album_finish(struct album *album); /* faces are wiped */

int album_add(struct album *album, const char *person, const char *path, struct err *err) MUST_USE;
/* FOLDER/PERSON/PHOTO, in the order of names; hidden files and what lies beside the persons'
 * folders are passed over, the latter counted. */
int album_add_people(struct album *album, const char *folder, struct err *err) MUST_USE;
/* The same, and the photos that lie in FOLDER itself, of nobody in particular. */
int album_add_all(struct album *album, const char *folder, struct err *err) MUST_USE;

enum album_choice { ALBUM_LARGEST, ALBUM_NEAREST_CENTRE };

struct album_options {
    const struct face_models *models;
    enum face_detect detect;
    int exact;                /* see struct recognizer_options */
    size_t threads;           /* 0: one a processor */
    enum album_choice choice; /* which face of several */
    int all_wanted; /* the first photo that cannot be read is a failure, and the rest is left */
    size_t views; /* of each face, for a trained head: drawn by view_seed and the photo's number */
    uint64_t view_seed;
    void (*progress)(void *context, size_t done, size_t all); /* one call at a time; or NULL */
    void *context;
};

/* Fill in the faces. A photo that cannot be read is no failure, unless all_wanted. */
int album_find_faces(struct album *album, const struct album_options *options,
                     struct err *err) MUST_USE;

/* The same for one picture: fills in state, similar and face. */
int album_find_face(struct album_photo *photo, struct recognizer *recognizer,
                    const struct image *image, enum album_choice choice, struct err *err) MUST_USE;

#endif
