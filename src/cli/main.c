#include "cli/options.h"
#include "cli/verbs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
#define X(name, summary) {#name, summary, verb_##name},
    VERB_LIST(X)
#undef X
        {NULL, NULL, NULL},
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: ken VERB [options] [arguments]\n\n"
                 "Gives a camera the record of the person in front of it.\n\nverbs:\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        fprintf(out, "  %-10s %s\n", verb->name, verb->summary);
    fprintf(out, "\n\"ken VERB --help\" tells more of one; \"ken --version\" the version.\n");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE,
           SIG_IGN); /* a closed pipe or socket is an error where it is written, not a death */
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("ken %s\n", KEN_VERSION);
        return EXIT_OK;
    }
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(argv[1], verb->name) == 0)
            return verb->run(argc - 1, argv + 1);
    fprintf(stderr, "ken: %s: no such verb (see ken --help)\n", argv[1]);
    return EXIT_USAGE;
}
