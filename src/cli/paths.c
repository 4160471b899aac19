#include "cli/paths.h"

#include "cli/beside.h"
#include "face/recognizer.h"

#include <stdlib.h>

static const char *option_or_variable(const char *option, const char *variable)
{
    if (option)
        return option;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

const char *paths_models(const char *option, char place[PATH_MAX])
{
    struct err err = {0};
    const char *named = option_or_variable(option, "KEN_MODELS");
    if (named)
        return named;
    return beside_program("../models", place, PATH_MAX, &err) == 0 ? place
                                                                   : "/usr/share/ken/models";
}

struct face_models *paths_open_models(const char *option, struct err *err)
{
    char place[PATH_MAX];
    struct err cause = {0};
    struct face_models *models = face_models_open(paths_models(option, place), &cause);
    if (!models)
        err_set(err, cause.code, "%.400s%s", cause.message,
                cause.code == ERR_NOT_FOUND ? " (\"make models\" makes the networks; "
                                              "--models DIR says where they are)"
                                            : "");
    return models;
}

const char *paths_gallery(const char *option)
{
    const char *named = option_or_variable(option, "KEN_GALLERY");
    return named ? named : "gallery.ken";
}
