#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/options.h"

/* The options of a verb from a file and from the environment, in front of the command line: the
 * command line wins over variables, and these over the file.
 *
 *   the file      --config FILE, or the variable KEN_EDGE_CONFIG: lines "name = value" with the
 *                 options' names; "#" begins a comment line; a flag is yes or no; a value may stand
 *                 in double quotes
 *   a variable    KEN_EDGE_NAME for --name, "-" as "_": KEN_EDGE_RECORD_LIFETIME=60
 *
 * An unknown name (of a variable too), a name given twice and a value that is none are refused,
 * with file and line. */
struct settings {
    char *text;  /* the file's, which the options' texts point into */
    int lenient; /* set before: names of other verbs' options are passed over */
};

enum { SETTINGS_MAX_BYTES = 64 * 1024 };

/* `argv` is only looked through for --config. `prefix` is "KEN_EDGE_". Settings are to be kept as
 * long as the options' values; settings_finish() in any case. */
int settings_load(struct settings *settings, const struct command_line *line, const char *prefix,
                  char **argv, struct err *err) MUST_USE;
void settings_finish(struct settings *settings);

/* One file's text, cut in place; for tests. */
int settings_parse(const struct settings *settings, const struct command_line *line, char *text,
                   const char *path, struct err *err) MUST_USE;

#endif
