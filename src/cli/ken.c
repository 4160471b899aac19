#include "cli/line.h"
#include "cli/nearest.h"
#include "cli/options.h"
#include "cli/start.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The program `ken`: knows the verbs, and becomes the program beside it that does the work. */

static const struct verb {
    const char *name, *summary, *program;
} verbs[] = {
#define X(name, summary) {#name, summary, "ken-tool"},
    KEN_TOOL_VERBS(X)
#undef X
#define X(name, summary) {#name, summary, "ken-edge"},
        KEN_EDGE_VERBS(X)
#undef X
#define X(name, summary) {#name, summary, "ken-cloud"},
            KEN_CLOUD_VERBS(X)
#undef X
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct verb *)a)->name, ((const struct verb *)b)->name);
}

static void print_usage(FILE *out)
{
    struct verb sorted[VERBS];
    memcpy(sorted, verbs, sizeof verbs);
    qsort(sorted, VERBS, sizeof *sorted, by_name);
    fprintf(out, "usage: ken VERB [options] [arguments]\n\n"
                 "Gives a camera the record of the person in front of it.\n\nverbs:\n");
    for (size_t i = 0; i < VERBS; i++)
        fprintf(out, "  %-10s %s\n", sorted[i].name, sorted[i].summary);
    fprintf(out, "\n\"ken VERB --help\" tells more of one; \"ken --version\" the version.\n");
}

static int run_verb(char **argv)
{
    char hint[NEAREST_HINT_BYTES];
    struct nearest nearest;
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return become_program(verbs[i].program, argv);
    nearest_init(&nearest, argv[1], strlen(argv[1]));
    for (size_t i = 0; i < VERBS; i++)
        nearest_offer(&nearest, verbs[i].name);
    nearest_hint(&nearest, "", hint);
    line_print(stderr, "ken: %s: no such verb%s (see ken --help)", argv[1], hint);
    return EXIT_USAGE;
}

static int is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int main(int argc, char **argv)
{
    start_program();
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (argc == 3 && strcmp(argv[1], "help") == 0) {
        char *help[] = {argv[0], argv[2], (char[]){"--help"}, NULL};
        return run_verb(help);
    }
    if (is_one_of(argv[1], "--help", "-h", "help")) {
        print_usage(stdout);
        return finish_program("--help", EXIT_OK);
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("ken %s\n", KEN_VERSION);
        return finish_program("--version", EXIT_OK);
    }
    return run_verb(argv);
}
