#include "aws/profile.h"

#include "base/buf.h"
#include "base/file.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 256 * 1024 };

static const struct setting {
    const char *name;
    size_t offset, bytes;
} settings[] = {
#define SETTING(word, field)                                                                       \
    {                                                                                              \
        word, offsetof(struct aws_profile, field), sizeof((struct aws_profile *)0)->field          \
    }
    SETTING("aws_access_key_id", access_key_id),
    SETTING("aws_secret_access_key", secret_access_key),
    SETTING("aws_session_token", session_token),
    SETTING("region", region),
    SETTING("endpoint_url", endpoint_url),
#undef SETTING
};

/* The text without blanks around it; cuts it in place. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = 0;
    return text;
}

static int store(struct aws_profile *profile, const char *name, const char *value, struct err *err)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char *out = (char *)profile + settings[i].offset;
        if (strcmp(name, settings[i].name) != 0 || *out)
            continue;
        if ((size_t)snprintf(out, settings[i].bytes, "%s", value) >= settings[i].bytes)
            return err_set(err, ERR_TOO_BIG, "read %s: it is too long", name);
    }
    return 0;
}

/* "[me]", and in the config file "[profile me]". */
static int is_section(const struct aws_profile *profile, const char *title)
{
    if (strncmp(title, "profile", 7) == 0 && title[7] && strchr(" \t", title[7]))
        title += 7 + strspn(title + 7, " \t");
    return strcmp(title, profile->name) == 0;
}

/* The INI form: "[section]", "name = value", "#" and ";" comments. What is indented below a name
 * without a value belongs to that. */
static int parse(struct aws_profile *profile, char *text, struct err *err)
{
    int here = 0, nested = 0;
    char *rest = NULL;
    for (char *raw = strtok_r(text, "\n", &rest); raw; raw = strtok_r(NULL, "\n", &rest)) {
        char *line = trim(raw), *end = strchr(line, ']'), *equals = strchr(line, '=');
        if (line[0] == '[' && end) {
            *end = 0;
            here = is_section(profile, trim(line + 1));
            profile->found |= here;
            nested = 0;
        } else if (here && equals && line[0] != '#' && line[0] != ';') {
            if (nested && line != raw)
                continue;
            *equals = 0;
            char *value = trim(equals + 1);
            nested = !*value;
            if (store(profile, trim(line), value, err) < 0)
                return -1;
        }
    }
    return 0;
}

static int load_file(struct aws_profile *profile, const char *variable, const char *below_home,
                     struct err *err)
{
    char path[4096];
    const char *named = getenv(variable), *home = getenv("HOME");
    if (named && *named)
        snprintf(path, sizeof path, "%s", named);
    else
        snprintf(path, sizeof path, "%s%s", home ? home : "", below_home);
    struct buf text;
    buf_init(&text, MAX_FILE_BYTES);
    struct err absent;
    int done = 0;
    if (file_read(path, &text, &absent) == 0 && text.data)
        done = parse(profile, text.data, err);
    if (text.data)
        explicit_bzero(text.data, text.size);
    buf_finish(&text);
    return done;
}

int aws_profile_load(struct aws_profile *profile, struct err *err)
{
    const char *named = getenv("AWS_PROFILE");
    *profile = (struct aws_profile){.name = named && *named ? named : "default"};
    return load_file(profile, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials", err) < 0 ||
                   load_file(profile, "AWS_CONFIG_FILE", "/.aws/config", err) < 0
               ? -1
               : 0;
}
