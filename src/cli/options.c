#include "cli/options.h"
#include "cli/line.h"
#include "cli/nearest.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 120, LONG_ONLY = 256, COLUMN = 30 };

static void print_option(const struct option_spec *option)
{
    char left[64], letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
    int is_wide = strlen(left) > COLUMN;
    printf("  %-*s%s%-*s %s\n", COLUMN, left, is_wide ? "\n  " : "", is_wide ? COLUMN : 0, "",
           option->help);
}

static void print_help(const struct command_line *line)
{
    printf("usage: ken %s [options]%s%s\n\n%s\n\noptions:\n", line->verb, line->operands ? " " : "",
           line->operands ? line->operands : "", line->summary);
    for (const struct option_spec *option = line->options; option->name; option++)
        print_option(option);
    printf("  %-*s %s\n", COLUMN, "-h, --help", "show this help");
    if (line->details)
        printf("\n%s\n", line->details);
}

static int in_range(const struct option_spec *option, double value)
{
    return (option->min == 0 && option->max == 0) || (value >= option->min && value <= option->max);
}

static int store_number(const struct option_spec *option, const char *text, struct err *err)
{
    char *end;
    errno = 0;
    double real = 0;
    long integer = 0;
    if (option->kind == OPTION_REAL)
        real = strtod(text, &end);
    else
        real = (double)(integer = strtol(text, &end, 10));
    if (errno || end == text || *end)
        return err_set(err, ERR_INVALID, "--%s: \"%s\" is not a number", option->name, text);
    if (!in_range(option, real))
        return err_set(err, ERR_INVALID, "--%s: %s is not from %g to %g", option->name, text,
                       option->min, option->max);
    if (option->kind == OPTION_REAL)
        *(double *)option->value = real;
    else
        *(long *)option->value = integer;
    return 0;
}

int options_store(const struct option_spec *option, const char *text, struct err *err)
{
    if (option->kind == OPTION_FLAG)
        *(int *)option->value = 1;
    else if (option->kind == OPTION_TEXT)
        *(const char **)option->value = text;
    else
        return store_number(option, text, err);
    return 0;
}

/* Fill getopt's two tables from ours; returns the number of options. */
static int make_tables(const struct command_line *line, struct option *longs, char *letters)
{
    int count = 0;
    *letters++ = ':'; /* report a missing value as ':' */
    for (const struct option_spec *o = line->options; o->name && count < MAX_OPTIONS; o++) {
        int value = o->kind == OPTION_FLAG ? no_argument : required_argument;
        longs[count] = (struct option){o->name, value, NULL, LONG_ONLY + count};
        if (o->letter) {
            *letters++ = o->letter;
            if (value == required_argument)
                *letters++ = ':';
        }
        count++;
    }
    longs[count] = (struct option){"help", no_argument, NULL, 'h'};
    longs[count + 1] = (struct option){0};
    *letters++ = 'h';
    *letters = 0;
    return count;
}

static const struct option_spec *find(const struct command_line *line, int value)
{
    if (value >= LONG_ONLY)
        return &line->options[value - LONG_ONLY];
    for (const struct option_spec *o = line->options; o->name; o++)
        if (o->letter == value)
            return o;
    return NULL;
}

void options_hint(const struct command_line *line, const char *name, size_t length,
                  const char *dashes, char hint[NEAREST_HINT_BYTES])
{
    struct nearest nearest;
    nearest_init(&nearest, name, length);
    for (const struct option_spec *o = line->options; o->name; o++)
        nearest_offer(&nearest, o->name);
    nearest_hint(&nearest, dashes, hint);
}

/* getopt says '?' for both: an option that it does not know, and a value for a flag, whose number
 * it then tells. Of letters behind one dash it goes on to the next word behind the last only. */
static int refuse(const struct command_line *line, int value, char **argv, struct err *err)
{
    char hint[NEAREST_HINT_BYTES] = "";
    const char *word = argv[optind - 1], *what = "no such option";
    if (value == ':') {
        what = "a value is missing";
    } else if (optopt >= LONG_ONLY || optopt == 'h') {
        what = "takes no value";
    } else {
        if (optopt && argv[optind] && argv[optind][0] == '-' && argv[optind][1] != '-' &&
            strchr(argv[optind], optopt))
            word = argv[optind];
        const char *name = word + strspn(word, "-");
        options_hint(line, name, strcspn(name, "="), "--", hint);
    }
    return err_set(err, ERR_INVALID, "%s: %s%s (see ken %s --help)", word, what, hint, line->verb);
}

int options_parse(const struct command_line *line, int argc, char **argv, int *first_operand,
                  struct err *err)
{
    struct option longs[MAX_OPTIONS + 2];
    char letters[2 * MAX_OPTIONS + 4];
    make_tables(line, longs, letters);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    for (int value; (value = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
        if (value == 'h') {
            print_help(line);
            return 1;
        }
        if (value == '?' || value == ':')
            return refuse(line, value, argv, err);
        if (options_store(find(line, value), optarg, err) < 0)
            return -1;
    }
    if (optind < argc && !line->operands)
        return err_set(err, ERR_INVALID, "%s: takes no such argument (see ken %s --help)",
                       argv[optind], line->verb);
    *first_operand = optind;
    return 0;
}

int options_start(const struct command_line *line, int argc, char **argv, int *first_operand)
{
    struct err err = {0};
    int result = options_parse(line, argc, argv, first_operand, &err);
    if (result == 1)
        return EXIT_OK;
    if (result < 0) {
        options_fail(line, &err);
        return EXIT_USAGE;
    }
    return -1;
}

int options_fail(const struct command_line *line, const struct err *err)
{
    line_print(stderr, "ken %s: %s", line->verb, err->message);
    return EXIT_FAILED;
}
