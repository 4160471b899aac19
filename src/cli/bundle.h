#ifndef CLI_BUNDLE_H
#define CLI_BUNDLE_H

#include "base/buf.h"
#include "base/err.h"

/* The function's zip, made in memory: bootstrap, gallery.ken, the networks as models/NAME.ken. The
 * same files give the same bytes (times fixed, order fixed), so that a deployment can tell whether
 * the code changed. */

#define BUNDLE_MAX_BYTES ((size_t)50 * 1024 * 1024) /* what Lambda takes in one request */

struct bundle_files {
    const char *function, *models, *gallery; /* program, folder, file */
};

int bundle_make(const struct bundle_files *files, struct buf *zip, struct err *err) MUST_USE;

/* Calls `take` for each network that the function opens: "fr_detect.ken" and its path. All are
 * opened here first: what the function could not use fails now. */
typedef int bundle_take_model(void *context, const char *file, const char *path, struct err *err);
int bundle_each_model(const char *folder, bundle_take_model *take, void *context,
                      struct err *err) MUST_USE;

/* The `ken-function` beside the running program. */
int bundle_find_function(char *path, size_t path_bytes, struct err *err) MUST_USE;

/* The gallery's key: $KEN_GALLERY_KEY, else GALLERY.key. The gallery is opened with it, so that one
 * that the function could not open fails here. */
enum { BUNDLE_KEY_BYTES = 65 };
int bundle_gallery_key(const char *gallery, char key[BUNDLE_KEY_BYTES], struct err *err) MUST_USE;

#endif
