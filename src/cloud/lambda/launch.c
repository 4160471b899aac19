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

/* ENTRYPOINT and CMD. */
static int list_images(const struct function *function, struct launch *out, struct err *err)
{
    const json_t *program = find(function, "EntryPoint", "Entrypoint");
    const json_t *more = find(function, "Command", "Cmd");
    out->list = calloc(json_array_size(program) + json_array_size(more) + 1, sizeof *out->list);
    if (!out->list)
        return err_set(err, ERR_NO_MEMORY, "start function: no memory");
    add(out->list, add(out->list, 0, program), more);
    out->arguments = out->list;
    return 0;
}

int launch_prepare(const struct function *function, struct launch *out, struct err *err)
{
    *out = (struct launch){0};
    if (function->image)
        return list_images(function, out, err);
    if (runtimes_arguments(function->runtime, out->program, out->interpreter, err) < 0)
        return -1;
    if (out->interpreter[0])
        out->arguments = out->interpreter;
    return 0;
}

void launch_finish(struct launch *launch)
{
    free(launch->list);
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
