#ifndef FACE_GALLERY_DATA_H
#define FACE_GALLERY_DATA_H

#include "face/gallery.h"
#include "face/recognizer.h"
#include "face/rows.h"

#include <stdint.h>

/* What gallery.c (people), gallery_names.c (finding a name), gallery_file.c (the file's bytes) and
 * gallery_store.c (the file as a whole) share. */
struct person {
    char name[GALLERY_NAME_BYTES];
    int8_t *templates;  /* count rows; NULL for one template: that is the person's mean */
    uint32_t count;     /* templates */
    uint32_t allocated; /* rows; 0: `templates` lies in the gallery's `file` */
};

struct gallery {
    struct person *people; /* in the order of enrolment */
    struct rows means;     /* the direction of each person */
    size_t people_count, people_allocated, template_count;
    uint32_t *slots; /* hash of names: person + 1, 0 for free; a power of two, half free at least */
    size_t slot_count;
    uint8_t *file; /* as read and decrypted; NULL for a new gallery */
    size_t file_bytes;
    float threshold;
    int plain;       /* read from a file that is not encrypted */
    int lock_folder; /* a descriptor: held for writing by gallery_open_to_change(); else -1 */
};

int gallery_check_name(const char *name, struct err *err) MUST_USE;
/* Room for so many people. */
int gallery_reserve(struct gallery *gallery, size_t count) MUST_USE;
/* For gallery_file.c: one new person with a mean and `count` templates, which lie in gallery->file,
 * or NULL for one. */
int gallery_take_person(struct gallery *gallery, const char *name, const int8_t *mean,
                        int8_t *templates, uint32_t count, struct err *err) MUST_USE;

/* Finding names. After a change of anybody's number everything is to be indexed anew. */
size_t names_find(const struct gallery *gallery, const char *name); /* SIZE_MAX: nobody */
int names_reserve(struct gallery *gallery, size_t count);           /* -1 without memory */
int names_add(struct gallery *gallery, size_t person);              /* -1 without memory */
void names_remake(struct gallery *gallery);                         /* after removal or renaming */

/* The file's bytes. */
enum { GALLERY_HEADER_BYTES = 64, GALLERY_CHECK_BYTES = 32 };
size_t gallery_most_file_bytes(void);
/* The whole file in one block, which the caller wipes and frees; NULL on failure. */
uint8_t *gallery_encode(const struct gallery *gallery, int plain, const char *path, size_t *size,
                        struct err *err);
/* Decrypts gallery->file in place and fills the gallery from it. */
int gallery_decode(struct gallery *gallery, const char *path, struct err *err) MUST_USE;

#endif
