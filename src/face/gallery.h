#ifndef FACE_GALLERY_H
#define FACE_GALLERY_H

#include "base/err.h"

#include <stddef.h>

/* The enrolled people: templates (unit vectors of FACE_EMBEDDING_FLOATS) by person, and the
 * threshold below which a face is "unknown". One writer, many readers. The file (docs/gallery.md)
 * is encrypted and authenticated with AES-256-GCM; the key comes from KEN_GALLERY_KEY (64 hex
 * digits) or else the key file beside the gallery (GALLERY.key, mode 0600, made at the first save).
 */
struct gallery;

enum {
    GALLERY_NAME_BYTES = 128, /* with the 0 behind */
    GALLERY_MAX_PEOPLE = 1000000,
    GALLERY_MAX_TEMPLATES = 4000000, /* of all people */
};

/* Cosine similarity from which a face counts as the person, unless the gallery says otherwise. On
 * 1.2 million pairs of different people of LFW (lfw-dev, every photo with every other) 1 in 90,000
 * reaches it, and 92 % of the pairs of one person (94.5 % with two photos enrolled); on webcam
 * clips 99.7 % of the frames from a person's other clip (docs/accuracy.md). */
#define GALLERY_DEFAULT_THRESHOLD 0.50f

struct match {
    const char *name; /* borrowed from the gallery; NULL: unknown */
    float similarity; /* cosine to the best person's mean direction, whether it passes or not; -1
                         for an empty gallery */
};

struct gallery *gallery_create(struct err *err);
/* ERR_NOT_FOUND without file or key, ERR_CORRUPT for a changed byte or the wrong key. */
struct gallery *gallery_open(const char *path, struct err *err);
int gallery_save(const struct gallery *gallery, const char *path, struct err *err) MUST_USE;
/* Without encryption: a checksum against damage, no protection. */
int gallery_save_plain(const struct gallery *gallery, const char *path, struct err *err) MUST_USE;
void gallery_destroy(struct gallery *gallery); /* NULL is fine; templates are wiped */

/* Adds a template to `name`, who is new or known. A name is 1 to 127 bytes of UTF-8
 * without control characters, and not "unknown". */
int gallery_add(struct gallery *gallery, const char *name, const float *embedding,
                struct err *err) MUST_USE;
size_t gallery_people(const struct gallery *gallery);
size_t gallery_templates(const struct gallery *gallery);
/* Borrowed until the next gallery_add(); `person` counts from 0 in the order of enrolment. */
const char *gallery_name(const struct gallery *gallery, size_t person);
float gallery_threshold(const struct gallery *gallery);
void gallery_set_threshold(struct gallery *gallery, float threshold); /* -1..1 */

/* The person most like `embedding`; fills `out` always. Returns 1 when that person passes the
 * threshold, 0 for unknown. */
int gallery_match(const struct gallery *gallery, const float *embedding, struct match *out);

#endif
