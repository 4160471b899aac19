#include "cli/options.h"
#include "cli/start.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

/* The program `ken-tool`: the verbs about faces, people and deployments. */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
#define X(name, summary) {#name, verb_##name},
    KEN_TOOL_VERBS(X)
#undef X
};

int main(int argc, char **argv)
{
    start_program();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (is_started_by_ken(argc, argv) && strcmp(argv[1], verbs[i].name) == 0)
            return finish_program(verbs[i].name, verbs[i].run(argc - 1, argv + 1));
    fprintf(stderr, "ken-tool: a part of ken, which starts it (see ken --help)\n");
    return EXIT_USAGE;
}
