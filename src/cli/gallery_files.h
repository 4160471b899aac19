#ifndef CLI_GALLERY_FILES_H
#define CLI_GALLERY_FILES_H

#include "face/gallery.h"

/* gallery_open_to_change() and gallery_open_or_create(), and a warning on standard error where an
 * addition was cut short. */
struct gallery *gallery_files_open_to_change(const char *path, struct err *err);
struct gallery *gallery_files_open_or_create(const char *path, int *is_new, struct err *err);

/* Whether gallery_files_save() can begin at all. */
int gallery_files_check(const char *path, int plain, struct err *err) MUST_USE;

/* Save the gallery, and beside it labels.json, the names in the order of enrolment. `plain`:
 * without encryption, which is said on standard error each time. */
int gallery_files_save(const struct gallery *gallery, const char *path, int plain,
                       struct err *err) MUST_USE;

#endif
