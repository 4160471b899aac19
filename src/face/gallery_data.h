#ifndef FACE_GALLERY_DATA_H
#define FACE_GALLERY_DATA_H

#include "face/gallery.h"
#include "face/recognizer.h"

/* What gallery.c (people and matching) and gallery_file.c (the file) share. */
struct person {
    char name[GALLERY_NAME_BYTES];
    float *templates; /* count x FACE_EMBEDDING_FLOATS */
    size_t count, capacity;
};

struct gallery {
    struct person *people; /* in the order of enrolment */
    float *means;          /* capacity x FACE_EMBEDDING_FLOATS: the direction of each person */
    size_t people_count, capacity, template_count;
    float threshold;
};

int gallery_check_name(const char *name, struct err *err) MUST_USE;
/* `name` must not be enrolled yet. NULL on failure. */
struct person *gallery_add_person(struct gallery *gallery, const char *name, struct err *err);
int gallery_add_templates(struct gallery *gallery, struct person *person, const float *templates,
                          size_t count, struct err *err) MUST_USE;

#endif
