#include "cloud/lambda/launch.h"

#include <stdlib.h>
#include <string.h>

/* The function's own value where it has one. */
static const json_t *find(const struct function *function, const char *own, const char *images)
{
    const json_t *response = json_object_get(function->configuration, "ImageConfigResponse");
    const json_t *value = json_object_get(json_object_get(response, "ImageConfig"), own);
    return value ? value : json_object_get(json_object_get(function->image, "Config"), images);
}

static size_t add(const char **out, size_t count, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text)
            out[count++] = text;
    }
    return count;
}

const char **launch_arguments(const struct function *function)
{
    const json_t *program = find(function, "EntryPoint", "Entrypoint");
    const json_t *more = find(function, "Command", "Cmd");
    const char **list = calloc(json_array_size(program) + json_array_size(more) + 1, sizeof *list);
    if (list)
        add(list, add(list, 0, program), more);
    return list;
}

const char *launch_folder(const struct function *function)
{
    const char *folder = json_string_value(find(function, "WorkingDirectory", "WorkingDir"));
    return folder && *folder ? folder : "/";
}

const json_t *launch_environment(const struct function *function)
{
    return json_object_get(json_object_get(function->image, "Config"), "Env");
}
