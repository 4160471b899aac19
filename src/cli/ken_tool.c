#include "cli/options.h"
#include "cli/start.h"
#include "cli/verbs.h"

#include <stdio.h>

/* The program `ken-tool`: the verbs about faces, people and deployments. */

static const struct program_verb verbs[] = {
#define X(name, summary) {#name, verb_##name},
    KEN_TOOL_VERBS(X)
#undef X
};

static int refuse(int argc, char **argv)
{
    (void)argc, (void)argv;
    fprintf(stderr, "ken-tool: a part of ken, which starts it (see ken --help)\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const struct program_verb nothing = {"tool", refuse};
    return run_program(verbs, sizeof verbs / sizeof *verbs, &nothing, argc, argv);
}
