#ifndef FACE_GALLERY_H
#define FACE_GALLERY_H

#include "base/err.h"
#include "face/recognizer.h"

#include <stddef.h>

/* The enrolled people: templates (unit vectors of FACE_EMBEDDING_FLOATS, kept as bytes) by person,
 * and the threshold below which a face is "unknown". The file (docs/gallery.md) is encrypted and
 * authenticated with AES-256-GCM; the key comes from KEN_GALLERY_KEY (64 hex digits) or else the
 * key file beside the gallery (GALLERY.key, mode 0600, made at the first save).
 *
 * In memory: one writer, or many readers. The file: what is added goes to its end, and counts once
 * all of it is on the disk; any other change replaces the file as a whole. So a reader sees the old
 * or the new gallery, and programs that change it wait for each other. */
struct gallery;
struct head;

enum {
    GALLERY_NAME_BYTES = 128, /* with the 0 behind */
    GALLERY_MAX_PEOPLE = 1000000,
    GALLERY_MAX_TEMPLATES = 4000000, /* of all people */
    GALLERY_MAX_CANDIDATES = 100,
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

struct candidate {
    size_t person;
    float similarity; /* cosine to the person's mean direction */
};

struct gallery *gallery_create(struct err *err);
/* ERR_NOT_FOUND without file or key, ERR_CORRUPT for a changed byte or the wrong key. */
struct gallery *gallery_open(const char *path, struct err *err);
/* The same to search only, faster: names and mean directions are read and checked, and the
 * templates behind them left in the file, unread and unchecked (docs/gallery.md). It cannot be
 * changed or saved, and gallery_template() is not for it. */
struct gallery *gallery_open_to_search(const char *path, struct err *err);
/* To save it again: until gallery_destroy() other programs that want to change a gallery
 * in this folder wait, so that no change is lost. */
struct gallery *gallery_open_to_change(const char *path, struct err *err);
/* The same; where there is no file, an empty gallery, and *is_new is set: of two programs that
 * enrol the first person, one waits for the other and then opens what that one wrote. */
struct gallery *gallery_open_or_create(const char *path, int *is_new, struct err *err);
/* To the file it was opened to change from, where templates were only added, they are appended;
 * else the file is written anew. The gallery is not to be changed and saved once more then: open it
 * again. */
int gallery_save(const struct gallery *gallery, const char *path, struct err *err) MUST_USE;
/* Without encryption: a checksum against damage, no protection. */
int gallery_save_plain(const struct gallery *gallery, const char *path, struct err *err) MUST_USE;
/* Whether a gallery can be saved there at all: so that nobody waits for hours to be told. Leaves
 * nothing behind. */
int gallery_check_place(const char *path, int plain, struct err *err) MUST_USE;
int gallery_is_plain(const struct gallery *gallery); /* opened from a file without encryption */
/* At the file's end lie so many bytes of an addition that was cut short; they do not count, and the
 * next change removes them. */
size_t gallery_unfinished_bytes(const struct gallery *gallery);
void gallery_destroy(struct gallery *gallery); /* NULL is fine; templates are wiped */

/* A trained head (face/head.h), which all templates and faces go through from then on. Takes
 * `head`, also on failure: ERR_INVALID where templates are there already. */
int gallery_set_head(struct gallery *gallery, struct head *head, struct err *err) MUST_USE;
const struct head *gallery_head(const struct gallery *gallery); /* NULL for none */

/* Adds a template to `name`, who is new or known. A name is 1 to 127 bytes of UTF-8
 * without control characters, and not "unknown". */
int gallery_add(struct gallery *gallery, const char *name, const float *embedding,
                struct err *err) MUST_USE;
/* Removes a person with all templates; the others keep their order. ERR_NOT_FOUND. */
int gallery_forget(struct gallery *gallery, const char *name, struct err *err) MUST_USE;
/* ERR_NOT_FOUND; ERR_EXISTS when `new_name` is somebody else: two people are never merged. */
int gallery_rename(struct gallery *gallery, const char *name, const char *new_name,
                   struct err *err) MUST_USE;

size_t gallery_people(const struct gallery *gallery);
size_t gallery_templates(const struct gallery *gallery);
/* Borrowed until the next change; `person` counts from 0 in the order of enrolment. */
const char *gallery_name(const struct gallery *gallery, size_t person);
/* Returns 1 and the person's number, or 0. */
int gallery_find(const struct gallery *gallery, const char *name, size_t *person);
size_t gallery_person_templates(const struct gallery *gallery, size_t person); /* at least 1 */
/* The template as it is kept, behind the head and rounded to bytes, as a unit vector of
 * FACE_EMBEDDING_FLOATS. */
void gallery_template(const struct gallery *gallery, size_t person, size_t index, float *out);
/* The network whose embeddings the templates are; it is kept in the file. */
void gallery_set_network(struct gallery *gallery, const struct face_network *network);
/* ERR_INVALID where somebody is enrolled with another network than `network`. Files from before
 * networks were recorded (identity 0) pass for any of FACE_EMBEDDING_FLOATS: there was but one. */
int gallery_check_network(const struct gallery *gallery, const struct face_network *network,
                          struct err *err) MUST_USE;

float gallery_threshold(const struct gallery *gallery);
void gallery_set_threshold(struct gallery *gallery, float threshold); /* -1..1 */

/* The person most like `embedding`; fills `out` always. Returns 1 when that person passes the
 * threshold, 0 for unknown. */
int gallery_match(const struct gallery *gallery, const float *embedding, struct match *out);
/* The `limit` (at most GALLERY_MAX_CANDIDATES) people most like `embedding`, best first; returns
 * how many. Exact: everybody is compared. */
size_t gallery_search(const struct gallery *gallery, const float *embedding, struct candidate *out,
                      size_t limit);
/* The same for what gallery_template() gives, which went through the head already. */
size_t gallery_search_kept(const struct gallery *gallery, const float *kept, struct candidate *out,
                           size_t limit);

#endif
