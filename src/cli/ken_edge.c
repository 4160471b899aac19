#include "cli/start.h"
#include "cli/verbs.h"

#include <string.h>

/* The program `ken-edge`: the device, and the verbs that read videos. Started by its own
 * name it is the camera. */

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
#define X(name, summary) {#name, verb_##name},
    KEN_EDGE_VERBS(X)
#undef X
};

int main(int argc, char **argv)
{
    start_program();
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (is_started_by_ken(argc, argv) && strcmp(argv[1], verbs[i].name) == 0)
            return finish_program(verbs[i].name, verbs[i].run(argc - 1, argv + 1));
    return finish_program("edge", verb_edge(argc, argv));
}
