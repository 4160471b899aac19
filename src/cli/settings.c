#include "cli/settings.h"

#include "base/buf.h"
#include "base/file.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_NAME = 64, MAX_SEEN = 128 };

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = 0;
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text[length - 1] = 0;
        text++;
    }
    return text;
}

static int index_of(const struct command_line *line, const char *name)
{
    for (int i = 0; line->options[i].name; i++)
        if (strcmp(line->options[i].name, name) == 0 && strcmp(name, "config") != 0)
            return i;
    return -1;
}

static int set_flag(const struct option_spec *option, const char *text, struct err *err)
{
    static const char *const words[][2] = {{"no", "yes"}, {"false", "true"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int on = 0; on < 2; on++) {
            if (strcasecmp(text, words[i][on]) != 0)
                continue;
            *(int *)option->value = on;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s: \"%s\" is neither yes nor no", option->name, text);
}

static int set(const struct option_spec *option, const char *text, struct err *err)
{
    if (option->kind == OPTION_FLAG)
        return set_flag(option, text, err);
    return options_store(option, text, err);
}

static int refuse(const struct command_line *line, const char *name, struct err *err)
{
    char hint[NEAREST_HINT_BYTES];
    options_hint(line, name, strlen(name), "--", hint);
    return err_set(err, ERR_INVALID, "there is no option --%.60s%s (see ken %s --help)", name, hint,
                   line->verb);
}

static int take_line(const struct settings *settings, const struct command_line *line, char *text,
                     char seen[MAX_SEEN], struct err *err)
{
    char *equals = strchr(text, '=');
    if (!equals)
        return err_set(err, ERR_INVALID, "\"%.60s\" is not \"name = value\"", text);
    *equals = 0;
    const char *name = trim(text);
    int index = index_of(line, name);
    if (index < 0 && settings->lenient)
        return 0;
    if (index < 0 || index >= MAX_SEEN)
        return refuse(line, name, err);
    if (seen[index]++)
        return err_set(err, ERR_INVALID, "\"%s\" is given twice", name);
    return set(&line->options[index], trim(equals + 1), err);
}

int settings_parse(const struct settings *settings, const struct command_line *line, char *text,
                   const char *path, struct err *err)
{
    char seen[MAX_SEEN] = {0};
    int number = 0;
    for (char *next = text; next;) {
        char *here = strsep(&next, "\n");
        number++;
        here += strspn(here, " \t\r");
        if (!*here || *here == '#')
            continue;
        if (take_line(settings, line, here, seen, err) < 0)
            return err_wrap(err, "%s:%d", path, number);
    }
    return 0;
}

/* The value of --config, "--config=FILE" too; NULL when it is not there. */
static const char *config_path(char **argv, const char *prefix)
{
    char variable[MAX_NAME];
    for (char **word = argv + 1; *word && strcmp(*word, "--") != 0; word++) {
        if (strcmp(*word, "--config") == 0)
            return word[1];
        if (strncmp(*word, "--config=", 9) == 0)
            return *word + 9;
    }
    snprintf(variable, sizeof variable, "%sCONFIG", prefix);
    const char *named = getenv(variable);
    return named && *named ? named : NULL;
}

static int load_file(struct settings *settings, const struct command_line *line, const char *path,
                     struct err *err)
{
    struct buf text;
    buf_init(&text, SETTINGS_MAX_BYTES);
    int done = file_read(path, &text, err);
    settings->text = text.data; /* which has a 0 behind it */
    if (done == 0 && text.data && strlen(text.data) != text.size)
        return err_set(err, ERR_INVALID, "read %s: it is no text", path);
    return done == 0 && text.data ? settings_parse(settings, line, text.data, path, err) : done;
}

/* KEN_EDGE_RECORD_LIFETIME=60 becomes "record-lifetime"; the value, or NULL for another variable.
 */
static const char *read_variable(const char *variable, const char *prefix, char name[MAX_NAME])
{
    size_t length = strlen(prefix);
    const char *equals = strchr(variable, '=');
    if (!equals || strncmp(variable, prefix, length) != 0)
        return NULL;
    snprintf(name, MAX_NAME, "%.*s", (int)(equals - variable - (ptrdiff_t)length),
             variable + length);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
    return equals + 1;
}

static int load_variables(const struct settings *settings, const struct command_line *line,
                          const char *prefix, struct err *err)
{
    char name[MAX_NAME];
    for (char **variable = environ; *variable; variable++) {
        const char *value = read_variable(*variable, prefix, name);
        if (!value || !*value || strcmp(name, "config") == 0)
            continue;
        int index = index_of(line, name);
        if (index < 0 && settings->lenient)
            continue;
        if (index < 0)
            refuse(line, name, err);
        if (index < 0 || set(&line->options[index], value, err) < 0)
            return err_wrap(err, "%.*s", (int)(value - *variable - 1), *variable);
    }
    return 0;
}

int settings_load(struct settings *settings, const struct command_line *line, const char *prefix,
                  char **argv, struct err *err)
{
    settings->text = NULL;
    const char *path = config_path(argv, prefix);
    if (path && load_file(settings, line, path, err) < 0)
        return -1;
    return load_variables(settings, line, prefix, err);
}

void settings_finish(struct settings *settings)
{
    free(settings->text);
    settings->text = NULL;
}
