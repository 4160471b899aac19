#ifndef CLI_GALLERY_FILES_H
#define CLI_GALLERY_FILES_H

#include "face/gallery.h"

/* Save the gallery, and beside it labels.json, the names in the order of enrolment. `plain`:
 * without encryption, which is said on standard error each time. */
int gallery_files_save(const struct gallery *gallery, const char *path, int plain,
                       struct err *err) MUST_USE;

#endif
