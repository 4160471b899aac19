#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/err.h"
#include "cli/nearest.h"

#include <stddef.h>

/* The command line of one verb, as a table: parsing, --help and the error texts come from it. */

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_INT, OPTION_REAL };

struct option_spec {
    const char *name; /* "gallery": --gallery VALUE or --gallery=VALUE; a flag takes no value */
    char letter;      /* 'o' for -o, 0 for none */
    enum option_kind kind;
    void *value;          /* int * (FLAG), const char ** (TEXT), long * (INT), double * (REAL);
                             holds the default before parsing */
    const char *argument; /* "FILE", for the help text; NULL for flags */
    const char *help;     /* one line; say the unit and the default */
    double min, max;      /* INT and REAL: accepted range; both 0: any */
};

struct command_line {
    const char *verb;                  /* "identify" */
    const char *summary;               /* one line */
    const char *operands;              /* "PHOTO...", or NULL when none are taken */
    const char *details;               /* more help, with examples; NULL for none */
    const struct option_spec *options; /* ends with .name == NULL */
};

/* Exit codes of every program of ken. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Parses argv (argv[0] is the verb). Operands stay in order in argv[*first_operand] and after.
 * Returns 0 to go on; 1 when --help was printed (exit with EXIT_OK); -1 with `err` set for a wrong
 * command line (exit with EXIT_USAGE). */
int options_parse(const struct command_line *line, int argc, char **argv, int *first_operand,
                  struct err *err) MUST_USE;

/* The same, printing the error too. Returns -1 to go on, or the exit code to leave with. */
int options_start(const struct command_line *line, int argc, char **argv, int *first_operand);

/* Give an option its value; a flag is set, whatever the text. */
int options_store(const struct option_spec *option, const char *text, struct err *err) MUST_USE;

/* Which option was meant by a name that is none, as nearest_hint() says it. */
void options_hint(const struct command_line *line, const char *name, size_t length,
                  const char *dashes, char hint[NEAREST_HINT_BYTES]);

/* Print "ken VERB: message" on standard error; returns EXIT_FAILED. */
int options_fail(const struct command_line *line, const struct err *err);

#endif
