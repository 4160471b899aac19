#include "cli/paths.h"

#include "face/recognizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *option_or_variable(const char *option, const char *variable)
{
    if (option)
        return option;
    const char *value = getenv(variable);
    return value && *value ? value : NULL;
}

int paths_beside_program(const char *name, char *path, size_t path_bytes, struct err *err)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return err_set_errno(err, "find %s", name);
    program[length] = 0;
    char *slash = strrchr(program, '/');
    *(slash ? slash : program) = 0;
    int written = snprintf(path, path_bytes, "%s/%s", program, name);
    if (written < 0 || (size_t)written >= path_bytes || access(path, R_OK) < 0)
        return err_set(err, ERR_NOT_FOUND, "find %s: it is not in %.200s", name, program);
    return 0;
}

const char *paths_models(const char *option, char place[PATH_MAX])
{
    struct err err = {0};
    const char *named = option_or_variable(option, "KEN_MODELS");
    if (named)
        return named;
    return paths_beside_program("../models", place, PATH_MAX, &err) == 0 ? place
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
