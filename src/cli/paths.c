#include "cli/paths.h"

#include <stdlib.h>
#include <unistd.h>

static const char *option_or_variable(const char *option, const char *variable)
{
    if (option)
        return option;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

const char *paths_models(const char *option)
{
    const char *named = option_or_variable(option, "KEN_MODELS");
    if (named)
        return named;
    return access("build/models", F_OK) == 0 ? "build/models" : "/usr/share/ken/models";
}

const char *paths_gallery(const char *option)
{
    const char *named = option_or_variable(option, "KEN_GALLERY");
    return named ? named : "gallery.ken";
}
