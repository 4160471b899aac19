#include "cloud/lambda/launch.h"
#include "cloud/lambda/private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */

enum { ENVIRONMENT_OWN = 32 }; /* room for Lambda's variables */

struct variables {
    char **texts;
    size_t count, room;
    int failed;
};

static void add(struct variables *v, const char *format, ...) PRINTF(2, 3);

static void add(struct variables *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    if (v->count + 1 >= v->room || vasprintf(&text, format, args) < 0)
        v->failed = 1;
    else
        v->texts[v->count++] = text;
    va_end(args);
}

static void add_functions_own(struct variables *v, const struct function *function)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)function->environment, name, value)
    {
        add(v, "%s=%s", name, json_string_value(value) ? json_string_value(value) : "");
    }
}

/* Is there one that begins as `text` does, up to its "="? */
static int has(const struct variables *v, const char *text)
{
    size_t size = strcspn(text, "=");
    for (size_t i = 0; i < v->count; i++)
        if (strncmp(v->texts[i], text, size) == 0 && v->texts[i][size] == '=')
            return 1;
    return 0;
}

/* A default that the function may have set itself. */
static void add_default(struct variables *v, const char *name, const char *value)
{
    if (!has(v, name))
        add(v, "%s=%s", name, value);
}

/* What the image sets, and neither Lambda nor the function does. */
static void add_images(struct variables *v, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text && *text != '=' && strchr(text, '=') && !has(v, text))
            add(v, "%s", text);
    }
}

static void add_lambdas(struct variables *v, const struct manager *m, const struct instance *i,
                        int port)
{
    const struct function *f = i->function;
    const char *code = m->sandbox->is_full ? JAIL_CODE : f->code->folder;
    add(v, "AWS_LAMBDA_FUNCTION_NAME=%s", f->name);
    add(v, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%ld", f->memory_mb);
    add(v, "AWS_LAMBDA_FUNCTION_VERSION=%s", f->version);
    add(v, "AWS_LAMBDA_INITIALIZATION_TYPE=%s",
        i->pool->provisioned ? "provisioned-concurrency" : "on-demand");
    add(v, "AWS_LAMBDA_LOG_GROUP_NAME=%s", i->output.group);
    add(v, "AWS_LAMBDA_LOG_STREAM_NAME=%s", i->output.stream);
    add(v, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:%d", port);
    if (!f->image)
        add(v, "AWS_EXECUTION_ENV=AWS_Lambda_%s", f->runtime);
    add(v, "AWS_REGION=%s", m->options.region);
    add(v, "AWS_DEFAULT_REGION=%s", m->options.region);
    add(v, "LAMBDA_TASK_ROOT=%s", code);
    add(v, "LAMBDA_RUNTIME_DIR=%s", f->image ? "/var/runtime" : code);
    if (!f->image)
        add(v, "_HANDLER=%s", f->handler);
    add(v, "TMPDIR=%s", m->sandbox->is_full ? JAIL_TEMPORARY : i->temporary);
}

static void add_keys(struct variables *v, const struct identity_credentials *keys)
{
    if (!keys->access_key_id[0])
        return;
    add(v, "AWS_ACCESS_KEY_ID=%s", keys->access_key_id);
    add(v, "AWS_SECRET_ACCESS_KEY=%s", keys->secret_access_key);
    add(v, "AWS_SESSION_TOKEN=%s", keys->session_token);
}

char **environment_create(const struct manager *m, const struct instance *instance, int port,
                          const struct identity_credentials *keys)
{
    const struct function *function = instance->function;
    const json_t *images = launch_environment(function);
    struct variables v = {.room = ENVIRONMENT_OWN + json_object_size(function->environment) +
                                  json_array_size(images)};
    v.texts = calloc(v.room, sizeof *v.texts);
    if (!v.texts)
        return NULL;
    add_lambdas(&v, m, instance, port);
    add_keys(&v, keys);
    add_functions_own(&v, function);
    add_images(&v, images);
    add_default(&v, "AWS_ENDPOINT_URL", m->options.endpoint);
    add_default(&v, "PATH", "/usr/local/bin:/usr/bin:/bin");
    add_default(&v, "LANG", "en_US.UTF-8");
    add_default(&v, "TZ", ":UTC");
    if (!v.failed)
        return v.texts;
    environment_destroy(v.texts);
    return NULL;
}

void environment_destroy(char **environment)
{
    for (char **text = environment; text && *text; text++) {
        explicit_bzero(*text, strlen(*text));
        free(*text);
    }
    free(environment);
}
