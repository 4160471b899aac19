#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include "base/err.h"

#include <limits.h>

/* Where the verbs find what no option names. */

/* The folder of the networks, which may lie in `place`: `option`, else $KEN_MODELS, else the folder
 * `models` beside the one this program lies in (build/release/ken: build/models), else
 * /usr/share/ken/models. */
const char *paths_models(const char *option, char place[PATH_MAX]);

/* Opens the networks there; an absent one's error says what to do. */
struct face_models;
struct face_models *paths_open_models(const char *option, struct err *err);

/* The gallery file: `option`, else $KEN_GALLERY, else gallery.ken. */
const char *paths_gallery(const char *option);

/* What the verbs' help says of --models. */
#define PATHS_MODELS_HELP                                                                          \
    "folder of the networks (default: $KEN_MODELS, else models beside ken's folder)"

#endif
