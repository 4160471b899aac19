#ifndef CLI_PATHS_H
#define CLI_PATHS_H

/* Where the verbs find what no option names. */

/* The folder of the networks: `option`, else $KEN_MODELS, else build/models where that exists, else
 * /usr/share/ken/models. */
const char *paths_models(const char *option);

/* The gallery file: `option`, else $KEN_GALLERY, else gallery.ken. */
const char *paths_gallery(const char *option);

#endif
